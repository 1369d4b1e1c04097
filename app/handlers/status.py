"""/status: the balance and the subscription."""

from aiogram import Router
from aiogram.filters import Command
from aiogram.methods import SendMessage
from aiogram.types import Message

from app.catalog import MOSCOW
from app.db import connection
from app.repo import subscriptions, users
from app.repo.records import Pool
from app.words import Words

router = Router(name="status")


@router.message(Command("status"))
async def status(message: Message, pool: Pool, words: Words) -> SendMessage:
    """Says how many credits there are, and until when the subscription runs."""
    async with connection(pool) as conn:
        balance = await users.balance(conn, message.chat.id)
        active = await subscriptions.active(conn, message.chat.id)
    if active is None:
        return message.answer(words.status(balance, None, None))
    return message.answer(words.status(balance, active.plan, active.ends_at.astimezone(MOSCOW).date()))
