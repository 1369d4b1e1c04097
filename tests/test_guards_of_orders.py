"""Each statement about orders changes those that its guard lets through and no other: tried on every state at once."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.repo import generations, users, waits
from app.repo.generations import Failure, NewOrder
from app.repo.records import Submission
from tests.rows import NOW, Rows, Sql, ago, ahead

OPEN = {"queued", "submitting", "processing"}


@pytest.fixture
async def orders(shared_database_url: str) -> AsyncIterator[Rows]:
    """One in each state, with time left; `fresh` was never claimed."""
    connection = await asyncpg.connect(shared_database_url)
    transaction = connection.transaction()
    await transaction.start()
    await users.visit(connection, 1)
    await users.visit(connection, 2)
    usual = {
        "user_id": 1,
        "order_key": Sql("gen_random_uuid()"),
        "status": "queued",
        "model": "m",
        "quality": "low",
        "size": "s",
        "price": 2,
        "prompt": "кот",
        "sources": ["one", "two"],
        "attempt": 1,
        "deadline_at": ahead("1 hour"),
        "submit_by": ahead("50 minutes"),
    }
    rows = Rows(connection, "generations", usual)
    await rows.add("fresh", attempt=0)
    await rows.add("queued")
    await rows.add("submitting", status="submitting", submitted_at=NOW)
    await rows.add("processing", status="processing", request_id=5, poll_at=ahead("1 minute"))
    await rows.add("ready", status="ready", result_url="u", ready_at=NOW, request_id=6)
    await rows.add("delivered", status="delivered", result_url="u", finished_at=NOW)
    await rows.add("failed", status="failed", failure="deadline", finished_at=NOW)
    yield rows
    await transaction.rollback()
    await connection.close()


def lease(order: UUID, attempt: int = 1) -> Submission:
    """What a worker holds that has claimed it."""
    return Submission(order, 1, attempt, "m", "s", "low", None, "кот", ["one"], None)


@pytest.mark.parametrize(("message", "told"), [(7, (1, 30, 20)), (None, (0, None, None))])
async def test_an_order_is_told_of_by_whoever_wrote_it_where_there_is_a_message_to_edit(
    orders: Rows, message: int | None, told: tuple[int, float | None, float | None]
) -> None:
    """They have the first edit for twenty seconds, and the order is looked at again; without one nobody ever looks."""
    new = NewOrder(
        1, "a card", "m", "s", 2, "кот", ("one",), message, 900, 800, "low", None, "{}", hidden=False, look_s=30
    )
    orders.ids["new"] = await generations.insert(orders.conn, new)
    assert await orders.of("new", "told, tell_at - now(), tell_until - now()") == told


async def test_a_lease_begins_a_queued_order_while_a_picture_could_come_in_time(orders: Rows) -> None:
    await orders.add("too late to submit", submit_by=NOW)
    await orders.add("past its deadline", deadline_at=NOW)
    await orders.add("of the version before", submit_by=None)
    await orders.add("of the version before, past its deadline", submit_by=None, deadline_at=NOW)
    begun = await orders.let_through(lambda row: generations.start_submitting(orders.conn, lease(row)))
    assert begun == {"queued", "of the version before"}
    assert not await orders.let_through(lambda row: generations.start_submitting(orders.conn, lease(row, 2)))


async def test_what_was_not_accepted_goes_back_unless_it_has_its_number(orders: Rows) -> None:
    await orders.add("known", status="submitting", request_id=7)
    assert await orders.let_through(lambda row: generations.requeue(orders.conn, lease(row), 5)) == {"submitting"}
    assert not await orders.let_through(lambda row: generations.requeue(orders.conn, lease(row, 2), 5))


async def test_there_is_another_try_where_it_would_begin_in_time(orders: Rows) -> None:
    """Before it is too late to submit and before the deadline, whichever comes first."""
    times = {"claimable_at": NOW, "status": "submitting"}
    await orders.add("in time", submit_by=ahead("6 seconds"), deadline_at=ahead("7 seconds"), **times)
    await orders.add("too late", submit_by=ahead("5 seconds"), deadline_at=ahead("7 seconds"), **times)
    await orders.add("overdue", submit_by=ahead("7 seconds"), deadline_at=ahead("5 seconds"), **times)
    await orders.add(
        "hidden", submit_by=ahead("6 seconds"), **times | {"claimable_at": Sql("'infinity'"), "due_at": NOW}
    )
    said = {
        name: await generations.requeue(orders.conn, lease(orders.ids[name]), 5)
        for name in ("in time", "too late", "overdue", "hidden")
    }
    assert said == {"in time": True, "too late": False, "overdue": False, "hidden": True}


async def test_a_lease_is_given_back_by_who_holds_it(orders: Rows) -> None:
    assert await orders.let_through(lambda row: generations.release(orders.conn, lease(row), 5)) == {"queued"}
    assert await orders.let_through(lambda row: generations.release(orders.conn, lease(row, 0), 5)) == {"fresh"}


async def test_a_hidden_order_stays_hidden_from_the_version_before(orders: Rows) -> None:
    """Claimed, given back, begun and put back: its turn stands in due_at alone, that of any other in claimable_at."""
    await orders.add("plain", model="mine", claimable_at=NOW)
    await orders.add("hidden", model="mine", claimable_at=Sql("'infinity'"), due_at=NOW)
    turn = "due_at - now(), CASE WHEN claimable_at < 'infinity' THEN claimable_at - now() END"

    async def turns(expected: float) -> None:
        assert await orders.of("plain", turn) == (None, expected)
        assert await orders.of("hidden", turn) == (expected, None)

    claimed = await generations.claim_queued(orders.conn, 9, 30, ["mine"])
    assert {each.id for each in claimed} == {orders.ids["plain"], orders.ids["hidden"]}
    await turns(30)
    for each in claimed:
        assert await generations.release(orders.conn, each, 7)
    await turns(7)
    for each in claimed:
        assert await generations.start_submitting(orders.conn, each)
        assert await generations.requeue(orders.conn, each, 9)
    await turns(9)


async def test_queued_orders_are_claimed_when_it_is_their_turn_and_not_too_late(orders: Rows) -> None:
    """Those of a model that this version draws, and not twice."""
    await orders.add("later", claimable_at=ahead("1 second"))
    await orders.add("hidden, later", claimable_at=Sql("'infinity'"), due_at=ahead("1 second"))
    await orders.add("hidden", claimable_at=Sql("'infinity'"), due_at=NOW)
    await orders.add("too late", submit_by=NOW)
    await orders.add("overdue", deadline_at=NOW)
    await orders.add("of another model", model="unknown")
    claimed = await orders.changes(lambda: generations.claim_queued(orders.conn, 9, 30, ["m"]))
    assert claimed == {"fresh", "queued", "hidden"}
    assert len(await orders.changes(lambda: generations.claim_queued(orders.conn, 1, 30, ["m"]))) == 1
    [claim] = await generations.claim_queued(orders.conn, 1, 30, ["m"])
    assert (claim.attempt, claim.sources) in ((1, ["one", "two"]), (2, ["one", "two"]))


@pytest.mark.parametrize("of_each", [1, 9])
async def test_who_waits_longest_is_claimed_first(orders: Rows, of_each: int) -> None:
    """By whichever of the two turns an order has, among a person's own as among all."""
    hidden = {"claimable_at": Sql("'infinity'"), "model": "mine"}
    await orders.add("third", model="mine", claimable_at=ago("1 second"))
    await orders.add("first", due_at=ago("3 seconds"), **hidden)
    await orders.add("second", model="mine", claimable_at=ago("2 seconds"))
    await orders.add("fourth", due_at=NOW, **hidden)
    claimed = [(await generations.claim_queued(orders.conn, 1, 30, ["mine"], (), of_each))[0].id for _ in range(4)]
    assert claimed == [orders.ids[name] for name in ("first", "second", "third", "fourth")]


