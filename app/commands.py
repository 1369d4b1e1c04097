"""A command in a message: read once an update, for whoever asks which one it is."""

from dataclasses import dataclass
from typing import Self

from aiogram.types import Message


@dataclass(frozen=True, slots=True)
class Command:
    """`/name@bot argument`: `name` as it was written, `bot` and `argument` "" where there is none."""

    name: str
    bot: str
    argument: str

    @classmethod
    def of(cls, message: Message | None) -> Self | None:
        """The command that the text or the caption begins with; None where it begins with none."""
        text = (message.text or message.caption or "") if message else ""
        word, *rest = text.split(maxsplit=1) or [""]
        if not word.startswith("/"):
            return None
        name, _, bot = word[1:].partition("@")
        return cls(name, bot, rest[0].strip() if rest else "")
