"""The order card in English."""

from collections.abc import Mapping
from html import escape

from app.catalog import MOST_SOURCES
from app.words.card import Card
from app.words.en.numbers import credits


class EnglishCard(Card):
    styles: Mapping[str, str] = {
        "studio": "Photo studio",
        "anime": "Anime",
        "oil": "Oil",
        "watercolour": "Watercolour",
        "figure": "3D figure",
        "comic": "Comic",
        "pencil": "Pencil",
        "interior": "Interior",
    }
    qualities: Mapping[str, str] = {
        "low": "Basic",
        "medium": "Medium",
        "high": "High",
        "standard": "Standard",
    }

    no_picture_button = "🖼 Without a picture"
    add_button = "➕ One more picture"
    styles_button = "🎨 Style"
    no_style_button = "🚫 No style"
    back_button = "← Back to the card"

    ask_one_more = "Send one more picture — as a photo, or as a JPEG, PNG or WEBP file."
    album_full = f"An order takes up to {MOST_SOURCES} pictures: I take the first ones and leave the rest out."
    album_over = (
        "The card of this album is already closed, and this picture isn’t on it. "
        "To start a new order with it, send it by itself."
    )

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
        lines = [f"<b>Order</b>\n{escape(prompt)}\n", _pictures(pictures, used), f"Model: {escape(model)}"]
        if quality:
            lines.append(f"Quality: {self.qualities.get(quality, quality)}")
        lines.append(f"Size: {size}")
        if style:
            lines.append(f"Style: {self.styles.get(style, style)}")
        return "\n".join([*lines, f"Price: {credits(price)}"])

    def quality_button(self, quality: str, price: int) -> str:
        return f"{self.qualities.get(quality, quality)} · {price}"

    def added(self, pictures: int) -> str:
        return f"Picture added, {pictures} in all. Press “✅” on the card to order."

    def price_changed(self, price: int) -> str:
        return f"The price has changed to {credits(price)}. No credits were taken. If you agree, press “✅” again."


def _pictures(pictures: int, used: int) -> str:
    if not pictures:
        return "No picture, from the description only"
    if used == pictures:
        return f"Pictures: {pictures}"
    taken = {0: "draws without them", 1: "takes only the first one"}.get(used, f"takes the first {used}")
    return f"Pictures: {pictures}, this model {taken}"
