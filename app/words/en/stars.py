"""Paying with Stars in English."""

from html import escape

from app.catalog import SUBSCRIPTION_DAYS
from app.words.en.numbers import credits, money
from app.words.stars import Stars


class EnglishStars(Stars):
    invoice_unknown = "This invoice is not yours or is no longer valid. Choose a plan again: /buy_subscription"
    invoice_paid = (
        "This invoice has already been paid and the credits are on your balance: /status. More: /buy_subscription"
    )
    invoice_closed = "Stars are no longer accepted here. Other ways to pay: /buy_subscription"
    invoice_later = "I can’t check this invoice right now. No Stars were taken; please try again in a minute."

    def stars_button(self, stars: int) -> str:
        return money(stars, "XTR")

    def credits_title(self, bought: int) -> str:
        return credits(bought)

    def invoice_description(self, bought: int) -> str:
        return f"{credits(bought)} for drawing pictures and a subscription for {SUBSCRIPTION_DAYS} days"

    def or_stars(self, stars: int) -> str:
        return f"Or with Telegram Stars: {money(stars, 'XTR')}."

    def payment_stray(self, amount: int, currency: str) -> str:
        return (
            f"Your payment of {money(amount, currency)} has arrived, but I could not find what it is for. "
            "We’re looking into it; questions: /paysupport"
        )

    def alert_stray_charge(self, charge: str, user_id: int, amount: int, currency: str) -> str:
        return (
            f"⚠️ A payment of {money(amount, currency)} by {user_id} has come, but the database has no such purchase: "
            f"nothing was credited, the person was told. Charge {escape(charge)} is kept in stray_charges; what to do "
            "is in docs/alerts.md."
        )

    def alert_second_charge(self, payment: str, charge: str) -> str:
        return (
            f"⚠️ Invoice {payment} was paid a second time ({escape(charge)}): this payment was credited as well. "
            "If it was a mistake, give the Stars back."
        )
