"""The audit beside the bot: what is new in minutes, everybody in slices, one replica at it; and the doctor's words."""

import asyncio
import math
from collections.abc import AsyncIterator

import asyncpg
import pytest
from structlog.testing import capture_logs

from app import db
from app.doctor import storage
from app.doctor.ill import Ill
from app.flows import audit as auditor
from app.flows.gauges import Gauges
from app.metrics import Metrics
from app.repo import audit
from app.repo.records import Pool
from app.settings import Settings
from app.workers.housekeeping import audit_ledger
from tests.world import services


@pytest.fixture
async def settings(database_url: str) -> AsyncIterator[Settings]:
    async with services(database_url, "") as around:
        yield around.settings


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    opened = await db.open_pool(settings)
    yield opened
    await opened.close()


async def _people(pool: Pool, *ids: int, age: str = "1 hour") -> None:
    """People with their welcome, which came `age` ago."""
    await pool.execute("INSERT INTO users (id, credits) SELECT unnest($1::bigint[]), 10", ids)
    await pool.execute(
        "INSERT INTO ledger (user_id, delta, balance, reason, ref, created_at) "
        f"SELECT id, 10, 10, 'welcome', id::text, now() - interval '{age}' FROM unnest($1::bigint[]) AS id",
        ids,
    )


async def _due(pool: Pool) -> None:
    await pool.execute("UPDATE audit_progress SET due_at = now()")


async def _found(pool: Pool) -> list[int]:
    return [row["user_id"] for row in await pool.fetch("SELECT user_id FROM audit_findings ORDER BY user_id, what")]


async def test_slices_find_what_the_whole_finds(pool: Pool) -> None:
    """A contradiction lies within one person's rows; of each kind there is one, and somebody without any."""
    await _people(pool, 1, 2, 3, 4)
    await pool.execute("UPDATE users SET credits = 9 WHERE id = 1")
    await pool.execute("INSERT INTO users (id, credits) VALUES (5, 0)")
    await pool.execute(
        "INSERT INTO ledger (user_id, delta, balance, reason, ref) VALUES (3, -2, 8, 'order', gen_random_uuid())"
    )
    await pool.execute(
        "INSERT INTO generations (user_id, order_key, status, model, size, price, prompt, source_file_id, deadline_at, "
        "result_url, ready_at) VALUES (4, 'k', 'ready', 'm', 's', 2, 'p', 'f', now(), 'https://x', now())"
    )
    await pool.execute(
        "INSERT INTO payments (id, user_id, plan, credits, amount, shop_id, test, status, request, provider_id, "
        "paid_at, credits_taken) "
        "VALUES (gen_random_uuid(), 4, 'p', 10, 20000, '1', true, 'succeeded', '{}', 'p', now(), 1)"
    )
    async with db.connection(pool) as conn:
        whole = await audit.differences(conn)
        sliced = [one for person in range(1, 6) for one in await audit.differences_of(conn, [person], 5)]
    assert {one.user_id for one in whole} == {1, 3, 4, 5}
    assert len({one.what for one in whole}) >= 8
    assert set(sliced) == set(whole)
    assert len(sliced) == len(whole)


async def test_what_is_new_is_looked_at_and_what_is_mended_is_no_finding_any_more(pool: Pool) -> None:
    """By the entries alone: the round through everybody is not due."""
    await _people(pool, 1, 2)
    await pool.execute("UPDATE users SET credits = 9 WHERE id = 2")
    assert await auditor.prove(pool, "entries")
    assert await _found(pool) == [2]
    assert not await auditor.prove(pool, "entries")
    await _due(pool)
    assert await auditor.prove(pool, "entries")
    assert await _found(pool) == [2]
    await pool.execute("UPDATE users SET credits = 10 WHERE id = 2")
    await _due(pool)
    assert await auditor.prove(pool, "entries")
    assert await _found(pool) == []


async def test_a_contradiction_is_said_once_in_the_log(pool: Pool) -> None:
    """Whoever reads it is not told again every two minutes, but is of what is new beside it."""
    await _people(pool, 1, 2)
    for wrong, said in ((2, [1]), (None, []), (1, [2])):
        await pool.execute("UPDATE users SET credits = 9 WHERE id = $1", wrong)
        await _due(pool)
        with capture_logs() as log:
            assert await auditor.prove(pool, "people")
        assert [line["differences"] for line in log if line["event"] == "audit.differs"] == said


