"""The people who talk to the bot, and what stands in their chats."""

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox import formatting
from sandbox.files import Files

ACTION_S = 5
"""How long «печатает…» stays, unless a message ends it."""


@dataclass
class ChatMessage:
    """A message as the person sees it now; edits are applied, a deleted one is gone from its chat.

    `raw` is the message as the Bot API gives it; `taken` says that the bot took the update with a person's message.
    """

    id: int
    chat_id: int
    outgoing: bool
    date: int
    text: str | None = None
    caption: str | None = None
    photo: bytes | None = None
    document: bytes | None = None
    file_name: str | None = None
    file_id: str | None = None
    keyboard: list[list[dict[str, Any]]] = field(default_factory=list)
    edited: bool = False
    taken: bool = False
    raw: dict[str, Any] = field(default_factory=dict)
    shown: list[dict[str, Any]] = field(default_factory=list)

    @property
    def entities(self) -> list[dict[str, Any]]:
        """The formatting of the text or the caption, with what Telegram found in it."""
        found: list[dict[str, Any]] = self.raw.get("entities") or self.raw.get("caption_entities") or []
        return found

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return [button for row in self.keyboard for button in row]

    def button(self, wanted: str) -> dict[str, Any] | None:
        """By callback data or by how its text begins; one that an edit took away counts as well."""
        for button in [*self.buttons, *reversed(self.shown)]:
            data, text = button.get("callback_data"), str(button.get("text", ""))
            if data == wanted or text.startswith(wanted):
                found: dict[str, Any] = button
                return found
        return None

    def show(self, keyboard: list[list[dict[str, Any]]]) -> None:
        """Put that keyboard under the message in place of the one before."""
        self.keyboard = keyboard
        self.shown.extend(self.buttons)
        self.raw.pop("reply_markup", None)
        if keyboard:
            self.raw["reply_markup"] = {"inline_keyboard": keyboard}


@dataclass
class Press:
    """A press on a button; `answer` is what the bot said to it first, None until then."""

    id: str
    person_id: int
    message_id: int
    data: str
    life_s: float
    answer: dict[str, Any] | None = None
    at: float = field(default_factory=time.monotonic)

    @property
    def expired(self) -> bool:
        """Past this nobody waits for the answer any more."""
        return time.monotonic() > self.at + self.life_s


class Messenger(Protocol):
    """What a person does with Telegram; each is brought to the bot."""

    files: Files

    def chat(self, chat_id: int) -> list[ChatMessage]: ...

    async def from_person(self, person: "Person", messages: list[dict[str, Any]], wait: bool) -> list[int]: ...

    async def press(self, person: "Person", message_id: int, button: str, wait: bool, at_once: bool) -> str: ...

    async def pay(self, person: "Person", message_id: int, wait: bool) -> str: ...

    def membership_changed(self, person: "Person") -> None: ...


class Person:
    """Somebody in a private chat with the bot. Each action awaits its delivery unless `wait=False`."""

    def __init__(self, telegram: Messenger, person_id: int, name: str, language: str) -> None:
        self.id, self.name, self.language = person_id, name, language
        self.blocked = False
        self._telegram = telegram
        self._action = ("", 0.0)

    @property
    def user(self) -> dict[str, Any]:
        return {"id": self.id, "is_bot": False, "first_name": self.name, "language_code": self.language}

    @property
    def chat(self) -> dict[str, Any]:
        return {"id": self.id, "type": "private", "first_name": self.name}

    @property
    def messages(self) -> list[ChatMessage]:
        return self._telegram.chat(self.id)

    @property
    def action(self) -> str:
        """What the bot is seen doing («typing», «upload_photo»); empty for nothing."""
        name, until = self._action
        return name if time.monotonic() < until else ""

    def sees(self, action: str) -> None:
        """The bot does that for five seconds, or nothing any more."""
        self._action = (action, time.monotonic() + ACTION_S)

    async def send_text(self, text: str, wait: bool = True) -> int:
        """Send a text or a command; its message id."""
        raw: dict[str, Any] = {"text": text}
        if found := formatting.detect(text, []):
            raw["entities"] = found
        return await self.send_raw(raw, wait=wait)

    async def send_photo(self, data: bytes, caption: str | None = None, wait: bool = True) -> int:
        """Send a picture as a photo: recompressed to JPEG, as Telegram does."""
        return await self.send_raw(self._photo(data, caption), wait=wait)

    async def send_document(
        self, data: bytes, filename: str, mime: str, caption: str | None = None, wait: bool = True
    ) -> int:
        """Send a file, untouched."""
        return await self.send_raw(self._document(data, filename, mime, caption), wait=wait)

    async def send_album(self, pictures: list[bytes], caption: str | None = None, wait: bool = True) -> list[int]:
        """Send two to ten photos as one album, the caption on the first: a message each, in order; their ids."""
        captions = [caption, *[None] * (len(pictures) - 1)]
        raws = [self._photo(data, text) for data, text in zip(pictures, captions, strict=True)]
        return await self._telegram.from_person(self, _album(raws), wait)

    async def send_files(
        self, files: list[tuple[bytes, str, str]], caption: str | None = None, wait: bool = True
    ) -> list[int]:
        """Send two to ten files (bytes, name, MIME type) as one album, the caption on the last; their ids."""
        captions = [*[None] * (len(files) - 1), caption]
        raws = [self._document(*file, text) for file, text in zip(files, captions, strict=True)]
        return await self._telegram.from_person(self, _album(raws), wait)

    async def send_raw(self, message: dict[str, Any], wait: bool = True) -> int:
        """Send any message; id, date, chat and sender are filled in where they are missing."""
        return (await self._telegram.from_person(self, [message], wait))[0]

    async def press(self, message_id: int, button: str, wait: bool = True, at_once: bool = False) -> str:
        """Press a button (its callback data, or how its text begins); the callback query's id.

        Presses of a person are delivered one after another; `at_once` lets this one overtake.
        """
        return await self._telegram.press(self, message_id, button, wait, at_once)

    async def pay(self, message_id: int, wait: bool = True) -> str:
        """Pay the invoice of a message with Stars; "" once that is done, else why it was not."""
        return await self._telegram.pay(self, message_id, wait)

    def block(self) -> None:
        """Block the bot: sends to this person get 403 from now on."""
        self._set_blocked(True)

    def unblock(self) -> None:
        self._set_blocked(False)

    def _set_blocked(self, blocked: bool) -> None:
        if blocked != self.blocked:
            self.blocked = blocked
            self._telegram.membership_changed(self)

    def _photo(self, data: bytes, caption: str | None) -> dict[str, Any]:
        return {"photo": self._telegram.files.photo_sizes(data), **_captioned(caption)}

    def _document(self, data: bytes, filename: str, mime: str, caption: str | None) -> dict[str, Any]:
        return {"document": self._telegram.files.document(data, filename, mime), **_captioned(caption)}


def _captioned(caption: str | None) -> dict[str, Any]:
    if caption is None:
        return {}
    found = formatting.detect(caption, [])
    return {"caption": caption, **({"caption_entities": found} if found else {})}


def _album(raws: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not 2 <= len(raws) <= 10:
        raise ValueError("an album has two to ten pictures or files")
    group = str(time.time_ns())
    return [{**raw, "media_group_id": group} for raw in raws]
