"""Short messages."""

import asyncio

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest

from app import keyboards, notices, words
from app.db import connection, transaction
from app.flows import alerts
from app.notices import Alert, MessageDropped
from app.repo import outbox
from app.repo.records import Message, Pool
from app.settings import Settings

log = structlog.get_logger()

PATIENCE_S = 35.0
"""What takes longer is put off, before somebody else may claim it."""


class TextLetters:
    """Says what is owed in a sentence. One whose outcome is unknown is said again: a sentence twice harms nobody."""

    def __init__(self, pool: Pool, settings: Settings, bot: Bot) -> None:
        self._pool = pool
        self._settings = settings
        self._bot = bot

    async def send(self, message: Message) -> None:
        """Sends it; one that Telegram refuses for good is dropped."""
        notice, said = notices.read(message.kind, message.ref, message.payload), words.of(message.language)
        try:
            async with asyncio.timeout(PATIENCE_S):
                text, markup = notice.say(said), keyboards.owed(said, notice)
                await self._bot.send_message(message.chat_id, text, reply_markup=markup)
        except TelegramBadRequest as error:
            log.error("delivery.refused", kind=message.kind, error=error.message)
            async with connection(self._pool) as conn:
                await outbox.drop(conn, message)
        else:
            async with connection(self._pool) as conn:
                await outbox.mark_sent(conn, message.id)

    async def give_up(self, message: Message, error: Exception | None) -> None:
        """Drops it and tells the operators; of an alert they are not told by another one."""
        log.error("delivery.given_up", kind=message.kind, error=repr(error))
        async with transaction(self._pool) as conn:
            if await outbox.drop(conn, message) and not issubclass(notices.KINDS[message.kind], Alert):
                alert = MessageDropped(str(message.id), message.kind, message.chat_id)
                await alerts.owe(conn, self._settings.admin_ids, alert)