async def test_what_is_more_than_one_look_takes_is_looked_at_without_a_pause(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much is written, the audit does not fall behind: it rests where it has come to the last entry."""
    monkeypatch.setattr(auditor, "SLICE", 2)
    await _people(pool, 1, 2, 3, 4, 5)
    await pool.execute("UPDATE users SET credits = 9")
    for found in ([1, 2], [1, 2, 3, 4], [1, 2, 3, 4, 5]):
        assert await auditor.prove(pool, "entries")
        assert await _found(pool) == found
    assert not await auditor.prove(pool, "entries")


async def test_an_entry_that_is_committed_after_one_with_a_higher_number_is_not_passed_over(pool: Pool) -> None:
    """Numbers are given before the commit: nothing younger than a minute is taken, nor what comes after it."""
    await _people(pool, 1, 2)
    async with pool.acquire() as slow, db.connection(pool) as conn:
        transaction = slow.transaction()
        await transaction.start()
        entry = "INSERT INTO ledger (user_id, delta, balance, reason, ref) VALUES ($1, -2, 8, 'order', $1::text)"
        await slow.execute(entry.replace("$1", "1"))
        await conn.execute(entry.replace("$1", "2"))
        before = await audit.new_entries(conn, 0, 10)
        assert (before.taken, before.people) == (2, [1, 2])
        assert (await audit.new_entries(conn, before.last, 10)).taken == 0
        await transaction.commit()
        assert (await audit.new_entries(conn, before.last, 10)).taken == 0
        await conn.execute("UPDATE ledger SET created_at = now() - interval '2 minutes' WHERE user_id = 2")
        assert (await audit.new_entries(conn, before.last, 10)).taken == 0
        await conn.execute("UPDATE ledger SET created_at = now() - interval '2 minutes'")
        assert (await audit.new_entries(conn, before.last, 10)).people == [1, 2]


async def test_everybody_is_looked_at_a_slice_at_a_time_and_from_the_beginning_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five people two at a time: the third slice ends the round, and the next one begins anew."""
    monkeypatch.setattr(auditor, "SLICE", 2)
    await _people(pool, 1, 2, 3, 4, 5)
    await pool.execute("UPDATE users SET credits = 9")
    for found, proven in (([1, 2], False), ([1, 2, 3, 4], False), ([1, 2, 3, 4, 5], True)):
        assert await auditor.prove(pool, "people")
        assert not await auditor.prove(pool, "people")
        assert await _found(pool) == found
        async with db.connection(pool) as conn:
            assert (await audit.standing(conn))["people"].proven is proven
        await _due(pool)
    await pool.execute("UPDATE users SET credits = 10")
    assert await auditor.prove(pool, "people")
    assert await _found(pool) == [3, 4, 5]


async def test_one_replica_audits(pool: Pool) -> None:
    """What another has in hand is left to it; when that one dies, its part is free."""
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        assert await audit.claim(other, "people") == audit.FIRST
        assert not await auditor.prove(pool, "people")
        assert await auditor.prove(pool, "entries")
        await transaction.rollback()
    assert await auditor.prove(pool, "people")


async def test_an_audit_that_does_not_run_does_not_look_clean(pool: Pool) -> None:
    """No number of contradictions before everybody's books were read once, and an age that grows from the first day."""
    metrics = Metrics()

    async def shown() -> tuple[float, float, float]:
        await Gauges(pool, metrics).refresh()
        sample = metrics.registry.get_sample_value
        differences = sample("bot_ledger_differences")
        ages = [sample("bot_audit_age_seconds", {"part": part}) for part in ("entries", "people")]
        assert differences is not None
        assert None not in ages
        return differences, ages[0] or 0, ages[1] or 0

    await pool.execute("UPDATE audit_progress SET created_at = now() - interval '3 hours'")
    differences, entries, people = await shown()
    assert math.isnan(differences)
    assert entries >= 3 * 3600
    assert people >= 3 * 3600
    await auditor.prove(pool, "entries")
    assert math.isnan((await shown())[0])
    await auditor.prove(pool, "people")
    differences, entries, people = await shown()
    assert differences == 0
    assert entries < 60
    assert people < 60
    await pool.execute("UPDATE audit_progress SET proven_at = now() - interval '5 hours' WHERE part = 'entries'")
    assert (await shown())[1] >= 5 * 3600


async def test_a_slice_has_more_time_than_what_a_person_waits_for(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger that takes seconds to read, and one second for every other statement."""
    monkeypatch.setattr(db, "WAIT_S", 1)
    await _people(pool, 1)
    await pool.execute("UPDATE users SET credits = 9")
    await pool.execute("ALTER TABLE ledger RENAME TO books")
    await pool.execute("CREATE VIEW ledger AS SELECT books.* FROM books, (SELECT pg_sleep(0.7)) AS slowly")
    hurried = await db.open_pool(settings)
    try:
        async with db.connection(hurried) as conn:
            with pytest.raises(asyncpg.QueryCanceledError):
                await audit.differences(conn)
        running = asyncio.create_task(audit_ledger(hurried))
        async with asyncio.timeout(20):
            # Nothing tells that the audit has run but its finding
            while await _found(pool) != [1]:  # noqa: ASYNC110 - nothing outside the database tells of a commit
                await asyncio.sleep(0.1)
        running.cancel()
    finally:
        await hurried.close()


@pytest.mark.parametrize("table", ["ledger", "outbox"])
async def test_the_doctor_says_slow_and_not_away(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """PostgreSQL answers, but the books, or what is stuck, do not come within the time of a statement."""
    monkeypatch.setattr(storage, "_WAIT_S", 1)
    look = storage.balances_are_sums if table == "ledger" else storage.nothing_is_stuck
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Ill, match="is there, but a question took longer than 1 s"):
            await look(settings)


async def test_the_doctor_relies_on_the_bots_round_where_there_are_more_people_than_it_can_read(
    settings: Settings, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Green while the round is young, red when nobody audits, and red for what the bot has found."""
    await _people(pool, 1, 2)
    assert "2 people looked at" in await storage.balances_are_sums(settings)
    monkeypatch.setattr(storage, "_READING_S", 0)
    assert "has not come to an end yet" in await storage.balances_are_sums(settings)
    await pool.execute("UPDATE audit_progress SET created_at = now() - interval '3 days'")
    with pytest.raises(Ill, match="the bot's own round through all has not come to an end yet"):
        await storage.balances_are_sums(settings)
    await pool.execute("UPDATE users SET credits = 9 WHERE id = 2")
    await auditor.prove(pool, "people")
    with pytest.raises(Ill, match="first user 2"):
        await storage.balances_are_sums(settings)
    await pool.execute("UPDATE users SET credits = 10 WHERE id = 2")
    assert "ended 0 h ago" in await storage.balances_are_sums(settings)