async def test_one_persons_orders_are_claimed_up_to_their_share(orders: Rows) -> None:
    """With those of theirs that are under way; another's take nothing of it."""
    mine = {"model": "mine", "claimable_at": ago("1 second")}
    for number in range(3):
        await orders.add(f"first {number}", **mine)
        await orders.add(f"second {number}", user_id=2, **mine)

    async def claimed(*busy: int) -> list[str]:
        names = await orders.changes(lambda: generations.claim_queued(orders.conn, 9, 30, ["mine"], busy, 2))
        return sorted(name.split()[0] for name in names)

    assert await claimed() == ["first"] * 2 + ["second"] * 2
    assert await claimed(1) == ["first"] + ["second"] * 2
    assert await claimed(1, 1, 2) == ["second"]


async def test_a_number_fills_an_empty_place_and_moves_what_is_being_submitted(orders: Rows) -> None:
    """It is asked about in a while, at its deadline at the latest; what is over keeps its state."""
    await orders.add("soon over", status="submitting", deadline_at=ahead("3 seconds"))
    await orders.add("ready, unknown", status="ready", result_url="u", ready_at=NOW)
    accepted = await orders.let_through(lambda row: generations.accept(orders.conn, row, 77, 5))
    assert accepted == {"submitting", "soon over", "ready, unknown", "delivered", "failed"}
    for name, number, expected in (
        ("submitting", 81, ("processing", 5)),
        ("soon over", 82, ("processing", 3)),
        ("ready, unknown", 83, ("ready", None)),
    ):
        assert await generations.accept(orders.conn, orders.ids[name], number, 5) == expected[0]
        assert await orders.of(name, "status, poll_at - now()") == expected


