"""/terms, /privacy, /support, /paysupport: who sells, on what terms, and whom to ask."""

from aiogram import Router
from aiogram.filters import Command
from aiogram.methods import SendMessage
from aiogram.types import Message

from app.settings import Settings
from app.words import Words

router = Router(name="texts")


@router.message(Command("terms"))
async def terms(message: Message, settings: Settings, words: Words) -> SendMessage:
    """What is sold, and how money goes back."""
    return message.answer(words.terms(settings.seller))


@router.message(Command("privacy"))
async def privacy(message: Message, settings: Settings, words: Words) -> SendMessage:
    """What is kept, and how to have it removed."""
    return message.answer(words.privacy(settings.seller, settings.retention_days))


@router.message(Command("support"))
async def support(message: Message, settings: Settings, words: Words) -> SendMessage:
    """Whom to ask."""
    return message.answer(words.support(settings.seller))


@router.message(Command("paysupport"))
async def paysupport(message: Message, settings: Settings, words: Words) -> SendMessage:
    """Whom to ask about a payment."""
    return message.answer(words.paysupport(settings.seller))
