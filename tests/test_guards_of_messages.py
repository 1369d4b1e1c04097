"""Each statement about owed messages changes those that its guard lets through and no other; and whose turn it is."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest

from app.notices import OrderFailed, Original, Priority
from app.repo import outbox, users
from app.repo.records import Connection, Message
from tests.rows import NOW, Rows, Sql, ago, ahead

INFINITY = Sql("'infinity'")
KIND = OrderFailed.kind


@pytest.fixture
async def owed(shared_database_url: str) -> AsyncIterator[Rows]:
    """Messages to as many chats; `due` was claimed once, `parked` waits for its person."""
    connection = await asyncpg.connect(shared_database_url)
    transaction = connection.transaction()
    await transaction.start()
    chats = itertools.count(101)
    rows = Rows(connection, "outbox", {"id": ..., "kind": KIND, "ref": Sql("gen_random_uuid()"), "attempt": 1})
    states: dict[str, dict[str, Any]] = {
        "due": {"due_at": NOW},
        "later": {"due_at": ahead("1 second")},
        "parked": {"due_at": INFINITY},
        "sent": {"status": "sent", "closed_at": NOW},
        "dropped": {"status": "dropped", "closed_at": NOW},
    }
    for name, columns in states.items():
        await rows.add(name, chat_id=next(chats), **columns)
    yield rows
    await transaction.rollback()
    await connection.close()


def lease(row: int, attempt: int = 1, chat_id: int = 0) -> Message:
    """What a worker holds that has claimed it."""
    return Message(row, chat_id, KIND, "", "{}", attempt, 0, 0, None)


def _held(verb: Callable[[Message], Awaitable[object]], attempt: int, row: int) -> Awaitable[object]:
    return verb(lease(row, attempt))


async def claim(
    conn: Connection, *resting: int, limit: int = 99, failed: tuple[bool, ...] = (False, True)
) -> list[Message]:
    return await outbox.claim(conn, limit, 30, resting, [KIND], failed)


async def test_a_lease_is_asked_for_wherever_another_may_be_sending(owed: Rows) -> None:
    """And what has ended stays ended; that a message was sent is taken from anybody."""
    waiting = {"due", "later", "parked"}
    conn = owed.conn
    await conn.execute("UPDATE outbox SET sends = 1, failures = 4")
    verbs: list[Callable[[Message], Awaitable[object]]] = [
        lambda message: outbox.begin_send(conn, message, 30),
        lambda message: outbox.not_sent(conn, message),
        lambda message: outbox.drop(conn, message),
        lambda message: outbox.postpone(conn, message, 30, 1),
    ]
    for verb in verbs:
        for attempt, through in ((1, waiting), (2, set())):
            assert await owed.let_through(partial(_held, verb, attempt)) == through
    assert await owed.let_through(lambda row: outbox.mark_sent(conn, row)) == waiting


async def test_no_send_is_taken_back_that_was_not_noted(owed: Rows) -> None:
    assert not await owed.let_through(lambda row: outbox.not_sent(owed.conn, lease(row)))


@pytest.mark.parametrize(("counted", "more", "left"), [(4, 1, 1), (6, 0, 2), (4, 0, 0), (1, 0, 0)])
async def test_what_the_claim_counted_as_a_kill_is_put_right(owed: Rows, counted: int, more: int, left: int) -> None:
    """Never below none: the version before counts nothing."""
    await owed.conn.execute("UPDATE outbox SET failures = $1", counted)
    assert await outbox.postpone(owed.conn, lease(owed.ids["due"]), 30, more)
    assert await owed.of("due", "failures, due_at - now()") == (left, 30)


async def test_a_message_that_is_owed_or_was_sent_is_not_owed_again(owed: Rows) -> None:
    notice = OrderFailed("order", "deadline", 2, 10)
    assert await outbox.put(owed.conn, 5, notice)
    assert not await outbox.put(owed.conn, 5, notice)


async def test_a_file_is_owed_while_it_waits_for_its_chat(owed: Rows) -> None:
    """Who asks twice gets it once; what is parked, over, of another kind, order or chat keeps nobody from asking."""
    others: dict[str, dict[str, Any]] = {
        "another chat's": {"chat_id": 2},
        "of another kind": {"kind": KIND},
        "of another order": {"payload": '{"order": "b"}'},
        "parked": {"due_at": INFINITY},
        "over": {"status": "sent", "closed_at": NOW},
    }
    its = {"chat_id": 1, "kind": Original.kind, "payload": '{"order": "a"}'}
    for name, columns in others.items():
        await owed.add(name, **its | columns)
    assert not await outbox.owes(owed.conn, 1, Original.kind, "a")
    await owed.add("put off", **its | {"due_at": ahead("1 hour")})
    assert await outbox.owes(owed.conn, 1, Original.kind, "a")


async def test_due_messages_are_claimed_one_a_chat(owed: Rows) -> None:
    """Not later ones, parked ones, those of another kind, nor those to chats that are left alone."""
    conn = owed.conn
    await owed.add("of another kind", chat_id=1, kind="new", due_at=NOW)
    await owed.add("to a resting chat", chat_id=2, due_at=NOW)
    await owed.add("to a paused chat", chat_id=3, due_at=NOW)
    await owed.add("to a chat whose pause is over", chat_id=4, due_at=NOW)
    await owed.add("second to it", chat_id=4, due_at=NOW)
    await conn.execute("INSERT INTO chat_pauses (chat_id, until) VALUES (3, now() + interval '1 s'), (4, now())")
    claimed = {"due", "to a chat whose pause is over"}
    assert await owed.changes(lambda: claim(conn, 2)) == claimed
    assert len(await claim(conn, 2, limit=1)) == 1


async def test_nothing_is_claimed_while_the_whole_bot_was_told_to_wait(owed: Rows) -> None:
    """Another service's pause is none of it, and one that is over is none."""
    await owed.conn.execute("INSERT INTO pauses (service, until) VALUES ('other', 'infinity'), ('telegram', now())")
    assert await owed.changes(lambda: claim(owed.conn)) == {"due"}
    await owed.conn.execute("UPDATE pauses SET until = now() + interval '1 s'")
    assert await owed.changes(lambda: claim(owed.conn)) == set()


