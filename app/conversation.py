"""What a person has begun: an order before it is one. It lives in the conversation's data, and nothing else does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Self

from aiogram import BaseMiddleware
from aiogram.fsm.context import FSMContext
from aiogram.types import TelegramObject

from app.catalog import MOST_SOURCES

COLLECTING, CARD = "Photo:collecting", "Photo:card"
"""Names of the two states, as the version before wrote them."""

_ALBUMS_REMEMBERED = 8


@dataclass(frozen=True, slots=True)
class Draft:
    """Pictures (file ids at Telegram, in the order they were sent) and a description, then the card that shows them.

    `sent` are the ids of the messages that the pictures came in, `albums` the media groups that are gathered.
    `captioned`: the album's message whose caption is the description; None where any caption may replace it, 0 where
    none may. `left_out`: the person knows that there are more pictures than an order takes. `adding`: the next picture
    is one more of them. `card` names the card, and so the order; "" until there is one. `message` is the message that
    shows it, or that asks for what is missing; None where that is not known.
    """

    sources: tuple[str, ...] = ()
    prompt: str = ""
    albums: tuple[str, ...] = ()
    card: str = ""
    model: str = ""
    size: str = ""
    quality: str | None = None
    style: str | None = None
    sent: tuple[int, ...] = ()
    captioned: int | None = None
    left_out: bool = False
    adding: bool = False
    message: int | None = None

    @property
    def has_room(self) -> bool:
        """Whether one picture more can be added."""
        return len(self.sources) < MOST_SOURCES

    def with_picture(self, number: int, file_id: str, album: str | None) -> Self:
        """One picture more, which came in the message of that id; of too many the ones that were sent last are gone."""
        # Where nobody knows their messages, they were sent before
        sent = self.sent if len(self.sent) == len(self.sources) else range(-len(self.sources), 0)
        found = sorted((dict(zip(sent, self.sources, strict=True)) | {number: file_id}).items())[:MOST_SOURCES]
        albums = self.albums if album is None or album in self.albums else (*self.albums, album)
        return replace(
            self, sources=tuple(file for _, file in found), sent=tuple(sent for sent, _ in found), albums=albums
        )

    def takes_caption(self, number: int) -> bool:
        """Whether the caption of that message is the description, whichever of an album's messages came first."""
        return self.captioned is None or number < self.captioned

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """The draft in a conversation's data, the version before's included: one picture, `file_id`, one `album`."""
        sources = data.get("sources") or ([data["file_id"]] if data.get("file_id") else [])
        albums = data.get("albums") or ([data["album"]] if data.get("album") else [])
        return cls(
            tuple(sources),
            data.get("prompt") or "",
            tuple(albums),
            data.get("card") or "",
            data.get("model") or "",
            data.get("size") or "",
            data.get("quality"),
            data.get("style"),
            tuple(data.get("sent") or ()),
            data.get("captioned"),
            bool(data.get("left_out")),
            bool(data.get("adding")),
            data.get("message"),
        )

    def data(self) -> dict[str, Any]:
        """As it is stored; the version before finds its own fields, the first picture and the newest album."""
        fields = {
            "sources": list(self.sources),
            "file_id": self.sources[0] if self.sources else None,
            "prompt": self.prompt,
            "albums": list(self.albums),
            "album": self.albums[-1] if self.albums else None,
            "card": self.card,
            "model": self.model,
            "size": self.size,
            "quality": self.quality,
            "style": self.style,
            "sent": list(self.sent),
            "captioned": self.captioned,
            "left_out": self.left_out,
            "adding": self.adding,
            "message": self.message,
        }
        return {name: value for name, value in fields.items() if value or (name == "captioned" and value == 0)}


class Conversation:
    """What the person has begun, during one update; what is kept is stored when the update ends well.

    `over` are albums that are gathered no longer: ordered, cancelled, or followed by another order. They are kept
    when nothing else is, because an album's messages may be late.
    """

    def __init__(self, context: FSMContext, draft: Draft | None, over: tuple[str, ...] = ()) -> None:
        self._context = context
        self.draft = draft
        """None where nothing was begun."""
        self.over = over

    @classmethod
    async def of(cls, context: FSMContext) -> Self:
        """The conversation that aiogram's context leads to."""
        begun, data = await context.get_state() is not None, await context.get_data()
        return cls(context, Draft.read(data) if begun else None, tuple(data.get("over") or ()))

    async def keep(self, draft: Draft) -> None:
        """Keeps the draft for the next update."""
        self._end_albums(kept=draft.albums)
        self.draft = draft
        await self._context.set_state(CARD if draft.card else COLLECTING)
        await self._context.set_data(draft.data() | self._memory())

    async def leave(self) -> None:
        """Ends what was begun."""
        self._end_albums()
        self.draft = None
        await self._context.set_state(None)
        await self._context.set_data(self._memory())

    def _end_albums(self, kept: tuple[str, ...] = ()) -> None:
        gone = tuple(album for album in (self.draft.albums if self.draft else ()) if album not in kept)
        self.over = (*self.over, *gone)[-_ALBUMS_REMEMBERED:]

    def _memory(self) -> dict[str, Any]:
        return {"over": list(self.over)} if self.over else {}


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
