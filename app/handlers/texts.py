"""/terms, /privacy, /support, /paysupport: who sells, on what terms, and whom to ask."""

from aiogram import Router
from aiogram.methods import SendMessage
from aiogram.types import Message

from app.handlers.filters import Commanded
from app.settings import Settings
from app.words import Words


async def terms(message: Message, settings: Settings, words: Words) -> SendMessage:
    """What is sold, and how money goes back."""
    return message.answer(words.terms(settings.seller))


async def privacy(message: Message, settings: Settings, words: Words) -> SendMessage:
    """What is kept, and how to have it removed."""
    return message.answer(words.privacy(settings.seller, settings.retention_days))


async def support(message: Message, settings: Settings, words: Words) -> SendMessage:
    """Whom to ask."""
    return message.answer(words.support(settings.seller))


async def paysupport(message: Message, settings: Settings, words: Words) -> SendMessage:
    """Whom to ask about a payment."""
    return message.answer(words.paysupport(settings.seller))


def register(router: Router) -> None:
    """For the menu, and for Telegram's rules about who takes payments."""
    for name, handler in (("terms", terms), ("privacy", privacy), ("support", support), ("paysupport", paysupport)):
        router.message.register(handler, Commanded(name))
