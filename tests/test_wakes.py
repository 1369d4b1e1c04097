"""Who wakes the workers: whoever writes work, in any replica, and one look at what is due for anybody."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg
import pytest

from app.flows.delivery.lanes import PICTURES, RETRIES, TEXTS
from app.notices import DebtTaken, Original, Picture
from app.repo import charges, generations, outbox, users, wakes
from app.repo.generations import NewOrder
from app.repo.records import Connection
from app.repo.wakes import CHANNEL, Work
from local.postgres import Postgres
from tests.rows import A_PURCHASE, AN_ORDER, NOW, Rows, Sql, ago, ahead
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


@pytest.fixture
async def conn(shared_database_url: str) -> AsyncIterator[Connection]:
    """In a transaction, so that now() stands still; of a person who has nothing yet."""
    connection = await asyncpg.connect(shared_database_url)
    transaction = connection.transaction()
    await transaction.start()
    await users.visit(connection, 1)
    yield connection
    await transaction.rollback()
    await connection.close()


_INFINITY = Sql("'infinity'")
_USUAL: Mapping[str, Mapping[str, Any]] = {
    "generations": {"user_id": 1, "order_key": "a-card", **AN_ORDER},
    "payments": {"user_id": 1, **A_PURCHASE},
    "refunds": {"id": "a-refund"},
    "outbox": {"id": ..., "chat_id": 1, "kind": DebtTaken.kind, "ref": "a-ref", "due_at": ahead("5 seconds")},
}
_DRAWN = {"status": "processing", "request_id": 5, "claimable_at": ago("1 minute")}
# Whatever its times say, nothing is due of it any more
_OVER = {
    "status": "delivered",
    "finished_at": NOW,
    "claimable_at": ago("1 minute"),
    "due_at": ago("1 minute"),
    "poll_at": ago("1 minute"),
    "submit_by": ago("1 minute"),
    "deadline_at": ago("1 minute"),
}
_SUBMITTED = {"status": "submitting", "claimable_at": ago("1 minute"), "poll_at": ago("1 minute")}
_CASES: Mapping[str, tuple[str, Mapping[str, Any], Mapping[Work, float]]] = {
    "an order": ("generations", {"claimable_at": ago("5 seconds")}, {Work.ORDERS: -5, Work.QUESTIONS: 3600}),
    "a leased one": ("generations", {"claimable_at": ahead("5 seconds")}, {Work.ORDERS: 5, Work.QUESTIONS: 3600}),
    "a hidden one": (
        "generations",
        {"claimable_at": _INFINITY, "due_at": ahead("5 seconds")},
        {Work.ORDERS: 5, Work.QUESTIONS: 3600},
    ),
    "one that nobody may claim": ("generations", {"claimable_at": _INFINITY}, {Work.QUESTIONS: 3600}),
    "one to be submitted before its deadline": (
        "generations",
        {"submit_by": ahead("8 seconds"), "deadline_at": ahead("9 seconds")},
        {Work.ORDERS: 0, Work.QUESTIONS: 8},
    ),
    "one whose deadline comes first": (
        "generations",
        {"submit_by": ahead("9 seconds"), "deadline_at": ahead("8 seconds")},
        {Work.ORDERS: 0, Work.QUESTIONS: 8},
    ),
    "one that was begun": (
        "generations",
        _SUBMITTED | {"submit_by": ago("1 second"), "deadline_at": ahead("9 seconds")},
        {Work.QUESTIONS: 9},
    ),
    "one that is drawn": (
        "generations",
        _DRAWN | {"poll_at": ahead("7 seconds"), "deadline_at": ahead("6 seconds")},
        {Work.QUESTIONS: 7},
    ),
    "one that is over": ("generations", _OVER, {}),
    "one to be told of": ("generations", _OVER | {"tell_at": ahead("3 seconds")}, {Work.CARDS: 3}),
    "one that somebody is telling of": (
        "generations",
        _OVER | {"tell_at": ahead("3 seconds"), "tell_until": ahead("4 seconds")},
        {Work.CARDS: 4},
    ),
    "one that somebody told of": (
        "generations",
        _OVER | {"tell_at": ahead("3 seconds"), "tell_until": ago("4 seconds")},
        {Work.CARDS: 3},
    ),
    "one that is told of for the last time": ("generations", _OVER | {"tell_until": ahead("4 seconds")}, {}),
    "a purchase": ("payments", {"status": "new", "poll_at": ahead("6 seconds")}, {Work.PURCHASES: 6}),
    "a purchase that is over": ("payments", {"status": "canceled"}, {}),
    "a refund": ("refunds", {"poll_at": ahead("6 seconds")}, {Work.PURCHASES: 6}),
    "a sentence": ("outbox", {}, {Work.MESSAGES: 5}),
    "a sentence that waits": ("outbox", {"due_at": ago("5 seconds")}, {Work.MESSAGES: -5}),
    "one that has failed": ("outbox", {"failures": 1}, {Work.MESSAGES: 5}),
    "an alert": ("outbox", {"priority": 1}, {Work.MESSAGES: 5}),
    "a broadcast": ("outbox", {"priority": 2}, {Work.MESSAGES: 5}),
    "what only a newer version puts so far behind": ("outbox", {"priority": 3}, {}),
    "a picture": ("outbox", {"kind": Picture.kind}, {Work.RESULTS: 5}),
    "an untouched file": ("outbox", {"kind": Original.kind}, {Work.RESULTS: 5}),
    "a picture that has failed": ("outbox", {"kind": Picture.kind, "failures": 1}, {Work.RETRIES: 5}),
    "what is parked": ("outbox", {"due_at": _INFINITY}, {}),
    "what was sent": ("outbox", {"status": "sent", "closed_at": NOW}, {}),
}


@pytest.mark.parametrize("case", _CASES)
async def test_a_look_finds_when_each_thing_is_due_and_for_whom(conn: Connection, case: str) -> None:
    """What no look finds waits for ever where nobody heard of it; what is found too soon is asked for in vain."""
    table, columns, expected = _CASES[case]
    if table == "refunds":
        bought = Rows(conn, "payments", _USUAL["payments"])
        columns = {**columns, "payment_id": await bought.add("bought", status="canceled")}
    await Rows(conn, table, _USUAL[table]).add(case, **columns)
    assert await wakes.due(conn) == expected


async def test_a_look_finds_when_a_list_of_charges_is_to_be_read_on(conn: Connection) -> None:
    assert await charges.claim(conn, "7", True, 60) == 0
    assert await wakes.due(conn) == {Work.PURCHASES: 60}


async def _the_watch_is_up(bot: World) -> None:
    await bot.until(f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE {_WATCHES})")
