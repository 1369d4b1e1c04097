"""Untouched files of pictures that were delivered."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from uuid import UUID

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramEntityTooLarge

from app import keyboards, notices, words
from app.clients.results import LinkDead
from app.db import connection, transaction
from app.flows.delivery.fetch import PREPARE_S, Fetching
from app.flows.delivery.upload import SEND_LEASE_S, SEND_S, Upload
from app.notices import Original, OriginalMissing
from app.pictures import NotAPicture, Picture, Pictures
from app.repo import history, outbox
from app.repo.history import Kept
from app.repo.records import Message, Pool

log = structlog.get_logger()


class OriginalLetters:
    """Sends the untouched file of a picture. It is free and can be asked for again: once a press at most.

    So a send of unknown outcome is not repeated, but told of in a sentence.
    """

    def __init__(
        self, pool: Pool, bot: Bot, pictures: Pictures, fetching: Fetching, wake_delivery: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._bot = bot
        self._pictures = pictures
        self._fetching = fetching
        self._wake_delivery = wake_delivery

    async def send(self, message: Message) -> None:
        """Fetches the file and sends it, or says that nobody has it any more."""
        order = self._order(message)
        structlog.contextvars.bind_contextvars(generation_id=str(order))
        if message.sends:
            await self._missing(message, perhaps=True)
            return
        async with connection(self._pool) as conn:
            kept = await history.find(conn, order, message.chat_id)
        if kept is None:
            await self._missing(message)
            return
        async with AsyncExitStack() as held:
            async with asyncio.timeout(PREPARE_S[message.failures > 0]):
                picture = await self._fetch(kept, message.failures, held)
            if picture is None:
                await self._missing(message)
            else:
                await self._send(message, kept, picture)

    async def give_up(self, message: Message, error: Exception | None) -> None:
        """Says that the file cannot be had."""
        log.error("delivery.given_up", kind=message.kind, error=repr(error))
        await self._missing(message, perhaps=message.sends > 0)

    @staticmethod
    def _order(message: Message) -> UUID:
        notice = notices.read(message.kind, message.ref, message.payload)
        assert isinstance(notice, Original)
        return UUID(notice.order)

    async def _fetch(self, kept: Kept, failures: int, held: AsyncExitStack) -> Picture | None:
        """The file as the model made it; None where nobody has it any more."""
        if kept.url is None:
            return None
        try:
            return await self._read(kept, kept.url, failures, held)
        except LinkDead as error:
            log.warning("delivery.link_dead", error=str(error))
        fresh = await self._fetching.fresh_link(kept.request_id) if kept.request_id else None
        if fresh is None:
            return None
        try:
            picture = await self._read(kept, fresh, failures, held)
        except LinkDead as error:
            log.warning("delivery.link_dead", error=str(error))
            return None
        async with connection(self._pool) as conn:
            await history.renew_link(conn, kept.id, fresh)
        return picture

    async def _read(self, kept: Kept, url: str, failures: int, held: AsyncExitStack) -> Picture | None:
        data = await self._fetching.fetch(url, str(kept.id), failures, held)
        try:
            return await self._pictures.whole(data)
        except NotAPicture:
            log.warning("delivery.no_picture")
            return None

    async def _send(self, message: Message, kept: Kept, picture: Picture) -> None:
        """That a send was begun is noted first, in a commit of its own: a kill leaves it noted."""
        async with connection(self._pool) as conn:
            if await outbox.begin_send(conn, message, SEND_LEASE_S) is None:
                log.info("delivery.lease_lost")
                return
        upload = Upload(picture.data, picture.filename)
        markup = keyboards.result(words.of(message.language), kept.id)
        try:
            async with asyncio.timeout(SEND_S):
                sent = await self._bot.send_document(message.chat_id, upload, reply_markup=markup, request_timeout=30)
        except (TelegramBadRequest, TelegramEntityTooLarge) as error:
            log.error("delivery.refused", kind=message.kind, error=error.message)
            await self._missing(message)
        except BaseException as error:
            if not upload.may_have_arrived(error):
                async with connection(self._pool) as conn:
                    await outbox.not_sent(conn, message)
            raise
        else:
            async with connection(self._pool) as conn:
                await outbox.mark_sent(conn, message.id)
                if sent.document:
                    await history.keep_file(conn, kept.id, sent.document.file_id)
            log.info("original.sent", generation_id=str(kept.id), user_id=message.chat_id)

    async def _missing(self, message: Message, *, perhaps: bool = False) -> None:
        """Ends it with a sentence; `perhaps`: it may have arrived."""
        async with transaction(self._pool) as conn:
            if await outbox.drop(conn, message):
                await outbox.put(conn, message.chat_id, OriginalMissing(message.ref, perhaps))
        log.info("original.missing", user_id=message.chat_id, perhaps=perhaps)
        self._wake_delivery()
