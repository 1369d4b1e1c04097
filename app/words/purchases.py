"""Plans, payments, refunds and the subscription."""

from datetime import date
from typing import Protocol


class Purchases(Protocol):
    """The words of buying. `plan` is a key of the catalogue, or one that has left it."""

    plans_offer: str
    pay_later: str
    pay_refused: str

    buy_button: str
    pay_button: str

    def pay_amount_button(self, kopecks: int) -> str:
        """The button to the page where this amount is paid."""

    def plan(self, plan: str, currency: str = "RUB") -> str:
        """A plan by its price and its credits: 200 ₽ — 10 credits, or ⭐ 185 — 10 credits (XTR)."""

    def pay(self, plan: str) -> str:
        """The message that holds the link."""

    def payment_purpose(self, bought: int) -> str:
        """What a payment is for, as plain text of at most 128 characters: YooKassa's page and the receipt show it."""

    def payment_state(self, status: str | None) -> str:
        """How the newest payment stands, for somebody back from the payment page; None: there is no payment."""

    def payment_link(self, plan: str) -> str:
        """A link that was promised is there."""

    def payment_succeeded(self, added: int, balance: int, until: date) -> str:
        """Credits were added; `until` is the subscription's last day."""

    def payment_canceled(self, plan: str, reason: str) -> str:
        """A payment that will not come; `reason` is YooKassa's."""

    def payment_refunded(self, taken: int, balance: int, full: bool) -> str:
        """Money went back, and `taken` credits with it; a `full` refund ends the payment's subscription."""

    def debt_taken(self, taken: int, left: int, balance: int) -> str:
        """Credits that came were taken for an earlier refund, which had found too few; it lacks `left` more."""

    def status(self, balance: int, plan: str | None, until: date | None, currency: str = "RUB") -> str:
        """The answer to /status; None twice where no subscription is active. `currency`: what the plan was paid in."""
