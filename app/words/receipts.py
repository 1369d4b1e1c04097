"""Receipts, and the address that they go to."""

from typing import Protocol


class Receipts(Protocol):
    """The words of /email."""

    no_receipts: str
    """Nobody sends receipts here."""
    email_odd: str
    """What was written is no address."""
    email_removed: str
    email_button: str
    """Removes the address."""
    receipt_offer: str
    """After the first purchase."""
    email_refused: str
    """YooKassa took the purchase without the person's address alone, so that it is not used any more."""

    def email(self, address: str | None) -> str:
        """The address that receipts go to, and how to change and to remove it; None: how to name one."""

    def email_chosen(self, address: str) -> str:
        """Receipts go there from now on."""
