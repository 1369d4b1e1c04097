"""The card of an order after «✅»: every edit of it is made here, so that none stands over a later state.

Edits of two processes may overlap, and Telegram keeps the one that came last. So whoever has shown a state that does
not last looks at the order once more, and shows what became of it meanwhile.
"""

from uuid import UUID

import structlog
from aiogram import Bot

from app.db import connection
from app.faults import TELEGRAM
from app.repo import generations
from app.repo.records import Pool
from app.words import Words

log = structlog.get_logger()


class Cards:
    """Shows on a card how its order stands. It is a nicety: what cannot be shown is no fault."""

    def __init__(self, pool: Pool, bot: Bot) -> None:
        self._pool = pool
        self._bot = bot

    async def waiting(self, words: Words, chat_id: int, message_id: int, order: UUID, text: str) -> None:
        """Shows `text`, of an order that is still waited for, unless the picture has come meanwhile."""
        await self._edit(chat_id, message_id, text)
        async with connection(self._pool) as conn:
            owner = await generations.owner(conn, order)
        if owner is not None and owner.status == "delivered":
            await self.done(words, chat_id, message_id)

    async def done(self, words: Words, chat_id: int, message_id: int) -> None:
        """Shows that the picture is there, once that is stored."""
        await self._edit(chat_id, message_id, words.order_done)

    async def _edit(self, chat_id: int, message_id: int, text: str) -> None:
        try:
            await self._bot.edit_message_text(text, chat_id=chat_id, message_id=message_id)
        except TELEGRAM as error:
            log.info("card.not_edited", error=repr(error))