async def test_a_claim_asks_for_what_has_failed_or_has_not(owed: Rows) -> None:
    await owed.add("failed", chat_id=1, failures=1, due_at=ago("1 hour"))
    assert await owed.changes(lambda: claim(owed.conn, failed=(True,))) == {"failed"}
    assert await owed.changes(lambda: claim(owed.conn, failed=(False,))) == {"due"}
    assert await owed.changes(lambda: claim(owed.conn)) == {"due", "failed"}
    [first] = await claim(owed.conn, limit=1)
    assert first.id == owed.ids["due"]


async def test_a_claim_reads_no_further_than_its_priority(owed: Rows) -> None:
    """And says the language of the chat that it is for."""
    await owed.add("broadcast", chat_id=1, priority=2, due_at=NOW)
    await users.visit(owed.conn, 1, "en")
    await users.visit(owed.conn, 101, "ru")
    alerts = partial(outbox.claim, owed.conn, 99, 30, [], [KIND], last=Priority.ALERT)
    assert await owed.changes(alerts) == {"due"}
    claimed = {message.id: message.language for message in await claim(owed.conn)}
    assert claimed == {owed.ids["due"]: "ru", owed.ids["broadcast"]: "en"}


async def test_a_pause_grows_and_is_the_bots_where_two_other_chats_have_one(owed: Rows) -> None:
    """Told within five seconds; the bot's is a minute at most, a chat's as long as it was told."""
    conn = owed.conn
    left = "SELECT extract(epoch FROM until - now())::float8 FROM chat_pauses WHERE chat_id = 1"
    for told, kept in ((100, 100), (50, 100), (200, 200)):
        assert not await outbox.pause(conn, 1, told)
        assert await conn.fetchval(left) == kept
    assert not await outbox.pause(conn, 2, 1e15)
    assert not await outbox.pause(conn, 1, 7)
    await conn.execute("INSERT INTO chat_pauses (chat_id, until, told_at) VALUES (3, now(), now() - interval '6 s')")
    assert not await outbox.pause(conn, 1, 7)
    await conn.execute("UPDATE chat_pauses SET told_at = now() - interval '4 s'")
    bots = "SELECT extract(epoch FROM until - now())::float8 FROM pauses WHERE service = 'telegram'"
    for told, kept in ((7, 7), (5, 7), (90, 60)):
        assert await outbox.pause(conn, 1, told)
        assert await conn.fetchval(bots) == kept