async def test_a_picture_completes_what_gen_api_may_have_accepted(orders: Rows) -> None:
    """A queued one too, once it was sent; a number that is there stays."""
    complete = await orders.let_through(lambda row: generations.complete(orders.conn, row, "u", 77, 1))
    assert complete == {"queued", "submitting", "processing"}
    assert await generations.complete(orders.conn, orders.ids["processing"], "u", 99, 1)
    assert await generations.complete(orders.conn, orders.ids["submitting"], "u", 78, 1)
    assert await orders.of("processing", "request_id, status, poll_at") == (5, "ready", None)
    assert await orders.of("submitting", "request_id, status, poll_at") == (78, "ready", None)


async def test_each_way_to_fail_has_its_own_states(orders: Rows) -> None:
    """gen-api's word ends what is open, a lease a queued one, the deliverer what is ready."""
    conn, why = orders.conn, Failure.PROVIDER
    assert await orders.let_through(lambda row: generations.fail(conn, row, why)) == {"fresh"} | OPEN
    assert await orders.let_through(lambda row: generations.fail_claimed(conn, row, why, 1)) == {"queued"}
    assert await orders.let_through(lambda row: generations.fail_claimed(conn, row, why, 0)) == {"fresh"}
    assert await orders.let_through(lambda row: generations.fail_ready(conn, row, why)) == {"ready"}


async def test_only_what_is_past_its_time_is_overdue_and_fails_by_it(orders: Rows) -> None:
    """The deadline, or for a queued one the last instant to submit it; neither while there is time left."""
    late = {"deadline_at": NOW, "submit_by": ago("1 minute")}
    await orders.add("queued, late", **late)
    await orders.add("queued of the version before, late", deadline_at=NOW, submit_by=None)
    await orders.add("queued, not to be submitted any more", submit_by=NOW)
    await orders.add("submitting, late", status="submitting", **late)
    await orders.add("submitting, begun in time", status="submitting", submit_by=ago("1 minute"))
    await orders.add("processing, late", status="processing", request_id=7, **late)
    await orders.add("processing, begun in time", status="processing", request_id=8, submit_by=ago("1 minute"))
    await orders.add("ready, late", status="ready", result_url="u", **late)
    await orders.add("delivered, late", status="delivered", finished_at=NOW, **late)
    await orders.add("failed, late", status="failed", failure="deadline", finished_at=NOW, **late)
    askable = {"processing, late"}
    overdue = {
        *("queued, late", "queued of the version before, late", "queued, not to be submitted any more"),
        "submitting, late",
    }
    ended = await orders.let_through(lambda row: generations.fail_overdue(orders.conn, row, Failure.DEADLINE))
    assert ended == overdue | askable
    found = await generations.overdue(orders.conn, 99)
    assert {name for name, row in orders.ids.items() if row in found} == overdue


