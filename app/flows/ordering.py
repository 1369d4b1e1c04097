"""An order: placed by a tap, submitted by a worker, completed by gen-api's word or ended by the deadline.

Each method opens its own transactions, and none is open while somebody else's server is waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from uuid import UUID

import asyncpg
import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest

from app.catalog import MODELS, PRICE, SIZES
from app.clients import genapi
from app.clients.genapi import GenApi, Outcome
from app.db import connection, transaction
from app.faults import INFRASTRUCTURE, TELEGRAM
from app.flows import alerts, debts
from app.metrics import Metrics
from app.notices import OrderFailed, PictureRefused, ProviderRefuses
from app.notices import Picture as OwedPicture
from app.pictures import NotAPicture, Picture, Pictures, TooLarge
from app.proofs import callback_url
from app.repo import breakers, credits, generations, outbox, users
from app.repo.credits import Reason
from app.repo.generations import Failed, NewOrder
from app.repo.records import Connection, Message, Pool, Question, Submission
from app.settings import Settings

log = structlog.get_logger()

PROVIDER = "gen-api"
LEASE_S = 30.0
"""A submitter has this long to fetch and check the person's picture; after a kill the order waits no longer."""

SOURCE_PATIENCE_S = 25.0
"""A picture that takes longer to fetch is tried again later, before somebody else may claim the order."""

_PAUSES_S = (1, 2, 4, 8)


class Placed(Enum):
    """What became of a press on «✅»."""

    ORDERED = "ordered"
    ALREADY = "already"
    TOO_FEW = "too_few"
    BUSY = "busy"
    PROVIDER_DOWN = "provider_down"


@dataclass(frozen=True, slots=True)
class Placement:
    """The outcome of a press, the person's balance after it, and the order that was placed."""

    outcome: Placed
    balance: int
    generation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """What the person chose; `key` names the card, and so the order."""

    key: str
    model: str
    size: str
    prompt: str
    source_file_id: str
    message_id: int | None


@dataclass(frozen=True, slots=True)
class _LastWord:
    """What gen-api's last word on an order changed; told once it is committed."""

    ready: bool = False
    failed: Failed | None = None
    breaker_closed: bool = False


