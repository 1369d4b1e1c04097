"""Each statement about payments changes those that its guard lets through and no other: tried on all states at once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.repo import payments, refunds, subscriptions, users
from app.repo.payments import OtherTill
from tests.rows import A_PURCHASE, NOW, Rows, Sql, ago, ahead

TILL = ("yookassa", "1", True)


@pytest.fixture
async def bought(shared_database_url: str) -> AsyncIterator[Rows]:
    """One in each state. `old` is new for a day."""
    connection = await asyncpg.connect(shared_database_url)
    transaction = connection.transaction()
    await transaction.start()
    await users.visit(connection, 1)
    await users.visit(connection, 2)
    rows = Rows(connection, "payments", {"user_id": 1, "attempts": 1, "status": "new", **A_PURCHASE})
    await rows.add("new", poll_at=ahead("1 minute"))
    await rows.add("old", poll_at=ahead("1 minute"), created_at=ago("1 day"))
    await rows.add("pending", status="pending", provider_id="pending", poll_at=ahead("1 minute"), confirmation_url="u")
    await rows.add("succeeded", status="succeeded", provider_id="succeeded", paid_at=NOW, confirmation_url="u")
    await rows.add("refunded", status="refunded", provider_id="refunded", paid_at=NOW, refunded=20_000)
    await rows.add("canceled", status="canceled")
    await rows.add("abandoned", status="abandoned")
    await rows.add("review", status="review")
    yield rows
    await transaction.rollback()
    await connection.close()


async def test_what_is_new_is_made_and_nothing_else(bought: Rows) -> None:
    """Begun again, linked, put off; given up after 23 hours."""
    conn = bought.conn
    assert await bought.let_through(lambda row: payments.begin_attempt(conn, row, 60)) == {"new", "old"}
    assert await bought.let_through(lambda row: payments.link(conn, row, "x", "u", 60, None)) == {"new", "old"}
    assert await bought.let_through(lambda row: payments.back_off(conn, row, 60)) == {"new", "old"}
    assert await bought.let_through(lambda row: payments.abandon(conn, row)) == {"old"}
    await conn.execute("UPDATE payments SET created_at = now() - interval '1 day'")
    assert await bought.let_through(lambda row: payments.abandon(conn, row)) == {"new", "old"}


async def test_a_refusal_is_believed_of_the_first_call_alone(bought: Rows) -> None:
    await bought.add("second call", poll_at=NOW, attempts=2)
    assert await bought.let_through(lambda row: payments.refuse(bought.conn, row, "no")) == {"new", "old"}


async def test_a_link_is_as_old_as_its_gateway_says_and_never_younger_than_now(bought: Rows) -> None:
    for name, created_at, age in (
        ("told", datetime.now(UTC) - timedelta(hours=2), 7200),
        ("from the future", datetime.now(UTC) + timedelta(hours=2), 0),
        ("untold", None, 0),
    ):
        await bought.add(name, poll_at=NOW)
        assert await payments.link(bought.conn, bought.ids[name], name, "u", 60, created_at)
        purchase = await payments.by_id(bought.conn, bought.ids[name])
        assert purchase is not None
        assert purchase.link_age_s == pytest.approx(age, abs=60)
    unlinked = await payments.by_id(bought.conn, bought.ids["new"])
    assert unlinked is not None
    assert unlinked.link_age_s == 0


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 20), (3, 80), (5000, 3600)])
async def test_a_refused_call_is_repeated_ever_later_up_to_an_hour(bought: Rows, attempts: int, seconds: int) -> None:
    await bought.add("refused", poll_at=NOW, attempts=attempts)
    await payments.back_off(bought.conn, bought.ids["refused"], 10)
    assert await bought.of("refused", "poll_at - now()") == seconds


async def test_a_first_pause_of_milliseconds_ends_within_the_hour_too(bought: Rows) -> None:
    """The powers are bounded as well: of a thousandth they reach no more than twenty doublings."""
    await bought.add("refused", poll_at=NOW, attempts=5000)
    await payments.back_off(bought.conn, bought.ids["refused"], 0.001)
    assert await bought.of("refused", "poll_at - now()") == pytest.approx(0.001 * 2**20, rel=0.001)


async def test_the_gateways_last_word_ends_what_is_open_and_its_own(bought: Rows) -> None:
    """Money ends what was given up too; a cancellation and another id do not."""
    conn = bought.conn
    await bought.add("of this id", status="pending", provider_id="this", poll_at=NOW)
    unnamed, given_up = {"new", "old"}, {"abandoned"}
    assert await bought.let_through(lambda row: payments.succeed(conn, row, "other")) == unnamed | given_up
    assert await bought.let_through(lambda row: payments.cancel(conn, row, "other", "why")) == unnamed
    its_own = bought.ids["of this id"]
    assert await bought.changes(lambda: payments.succeed(conn, its_own, "this")) == {"of this id"}
    assert await bought.changes(lambda: payments.cancel(conn, its_own, "this", "why")) == {"of this id"}
    reviewed = await bought.let_through(lambda row: payments.review(conn, row, "other", "why"))
    assert reviewed == unnamed | given_up | {"of this id", "pending"}
    for name, provider_id in (("of this id", "this"), ("new", "other")):
        assert await payments.review(conn, bought.ids[name], "other", "why")
        assert await bought.of(name, "provider_id") == provider_id


async def test_open_purchases_of_this_till_are_asked_about_ever_later(bought: Rows) -> None:
    due = {"poll_at": NOW, "status": "pending"}
    await bought.add("new, due", poll_at=NOW)
    await bought.add("due", provider_id="due", **due)
    await bought.add("due for the thousandth time", provider_id="1000", polls=1000, **due)
    await bought.add("of another gateway", gateway="stars", currency="XTR", provider_id="a", **due)
    await bought.add("of another shop", shop_id="2", provider_id="b", **due)
    await bought.add("of no test", test=False, provider_id="c", **due)
    turns = {"new, due": 10, "due": 10, "due for the thousandth time": 3600}
    assert await bought.changes(lambda: payments.claim(bought.conn, 99, 10, *TILL)) == set(turns)
    assert len(await bought.changes(lambda: payments.claim(bought.conn, 1, 10, *TILL))) == 1
    await payments.claim(bought.conn, 99, 10, *TILL)
    assert {name: await bought.of(name, "poll_at - now()") for name in turns} == turns
    await bought.conn.execute("UPDATE payments SET poll_at = now() WHERE provider_id = '1000'")
    await payments.claim(bought.conn, 99, 0.001, *TILL)
    capped = await bought.of("due for the thousandth time", "poll_at - now()")
    assert capped == pytest.approx(0.001 * 1.5**20, rel=0.001)


async def test_open_purchases_of_other_tills_are_counted(bought: Rows) -> None:
    await bought.add("of another shop", shop_id="2", poll_at=NOW)
    await bought.add("of no test", test=False, poll_at=NOW)
    await bought.add("of another gateway", gateway="stars", currency="XTR", shop_id="2", poll_at=NOW)
    await bought.add("over", shop_id="2", status="canceled")
    found = await payments.of_other_tills(bought.conn, [TILL, ("stars", "2", True)])
    assert [(till.gateway, till.shop_id, till.test, till.open) for till in found] == [
        ("yookassa", "1", False, 1),
        ("yookassa", "2", True, 1),
    ]
    unused = await payments.of_other_tills(bought.conn, [TILL])
    assert [till for till in unused if till.gateway == "stars"] == [OtherTill("stars", "2", True, 1)]


async def test_a_purchase_is_taken_up_again_where_it_can_still_be_paid_at_this_till(bought: Rows) -> None:
    """The person's, of the plan: linked, or new for less than 23 hours."""
    open_of = payments.open_of_plan
    others: dict[str, dict[str, Any]] = {
        "another's": {"user_id": 2},
        "of another plan": {"plan": "q"},
        "of another gateway": {"gateway": "stars", "currency": "XTR"},
        "of another shop": {"shop_id": "2"},
        "of no test": {"test": False},
        "unlinked": {"status": "pending", "provider_id": "unlinked"},
    }
    for name, columns in others.items():
        await bought.add(name, poll_at=NOW, created_at=ahead("1 second"), **columns)
    await bought.conn.execute("UPDATE payments SET created_at = now() + interval '2 seconds' WHERE paid_at IS NOT NULL")
    found = []
    while (purchase := await open_of(bought.conn, 1, "p", *TILL)) is not None:
        found.append(purchase.id)
        await bought.conn.execute("DELETE FROM payments WHERE id = $1", purchase.id)
    assert sorted(found) == sorted([bought.ids["new"], bought.ids["pending"]])