async def test_a_ready_picture_is_delivered_and_its_link_renewed_once(orders: Rows) -> None:
    await orders.add("renewed", status="ready", result_url="u", result_refreshed=True)
    renewed = await orders.let_through(lambda row: generations.refresh_result(orders.conn, row, "new"))
    assert renewed == {"ready"}
    delivered = await orders.let_through(lambda row: generations.delivered(orders.conn, row, "file"))
    assert delivered == {"ready", "renewed"}


async def test_what_was_ordered_before_a_wish_to_be_forgotten_is_delivered_and_forgotten(orders: Rows) -> None:
    """Nothing of what came after the wish, nor of somebody else's, nor where nobody wished for anything."""
    kept = "prompt, sources, source_file_id, result_url, result_file_id"
    whole: dict[str, Any] = {"status": "ready", "result_url": "u", "ready_at": NOW, "source_file_id": "one"}
    wishes = {"before the wish": (2, "2 hours"), "after the wish": (2, "1 minute"), "another's": (1, "2 hours")}
    for name, (person, age) in wishes.items():
        await orders.add(name, user_id=person, created_at=ago(age), **whole)
    await orders.conn.execute("UPDATE users SET forget_before = now() - interval '1 hour' WHERE id = 2")
    for name in wishes:
        await generations.delivered(orders.conn, orders.ids[name], "file")
    assert await orders.of("before the wish", kept) == (None,) * 5
    assert await orders.of("after the wish", kept) == ("кот", ["one", "two"], "one", "u", "file")
    assert await orders.of("another's", kept) == ("кот", ["one", "two"], "one", "u", "file")


async def test_sources_are_there_while_the_order_is_open(orders: Rows) -> None:
    """Each by its number; the version before knew one."""
    await orders.add("of the version before", sources=None, source_file_id="old")
    found = {name: await generations.source(orders.conn, row, 2) for name, row in orders.ids.items()}
    assert {name for name, source in found.items() if source and source[0] == "two"} == {"fresh"} | OPEN
    assert await generations.source(orders.conn, orders.ids["of the version before"], 1) == ("old", "m")
    assert await generations.source(orders.conn, orders.ids["of the version before"], 2) is None
    await orders.conn.execute(
        "UPDATE generations SET claimable_at = now() - interval '1 s' WHERE source_file_id = 'old'"
    )
    [old] = await generations.claim_queued(orders.conn, 1, 30, ["m"])
    assert old.sources == ["old"]


async def test_an_unproven_word_brings_the_question_forward_and_never_puts_it_off(orders: Rows) -> None:
    """To ten seconds after the last one at the earliest; what it would not bring forward is not even written."""
    for number, (name, polled_at, poll_at) in enumerate(
        (
            ("never asked", None, ahead("1 minute")),
            ("asked lately", ago("4 seconds"), ahead("1 minute")),
            ("asked long ago", ago("1 minute"), ahead("1 minute")),
            ("asked lately, soon again", ago("4 seconds"), ahead("2 seconds")),
        ),
        start=50,
    ):
        await orders.add(name, status="processing", request_id=number, polled_at=polled_at, poll_at=poll_at)
        sooner = {name} - {"asked lately, soon again"}
        assert await orders.changes(partial(generations.hint, orders.conn, number)) == sooner
        await generations.hint(orders.conn, number)
        assert not await orders.changes(partial(generations.hint, orders.conn, number))
    assert await orders.of("never asked", "poll_at - now()") == 0
    assert await orders.of("asked lately", "poll_at - now()") == 6
    assert await orders.of("asked long ago", "poll_at - now()") == 0
    assert await orders.of("asked lately, soon again", "poll_at - now()") == 2
    await orders.add("over", status="delivered", finished_at=NOW, request_id=60, poll_at=ahead("1 minute"))
    for number in (6, 60):
        assert not await orders.changes(partial(generations.hint, orders.conn, number))


