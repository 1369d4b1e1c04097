"""/status: the balance and the subscription."""

from aiogram import Router
from aiogram.filters import Command
from aiogram.methods import SendMessage
from aiogram.types import Message

from app import texts
from app.db import connection
from app.repo import subscriptions, users
from app.repo.records import Pool

router = Router(name="status")


@router.message(Command("status"))
async def status(message: Message, pool: Pool) -> SendMessage:
    """Says how many credits there are, and until when the subscription runs."""
    async with connection(pool) as conn:
        balance = await users.balance(conn, message.chat.id)
        active = await subscriptions.active(conn, message.chat.id)
    if active is None:
        return message.answer(texts.status(balance, None, None))
    return message.answer(texts.status(balance, active.plan, texts.day(active.ends_at)))
