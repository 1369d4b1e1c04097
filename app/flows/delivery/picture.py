"""Pictures: fetched, scaled, shown."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import structlog
from aiogram import Bot
from aiogram.enums import ChatAction
from aiogram.exceptions import AiogramError, TelegramBadRequest, TelegramEntityTooLarge, TelegramRetryAfter

from app import keyboards, words
from app.clients.results import LinkDead
from app.db import connection, transaction
from app.faults import TELEGRAM
from app.flows.cards import Cards
from app.flows.delivery.fetch import PREPARE_S, Fetching
from app.flows.delivery.upload import SEND_LEASE_S, SEND_S, Upload
from app.flows.orders.settle import Settling
from app.metrics import Metrics
from app.pictures import NotAPicture, Pictures
from app.repo import generations, outbox, users
from app.repo.generations import Failure
from app.repo.records import Message, Pool, Result

log = structlog.get_logger()

SENDS = 2
"""So many sends whose outcome nobody knows; after them the picture is taken for shown."""

ANNOUNCEMENT_S = 1
"""The note that a photo is being sent is given up after that; the picture does not wait for it any longer."""

PHOTO_LIMIT = 10 * 1024 * 1024
"""What sendPhoto takes (Bot API); a larger picture goes as a document."""


class PictureLetters:
    """Brings results to people; `ref` of such a message is the generation."""

    def __init__(
        self,
        pool: Pool,
        metrics: Metrics,
        bot: Bot,
        fetching: Fetching,
        pictures: Pictures,
        settling: Settling,
        cards: Cards,
    ) -> None:
        self._pool = pool
        self._metrics = metrics
        self._bot = bot
        self._fetching = fetching
        self._pictures = pictures
        self._settling = settling
        self._cards = cards

    async def send(self, message: Message) -> None:
        """Fetches a picture and shows it, or ends its order where it can never be."""
        structlog.contextvars.bind_contextvars(generation_id=message.ref)
        async with connection(self._pool) as conn:
            result = await generations.result(conn, UUID(message.ref))
        if result is None or result.status != "ready":
            async with connection(self._pool) as conn:
                await outbox.drop(conn, message)
            return
        if message.sends >= SENDS:
            await self._shown(message, result, None)
            return
        async with AsyncExitStack() as held:
            async with asyncio.timeout(PREPARE_S[message.failures > 0]):
                await self._announce(message.chat_id)
                data = await self._fetch(message, result, held)
            if data is None:
                await self._settling.undeliverable(message, result.user_id, Failure.NO_PICTURE)
            else:
                await self._show(message, result, data)

    async def give_up(self, message: Message, error: Exception | None) -> None:
        """Ends the order and gives its price back."""
        log.error("delivery.given_up", kind=message.kind, error=repr(error))
        failure = Failure.UNDELIVERABLE if isinstance(error, AiogramError) else Failure.NO_PICTURE
        await self._settling.undeliverable(message, message.chat_id, failure)

    async def _announce(self, chat_id: int) -> None:
        """Shows the person that a picture is on its way; a nicety, but Telegram's word to wait counts here as well."""
        try:
            await self._bot.send_chat_action(chat_id, ChatAction.UPLOAD_PHOTO, request_timeout=ANNOUNCEMENT_S)
        except TelegramRetryAfter:
            raise
        except TELEGRAM as error:
            log.debug("delivery.not_announced", error=repr(error))

    async def _fetch(self, message: Message, result: Result, held: AsyncExitStack) -> bytes | None:
        """The picture in the chosen size, or None when there is none; what it raises is worth another try."""
        try:
            data = await self._fetching.fetch(result.result_url, message.ref, message.failures, held)
            return await self._pictures.fit(data, result.size)
        except NotAPicture:
            log.warning("delivery.no_picture")
            return None
        except LinkDead as error:
            log.warning("delivery.link_dead", error=str(error))
        fresh = await self._fresh(result)
        return await self._fetch(message, fresh, held) if fresh else None

    async def _fresh(self, result: Result) -> Result | None:
        """The same generation with a fresh link, asked for once; None where there is none."""
        if result.result_refreshed or result.request_id is None:
            return None
        url = await self._fetching.fresh_link(result.request_id)
        if url is None:
            return None
        async with connection(self._pool) as conn:
            await generations.refresh_result(conn, result.id, url)
            return await generations.result(conn, result.id)

    async def _show(self, message: Message, result: Result, data: bytes) -> None:
        """Sends the bytes. That a send was begun is noted first, in a commit of its own: a kill leaves it noted."""
        async with connection(self._pool) as conn:
            sends = await outbox.begin_send(conn, message, SEND_LEASE_S)
        if sends is None:
            log.info("delivery.lease_lost")
            return
        upload = Upload(data, "picture.png")
        try:
            async with asyncio.timeout(SEND_S):
                file_id = await self._upload(message, result.id, upload)
        except (TelegramBadRequest, TelegramEntityTooLarge) as error:
            log.error("delivery.picture_refused", error=error.message)
            await self._settling.undeliverable(message, result.user_id, Failure.UNDELIVERABLE)
        except BaseException as error:
            if not upload.may_have_arrived(error):
                async with connection(self._pool) as conn:
                    await outbox.not_sent(conn, message)
            elif sends >= SENDS and isinstance(error, Exception):
                await self._shown(message, result, None)
                return
            raise
        else:
            await self._shown(message, result, file_id)

    async def _upload(self, message: Message, generation_id: UUID, upload: Upload) -> str | None:
        chat_id, markup = message.chat_id, keyboards.result(words.of(message.language), generation_id)
        if len(upload.data) <= PHOTO_LIMIT:
            try:
                sent = await self._bot.send_photo(chat_id, upload, reply_markup=markup, request_timeout=30)
                return sent.photo[-1].file_id if sent.photo else None
            except (TelegramBadRequest, TelegramEntityTooLarge) as error:
                log.warning("delivery.photo_refused", error=error.message)
        upload.whole = False
        sent_file = await self._bot.send_document(chat_id, upload, reply_markup=markup, request_timeout=30)
        return sent_file.document.file_id if sent_file.document else None

    async def _shown(self, message: Message, result: Result, file_id: str | None) -> None:
        """Ends message and order; `file_id` is None where nobody knows whether Telegram took the last send."""
        async with transaction(self._pool) as conn:
            await users.lock(conn, result.user_id)
            delivered = await generations.delivered(conn, result.id, file_id)
            await outbox.mark_sent(conn, message.id)
        if delivered:
            seconds, known = round(delivered.since_order_s, 3), file_id is not None
            log.info(
                "generation.delivered",
                generation_id=message.ref,
                user_id=result.user_id,
                seconds=seconds,
                answered=known,
            )
            self._metrics.generations.labels("delivered").inc()
            self._metrics.generation_seconds.observe(delivered.since_order_s)
            self._metrics.delivery_seconds.observe(delivered.since_ready_s)
        if result.card_message_id is not None and not (delivered and delivered.being_told):
            await self._cards.done(words.of(message.language), result.user_id, result.card_message_id)