async def test_questions_come_ever_later_up_to_two_minutes_and_the_deadline_is_one(orders: Rows) -> None:
    asked = {"status": "processing", "poll_at": NOW}
    await orders.add("first", request_id=51, **asked)
    await orders.add("third", request_id=52, polls=2, **asked)
    await orders.add("thousandth", request_id=53, polls=1000, **asked)
    await orders.add("near its deadline", request_id=54, deadline_at=ahead("5 seconds"), **asked)
    await orders.add("at its deadline", request_id=55, deadline_at=ahead("0.2 seconds"), **asked)
    await orders.add("past its deadline", request_id=56, deadline_at=NOW, **asked)
    await orders.add("later", request_id=57, status="processing", poll_at=ahead("1 second"))
    await orders.add("over", status="delivered", finished_at=NOW, poll_at=NOW)
    turns = {"first": 10, "third": 22.5, "thousandth": 120, "near its deadline": 5, "at its deadline": 1}
    turns["past its deadline"] = 15
    claim = await orders.changes(lambda: generations.claim_polls(orders.conn, 99, 10))
    assert claim == set(turns)
    assert len(await orders.changes(lambda: generations.claim_polls(orders.conn, 1, 10))) == 1
    questions = await generations.claim_polls(orders.conn, 99, 10)
    assert {name: await orders.of(name, "poll_at - now()") for name in turns} == turns
    assert [question.request_id for question in questions if question.expired] == [56]
    # A short first pause grows to no more than a hundredfold
    await orders.conn.execute("UPDATE generations SET poll_at = now() WHERE request_id = 53")
    await generations.claim_polls(orders.conn, 1, 0.1)
    assert await orders.of("thousandth", "poll_at - now()") == pytest.approx(0.1 * 1.5**12, abs=0.001)


async def test_an_order_is_found_by_its_card_for_its_owner_alone(orders: Rows) -> None:
    await orders.add("mine", order_key="card")
    found = await generations.find_order(orders.conn, "card", 1)
    assert found is not None
    assert found.id == orders.ids["mine"]
    assert await generations.find_order(orders.conn, "card", 2) is None
    assert await generations.find_order(orders.conn, "another", 1) is None


async def test_an_order_is_known_by_its_id_and_by_its_number(orders: Rows) -> None:
    assert await generations.by_request(orders.conn, 6) == orders.ids["ready"]
    assert await generations.by_request(orders.conn, 7) is None
    for name in ("fresh", "failed"):
        owner = await generations.owner(orders.conn, orders.ids[name])
        assert owner is not None
        assert owner.status == await orders.of(name, "status")
    for name in ("ready", "delivered"):
        result = await generations.result(orders.conn, orders.ids[name])
        assert result is not None
        assert (result.id, result.status) == (orders.ids[name], name)


async def test_of_an_order_that_there_is_not_nothing_is_said(orders: Rows) -> None:
    nobodys = uuid4()
    assert await generations.find_order(orders.conn, "no card", 1) is None
    assert await generations.owner(orders.conn, nobodys) is None
    assert await generations.result(orders.conn, nobodys) is None
    assert await generations.delivered(orders.conn, nobodys, None) is None
    assert await generations.fail(orders.conn, nobodys, Failure.PROVIDER) is None
    assert await generations.source(orders.conn, nobodys, 1) is None


async def test_what_is_ahead_was_queued_before_and_is_queued_still(orders: Rows) -> None:
    """Nothing is ahead of what is being drawn."""
    await orders.conn.execute("UPDATE generations SET created_at = now() - interval '1 hour'")
    await orders.add("mine", created_at=ago("10 minutes"))
    await orders.add("behind", created_at=ago("5 minutes"))
    await orders.add("drawn", status="submitting", submitted_at=ago("3 seconds"), created_at=ago("1 minute"))
    for name in ("mine", "behind", "drawn"):
        await orders.conn.execute(
            "UPDATE generations SET tell_at = now(), card_message_id = 7 WHERE id = $1", orders.ids[name]
        )
    names = {order: name for name, order in orders.ids.items()}
    found = {names[wait.id]: wait for wait in await waits.claim(orders.conn, 9, 20)}
    assert {name: (each.ahead, each.since_s) for name, each in found.items()} == {
        "mine": (2, 600),
        "behind": (3, 300),
        "drawn": (0, 3),
    }
    assert await generations.waiting(orders.conn, 99) == 4
    assert await generations.waiting(orders.conn, 3) == 3


