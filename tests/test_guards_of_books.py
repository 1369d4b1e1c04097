"""What the audit finds: each contradiction by itself, in the books of the person whose it is, and no other."""

from collections.abc import AsyncIterator

import pytest

from app.repo import audit
from app.repo.audit import Difference
from tests.books import OTHER, PERSON, Books, sound_books


@pytest.fixture
async def books(shared_database_url: str) -> AsyncIterator[Books]:
    async with sound_books(shared_database_url) as held:
        yield held


async def test_sound_books_are_silent(books: Books) -> None:
    assert await books.found() == []


SUM, ORDER = "the balance is not the sum of its ledger", "an order and its debit do not go together"
REFUND, PURCHASE = (
    "a failed order and its refund do not go together",
    "a paid payment and its credits do not go together",
)
TAKEN = "refunds took other credits than the payment says"
SHARE = "a refund's share of the credits was neither taken nor noted as short"
DAYS = "a payment and its subscription do not go together"


async def test_a_balance_is_the_sum_of_its_entries_and_each_entry_says_it(books: Books) -> None:
    assert await books.after("UPDATE users SET credits = credits + 1 WHERE id = 1") == [Difference(1, SUM, "1")]
    assert await books.after("INSERT INTO users (id, credits) VALUES (3, 0)") == []
    whole = await audit.differences_of(books.conn, [3], 5)
    assert whole == []
    [wrong] = await books.after(
        "UPDATE ledger SET balance = balance + 1 WHERE user_id = 1 AND reason = 'order_refund' AND id ="
        " (SELECT max(id) FROM ledger WHERE user_id = 1 AND reason = 'order_refund')"
    )
    assert wrong.what == "an entry says another balance than the entries up to it"


async def test_people_without_a_welcome_or_without_an_entry_are_found(books: Books) -> None:
    await books.conn.execute("INSERT INTO users (id, credits) VALUES (3, 0), (4, 5)")
    found = await books.found([PERSON, OTHER, 3, 4])
    assert found == [Difference(4, SUM, "4"), Difference(3, "no welcome", "3"), Difference(4, "no welcome", "4")]
    for change in ("ref = '9'", "user_id = 3", "reason = 'order_refund'"):
        found = await books.after(f"UPDATE ledger SET {change} WHERE user_id = 1 AND reason = 'welcome'")
        assert Difference(1, "no welcome", "1") in found


@pytest.mark.parametrize(
    ("reason", "name", "what"),
    [
        ("order", "queued 1", ORDER),
        ("order_refund", "failed 1", REFUND),
        ("purchase", "paid 1", PURCHASE),
    ],
)
async def test_each_thing_and_its_entry_go_together(books: Books, reason: str, name: str, what: str) -> None:
    """An entry more, an entry less, one of another sum, and one in another's books."""
    ref = str((books.orders.ids | books.payments.ids)[name])
    entry = f"reason = '{reason}' AND ref = '{ref}'"

    async def about(sql: str) -> list[tuple[int, str]]:
        return sorted((one.user_id, one.ref) for one in await books.after(sql) if one.what == what)

    assert await about(f"DELETE FROM ledger WHERE {entry}") == [(1, ref)]
    assert await about(f"UPDATE ledger SET ref = 'nothing' WHERE {entry}") == sorted([(1, ref), (1, "nothing")])
    assert await about(f"UPDATE ledger SET delta = delta * 2 WHERE {entry}") == [(1, ref), (1, ref)]
    assert await about(f"UPDATE ledger SET user_id = 2 WHERE {entry}") == [(1, ref), (2, ref)]
    new = f"INSERT INTO ledger (user_id, delta, balance, reason, ref) VALUES (1, 2, 2, '{reason}', 'more')"
    assert await about(new) == [(1, "more")]


async def test_only_what_failed_is_refunded_and_only_what_was_paid_is_credited(books: Books) -> None:
    """An entry for an order that is open, and one for a purchase that was given up."""
    order, payment = books.orders.ids["queued 1"], books.payments.ids["canceled 1"]
    entry = "INSERT INTO ledger (user_id, delta, balance, reason, ref) VALUES (1, $1, 2, $2, $3)"
    found = await books.after(entry, 2, "order_refund", str(order))
    assert Difference(1, REFUND, str(order)) in found
    found = await books.after(entry, 10, "purchase", str(payment))
    assert Difference(1, PURCHASE, str(payment)) in found


async def test_refunds_took_what_the_payment_says(books: Books) -> None:
    """In all, of that payment and of that person; and with what is short it is the refunded share."""
    part, refunded = books.payments.ids["in part 1"], books.payments.ids["refunded 1"]

    async def about(sql: str, what: str) -> list[tuple[int, str]]:
        return sorted((one.user_id, one.ref) for one in await books.after(sql) if one.what == what)

    less = f"DELETE FROM ledger WHERE ref = '{refunded}:5000'"
    assert await about(less, TAKEN) == [(1, str(refunded))]
    none = f"DELETE FROM ledger WHERE ref = '{part}:5001'"
    assert await about(none, TAKEN) == [(1, str(part))]
    others = f"UPDATE ledger SET user_id = 2 WHERE ref = '{part}:5001'"
    assert await about(others, TAKEN) == [(1, str(part)), (2, str(part))]
    unknown = f"UPDATE ledger SET ref = 'x:1' WHERE ref = '{part}:5001'"
    assert await about(unknown, TAKEN) == sorted([(1, str(part)), (1, "x")])
    short = f"UPDATE payments SET credits_short = 0 WHERE id = '{part}'"
    assert await about(short, SHARE) == [(1, str(part))]
    assert await about("SELECT", SHARE) == []


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("DELETE FROM subscriptions WHERE payment_id = $1", "paid 1"),
        ("DELETE FROM subscriptions WHERE payment_id = $1", "refunded 1"),
        ("UPDATE subscriptions SET user_id = 2 WHERE payment_id = $1", "paid 1"),
        ("UPDATE subscriptions SET revoked_at = now() WHERE payment_id = $1", "paid 1"),
        ("UPDATE subscriptions SET revoked_at = NULL WHERE payment_id = $1", "refunded 1"),
        (
            "INSERT INTO subscriptions (payment_id, user_id, plan, starts_at, ends_at)"
            " VALUES ($1, 1, 'p', now(), now() + interval '1 day')",
            "canceled 1",
        ),
    ],
)
async def test_a_paid_purchase_and_its_days_go_together(books: Books, sql: str, name: str) -> None:
    payment = books.payments.ids[name]
    assert await books.after(sql, payment) == [Difference(1, DAYS, str(payment))]


@pytest.mark.parametrize(
    ("kind", "name", "what", "lasting"),
    [
        ("picture", "ready 1", "a result that nobody is to deliver", False),
        ("order_failed", "failed 1", "nobody is told that the order failed", True),
        ("payment_succeeded", "paid 1", "nobody is told that the payment came", True),
    ],
)
async def test_somebody_is_told_of_each_end(books: Books, kind: str, name: str, what: str, lasting: bool) -> None:
    """By a message of that kind about that very thing; a picture's has to wait still."""
    ref = str((books.orders.ids | books.payments.ids)[name])
    missing = [Difference(1, what, ref)]
    assert await books.after("DELETE FROM outbox WHERE kind = $1 AND ref = $2", kind, ref) == missing
    assert await books.after("UPDATE outbox SET kind = 'new' WHERE kind = $1 AND ref = $2", kind, ref) == missing
    sent = "UPDATE outbox SET status = 'sent', closed_at = now() WHERE kind = $1 AND ref = $2"
    assert await books.after(sent, kind, ref) == ([] if lasting else missing)