async def test_a_purchase_is_known_by_its_gateways_id_and_the_newest_is_the_persons(bought: Rows) -> None:
    await bought.add(
        "of another gateway", gateway="stars", currency="XTR", provider_id="star", poll_at=NOW, created_at=ago("1 hour")
    )
    await bought.add("another's", user_id=2, poll_at=NOW, created_at=ahead("2 seconds"))
    await bought.add("newest", poll_at=NOW, created_at=ahead("1 second"))
    await bought.add("newest star", gateway="stars", currency="XTR", poll_at=NOW, created_at=ahead("3 seconds"))
    assert await payments.by_provider(bought.conn, "yookassa", "star") is None
    found = await payments.by_provider(bought.conn, "stars", "star")
    assert found is not None
    assert found.id == bought.ids["of another gateway"]
    newest = await payments.newest(bought.conn, 1, "yookassa")
    assert newest is not None
    assert newest.id == bought.ids["newest"]
    by_id = await payments.by_id(bought.conn, bought.ids["pending"])
    assert by_id is not None
    assert by_id.status == "pending"


async def test_a_refund_is_noted_of_what_succeeded_and_where_it_is_more_than_before(bought: Rows) -> None:
    """The whole of it ends the purchase, a part does not."""
    conn = bought.conn
    await bought.add("in part", status="succeeded", provider_id="part", paid_at=NOW, refunded=5_000)
    assert await bought.let_through(lambda row: payments.refund(conn, row, 5_000, 2, 0)) == {"succeeded"}
    assert await bought.let_through(lambda row: payments.refund(conn, row, 5_001, 2, 0)) == {"succeeded", "in part"}
    assert await payments.refund(conn, bought.ids["in part"], 7_000, 1, 1)
    assert await bought.of("in part", "status, refunded, credits_taken, credits_short") == ("succeeded", 7_000, 1, 1)
    assert await payments.refund(conn, bought.ids["in part"], 20_000, 1, 1)
    assert await bought.of("in part", "status, refunded, credits_taken, credits_short") == ("refunded", 20_000, 2, 2)


