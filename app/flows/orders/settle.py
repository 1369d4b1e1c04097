"""How an order ends: by a callback, an answer of gen-api, the deadline, or what cannot be delivered.

Each method opens its own transactions, and none is open while somebody else's server is waited for.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from uuid import UUID

import asyncpg
import structlog

from app.catalog import MODELS
from app.clients import genapi
from app.clients.genapi import GenApi, Outcome
from app.db import connection, transaction
from app.flows import alerts, debts
from app.metrics import Metrics
from app.notices import Alert, ModelOff, OrderFailed, Picture, PictureRefused, ProviderRefuses
from app.repo import breakers, generations, outbox, users, waits
from app.repo.credits import Reason
from app.repo.generations import Failed, Failure
from app.repo.records import Connection, Message, Pool, Question, Submission
from app.settings import Settings

log = structlog.get_logger()

type Transition = Callable[[Connection], Awaitable[Failed | None]]
"""A statement that ends an order; None: its guard refused."""


class Settling:
    """Completes and ends orders."""

    def __init__(
        self, pool: Pool, settings: Settings, metrics: Metrics, gen_api: GenApi, wake_delivery: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._gen_api = gen_api
        self._wake_delivery = wake_delivery

    async def hint(self, request_id: int) -> bool:
        """Takes an unproven callback as a hint to ask sooner; whether the number is known."""
        async with connection(self._pool) as conn:
            if await generations.by_request(conn, request_id) is None:
                return False
            await generations.hint(conn, request_id)
            return True

    async def callback(self, generation_id: UUID, request_id: int, outcome: Outcome) -> bool:
        """Takes a proven callback; False where proof and number belong to different generations."""
        async with connection(self._pool) as conn:
            owner = await generations.owner(conn, generation_id)
        if owner is None or owner.request_id not in (None, request_id):
            return False
        if owner.status == "queued" and (owner.attempt == 0 or outcome.url is None):
            return False
        try:
            await self._word(generation_id, owner.user_id, request_id, outcome)
        except asyncpg.UniqueViolationError:
            log.warning("callback.foreign_request_id", request_id=request_id)
            return False
        return True

    async def claim(self, limit: int) -> Sequence[Question | UUID]:
        """Requests whose turn it is to be asked about, and orders past their time that cannot be."""
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
            outcome = Outcome(final=False)
        if outcome.final:
            async with connection(self._pool) as conn:
                owner = await generations.owner(conn, item.id)
            if owner is not None:
                await self._word(item.id, owner.user_id, item.request_id, outcome)
        elif item.expired:
            await self._expire(item.id)

    async def refused(self, claimed: Submission, status: int) -> None:
        """gen-api will not have this order: the credits go back, and three such answers in a row open a circuit."""
        gone = status == 404
        failure = Failure.MODEL_GONE if gone else Failure.REFUSED
        opened_at: str | None = None

        async def fail(conn: Connection) -> Failed | None:
            nonlocal opened_at
            failed = await generations.fail(conn, claimed.id, failure)
            if status in (401, 402):
                opened_at = await breakers.refused(conn, breakers.PROVIDER, breakers.TRIAL_EVERY_S)
            elif gone:
                circuit = breakers.of_model(claimed.model)
                opened_at = await breakers.refused(conn, circuit, breakers.MODEL_TRIAL_EVERY_S)
            else:
                # The network is there: what it refuses is this order
                await breakers.accepted(conn, [breakers.of_model(claimed.model)])
            if opened_at:
                await alerts.owe(conn, self._settings.admin_ids, _opened(claimed.model, status, opened_at))
            return failed

        await self.fail(claimed.id, claimed.user_id, failure, fail, model=claimed.model if gone else None)
        if opened_at:
            log.error("breaker.opened", provider=breakers.PROVIDER, model=claimed.model, status=status)

    async def undeliverable(self, picture: Message, user_id: int, failure: Failure) -> None:
        """Ends an order whose result cannot be brought to the person, gives the credits back and says so.

        Nothing is changed by a deliverer that has lost its lease: the picture may just be on its way.
        """
        generation_id = UUID(picture.ref)

        async def fail(conn: Connection) -> Failed | None:
            if not await outbox.drop(conn, picture):
                log.info("delivery.lease_lost")
                return None
            failed = await generations.fail_ready(conn, generation_id, failure)
            if failed and failure is Failure.UNDELIVERABLE:
                await alerts.owe(conn, self._settings.admin_ids, PictureRefused(picture.ref, picture.ref))
            return failed

        await self.fail(generation_id, user_id, failure, fail)

    async def _word(self, generation_id: UUID, user_id: int, request_id: int, outcome: Outcome) -> None:
        """Takes what gen-api says of a request; the first final word wins."""
        poll_after = self._settings.generation_poll_after_s
        if outcome.url is not None:
            await self._complete(generation_id, user_id, request_id, outcome)
            return
        if not outcome.final:
            async with transaction(self._pool) as conn:
                await users.lock(conn, user_id)
                await generations.accept(conn, generation_id, request_id, poll_after)
            return

        async def fail(conn: Connection) -> Failed | None:
            await generations.accept(conn, generation_id, request_id, poll_after)
            return await generations.fail(conn, generation_id, Failure.PROVIDER, outcome.cost)

        if not await self.fail(generation_id, user_id, Failure.PROVIDER, fail, detail=outcome.reason):
            log.info("generation.late_word", generation_id=str(generation_id))

    async def _complete(self, generation_id: UUID, user_id: int, request_id: int, outcome: Outcome) -> None:
        assert outcome.url is not None
        async with transaction(self._pool) as conn:
            await users.lock(conn, user_id)
            ready = await generations.complete(conn, generation_id, outcome.url, request_id, outcome.cost)
            if ready:
                await outbox.put(conn, user_id, Picture(str(generation_id)))
                closed = await breakers.accepted_since(conn, generation_id)
        if not ready:
            log.info("generation.late_word", generation_id=str(generation_id))
            return
        log.info("generation.ready", generation_id=str(generation_id), user_id=user_id, cost=outcome.cost)
        for circuit in closed:
            log.info("breaker.closed", provider=circuit)
        self._wake_delivery()

    async def _expire(self, generation_id: UUID) -> None:
        async with connection(self._pool) as conn:
            owner = await generations.owner(conn, generation_id)
        if owner is not None:
            fail = partial(generations.fail_overdue, generation_id=generation_id, failure=Failure.DEADLINE)
            await self.fail(generation_id, owner.user_id, Failure.DEADLINE, fail)

    async def fail(
        self,
        generation_id: UUID,
        user_id: int,
        failure: Failure,
        transition: Transition,
        *,
        detail: str | None = None,
        picture: int | None = None,
        model: str | None = None,
    ) -> bool:
        """The one way into `failed`: the transition, the refund and the notice in one transaction; False: it refused.

        `picture`: which of several sources is at fault. `model`: the one that the others are to be offered in place of.
        """
        ref = str(generation_id)
        async with transaction(self._pool) as conn:
            await users.lock(conn, user_id)
            failed = await transition(conn)
            if failed:
                balance = await debts.credit(conn, user_id, failed.price, Reason.ORDER_REFUND, ref)
                if balance is None:
                    raise RuntimeError("an order was refunded without having failed")
                offer = await self._others(conn, model) if model else ()
                notice = OrderFailed(ref, failure.value, failed.price, balance, picture, offer)
                await outbox.put(conn, user_id, notice)
                await waits.failed(conn, generation_id)
        if failed is None:
            return False
        log.warning("generation.failed", generation_id=ref, user_id=user_id, reason=failure.value, detail=detail)
        log.info("order.refunded", generation_id=ref, user_id=user_id, credits=failed.price)
        self._metrics.generations.labels("failed").inc()
        self._metrics.generation_failures.labels(failure.value).inc()
        self._wake_delivery()
        return True

    async def _others(self, conn: Connection, model: str) -> tuple[str, ...]:
        """The titles of the models that are sold and on, this one aside."""
        off = {model, *await breakers.off(conn, self._settings.models)}
        return tuple(MODELS[key].title for key in self._settings.models if key not in off)


def _opened(model: str, status: int, opened_at: str) -> Alert:
    """What the operators are told of a circuit that has just opened."""
    if status == 404:
        return ModelOff(f"{model}:{opened_at}", model)
    return ProviderRefuses(opened_at, status)
