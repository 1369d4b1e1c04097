"""What updates are told apart by. Classes: aiogram asks a plain function, and `F.…` too, in a thread of its own."""

from typing import Any

from aiogram import Bot
from aiogram.enums import ChatType
from aiogram.filters import Filter
from aiogram.types import CallbackQuery, Message

from app.commands import Command
from app.conversation import Conversation
from app.keyboards import CardPress


class InGroup(Filter):
    """A message somewhere else than in somebody's private chat."""

    async def __call__(self, message: Message) -> bool:
        return message.chat.type != ChatType.PRIVATE


class Holds(Filter):
    """A message that holds one of these (fields of Telegram's Message)."""

    def __init__(self, *kinds: str) -> None:
        self._kinds = kinds

    async def __call__(self, message: Message) -> bool:
        return any(getattr(message, kind) for kind in self._kinds)


class Commanded(Filter):
    """A message with this command for this bot, and with this argument where one is named."""

    def __init__(self, name: str, argument: str | None = None) -> None:
        self._name = name
        self._argument = argument

    async def __call__(self, _message: Message, command: Command | None, bot: Bot) -> bool:
        if command is None or command.name != self._name or self._argument not in (None, command.argument):
            return False
        # In a private chat too people name the bot, by its menu or by a copied text
        return not command.bot or command.bot.lower() == ((await bot.me()).username or "").lower()


class PlainText(Filter):
    """A text that is no command."""

    async def __call__(self, message: Message) -> bool:
        return bool(message.text) and not (message.text or "").startswith("/")


class Begun(Filter):
    """An update of somebody who has begun an order."""

    async def __call__(self, _event: Any, conversation: Conversation) -> bool:
        return conversation.draft is not None


class Pressed(Filter):
    """A press on a button with exactly this data."""

    def __init__(self, data: str) -> None:
        self._data = data

    async def __call__(self, query: CallbackQuery) -> bool:
        return query.data == self._data


class CurrentCard(Filter):
    """A press on the card that the conversation is at, on one of these acts; the handler gets it and the draft."""

    def __init__(self, *acts: str) -> None:
        self._acts = acts

    async def __call__(self, query: CallbackQuery, conversation: Conversation) -> bool | dict[str, Any]:
        draft = conversation.draft
        if draft is None or not draft.card:
            return False
        try:
            press = CardPress.unpack(query.data or "")
        except (TypeError, ValueError):
            return False
        return {"press": press, "draft": draft} if press.card == draft.card and press.act in self._acts else False
