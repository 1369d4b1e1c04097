"""Terms and privacy in English."""

from html import escape

from app.catalog import PLANS, PRICE, SUBSCRIPTION_DAYS, Plan
from app.words.en.numbers import credits, money
from app.words.legal import Legal, Seller

_MONEY_BACK = (
    "A payment can be refunded in full or in part. The money goes back the way it was paid. The credits of that "
    "payment are then taken off your balance: the same share, rounded in your favour, as far as the balance allows; "
    "the rest is taken from credits you get later. A full refund ends the subscription that came with that payment."
)


_PAYING = {
    "yookassa": "By card or another method on YooKassa’s page: the bot never sees your card. The credits arrive once "
    "YooKassa confirms the payment.",
    "stars": "With Telegram Stars, by an invoice in this chat: the credits arrive at once.",
}
_YOOKASSA_SEES = (
    "YooKassa gets the amount, the purpose, your Telegram ID and the address for receipts, if you named one; "
)


class EnglishLegal(Legal):
    def terms(self, seller: Seller) -> str:
        prices = "\n".join(f"• {_price(plan, seller)} — {credits(plan.credits)}" for plan in PLANS.values())
        return "\n\n".join(
            (
                f"<b>Terms</b>\n{_seller(seller)}",
                "<b>What is sold.</b> Credits, which pay for pictures here, and a subscription for "
                f"{SUBSCRIPTION_DAYS} days:\n{prices}\n"
                f"Pictures cost from {credits(PRICE)}; the card shows the exact price before you order. "
                "Credits do not expire.",
                "<b>Orders.</b> You are charged once, when you press “✅”. Pictures are drawn by a program, so the "
                "result can’t be predicted in every detail. If there is no picture, your credits are refunded "
                "automatically.",
                f"<b>Paying.</b> {' '.join(_PAYING[way] for way in seller.ways)}",
                f"<b>Refunds.</b> {_MONEY_BACK} How to ask for one: /paysupport",
                "<b>What to send.</b> Only what you have the right to use and what doesn’t break the law.",
                f"Your data: /privacy{_whole(seller.terms_url)}",
            )
        )

    def privacy(self, seller: Seller, retention_days: int) -> str:
        days = "1 day" if retention_days == 1 else f"{retention_days} days"
        return "\n\n".join(
            (
                f"<b>Your data</b>\n{_seller(seller)}",
                "<b>What is kept.</b> Your Telegram ID and your language; the descriptions of your orders, the file "
                "IDs of your pictures and of the finished ones, and links to the finished ones; your credit "
                "history; your payments: when, how much, what for; your address for receipts, if you named one "
                "(/email). The log has your ID and no descriptions. The bot doesn’t have your name, phone number or "
                "card. The pictures themselves are stored by Telegram and the drawing service, not here.",
                "<b>Where it comes from, and why.</b> It comes from Telegram with your messages and is needed to "
                "draw your orders and to keep your balance and payments.",
                f"<b>For how long.</b> Descriptions, file IDs and links: {days} after an order is over. Orders "
                "started but not placed: 7 days. Credit history and payments: as long as the accounts require, since "
                "they prove your balance.",
                "<b>Who else sees it.</b> The drawing service gen-api.ru gets the description and the pictures of an "
                f"order; {_YOOKASSA_SEES if 'yookassa' in seller.ways else ''}Telegram sees everything in this chat.",
                "<b>How to delete it.</b> /forget deletes descriptions, file IDs, links and the address at once; for "
                "an order still under way, as soon as it is over. Your balance, credit history and payments stay. "
                "Messages in this chat are deleted in Telegram itself.",
                f"Questions: /support{_whole(seller.privacy_url)}",
            )
        )

    def support(self, seller: Seller) -> str:
        return (
            f"{_contact(seller)}\n\n"
            "Before you write, /help explains how to order, and /status shows your balance and subscription. "
            "About payments: /paysupport"
        )

    def paysupport(self, seller: Seller) -> str:
        return (
            f"<b>Questions about a payment</b>\n{_contact(seller)}\n"
            "Tell us the date and amount of the payment and how you paid.\n\n"
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
    where = f"Write to us: {escape(seller.contact)}" if seller.contact else "No contact address has been given yet."
    return f"{where}\n{_seller(seller)}"


def _whole(url: str) -> str:
    return f"\n\nThe full text, which takes precedence over this summary: {escape(url)}" if url else ""
