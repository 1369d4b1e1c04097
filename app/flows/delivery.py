"""Delivery: what the outbox owes reaches the person, at least once, results first."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

import structlog
from aiogram import Bot
from aiogram.enums import ChatAction
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramRetryAfter,
)
from aiogram.types import BufferedInputFile
from aiogram.types import Message as Sent

from app import keyboards, notices, words
from app.clients import genapi
from app.clients.genapi import GenApi
from app.clients.results import LinkDead, Results, Unreachable
from app.db import connection, transaction
from app.faults import TELEGRAM
from app.flows.orders.settle import Settling
from app.metrics import Metrics
from app.pictures import NotAPicture, Pictures
from app.repo import generations, outbox, users
from app.repo.generations import Failure
from app.repo.records import Message, Pool, Result

log = structlog.get_logger()

LEASE_S = 40.0
"""A deliverer has this long to fetch a result and send it; after a kill a message waits no longer."""

PATIENCE_S = 35.0
"""What takes longer is put off, before somebody else may claim it."""

LAST_ATTEMPT = 20
"""A result that cannot be fetched is given up after so many tries, and its price given back: about an hour of the
back-off (2, 4, … 256, then 300 s each). Counted in tries, so that the time a person blocks the bot does not count."""

CHAT_PACE_S = 1.0
"""A chat is written to no more often (FACTS: one message a second and chat)."""

_LATER: tuple[type[Exception], ...] = (*TELEGRAM, Unreachable, genapi.Unavailable)

ANNOUNCEMENT_S = 1
"""The note that a photo is being sent is given up after that; the picture does not wait for it any longer."""

PHOTO_LIMIT = 10 * 1024 * 1024
"""What sendPhoto takes (Bot API); a larger picture goes as a document."""


class Delivery:
    """Sends what the outbox owes."""

    def __init__(
        self,
        pool: Pool,
        metrics: Metrics,
        bot: Bot,
        results: Results,
        pictures: Pictures,
        gen_api: GenApi,
        settling: Settling,
        wake: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._metrics = metrics
        self._bot = bot
        self._results = results
        self._pictures = pictures
        self._gen_api = gen_api
        self._settling = settling
        self._wake = wake
        self._resting: set[int] = set()

    async def claim(self, limit: int) -> Sequence[Message]:
        """Leases messages that are due, one a chat; none while Telegram has told the bot to wait."""
        async with connection(self._pool) as conn:
            messages = await outbox.claim(conn, limit, LEASE_S, self._resting, notices.KINDS)
        self._resting.update(message.chat_id for message in messages)
        return messages

    async def deliver(self, message: Message) -> None:
        """Sends one message, or puts it off, parks it, or ends it."""
        structlog.contextvars.bind_contextvars(outbox_id=message.id, user_id=message.chat_id)
        if message.kind == notices.Picture.kind:
            structlog.contextvars.bind_contextvars(generation_id=message.ref)
        try:
            async with asyncio.timeout(PATIENCE_S):
                if message.kind == notices.Picture.kind:
                    await self._picture(message)
                else:
                    await self._text(message)
        except TelegramRetryAfter as error:
            # Telegram does not say whether it means the chat or the bot: all of it pauses, every replica
            async with connection(self._pool) as conn:
                await outbox.pause(conn, error.retry_after)
            await self._postpone(message, error.retry_after, error)
        except TelegramForbiddenError as error:
            log.info("delivery.parked", error=error.message)
            async with connection(self._pool) as conn:
                await outbox.park(conn, message.chat_id)
        except _LATER as error:
            await self._postpone(message, min(300, 2**message.attempt), error)
        except asyncio.CancelledError:
            await self._postpone(message, 0, None)
            raise
        finally:
            asyncio.get_running_loop().call_later(CHAT_PACE_S, self._rested, message.chat_id)

    def _rested(self, chat_id: int) -> None:
        self._resting.discard(chat_id)
        self._wake()

    async def _text(self, message: Message) -> None:
        notice = notices.read(message.kind, message.ref, message.payload)
        try:
            said = words.of(None)
            await self._bot.send_message(message.chat_id, notice.say(said), reply_markup=keyboards.owed(said, notice))
        except TelegramBadRequest as error:
            log.error("delivery.refused", kind=message.kind, error=error.message)
            await self._drop(message)
        else:
            async with connection(self._pool) as conn:
                await outbox.mark_sent(conn, message.id)

    async def _picture(self, message: Message) -> None:
        async with connection(self._pool) as conn:
            result = await generations.result(conn, UUID(message.ref))
        if result is None or result.status != "ready":
            await self._drop(message)
            return
        await self._announce(message.chat_id)
        try:
            data = await self._fetch(message, result)
        except (Unreachable, genapi.Unavailable):
            if message.attempt < LAST_ATTEMPT:
                raise
            data = None
        if data is None:
            await self._settling.undeliverable(message, result.user_id, Failure.NO_PICTURE)
            return
        try:
            file_id = await self._send(message.chat_id, data)
        except (TelegramBadRequest, TelegramEntityTooLarge) as error:
            log.error("delivery.picture_refused", error=error.message)
            await self._settling.undeliverable(message, result.user_id, Failure.UNDELIVERABLE)
            return
        async with transaction(self._pool) as conn:
            await users.lock(conn, result.user_id)
            delivered = await generations.delivered(conn, result.id, file_id)
            await outbox.mark_sent(conn, message.id)
        if delivered:
            seconds = round(delivered.since_order_s, 3)
            log.info("generation.delivered", generation_id=message.ref, user_id=result.user_id, seconds=seconds)
            self._metrics.generations.labels("delivered").inc()
            self._metrics.generation_seconds.observe(delivered.since_order_s)
            self._metrics.delivery_seconds.observe(delivered.since_ready_s)
        await self._finish_card(result)

    async def _announce(self, chat_id: int) -> None:
        """Shows the person that a picture is on its way; a nicety, but Telegram's word to wait counts here as well."""
        try:
            await self._bot.send_chat_action(chat_id, ChatAction.UPLOAD_PHOTO, request_timeout=ANNOUNCEMENT_S)
        except TelegramRetryAfter:
            raise
        except TELEGRAM as error:
            log.debug("delivery.not_announced", error=repr(error))

    async def _fetch(self, message: Message, result: Result) -> bytes | None:
        """The picture in the chosen size, or None when it cannot be had; raises Unreachable to try again."""
        try:
            with self._metrics.outside_call("results", "fetch"):
                data = await self._results.fetch(result.result_url)
            return await self._pictures.fit(data, result.size)
        except NotAPicture:
            log.warning("delivery.no_picture")
            return None
        except LinkDead as error:
            log.warning("delivery.link_dead", error=str(error))
        fresh = await self._fresh(result)
        return await self._fetch(message, fresh) if fresh else None

    async def _fresh(self, result: Result) -> Result | None:
        """The same generation with a fresh link, asked for once; None where there is none."""
        if result.result_refreshed or result.request_id is None:
            return None
        try:
            with self._metrics.outside_call("gen-api", "ask"):
                outcome = await self._gen_api.ask(result.request_id)
        except genapi.NotFound:
            return None
        if outcome.url is None:
            return None
        async with connection(self._pool) as conn:
            await generations.refresh_result(conn, result.id, outcome.url)
            return await generations.result(conn, result.id)

    async def _send(self, chat_id: int, data: bytes) -> str:
        file = BufferedInputFile(data, "picture.png")
        if len(data) <= PHOTO_LIMIT:
            try:
                sent = await self._bot.send_photo(chat_id, file, request_timeout=30)
                return sent.photo[-1].file_id if sent.photo else ""
            except (TelegramBadRequest, TelegramEntityTooLarge) as error:
                log.warning("delivery.photo_refused", error=error.message)
        document: Sent = await self._bot.send_document(chat_id, file, request_timeout=30)
        return document.document.file_id if document.document else ""

    async def _finish_card(self, result: Result) -> None:
        """Says on the progress message that the picture is there; a nicety that nothing hangs on."""
        if result.card_message_id is None:
            return
        try:
            text = words.of(None).order_done
            await self._bot.edit_message_text(text, chat_id=result.user_id, message_id=result.card_message_id)
        except TELEGRAM as error:
            log.info("delivery.card_not_edited", error=repr(error))

    async def _drop(self, message: Message) -> None:
        async with connection(self._pool) as conn:
            await outbox.drop(conn, message)

    async def _postpone(self, message: Message, delay_s: float, error: Exception | None) -> None:
        log.warning("delivery.postponed", kind=message.kind, delay_s=delay_s, error=repr(error))
        async with connection(self._pool) as conn:
            await outbox.postpone(conn, message, float(delay_s))
