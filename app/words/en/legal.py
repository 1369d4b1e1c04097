"""Terms and privacy in English."""

from html import escape

from app.catalog import PLANS, PRICE, SUBSCRIPTION_DAYS, Plan
from app.words.en.numbers import credits, money
from app.words.legal import Legal, Seller

_MONEY_BACK = (
    "A payment can be refunded in full or in part. The money goes back the way it was paid. With it the credits of "
    "that payment leave your balance — the same share, rounded in your favour and as far as the balance goes; what is "
    "missing is taken from credits that come later. A full refund ends the subscription of that payment."
)


_PAYING = {
    "yookassa": "By card or in YooKassa’s other ways, on its page: the bot never sees your card. The credits are there "
    "once YooKassa confirms the payment.",
    "stars": "With Telegram Stars, by an invoice in this chat: the credits are there at once.",
}
_YOOKASSA_SEES = "YooKassa the amount, the purpose and your number at Telegram; "


class EnglishLegal(Legal):
    def terms(self, seller: Seller) -> str:
        prices = "\n".join(f"• {_price(plan, seller)} — {credits(plan.credits)}" for plan in PLANS.values())
        return "\n\n".join(
            (
                f"<b>Terms</b>\n{_seller(seller)}",
                "<b>What is sold.</b> Credits, which pay for pictures here, and a subscription for "
                f"{SUBSCRIPTION_DAYS} days:\n{prices}\n"
                f"A picture costs from {credits(PRICE)}; the card shows the exact price before you order. "
                "Credits do not expire.",
                "<b>Orders.</b> The price is taken once, when you press “✅”. A program draws, so the result cannot be "
                "foretold in every detail. If there is no picture, your credits are refunded by themselves.",
                f"<b>Paying.</b> {' '.join(_PAYING[way] for way in seller.ways)}",
                f"<b>Refunds.</b> {_MONEY_BACK} Whom to ask: /paysupport",
                "<b>What to send.</b> Only what you have the right to use and what breaks no law.",
                f"Your data: /privacy{_whole(seller.terms_url)}",
            )
        )

    def privacy(self, seller: Seller, retention_days: int) -> str:
        days = "1 day" if retention_days == 1 else f"{retention_days} days"
        return "\n\n".join(
            (
                f"<b>Your data</b>\n{_seller(seller)}",
                "<b>What is kept.</b> Your number at Telegram and your language; the descriptions of your orders, the "
                "file numbers of your pictures and of the finished ones, and links to the finished ones; the movements "
                "of your credits; your payments: when, how much, what for. The log has your number and no description. "
                "The bot has no name, telephone number or card of yours. The pictures themselves are with Telegram and "
                "the drawing service, not here.",
                "<b>Where it is from, and what for.</b> It comes from Telegram with your messages, and is needed to "
                "draw your orders and to keep your balance and payments.",
                f"<b>For how long.</b> Descriptions, file numbers and links: {days} after an order is over. What was "
                "begun and not ordered: 7 days. Movements and payments: as long as the books need them, for they prove "
                "your balance.",
                "<b>Who else sees it.</b> The drawing service gen-api.ru gets the description and the picture of an "
                f"order; {_YOOKASSA_SEES if 'yookassa' in seller.ways else ''}Telegram all that is in this chat.",
                "<b>How to delete it.</b> /forget wipes descriptions, file numbers and links at once; an order "
                "still under way as soon as it is over. Balance, movements and payments stay. Delete the messages of "
                "this chat in Telegram itself.",
                f"Questions: /support{_whole(seller.privacy_url)}",
            )
        )

    def support(self, seller: Seller) -> str:
        return (
            f"{_contact(seller)}\n\n"
            "Have a look at /help first, it says how to order, and at /status for your balance and subscription. "
            "About payments: /paysupport"
        )

    def paysupport(self, seller: Seller) -> str:
        return (
            f"<b>Questions about a payment</b>\n{_contact(seller)}\n"
            "Say the day and the amount of the payment, and how it was paid.\n\n"
            f"<b>Refunds.</b> {_MONEY_BACK}\n\n"
            "Telegram’s support cannot help with purchases in this bot. Terms: /terms"
        )


def _price(plan: Plan, seller: Seller) -> str:
    amounts = {"yookassa": money(plan.amount, "RUB"), "stars": money(plan.stars, "XTR")}
    return " / ".join(amounts[way] for way in seller.ways)


def _seller(seller: Seller) -> str:
    inn = f", INN {escape(seller.inn)}" if seller.inn else ""
    return f"Seller: {escape(seller.name) or 'not named'}{inn}"


def _contact(seller: Seller) -> str:
    where = f"Write to us: {escape(seller.contact)}" if seller.contact else "No address for questions is named yet."
    return f"{where}\n{_seller(seller)}"


def _whole(url: str) -> str:
    return f"\n\nThe whole text, which prevails over this short one: {escape(url)}" if url else ""