async def told(orders: Rows) -> dict[str, waits.Wait]:
    """The orders, each claimed by whoever tells of it."""
    await orders.conn.execute("UPDATE generations SET tell_at = now(), card_message_id = 7, told = 1")
    names = {order: name for name, order in orders.ids.items()}
    return {names[wait.id]: wait for wait in await waits.claim(orders.conn, 99, 20)}


async def test_an_order_is_told_of_when_it_is_due_by_one_at_a_time_and_not_while_telegram_says_to_wait(
    orders: Rows,
) -> None:
    due_or_not: dict[str, dict[str, Any]] = {
        "due": {"tell_at": NOW},
        "due, after a lease": {"tell_at": ago("1 hour"), "tell_until": NOW},
        "leased": {"tell_at": NOW, "tell_until": ahead("1 second")},
        "not due": {"tell_at": ahead("1 second")},
        "in a chat that rests": {"tell_at": NOW, "user_id": 2},
    }
    for name, columns in due_or_not.items():
        await orders.add(name, card_message_id=7, **columns)
    await orders.conn.execute("INSERT INTO chat_pauses VALUES (2, now() + interval '1 second'), (1, now())")
    due = {"due", "due, after a lease"}
    assert await orders.changes(lambda: waits.claim(orders.conn, 99, 20)) == due
    assert await orders.changes(lambda: waits.claim(orders.conn, 1, 20)) == {"due, after a lease"}
    await orders.conn.execute("INSERT INTO pauses VALUES ('telegram', now() + interval '1 second')")
    assert await orders.changes(lambda: waits.claim(orders.conn, 99, 20)) == set()
    await orders.conn.execute("UPDATE pauses SET until = now()")
    await orders.conn.execute("INSERT INTO pauses VALUES ('another', now() + interval '1 second')")
    assert await orders.changes(lambda: waits.claim(orders.conn, 99, 20)) == due


async def test_whoever_tells_of_an_order_hears_the_balance_that_it_left(orders: Rows) -> None:
    """Not that of its refund, nor that of another order."""
    for reason, name, balance in (("order", "queued", 8), ("order", "failed", 6), ("order_refund", "failed", 9)):
        await orders.conn.execute(
            "INSERT INTO ledger (user_id, delta, balance, reason, ref) VALUES (1, 2, $1, $2, $3)",
            balance,
            reason,
            str(orders.ids[name]),
        )
    claimed = await told(orders)
    assert (claimed["queued"].balance, claimed["failed"].balance, claimed["fresh"].balance) == (8, 6, None)


async def test_an_edit_is_begun_by_its_lease_in_the_state_that_it_is_about(orders: Rows) -> None:
    """So is what is put off; a lease that is over may put off, and may not begin."""
    claimed = await told(orders)
    conn = orders.conn
    await orders.add("queued too", told=1, tell_until=ahead("20 seconds"))
    assert await orders.changes(lambda: waits.begin(conn, claimed["queued"], 4, 30.0)) == {"queued"}
    assert await waits.begin(conn, claimed["queued"], 4, 30.0) == 2
    assert await orders.of("queued", "told, told_place, tell_at - now()") == (2, 4, 30)
    assert await waits.begin(conn, claimed["queued"], 4, 30.0) is None
    assert not await waits.postpone(conn, claimed["queued"], 30.0)
    await conn.execute("UPDATE generations SET status = 'submitting' WHERE id = $1", orders.ids["fresh"])
    assert await waits.begin(conn, claimed["fresh"], None, None) is None
    assert not await waits.postpone(conn, claimed["fresh"], None)
    assert await waits.postpone(conn, claimed["processing"], None)
    assert await orders.of("processing", "told, tell_at, tell_until") == (1, None, None)
    await conn.execute("UPDATE generations SET tell_until = now() WHERE id = $1", orders.ids["submitting"])
    assert await waits.begin(conn, claimed["submitting"], None, None) is None