async def test_a_debt_is_the_persons_own_and_is_settled_no_further_than_it_goes(bought: Rows) -> None:
    short = {"status": "refunded", "paid_at": NOW, "refunded": 20_000, "credits_short": 4}
    await bought.add("short", provider_id="short", **short)
    await bought.add("another's", user_id=2, provider_id="other", **short)
    assert [debt.payment_id for debt in await payments.debts(bought.conn, 1)] == [bought.ids["short"]]

    async def too_much(row: UUID) -> None:
        with pytest.raises(RuntimeError):
            await payments.settle_debt(bought.conn, row, 5)

    assert not await bought.let_through(too_much)
    settled = await bought.changes(lambda: payments.settle_debt(bought.conn, bought.ids["short"], 4))
    assert settled == {"short"}


@pytest.fixture
async def told(bought: Rows) -> Rows:
    """Refunds of `succeeded` in each state, and one of another payment."""
    usual = {"payment_id": bought.ids["succeeded"], "status": "announced"}
    rows = Rows(bought.conn, "refunds", usual)
    states: dict[str, dict[str, Any]] = {
        "unread": {"poll_at": ahead("1 minute")},
        "read": {"poll_at": ahead("1 minute"), "amount": 5_000},
        "shown": {"status": "shown", "amount": 2_000},
        "lost": {"status": "lost", "amount": 1_000},
        "lost, unread": {"status": "lost"},
        "another's": {"payment_id": bought.ids["pending"], "poll_at": ahead("1 minute")},
        "another's, read": {"payment_id": bought.ids["pending"], "poll_at": ahead("1 minute"), "amount": 5_000},
    }
    for name, columns in states.items():
        await rows.add(name, id=name, **columns)
    return rows


async def test_what_an_announced_refund_comes_to_is_noted_once(told: Rows) -> None:
    assert await told.let_through(lambda row: refunds.noted(told.conn, row, 900)) == {"unread", "another's"}
    assert await refunds.amount(told.conn, "read") == 5_000
    assert await refunds.amount(told.conn, "unread") is None
    assert await refunds.amount(told.conn, "nobody's") is None


async def test_a_refund_that_is_none_is_forgotten_while_it_is_announced(told: Rows) -> None:
    announced = {"unread", "read", "another's", "another's, read"}
    assert await told.let_through(lambda row: refunds.untrue(told.conn, row)) == announced


async def test_five_refunds_of_a_payment_that_nobody_could_read_are_kept(told: Rows, bought: Rows) -> None:
    """Those that were read, shown or lost do not count, nor do another payment's."""

    async def announce(number: int) -> None:
        await refunds.announce(told.conn, f"invented {number}", bought.ids["succeeded"], 60)

    for number in range(9):
        await announce(number)
    count = "SELECT count(*) FROM refunds WHERE id LIKE 'invented%'"
    assert await told.conn.fetchval(count) == 4
    await refunds.announce(told.conn, "unread", bought.ids["succeeded"], 60)
    await refunds.announce(told.conn, "another's third", bought.ids["pending"], 60)
    assert len(await refunds.unread(told.conn, bought.ids["pending"])) == 2
    assert len(await refunds.unread(told.conn, bought.ids["succeeded"])) == 5