class Ordering:
    """Places, submits, completes and ends orders."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        metrics: Metrics,
        gen_api: GenApi,
        bot: Bot,
        pictures: Pictures,
        wake_submit: Callable[[], None],
        wake_delivery: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._gen_api = gen_api
        self._bot = bot
        self._pictures = pictures
        self._wake_submit = wake_submit
        self._wake_delivery = wake_delivery

    async def placed(self, user_id: int, card_key: str) -> bool:
        """Whether an order was made from this card."""
        async with connection(self._pool) as conn:
            return await generations.find_order(conn, card_key, user_id) is not None

    async def place(self, user_id: int, card: Card) -> Placement:
        """Debits the price and queues the order, both or neither; once a card."""
        async with transaction(self._pool) as conn:
            balance = await users.lock(conn, user_id) or 0
            placement = await self._place(conn, user_id, balance, card)
        self._metrics.orders.labels(placement.outcome.value).inc()
        if placement.outcome is Placed.ORDERED:
            log.info("order.placed", user_id=user_id, generation_id=str(placement.generation_id), credits=PRICE)
            self._wake_submit()
        elif placement.outcome is not Placed.ALREADY:
            log.info("order.declined", user_id=user_id, reason=placement.outcome.value)
        return placement

    async def _place(self, conn: Connection, user_id: int, balance: int, card: Card) -> Placement:
        if await generations.find_order(conn, card.key, user_id):
            return Placement(Placed.ALREADY, balance)
        if balance < PRICE:
            return Placement(Placed.TOO_FEW, balance)
        limit = self._settings.max_waiting_orders
        if await generations.waiting(conn, limit) >= limit:
            return Placement(Placed.BUSY, balance)
        if not await breakers.is_closed(conn, PROVIDER) and not await breakers.try_trial(conn, PROVIDER):
            return Placement(Placed.PROVIDER_DOWN, balance)
        order = NewOrder(
            user_id,
            card.key,
            card.model,
            card.size,
            PRICE,
            card.prompt,
            card.source_file_id,
            card.message_id,
            self._settings.generation_deadline_s,
        )
        generation_id = await generations.insert(conn, order)
        if generation_id is None:
            return Placement(Placed.ALREADY, balance)
        after = await credits.debit(conn, user_id, PRICE, Reason.ORDER, str(generation_id))
        if after is None:
            raise RuntimeError("a locked balance changed")
        return Placement(Placed.ORDERED, after, generation_id)

    async def claim(self, limit: int) -> Sequence[Submission]:
        """Leases queued orders."""
        async with connection(self._pool) as conn:
            return await generations.claim_queued(conn, limit, LEASE_S)

    async def submit(self, claimed: Submission) -> None:
        """Fetches the person's picture, then orders: at most one create call an attempt, none after an unknown one."""
        structlog.contextvars.bind_contextvars(generation_id=str(claimed.id), user_id=claimed.user_id)
        try:
            picture = await self._source(claimed)
        except asyncio.CancelledError:
            async with connection(self._pool) as conn:
                await generations.release(conn, claimed, 0)
            raise
        if picture is None:
            return
        async with connection(self._pool) as conn:
            if not await generations.start_submitting(conn, claimed):
                log.info("submit.lease_lost")
                return
        await self._create(claimed, picture)

    async def _source(self, claimed: Submission) -> Picture | None:
        buffer = BytesIO()
        try:
            async with asyncio.timeout(SOURCE_PATIENCE_S):
                with self._metrics.outside_call("telegram", "download"):
                    await self._bot.download(claimed.source_file_id, destination=buffer)
                return await self._pictures.inspect(buffer.getvalue())
        except NotAPicture:
            await self._fail_claimed(claimed, "not_a_picture")
        except TooLarge:
            await self._fail_claimed(claimed, "too_large")
        except TelegramBadRequest as error:
            reason = "too_large" if "too big" in error.message else "file_gone"
            await self._fail_claimed(claimed, reason)
        except TELEGRAM as error:
            log.warning("submit.source_unavailable", error=repr(error))
            async with connection(self._pool) as conn:
                await generations.release(conn, claimed, _back_off(claimed.attempt))
        return None

    async def _fail_claimed(self, claimed: Submission, reason: str) -> None:
        async with transaction(self._pool) as conn:
            await users.lock(conn, claimed.user_id)
            failed = await generations.fail_claimed(conn, claimed.id, reason, claimed.attempt)
            await self._refund(conn, claimed.id, failed, reason)
        self._tell_failed(claimed.id, failed, reason)

    async def _create(self, claimed: Submission, picture: Picture) -> None:
        model, size = MODELS[claimed.model], SIZES[claimed.size]
        secret = self._settings.webhook_secret.get_secret_value()
        fields = dict(model.fields(claimed.prompt, size))
        fields["callback_url"] = callback_url(self._settings.public_url, secret, claimed.id)
        try:
            with self._metrics.outside_call("gen-api", "create"):
                request_id = await self._gen_api.create(model.network, fields, picture, model.image_field)
        except genapi.NotAccepted as error:
            log.warning("submit.not_accepted", error=str(error))
            await _stored(self._requeue, claimed)
        except genapi.Refused as error:
            log.error("submit.refused", status=error.status, detail=error.detail)
            await _stored(self._refused, claimed, error.status)
        except genapi.Unknown as error:
            log.warning("submit.unknown", error=str(error))
        else:
            await _stored(self._accepted, claimed.id, request_id)

    async def _requeue(self, claimed: Submission) -> None:
        async with connection(self._pool) as conn:
            await generations.requeue(conn, claimed, _back_off(claimed.attempt))

    async def _accepted(self, generation_id: UUID, request_id: int) -> None:
        try:
            async with transaction(self._pool) as conn:
                poll_after = self._settings.generation_poll_after_s
                await generations.accept(conn, generation_id, request_id, poll_after)
                closed = await breakers.accepted(conn, PROVIDER)
        except asyncpg.UniqueViolationError:
            log.error("submit.foreign_request_id", request_id=request_id)
            return
        log.info("order.accepted", generation_id=str(generation_id), request_id=request_id)
        if closed:
            log.info("breaker.closed", provider=PROVIDER)

    async def _refused(self, claimed: Submission, status: int) -> None:
        async with transaction(self._pool) as conn:
            await users.lock(conn, claimed.user_id)
            failed = await generations.fail(conn, claimed.id, "refused")
            await self._refund(conn, claimed.id, failed, "refused")
            opened_at = await breakers.refused(conn, PROVIDER) if status in (401, 402) else None
            if opened_at:
                await alerts.owe(conn, self._settings.admin_ids, ProviderRefuses(str(opened_at), status))
        self._tell_failed(claimed.id, failed, "refused")
        if opened_at:
            log.error("breaker.opened", provider=PROVIDER, status=status)

    async def hint(self, request_id: int) -> bool:
        """Takes an unproven callback as a hint to ask sooner; whether the number is known."""
        async with connection(self._pool) as conn:
            if await generations.by_request(conn, request_id) is None:
                return False
            await generations.hint(conn, request_id)
            return True

    async def callback(self, generation_id: UUID, request_id: int, outcome: Outcome) -> bool:
        """Takes a proven callback; False where proof and number belong to different generations."""
        try:
            async with transaction(self._pool) as conn:
                owner = await generations.owner(conn, generation_id)
                if owner is None or owner.request_id not in (None, request_id):
                    return False
                if owner.status == "queued" and (owner.attempt == 0 or outcome.url is None):
                    return False
                await users.lock(conn, owner.user_id)
                if outcome.url is None:
                    await generations.accept(conn, generation_id, request_id, self._settings.generation_poll_after_s)
                word = await self._finish(conn, generation_id, owner.user_id, request_id, outcome)
        except asyncpg.UniqueViolationError:
            log.warning("callback.foreign_request_id", request_id=request_id)
            return False
        self._tell(generation_id, owner.user_id, word, outcome)
        return True

    async def claim_questions(self, limit: int) -> Sequence[Question | UUID]:
        """Requests whose turn it is to be asked about, and orders past their deadline that cannot be."""
        async with connection(self._pool) as conn:
            # These need no answer of anybody, and are not to wait for questions that hang
            overdue = await generations.overdue(conn, limit)
            poll_after = self._settings.generation_poll_after_s
            return [*overdue, *await generations.claim_polls(conn, limit - len(overdue), poll_after)]

    async def reconcile(self, item: Question | UUID) -> None:
        """Asks gen-api about a request that is still open; past the deadline, for the last time."""
        if isinstance(item, UUID):
            await self._expire(item)
            return
        structlog.contextvars.bind_contextvars(generation_id=str(item.id))
        try:
            with self._metrics.outside_call("gen-api", "ask"):
                outcome = await self._gen_api.ask(item.request_id)
        except (genapi.Unavailable, genapi.NotFound) as error:
            log.warning("poll.no_answer", request_id=item.request_id, error=repr(error))
            outcome = Outcome(final=False, url=None, reason=None)
        if outcome.final:
            async with transaction(self._pool) as conn:
                owner = await generations.owner(conn, item.id)
                if owner is None:
                    return
                await users.lock(conn, owner.user_id)
                word = await self._finish(conn, item.id, owner.user_id, item.request_id, outcome)
            self._tell(item.id, owner.user_id, word, outcome)
        elif item.expired:
            await self._expire(item.id)

    async def _finish(
        self, conn: Connection, generation_id: UUID, user_id: int, request_id: int, outcome: Outcome
    ) -> _LastWord:
        if outcome.url is not None:
            if not await generations.complete(conn, generation_id, outcome.url, request_id):
                return _LastWord()
            await outbox.put(conn, user_id, OwedPicture(str(generation_id)))
            return _LastWord(ready=True, breaker_closed=await breakers.accepted_since(conn, PROVIDER, generation_id))
        if not outcome.final:
            return _LastWord()
        failed = await generations.fail(conn, generation_id, "provider")
        await self._refund(conn, generation_id, failed, "provider")
        return _LastWord(failed=failed)

    def _tell(self, generation_id: UUID, user_id: int, word: _LastWord, outcome: Outcome) -> None:
        if word.ready:
            log.info("generation.ready", generation_id=str(generation_id), user_id=user_id)
            self._wake_delivery()
        elif word.failed:
            self._tell_failed(generation_id, word.failed, "provider", outcome.reason)
        elif outcome.final:
            log.info("generation.late_word", generation_id=str(generation_id))
        if word.breaker_closed:
            log.info("breaker.closed", provider=PROVIDER)

    async def _expire(self, generation_id: UUID) -> None:
        async with transaction(self._pool) as conn:
            owner = await generations.owner(conn, generation_id)
            if owner is None:
                return
            await users.lock(conn, owner.user_id)
            failed = await generations.fail_overdue(conn, generation_id, "deadline")
            await self._refund(conn, generation_id, failed, "deadline")
        self._tell_failed(generation_id, failed, "deadline")

    async def undeliverable(self, picture: Message, user_id: int, reason: str) -> None:
        """Ends an order whose result cannot be brought to the person, gives the credits back and says so.

        Nothing is changed by a deliverer that has lost its lease: the picture may just be on its way.
        """
        generation_id = UUID(picture.ref)
        async with transaction(self._pool) as conn:
            await users.lock(conn, user_id)
            if not await outbox.drop(conn, picture):
                log.info("delivery.lease_lost")
                return
            failed = await generations.fail_ready(conn, generation_id, reason)
            await self._refund(conn, generation_id, failed, reason)
            if failed and reason == "undeliverable":
                await alerts.owe(conn, self._settings.admin_ids, PictureRefused(picture.ref, picture.ref))
        self._tell_failed(generation_id, failed, reason)

    async def _refund(self, conn: Connection, generation_id: UUID, failed: Failed | None, reason: str) -> None:
        if failed is None:
            return
        ref = str(generation_id)
        balance = await debts.credit(conn, failed.user_id, failed.price, Reason.ORDER_REFUND, ref)
        if balance is None:
            raise RuntimeError("an order was refunded without having failed")
        await outbox.put(conn, failed.user_id, OrderFailed(ref, reason, failed.price, balance))

    def _tell_failed(self, generation_id: UUID, failed: Failed | None, reason: str, detail: str | None = None) -> None:
        """Tells of a failure and its refund, which were one transaction; None: somebody was there first."""
        if failed is None:
            return
        ref, user_id = str(generation_id), failed.user_id
        log.warning("generation.failed", generation_id=ref, user_id=user_id, reason=reason, detail=detail)
        log.info("order.refunded", generation_id=ref, user_id=user_id, credits=failed.price)
        self._metrics.generations.labels("failed").inc()
        self._metrics.generation_failures.labels(reason).inc()
        self._wake_delivery()


async def _stored[**P](store: Callable[P, Awaitable[None]], *args: P.args, **kwargs: P.kwargs) -> None:
    """Stores what gen-api said: it says it once, so PostgreSQL gets some time to come back."""
    for pause in _PAUSES_S:
        try:
            return await store(*args, **kwargs)
        except INFRASTRUCTURE as error:
            log.warning("submit.not_stored", error=repr(error), next_try_s=pause)
        await asyncio.sleep(pause)
    return await store(*args, **kwargs)


def _back_off(attempt: int) -> float:
    return float(min(60, 2**attempt))
