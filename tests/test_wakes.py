"""Who wakes the workers: whoever writes work, in any replica, and one look at what is due for anybody."""

import asyncio

import asyncpg
import pytest

from app.flows.delivery.lanes import PICTURES, RETRIES, TEXTS
from app.notices import DebtTaken, Picture
from app.repo import generations, outbox, wakes
from app.repo.generations import NewOrder
from app.repo.wakes import CHANNEL
from local.postgres import Postgres
from tests.world import World

_TICK_S = 0.2
_NEVER_S = 600
_WATCHES = "query LIKE '%questions - now()%' AND datname = current_database() AND pid <> pg_backend_pid()"


@pytest.mark.settings(worker_tick_s=_TICK_S)
async def test_an_idle_replica_makes_less_than_one_statement_a_tick(bot: World, postgres: Postgres) -> None:
    """A tick is a second in production. Each statement of the bot's is a transaction, and PostgreSQL counts those."""
    database = await bot.value("SELECT current_database()")
    counter = await asyncpg.connect(postgres.url)
    try:
        counted = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1"
        # A server's process tells of what it did once in a second
        await asyncio.sleep(2)
        before = await counter.fetchval(counted, database)
        await asyncio.sleep(5)
        made = await counter.fetchval(counted, database) - before
    finally:
        await counter.close()
    assert 0 < made < 5 / _TICK_S


@pytest.mark.settings(worker_tick_s=_NEVER_S)
async def test_an_order_that_another_replica_placed_is_submitted_at_once(bot: World) -> None:
    """Of this transaction the bot can know by PostgreSQL alone."""
    anna = bot.person()
    await anna.send_text("/start")
    await _the_watch_is_up(bot)
    request = '{"model": "gpt-image-1", "size": "1024x1024"}'
    order = NewOrder(
        anna.id, "a-card", "gpt-image-1", "1024x1024", 2, "Кот", (), None, 900, 800, "low", None, request, hidden=True
    )
    async with bot.db.transaction():
        assert await generations.insert(bot.db, order)
        await bot.db.execute("UPDATE users SET credits = 8 WHERE id = $1", anna.id)
        await bot.db.execute(
            "INSERT INTO ledger (user_id, delta, balance, reason, ref) "
            "SELECT user_id, -2, 8, 'order', id::text FROM generations"
        )
    await bot.shown(anna)


@pytest.mark.settings(worker_tick_s=_NEVER_S)
async def test_what_was_written_while_nobody_listened_is_found_by_the_next_look(bot: World) -> None:
    """The connection is cut, and before there is another one somebody owes a message: a NOTIFY that nobody hears."""
    anna = bot.person()
    await anna.send_text("/start")
    await _the_watch_is_up(bot)
    debt = DebtTaken("a-ref", 2, 0, 8)
    async with bot.db.transaction():
        await bot.db.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {_WATCHES}")
        await outbox.put(bot.db, anna.id, debt)
    await bot.told(anna, debt)


async def test_a_result_wakes_who_brings_results_and_a_sentence_who_says_sentences(database_url: str) -> None:
    """By the word of the transaction, and by the look: which finds what has failed before for another lane still."""
    db, heard = await asyncpg.connect(database_url), asyncio.Queue[object]()
    await db.add_listener(CHANNEL, lambda _conn, _pid, _channel, work: heard.put_nowait(work))
    async with asyncio.timeout(10):
        await outbox.put(db, 1, Picture("a-ref"))
        assert await heard.get() == PICTURES.work
        assert set(await wakes.due(db)) == {PICTURES.work}
        await db.execute("UPDATE outbox SET failures = 1")
        assert set(await wakes.due(db)) == {RETRIES.work}
        await outbox.put(db, 2, DebtTaken("a-ref", 2, 0, 8))
        assert await heard.get() == TEXTS.work
        assert set(await wakes.due(db)) == {RETRIES.work, TEXTS.work}
        await db.execute("UPDATE outbox SET failures = 1 - failures")
        assert set(await wakes.due(db)) == {PICTURES.work, TEXTS.work}
    await db.close()


async def _the_watch_is_up(bot: World) -> None:
    await bot.until(f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE {_WATCHES})")