async def test_a_chat_shows_once_in_ten_minutes_that_the_bot_is_meant(owed: Rows) -> None:
    """One that was told so lately does not count again."""
    conn = owed.conn
    for since, counts in ((9, False), (11, True)):
        await conn.execute("DELETE FROM chat_pauses")
        await conn.execute(
            "INSERT INTO chat_pauses (chat_id, until, told_at)"
            " SELECT chat_id, now(), now() - $1::interval FROM unnest(ARRAY[1, 2]) AS chat_id",
            timedelta(minutes=since),
        )
        for chat in (1, 2):
            await outbox.pause(conn, chat, 7)
        assert await outbox.pause(conn, 3, 7) == counts


async def test_a_park_takes_what_waits_for_its_chat(owed: Rows) -> None:
    """The one that is claimed with its lease, and what is due; not what is put off or over, nor another chat's."""
    at = {"chat_id": 1}
    await owed.add("claimed", due_at=ahead("30 seconds"), failures=6, **at)
    await owed.add("waiting", due_at=NOW, failures=2, **at)
    await owed.add("put off", due_at=ahead("1 minute"), **at)
    await owed.add("parked before", due_at=INFINITY, failures=4, **at)
    await owed.add("over", status="sent", closed_at=NOW, due_at=NOW, **at)
    mine = owed.ids["claimed"]
    assert await owed.changes(lambda: outbox.park(owed.conn, lease(mine, 1, 1))) == {"claimed", "waiting"}
    assert await owed.changes(lambda: outbox.park(owed.conn, lease(mine, 2, 1))) == {"waiting"}
    for _ in range(2):
        await outbox.park(owed.conn, lease(mine, 1, 1))
        assert await owed.of("claimed", "failures, due_at = 'infinity'") == (2, True)
    assert await owed.of("waiting", "failures, due_at = 'infinity'") == (2, True)
    await owed.add("claimed, of the version before", due_at=ahead("30 seconds"), failures=1, **at)
    await outbox.park(owed.conn, lease(owed.ids["claimed, of the version before"], 1, 1))
    assert await owed.of("claimed, of the version before", "failures") == 0


async def test_who_writes_again_finds_what_was_parked_for_them(owed: Rows) -> None:
    """Their own alone, and nothing else of theirs is hurried."""
    await owed.add("parked too", chat_id=1, due_at=INFINITY)
    await owed.add("put off", chat_id=1, due_at=ahead("1 minute"))
    await owed.add("over", chat_id=1, due_at=INFINITY, status="sent", closed_at=NOW)

    async def touch() -> None:
        assert (await users.visit(owed.conn, 1)).unparked == 1

    assert await owed.changes(touch) == {"parked too"}


async def test_what_ended_long_ago_is_removed_a_few_at_a_time(owed: Rows) -> None:
    """What ended lately stays, and what waits however long."""
    for name in ("old", "older"):
        await owed.add(name, chat_id=1, status="sent", closed_at=ago("8 days"))
    await owed.add("waiting for long", chat_id=1, due_at=ago("8 days"), created_at=ago("8 days"))
    assert await owed.changes(lambda: outbox.purge(owed.conn, 7, 99)) == {"old", "older"}
    assert await outbox.purge(owed.conn, 7, 1) == 1


async def test_pauses_that_are_long_over_are_removed_a_few_at_a_time(owed: Rows) -> None:
    """Not one that lasts, nor one that was told of within the hour."""
    await owed.conn.execute(
        "INSERT INTO chat_pauses (chat_id, until, told_at) VALUES (1, now() - interval '1 s', now() - interval '2 h'),"
        " (2, now() - interval '1 s', now() - interval '2 h'), (3, now() + interval '1 s', now() - interval '2 h'),"
        " (4, now() - interval '1 s', now() - interval '30 min')"
    )
    assert await outbox.purge_pauses(owed.conn, 7, 1) == 1
    assert await outbox.purge_pauses(owed.conn, 7, 99) == 1
    left = await owed.conn.fetchval("SELECT array_agg(chat_id ORDER BY chat_id) FROM chat_pauses")
    assert left == [3, 4]