async def test_whoever_ends_an_edit_hears_how_the_order_stands_and_nobody_else_ends_it(orders: Rows) -> None:
    await told(orders)
    stands = {name: await waits.finish(orders.conn, order, 1) for name, order in orders.ids.items()}
    assert stands == {name: "queued" if name == "fresh" else name for name in orders.ids}
    assert await orders.of("delivered", "tell_at, tell_until") == (None, None)
    assert await orders.of("queued", "tell_at = now() AND tell_until IS NULL")
    assert await orders.let_through(lambda row: waits.finish(orders.conn, row, 2)) == set()


async def test_what_rests_is_looked_at_later_or_never(orders: Rows) -> None:
    await told(orders)
    assert await orders.changes(lambda: waits.rest(orders.conn, orders.ids["queued"], 60)) == {"queued"}
    await waits.rest(orders.conn, orders.ids["queued"], 60)
    assert await orders.of("queued", "tell_at - now()") == 60
    await waits.rest(orders.conn, orders.ids["queued"], 30)
    assert await orders.of("queued", "tell_at - now()") == 60
    await waits.rest(orders.conn, orders.ids["queued"], None)
    assert await orders.of("queued", "tell_at IS NULL")


async def test_only_what_has_failed_under_a_message_is_to_say_so(orders: Rows) -> None:
    await orders.add("failed under a card", status="failed", failure="deadline", finished_at=NOW, card_message_id=7)
    await orders.add("open under a card", card_message_id=7)
    assert await orders.let_through(lambda row: waits.failed(orders.conn, row)) == {"failed under a card"}


async def test_delivery_leaves_the_last_word_to_an_edit_under_way_that_is_not_the_first(orders: Rows) -> None:
    """Its maker is looked after; in any other case nothing is looked at any more."""
    for name, number, until in (("first", 1, "1 s"), ("later", 2, "1 s"), ("over", 2, "0 s")):
        leased = {"told": number, "tell_until": ahead(until), "tell_at": ahead("1 hour")}
        await orders.add(name, status="ready", result_url="u", ready_at=NOW, card_message_id=7, **leased)
    found = {
        name: await generations.delivered(orders.conn, orders.ids[name], None) for name in ("first", "later", "over")
    }
    assert [name for name, each in found.items() if each and each.being_told] == ["later"]
    assert await orders.of("later", "tell_at = tell_until")
    assert await orders.of("first", "tell_at IS NULL")


async def test_a_place_in_the_queue_that_was_told_is_told_to_have_come(orders: Rows) -> None:
    hour = ahead("1 hour")
    await orders.add("told a place", told_place=3, tell_at=hour)
    await orders.add("told a place, looked at no more", told_place=3)
    await orders.add("told a place, due", told_place=3, tell_at=ahead("1 second"))
    await orders.add("told that it is drawn", tell_at=hour)
    for name in orders.ids:
        await generations.start_submitting(orders.conn, lease(orders.ids[name]))
    assert await orders.of("told a place", "tell_at - now()") == 3
    assert await orders.of("told a place, looked at no more", "tell_at - now()") == 3
    assert await orders.of("told a place, due", "tell_at - now()") == 1
    assert await orders.of("told that it is drawn", "tell_at - now()") == 3600


async def test_a_median_is_that_of_the_last_pictures_of_a_model_and_quality(orders: Rows) -> None:
    for name, took, since in (("a", 10, 1), ("b", 20, 2), ("c", 30, 3), ("old", 900, 60)):
        times = {"submitted_at": ago(f"{since * 60 + took} seconds"), "ready_at": ago(f"{since} minutes")}
        await orders.add(name, status="ready", model="x", result_url="u", **times)
        await orders.add(f"{name}, other model", status="ready", model="y", result_url="u", **times | {"ready_at": NOW})
        await orders.add(f"{name}, other quality", status="ready", model="x", quality="high", result_url="u", **times)
    await orders.add("drawn", status="submitting", model="x", submitted_at=ago("1 hour"))
    assert await waits.drawn_in(orders.conn, "x", "low", 3) == 20
    assert await waits.drawn_in(orders.conn, "z", "low", 3) is None


