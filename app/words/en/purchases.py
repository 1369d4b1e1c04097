"""Buying in English."""

from datetime import date
from html import escape

from app.catalog import PLANS, PRICE, SUBSCRIPTION_DAYS
from app.words.dates import day_text
from app.words.en.numbers import credits, money, roubles
from app.words.purchases import Purchases

_STATES = {
    "succeeded": "Your payment has arrived and the credits are on your balance: /status",
    "refunded": "This payment was refunded and its credits were taken back: /status. To buy again: /buy_subscription",
    "canceled": "The payment was cancelled, no money was taken. To try again: /buy_subscription",
    "review": "Your payment has arrived but needs checking. We’re looking into it; questions: /paysupport",
}


class EnglishPurchases(Purchases):
    plans_offer = f"How many credits would you like? They come with a {SUBSCRIPTION_DAYS}-day subscription."
    pay_later = (
        "YooKassa isn’t answering at the moment. Press the plan again in a minute — you won’t be charged twice. "
        "If the link is ready earlier, I’ll send it here."
    )
    pay_refused = (
        "Payments are unavailable right now; we’re looking into it. No money was taken; try again in a minute."
    )

    buy_button = "Buy credits"
    pay_button = "Pay"

    def pay_amount_button(self, kopecks: int) -> str:
        return f"Pay {roubles(kopecks)}"

    def plan(self, plan: str, currency: str = "RUB") -> str:
        found = PLANS.get(plan)
        return f"{money(found.price(currency), currency)} — {credits(found.credits)}" if found else escape(plan)

    def pay(self, plan: str) -> str:
        return f"{self.plan(plan)}. Press “Pay” to open YooKassa’s page. The link is valid for about an hour."

    def payment_purpose(self, bought: int) -> str:
        return f"{credits(bought)} for drawing pictures"

    def payment_state(self, status: str | None) -> str:
        if status is None:
            return "You have no payments yet. To buy credits: /buy_subscription"
        return _STATES.get(status, "The payment isn’t confirmed yet. I’ll write here as soon as YooKassa confirms it.")

    def payment_link(self, plan: str) -> str:
        return f"Your payment link is ready ({self.plan(plan)}). Pay within an hour."

    def payment_succeeded(self, added: int, balance: int, until: date) -> str:
        return (
            f"✅ Payment received: {credits(added)} added. "
            f"You now have {credits(balance)}. Your subscription runs until {day_text(until)}.\n"
            "To draw: /photo"
        )

    def payment_canceled(self, plan: str, reason: str) -> str:
        why = "The payment link has expired" if reason == "expired_on_confirmation" else "The payment was cancelled"
        return f"{why} ({self.plan(plan)}). No money was taken."

    def payment_refunded(self, taken: int, balance: int, full: bool) -> str:
        end = " The subscription that came with it has ended." if full else ""
        end += " Questions: /paysupport"
        return f"A payment was refunded: {credits(taken)} taken back, you have {credits(balance)}.{end}"

    def debt_taken(self, taken: int, left: int, balance: int) -> str:
        more = f" Still to be taken: {credits(left)}." if left else ""
        return (
            f"{credits(taken)} taken back: your balance didn’t have enough of them when your payment was refunded. "
            f"You have {credits(balance)}.{more}"
        )

    def status(self, balance: int, plan: str | None, until: date | None, currency: str = "RUB") -> str:
        lines = [f"You have {credits(balance)}."]
        if plan and until:
            lines.append(f"Subscription: {self.plan(plan, currency)}, runs until {day_text(until)}.")
        else:
            lines.append("You have no active subscription. To buy one: /buy_subscription")
        if balance >= PRICE:
            lines.append("To draw: /photo")
        return "\n".join(lines)
