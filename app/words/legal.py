"""Who sells, on what terms, what becomes of people's data, and whom to ask."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Seller:
    """Who runs this bot, as the operator named himself; what he did not name is empty."""

    name: str
    inn: str
    contact: str
    """Where people write to, as they are to read it: a username, an address of e-mail, a link."""
    terms_url: str
    privacy_url: str
    ways: tuple[str, ...] = ("yookassa",)
    """How he is paid: yookassa, stars."""


class Legal(Protocol):
    """The texts that Telegram and the law ask for. They are true of this software: a change of what it keeps, for how
    long, or of how refunds work is a change here."""

    def terms(self, seller: Seller) -> str:
        """The answer to /terms: what is sold, for how much, what happens where an order fails or money goes back."""

    def privacy(self, seller: Seller, retention_days: int) -> str:
        """The answer to /privacy: what is kept, for how long, who else sees it, how to have it removed."""

    def support(self, seller: Seller) -> str:
        """The answer to /support."""

    def paysupport(self, seller: Seller) -> str:
        """The answer to /paysupport: whom to ask about a payment, and how money goes back."""