async def test_unread_and_missing_refunds_are_those_of_the_payment(told: Rows, bought: Rows) -> None:
    """Missing: nobody could read it, or all that was told of comes to more than is shown. What is lost is no longer."""
    payment = bought.ids["succeeded"]
    assert await refunds.unread(told.conn, payment) == ["unread"]
    assert await refunds.missing(told.conn, payment, 7_000) == {"unread"}
    assert await refunds.missing(told.conn, payment, 6_999) == {"unread", "read"}
    await told.conn.execute("DELETE FROM refunds WHERE id = 'unread'")
    assert await refunds.missing(told.conn, payment, 7_000) == set()


async def test_a_payment_shows_refunds_where_it_shows_the_sum_of_them(told: Rows, bought: Rows) -> None:
    payment = bought.ids["succeeded"]
    assert await told.changes(lambda: refunds.shown(told.conn, payment, 6_999)) == set()
    assert await told.changes(lambda: refunds.shown(told.conn, payment, 7_000)) == {"read"}


async def test_a_refund_is_given_up_three_days_after_it_was_told_of(told: Rows, bought: Rows) -> None:
    """Its own payment's, and not what has ended."""
    await told.conn.execute("UPDATE refunds SET announced_at = now() - interval '4 days' WHERE id <> 'unread'")
    assert await told.changes(lambda: refunds.lose(told.conn, bought.ids["succeeded"])) == {"read"}


async def test_announced_refunds_of_this_till_are_looked_at_ever_later(told: Rows, bought: Rows) -> None:
    tills: dict[str, dict[str, Any]] = {
        "of another gateway": {"gateway": "stars", "currency": "XTR"},
        "of another shop": {"shop_id": "2"},
        "of no test": {"test": False},
    }
    for name, columns in tills.items():
        payment = await bought.add(name, poll_at=NOW, **columns)
        await told.add(name, id=name, payment_id=payment, poll_at=NOW)
    await told.add("due", id="due", poll_at=NOW)
    await told.add("due for the thousandth time", id="1000", poll_at=NOW, polls=1000)
    turns = {"due": 10, "due for the thousandth time": 3600}
    assert await told.changes(lambda: refunds.claim(told.conn, 99, 10, *TILL)) == set(turns)
    assert len(await told.changes(lambda: refunds.claim(told.conn, 1, 10, *TILL))) == 1
    assert await refunds.claim(told.conn, 99, 10, *TILL) == [bought.ids["succeeded"]] * 2
    assert {name: await told.of(name, "poll_at - now()") for name in turns} == turns
    await told.conn.execute("UPDATE refunds SET poll_at = now() WHERE id = '1000'")
    await refunds.claim(told.conn, 99, 0.001, *TILL)
    capped = await told.of("due for the thousandth time", "poll_at - now()")
    assert capped == pytest.approx(0.001 * 1.5**20, rel=0.001)


async def test_days_go_on_from_the_end_of_the_persons_own_and_unrevoked(bought: Rows) -> None:
    """Not from another's, nor from what was refunded, nor from what is long over."""
    held = Rows(bought.conn, "subscriptions", {"id": ..., "plan": "p", "user_id": 1})

    async def hold(name: str, payment: str, starts: Sql, ends: Sql, **columns: object) -> None:
        await held.conn.execute(
            f"INSERT INTO subscriptions (payment_id, user_id, plan, starts_at, ends_at, revoked_at)"
            f" VALUES ($1, $2, $3, {starts}, {ends}, $4)",
            bought.ids[payment],
            columns.get("user_id", 1),
            name,
            columns.get("revoked_at"),
        )

    now = await bought.conn.fetchval("SELECT now()")
    await hold("over", "canceled", ago("60 days"), ago("30 days"))
    await hold("another's", "pending", ago("1 day"), ahead("300 days"), user_id=2)
    await hold("revoked", "refunded", ago("1 day"), ahead("200 days"), revoked_at=now)
    assert await subscriptions.active(bought.conn, 1) is None
    until = await subscriptions.extend(bought.conn, bought.ids["succeeded"], 1, "p", 30)
    assert until == now + timedelta(days=30)
    in_stars = await bought.add(
        "in Stars", status="succeeded", provider_id="s", paid_at=NOW, gateway="stars", currency="XTR"
    )
    assert await subscriptions.extend(bought.conn, in_stars, 1, "q", 30) == now + timedelta(days=60)
    active = await subscriptions.active(bought.conn, 1)
    assert active is not None
    assert (active.plan, active.currency, active.ends_at) == ("q", "XTR", now + timedelta(days=60))