async def test_what_people_wrote_goes_where_it_is_over_for_long_or_to_be_forgotten(orders: Rows) -> None:
    """A ready one keeps its link; what is open keeps everything."""
    long_ago, wiped = ago("8 days"), {"prompt": None, "sources": None}
    over = {"status": "delivered", "result_url": "u"}
    await orders.add("open for long", created_at=long_ago)
    await orders.add("over for long", finished_at=long_ago, **over)
    await orders.add("ready for long", status="ready", result_url="u", ready_at=long_ago)
    await orders.add("ready for long, wiped", status="ready", result_url="u", ready_at=long_ago, **wiped)
    await orders.add("wiped", finished_at=long_ago, status="delivered", **wiped)
    await orders.add("wiped but for its link", finished_at=long_ago, **over, **wiped)
    await orders.add("over for less", finished_at=ago("6 days"), created_at=ago("6 days"), **over)
    await orders.add("another's, over", user_id=2, finished_at=NOW, created_at=ago("1 hour"), **over)
    await orders.add(
        "another's, wiped", user_id=2, finished_at=NOW, created_at=ago("1 hour"), status="delivered", **wiped
    )
    link = over | wiped
    await orders.add("another's, link", user_id=2, finished_at=NOW, created_at=ago("1 hour"), **link)
    await orders.add("another's, open", user_id=2, created_at=ago("1 hour"))
    await orders.add(
        "another's, ready", user_id=2, status="ready", result_url="u", ready_at=NOW, created_at=ago("1 hour")
    )
    await orders.add(
        "another's, ready and wiped",
        user_id=2,
        status="ready",
        result_url="u",
        ready_at=NOW,
        created_at=ago("1 hour"),
        **wiped,
    )
    await orders.add("another's, since", user_id=2, finished_at=NOW, created_at=ahead("1 second"), **over)
    old = {"over for long", "ready for long", "wiped but for its link"}
    assert await orders.changes(lambda: generations.wipe(orders.conn, 7, 99)) == old
    await users.forget(orders.conn, 2)
    forgotten = {"another's, over", "another's, link", "another's, ready"}
    assert await orders.changes(lambda: generations.wipe(orders.conn, 7, 99)) == old | forgotten
    assert len(await orders.changes(lambda: generations.wipe(orders.conn, 7, 1))) == 2
    await generations.wipe(orders.conn, 7, 99)
    assert await orders.of("ready for long", "prompt, sources, result_url") == (None, None, "u")
    assert await orders.of("over for long", "prompt, sources, result_url") == (None, None, None)


async def test_what_is_over_for_longest_is_wiped_first(orders: Rows) -> None:
    """Since it ended, or since its result waits for the person; so nothing is kept for ever behind what is newer."""
    waiting = {"status": "ready", "result_url": "u"}
    await orders.add("third", status="delivered", ready_at=ago("13 days"), finished_at=ago("10 days"))
    await orders.add("second", ready_at=ago("11 days"), **waiting)
    await orders.add("first", status="failed", failure="deadline", finished_at=ago("12 days"))
    await orders.add("fourth", ready_at=ago("9 days"), **waiting)
    for name in ("first", "second", "third", "fourth"):
        assert await orders.changes(lambda: generations.wipe(orders.conn, 7, 1)) == {name}
        await generations.wipe(orders.conn, 7, 1)


async def test_one_persons_orders_are_wiped_where_nothing_is_to_be_done_any_more(orders: Rows) -> None:
    await orders.add("another's", user_id=2, status="delivered", finished_at=NOW)
    await orders.add("waiting for the person", status="ready", result_url="u", ready_at=NOW)
    wiped = await orders.changes(lambda: generations.wipe_of(orders.conn, 1))
    assert wiped == {"ready", "delivered", "failed", "waiting for the person"}
    await generations.wipe_of(orders.conn, 1)
    assert await orders.of("waiting for the person", "prompt, result_url") == (None, "u")
    assert await orders.of("delivered", "prompt, result_url") == (None, None)
