"""The message that «✅» was pressed under, from there on: every edit of it is made here, and none stands over a later
state.

Edits of two processes may overlap, and Telegram keeps the one that came last. So an edit holds a lease that no other
is made beside; only the last, which says that the picture is there, does not wait for the first. Whoever has shown a
state that does not last looks at the order once more, and shows what became of it meanwhile.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramForbiddenError, TelegramRetryAfter

from app import words as languages
from app.db import connection
from app.faults import TELEGRAM
from app.flows.orders.waiting import Waiting, news
from app.repo import waits
from app.repo.records import Pool
from app.repo.waits import Wait
from app.words import Words

log = structlog.get_logger()

LEASE_S = 20.0
"""Longer than an edit may take."""

EDIT_S = 15
"""An edit is given up after that: nobody waits for it."""


class Cards:
    """Shows how an order stands. It is a nicety: what cannot be shown is no fault, and is not tried again."""

    def __init__(self, pool: Pool, bot: Bot, waiting: Waiting, wake_submit: Callable[[], None]) -> None:
        self._pool = pool
        self._bot = bot
        self._waiting = waiting
        self._wake_submit = wake_submit

    async def claim(self, limit: int) -> Sequence[Wait]:
        """Leases orders whose person may have something new to be told."""
        async with connection(self._pool) as conn:
            return await waits.claim(conn, limit, LEASE_S)

    async def tell(self, wait: Wait) -> None:
        """Tells it, where there is something."""
        structlog.contextvars.bind_contextvars(generation_id=str(wait.id), user_id=wait.user_id)
        words = languages.of(wait.language)
        if wait.status == "delivered" or not await self._told(words, wait):
            # It has moved on, and delivery leaves the last word to whoever holds the lease
            await self._look_again(words, wait.user_id, wait.card_message_id, wait.id, wait.told)

    async def _told(self, words: Words, wait: Wait) -> bool:
        """Tells how the order stood when it was leased; False where it has moved on, or the lease is lost."""
        found = news(words, wait, await self._waiting.usual_s(wait.model, wait.quality))
        async with connection(self._pool) as conn:
            if found.text is None:
                return await waits.postpone(conn, wait, found.look_again_s)
            told = await waits.begin(conn, wait, found.place, found.look_again_s)
        if told is None:
            return False
        await self.waiting(words, wait.user_id, wait.card_message_id, wait.id, found.text, told)
        return True

    async def waiting(self, words: Words, chat_id: int, message_id: int, order: UUID, text: str, told: int = 1) -> None:
        """Shows `text`, the edit number `told` of an order, unless the picture has come meanwhile."""
        try:
            await self._edit(chat_id, message_id, text)
        except (TelegramForbiddenError, TelegramRetryAfter) as error:
            pause_s = error.retry_after if isinstance(error, TelegramRetryAfter) else None
            log.info("card.not_edited", error=repr(error))
            async with connection(self._pool) as conn:
                await waits.rest(conn, order, pause_s)
        await self._look_again(words, chat_id, message_id, order, told)

    async def _look_again(self, words: Words, chat_id: int, message_id: int, order: UUID, told: int) -> None:
        async with connection(self._pool) as conn:
            status = await waits.finish(conn, order, told)
        if status == "delivered":
            await self.done(words, chat_id, message_id)
        elif status == "queued":
            # A submitter passes over a row that is just being written: here, too
            self._wake_submit()

    async def done(self, words: Words, chat_id: int, message_id: int) -> None:
        """Shows that the picture is there, once that is stored."""
        try:
            await self._edit(chat_id, message_id, words.order_done)
        except (TelegramForbiddenError, TelegramRetryAfter) as error:
            log.info("card.not_edited", error=repr(error))

    async def _edit(self, chat_id: int, message_id: int, text: str) -> None:
        """Raises TelegramForbiddenError and TelegramRetryAfter, for whom there is more to come."""
        try:
            await self._bot.edit_message_text(text, chat_id=chat_id, message_id=message_id, request_timeout=EDIT_S)
        except (TelegramForbiddenError, TelegramRetryAfter):
            raise
        except TELEGRAM as error:
            log.info("card.not_edited", error=repr(error))
