"""Everything a person reads: which languages there are, and who gets which.

A topic is a Protocol here (`orders.py`) and a class in each language (`ru/orders.py`, `en/orders.py`). Sentences are
Telegram HTML; what people wrote themselves is escaped by the sentence that it stands in.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

from app.words.alerts import Alerts
from app.words.card import Card
from app.words.chat import Chat, Commands
from app.words.en import English
from app.words.examples import Examples
from app.words.history import History
from app.words.legal import Legal
from app.words.orders import Orders
from app.words.purchases import Purchases
from app.words.receipts import Receipts
from app.words.ru import Russian
from app.words.stars import Stars

type Language = Literal["ru", "en"]


class Words(Chat, Examples, Card, Orders, History, Purchases, Stars, Receipts, Legal, Alerts, Protocol):
    """All that the bot says, in one language."""

    def __hash__(self) -> int:
        """There is one of each: what is made of nothing but words is made once."""


LANGUAGES: Mapping[Language, Words] = {"ru": Russian(), "en": English()}
"""Every language, in the order of its button."""

COMMANDS = Commands._fields
"""The commands of the menu, in its order."""

READ_RUSSIAN = ("ru", "be", "uk", "kk", "ky", "uz", "tg", "tk", "hy", "az")
"""Codes of the languages whose speakers get Russian words."""


def language_of(language_code: str | None) -> Language:
    """The language for somebody whose Telegram speaks `language_code` ("pt-br"; None where it does not say)."""
    spoken = (language_code or "ru").partition("-")[0].lower()
    return "ru" if spoken in READ_RUSSIAN else "en"


def of(language: str | None) -> Words:
    """The words of a language; the Russian ones where it is not decided yet, or is none that there are words in."""
    return LANGUAGES["en"] if language == "en" else LANGUAGES["ru"]
