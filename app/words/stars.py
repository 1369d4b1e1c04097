"""Paying with Stars."""

from typing import Protocol


class Stars(Protocol):
    """The words of invoices and of what goes wrong with them. Amounts are in minor units of their currency."""

    invoice_unknown: str
    invoice_paid: str
    invoice_closed: str
    invoice_later: str
    """At most 255 characters each: Telegram shows them where the person wants to pay."""

    def stars_button(self, stars: int) -> str:
        """The button that brings an invoice of so many Stars; begins with ⭐."""

    def credits_title(self, bought: int) -> str:
        """What an invoice is for, in 32 characters at most, as plain text."""

    def invoice_description(self, bought: int) -> str:
        """The same in 255 characters at most."""

    def or_stars(self, stars: int) -> str:
        """Behind the message that holds a link: the same for Stars."""

    def payment_stray(self, amount: int, currency: str) -> str:
        """A payment of the person's came, and nobody knows what for."""

    def alert_stray_charge(self, charge: str, user_id: int, amount: int, currency: str) -> str:
        """A person has paid, and there is no such purchase here."""

    def alert_second_charge(self, payment: str, charge: str) -> str:
        """An invoice was paid twice, and credited twice."""
