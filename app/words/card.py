"""The order card: what is chosen on it, what it is made of, what it costs."""

from collections.abc import Mapping
from typing import Protocol


class Card(Protocol):
    """The words of the card and of what goes with it."""

    styles: Mapping[str, str]
    """What people call each style of the catalogue."""
    qualities: Mapping[str, str]
    """What people call each quality of the catalogue's models."""

    no_picture_button: str
    add_button: str
    styles_button: str
    no_style_button: str
    back_button: str

    ask_one_more: str
    album_full: str
    album_over: str

    def card(
        self,
        prompt: str,
        pictures: int,
        used: int,
        model: str,
        quality: str | None,
        size: str,
        style: str | None,
        price: int,
    ) -> str:
        """The order card; short enough for a message whatever the prompt. `model` as people call it.

        `used`: the first so many of the pictures are what the model takes. `quality` and `style` are keys, None where
        there is nothing to say of them.
        """

    def quality_button(self, quality: str, price: int) -> str:
        """The button that chooses a quality, with its price."""

    def added(self, pictures: int) -> str:
        """One more picture stands on the card; how many that makes."""

    def price_changed(self, price: int) -> str:
        """«✅» that showed another price than the one of now: nothing was debited."""
