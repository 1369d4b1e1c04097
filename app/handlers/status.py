"""/status: the balance and the subscription."""

from aiogram import Router
from aiogram.methods import SendMessage
from aiogram.types import Message

from app import keyboards
from app.catalog import MOSCOW
from app.db import connection
from app.handlers.filters import Commanded
from app.handlers.visitor import Visitor
from app.repo import subscriptions
from app.repo.records import Pool


async def status(message: Message, pool: Pool, visitor: Visitor) -> SendMessage:
    """Says how many credits there are, and until when the subscription runs."""
    async with connection(pool) as conn:
        active = await subscriptions.active(conn, visitor.id)
    markup = keyboards.status(visitor.words)
    if active is None:
        return message.answer(visitor.words.status(visitor.credits, None, None), reply_markup=markup)
    last_day = active.ends_at.astimezone(MOSCOW).date()
    return message.answer(
        visitor.words.status(visitor.credits, active.plan, last_day, active.currency), reply_markup=markup
    )


def register(router: Router) -> None:
    """For the menu."""
    router.message.register(status, Commanded("status"))
