"""From `queued` to gen-api: at most one create call an attempt, none after one whose outcome nobody knows."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

import asyncpg
import structlog

from app.catalog import MODELS, Travel, described
from app.clients import genapi
from app.clients.genapi import GenApi, Request
from app.db import connection, transaction
from app.faults import INFRASTRUCTURE, TELEGRAM
from app.flows.orders.settle import Settling
from app.flows.orders.sources import Crowded, Sources, Unusable
from app.metrics import Metrics
from app.patience import until_it_works
from app.pictures import Picture
from app.proofs import callback_url, source_url
from app.repo import breakers, generations
from app.repo.generations import Failure
from app.repo.records import Pool, Submission
from app.settings import Settings

log = structlog.get_logger()

LEASE_S = 30.0
"""A submitter has this long to fetch and check the person's pictures; after a kill the order waits no longer."""

SOURCE_PATIENCE_S = 25.0
"""Pictures that take longer to fetch are tried again later, before somebody else may claim the order."""

OF_EACH = 2
"""So many orders of one person are submitted at once, of eight: for pictures that take long to read, or are large, it
is their sender who waits."""

_CROWDED_S = 1.5
"""What there is no room for is given back so long, and its slot is somebody else's."""

_TRIES, _LONGEST_PAUSE_S = 6, 8.0
"""A quarter of a minute in all."""


class Submitting:
    """Submits queued orders."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        metrics: Metrics,
        gen_api: GenApi,
        sources: Sources,
        settling: Settling,
        wake: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._gen_api = gen_api
        self._sources = sources
        self._settling = settling
        self._wake = wake
        self._busy: Counter[int] = Counter()

    async def claim(self, limit: int) -> Sequence[Submission]:
        """Leases queued orders of the models that this version knows; others wait for one that does."""
        async with connection(self._pool) as conn:
            busy = list(self._busy.elements())
            claimed = await generations.claim_queued(conn, limit, LEASE_S, list(MODELS), busy, OF_EACH)
        self._busy.update(one.user_id for one in claimed)
        return claimed

    async def submit(self, claimed: Submission) -> None:
        """Fetches the person's pictures and builds the request, then orders."""
        structlog.contextvars.bind_contextvars(generation_id=str(claimed.id), user_id=claimed.user_id)
        try:
            await self._submit(claimed)
        finally:
            self._busy -= Counter([claimed.user_id])
            # The person's next order may have waited for this one alone
            self._wake()

    async def _submit(self, claimed: Submission) -> None:
        async with AsyncExitStack() as held:
            try:
                pictures = await self._fetch(claimed, held)
            except asyncio.CancelledError:
                await self._release(claimed, 0)
                raise
            if pictures is None:
                return
            request = self._request(claimed, pictures)
            async with connection(self._pool) as conn:
                if not await generations.start_submitting(conn, claimed):
                    log.info("submit.lease_lost")
                    return
            await self._create(claimed, request)

    async def _fetch(self, claimed: Submission, held: AsyncExitStack) -> Sequence[Picture] | None:
        """All sources, checked; None where there will be none now, or never."""
        try:
            async with asyncio.timeout(SOURCE_PATIENCE_S):
                return await self._sources.fetch_all(claimed.sources, held, MODELS[claimed.model].webp)
        except Unusable as error:
            await self._fail(claimed, error.failure, error.number)
        except Crowded as error:
            log.info("submit.crowded", error=str(error))
            await self._release(claimed, _CROWDED_S)
        except TELEGRAM as error:
            log.warning("submit.source_unavailable", error=repr(error))
            await self._release(claimed, _back_off(claimed.attempt))
        return None

    async def _release(self, claimed: Submission, delay_s: float) -> None:
        async with connection(self._pool) as conn:
            await generations.release(conn, claimed, delay_s)

    async def _fail(self, claimed: Submission, failure: Failure, picture: int | None = None) -> None:
        fail = partial(generations.fail_claimed, generation_id=claimed.id, failure=failure, attempt=claimed.attempt)
        await self._settling.fail(claimed.id, claimed.user_id, failure, fail, picture=picture)

    def _request(self, claimed: Submission, pictures: Sequence[Picture]) -> Request:
        """What gen-api is asked: what was stored with the order, and what only now can be told."""
        model, secret = MODELS[claimed.model], self._settings.webhook_secret.get_secret_value()
        public_url = self._settings.public_url
        fields: Mapping[str, str | int] = (
            json.loads(claimed.request)
            if claimed.request
            else model.request(claimed.size, model.quality(claimed.quality).key)
        )
        fields = {
            "prompt": described(claimed.prompt, claimed.style),
            **fields,
            "callback_url": callback_url(public_url, secret, claimed.id),
        }
        if model.travel is Travel.FORM:
            return Request(model.network, fields, model.source_field, tuple(pictures))
        addresses = (
            source_url(public_url, secret, claimed.id, number, picture.filename)
            for number, picture in enumerate(pictures, 1)
        )
        return Request(model.network, fields, model.source_field, addresses=tuple(addresses))

    async def _create(self, claimed: Submission, request: Request) -> None:
        try:
            with self._metrics.outside_call("gen-api", "create"):
                request_id = await self._gen_api.create(request)
        except genapi.NotAccepted as error:
            log.warning("submit.not_accepted", error=str(error), retry_after_s=error.retry_after_s)
            await _stored(partial(self._requeue, claimed, max(error.retry_after_s, _back_off(claimed.attempt))))
        except genapi.Refused as error:
            log.error("submit.refused", status=error.status, detail=error.detail)
            await _stored(partial(self._settling.refused, claimed, error.status))
        except genapi.Unknown as error:
            log.warning("submit.unknown", error=str(error))
        else:
            await _stored(partial(self._accepted, claimed, request_id))

    async def _requeue(self, claimed: Submission, delay_s: float) -> None:
        async with connection(self._pool) as conn:
            in_time = await generations.requeue(conn, claimed, delay_s)
        if in_time is False:
            await self._fail(claimed, Failure.DEADLINE)

    async def _accepted(self, claimed: Submission, request_id: int) -> None:
        try:
            async with transaction(self._pool) as conn:
                poll_after = self._settings.generation_poll_after_s
                await generations.accept(conn, claimed.id, request_id, poll_after)
                closed = await breakers.accepted(conn, [breakers.PROVIDER, breakers.of_model(claimed.model)])
        except asyncpg.UniqueViolationError:
            log.error("submit.foreign_request_id", request_id=request_id)
            return
        log.info("order.accepted", generation_id=str(claimed.id), request_id=request_id)
        for circuit in closed:
            log.info("breaker.closed", provider=circuit)


async def _stored(store: Callable[[], Awaitable[None]]) -> None:
    """Stores what gen-api said: it says it once, so PostgreSQL gets some time to come back."""
    await until_it_works(store, INFRASTRUCTURE, "submit.not_stored", _LONGEST_PAUSE_S, tries=_TRIES)


def _back_off(attempt: int) -> float:
    return float(min(60, 2**attempt))
