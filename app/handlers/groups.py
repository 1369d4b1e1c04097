"""A group gets a link to the private chat, when somebody talks to the bot."""

from aiogram import Bot, Router
from aiogram.methods import SendMessage
from aiogram.types import Message

from app.handlers.filters import InGroup
from app.words import Words


async def in_a_group(message: Message, bot: Bot, words: Words) -> SendMessage | None:
    """A command is answered, plain talk is not."""
    if not (message.text or "").startswith("/"):
        return None
    me = await bot.me()
    return message.answer(words.group(me.username or ""))


def register(router: Router) -> None:
    """Before all others: they are for private chats."""
    router.message.register(in_a_group, InGroup())
