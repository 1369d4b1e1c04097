"""What happens at the same instant: each guard is shown to be what holds."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from app.catalog import MODELS
from app.clients.genapi import ASK_TIMEOUT_S, GenApi
from app.db import open_pool
from app.flows.orders.settle import Settling
from app.metrics import Metrics
from app.repo import credits, generations, payments, users
from app.repo.credits import Reason
from app.repo.generations import Failure, NewOrder
from app.repo.payments import NewPurchase
from tests.world import services


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(database_url, min_size=10, max_size=20) as opened:
        yield opened


async def _order(pool: "asyncpg.Pool[asyncpg.Record]", user_id: int, key: str) -> str | None:
    async with pool.acquire() as conn, conn.transaction():
        await users.lock(conn, user_id)
        new = NewOrder(
            user_id, key, "gpt-image-1", "512x512", 2, "кот", ("file",), None, 60, 54, "low", None, "{}", hidden=False
        )
        generation_id = await generations.insert(conn, new)
        if generation_id is None:
            return None
        if await credits.debit(conn, user_id, 2, Reason.ORDER, str(generation_id)) is None:
            raise LookupError("too few")
        return str(generation_id)


async def test_a_balance_never_goes_below_zero_however_many_order_at_once(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    """Twenty orders at once against ten credits: five go through."""
    async with pool.acquire() as conn:
        await users.visit(conn, 1)
    results = await asyncio.gather(*(_order(pool, 1, str(uuid4())) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(result, str) for result in results) == 5
    assert all(isinstance(result, str | LookupError) for result in results)
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT credits FROM users WHERE id = 1") == 0
        assert await conn.fetchval("SELECT sum(delta) FROM ledger WHERE user_id = 1") == 0


async def test_twenty_first_contacts_at_once_are_one_welcome(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """ON CONFLICT lets the others pass without an error; the ledger holds one entry."""

    async def touch() -> bool:
        async with pool.acquire() as conn:
            return (await users.visit(conn, 1)).created

    created = await asyncio.gather(*(touch() for _ in range(20)))
    assert sum(created) == 1
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT credits FROM users WHERE id = 1") == 10
        assert await conn.fetchval("SELECT count(*) FROM ledger") == 1


async def test_a_worker_repeats_purchases_of_its_own_shop_only(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """After a change of the shop, an old body sent to the new one would be a payment that goes to review."""
    ids = {}
    async with pool.acquire() as conn:
        await users.visit(conn, 1)
        for shop, test in (("old", True), ("new", False), ("new", True)):
            ids[shop, test] = uuid4()
            new = NewPurchase(ids[shop, test], 1, "p200", 10, 20_000, "RUB", "yookassa", shop, test, "{}")
            await payments.insert(conn, new, retry_after_s=0)
        assert await payments.claim(conn, 5, 60, "yookassa", "new", True) == [ids["new", True]]


async def test_one_person_s_order_and_refund_cross_without_a_deadlock(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Orders and failures of the same person interleave; nothing is lost."""
    async with pool.acquire() as conn:
        await users.visit(conn, 1)
    first = await _order(pool, 1, "first")
    assert first is not None

    async def fail() -> bool:
        async with pool.acquire() as conn, conn.transaction():
            await users.lock(conn, 1)
            failed = await generations.fail(conn, first, Failure.PROVIDER)  # type: ignore[arg-type]  # asserted above
            if failed is None:
                return False
            return await credits.credit(conn, 1, failed.price, Reason.ORDER_REFUND, first) is not None

    outcomes = await asyncio.gather(*(fail() for _ in range(10)), *(_order(pool, 1, f"more {n}") for n in range(3)))
    assert [outcome for outcome in outcomes[:10] if outcome] == [True]
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT credits FROM users WHERE id = 1") == 4


async def test_an_order_past_its_deadline_is_not_asked_about_by_every_slot(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    """Its next turn is further away than a question that hangs."""
    async with pool.acquire() as conn:
        await users.visit(conn, 1)
        await _order(pool, 1, "card")
        [claimed] = await generations.claim_queued(conn, 1, 60, list(MODELS))
        await generations.start_submitting(conn, claimed)
        await generations.accept(conn, claimed.id, 5, 0)
        await conn.execute("UPDATE generations SET deadline_at = now()")
        [question] = await generations.claim_polls(conn, 1, 1)
        assert question.expired
        assert (
            await conn.fetchval("SELECT extract(epoch FROM poll_at - now())::float8 FROM generations") > ASK_TIMEOUT_S
        )


async def test_orders_that_nobody_can_be_asked_about_end_before_the_others_are_asked_about(
    database_url: str, redis_url: str
) -> None:
    """Questions that hang do not keep their refunds waiting."""
    async with services(database_url, redis_url) as around:
        pool, gen_api = await open_pool(around.settings), GenApi(around.gen_api.url, "key")
        settling = Settling(pool, around.settings, Metrics(), gen_api, lambda: None)
        async with pool.acquire() as conn:
            await users.visit(conn, 1)
            for key in ("accepted", "unknown"):
                await _order(pool, 1, key)
                [claimed] = await generations.claim_queued(conn, 1, 60, list(MODELS))
                await generations.start_submitting(conn, claimed)
                if key == "accepted":
                    await generations.accept(conn, claimed.id, 5, 0)
            await conn.execute("UPDATE generations SET deadline_at = now()")
        assert await settling.claim(1) == [claimed.id]
        await pool.close()


async def test_a_worker_that_has_lost_its_lease_is_refused(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Paused past its lease, it can neither submit nor fail the order."""
    async with pool.acquire() as conn:
        await users.visit(conn, 1)
        await _order(pool, 1, "card")
        [stale] = await generations.claim_queued(conn, 5, 0, list(MODELS))
        [current] = await generations.claim_queued(conn, 5, 60, list(MODELS))
        assert not await generations.start_submitting(conn, stale)
        assert await generations.fail_claimed(conn, stale.id, Failure.FILE_GONE, stale.attempt) is None
        assert await generations.start_submitting(conn, current)
