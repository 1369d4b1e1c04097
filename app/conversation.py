"""What a person has begun: an order before it is one. It lives in the conversation's data, and nothing else does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

from aiogram import BaseMiddleware
from aiogram.fsm.context import FSMContext
from aiogram.types import TelegramObject

COLLECTING, CARD = "Photo:collecting", "Photo:card"
"""Names of the two states, as the version before wrote them."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Pictures (file ids at Telegram, in the order they were sent) and a description, then the card that shows them.

    `album` is the media group that the newest picture came in. `card` names the card, and so the order; "" until there
    is one.
    """

    sources: tuple[str, ...] = ()
    prompt: str = ""
    album: str | None = None
    card: str = ""
    model: str = ""
    size: str = ""
    quality: str | None = None
    style: str | None = None

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """The draft in a conversation's data, the version before's included: that knew one picture, `file_id`."""
        sources = data.get("sources") or ([data["file_id"]] if data.get("file_id") else [])
        return cls(
            tuple(sources),
            data.get("prompt") or "",
            data.get("album"),
            data.get("card") or "",
            data.get("model") or "",
            data.get("size") or "",
            data.get("quality"),
            data.get("style"),
        )

    def data(self) -> dict[str, Any]:
        """As it is stored; the version before finds its own fields, the first picture among them."""
        fields = {
            "sources": list(self.sources),
            "file_id": self.sources[0] if self.sources else None,
            "prompt": self.prompt,
            "album": self.album,
            "card": self.card,
            "model": self.model,
            "size": self.size,
            "quality": self.quality,
            "style": self.style,
        }
        return {name: value for name, value in fields.items() if value}


class Conversation:
    """What the person has begun, during one update; what is kept is stored when the update ends well."""

    def __init__(self, context: FSMContext, draft: Draft | None) -> None:
        self._context = context
        self.draft = draft
        """None where nothing was begun."""

    @classmethod
    async def of(cls, context: FSMContext) -> Self:
        """The conversation that aiogram's context leads to."""
        begun = await context.get_state() is not None
        return cls(context, Draft.read(await context.get_data()) if begun else None)

    async def keep(self, draft: Draft) -> None:
        """Keeps the draft for the next update."""
        self.draft = draft
        await self._context.set_state(CARD if draft.card else COLLECTING)
        await self._context.set_data(draft.data())

    async def leave(self) -> None:
        """Ends what was begun."""
        self.draft = None
        await self._context.clear()


class Conversing(BaseMiddleware):
    """Gives handlers and filters the conversation; of every update, once its turn has come."""

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        if context := data.get("state"):
            data["conversation"] = await Conversation.of(context)
        return await handler(event, data)
