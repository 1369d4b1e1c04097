"""What balances, gauges, circuits and the look for stuck work count and leave out: rows of every kind at once."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.repo import audit, breakers, credits, gauges, schema, stuck, users
from app.repo.audit import Difference
from app.repo.credits import Reason
from tests.books import OTHER, PERSON, Books, sound_books
from tests.rows import NOW, Rows, Sql, ago, ahead


@pytest.fixture
async def books(shared_database_url: str) -> AsyncIterator[Books]:
    async with sound_books(shared_database_url) as held:
        yield held


async def test_credits_are_taken_and_added_in_one_persons_books_alone(books: Books) -> None:
    """None below zero, and none twice for one reason and ref."""
    balances = "SELECT array_agg(credits ORDER BY id) FROM users"
    mine, others = await books.conn.fetchval(balances)
    assert await credits.debit(books.conn, PERSON, mine + 1, Reason.ORDER, "x") is None
    assert await credits.debit(books.conn, PERSON, mine, Reason.ORDER, "x") == 0
    assert await credits.credit(books.conn, PERSON, 4, Reason.PURCHASE, "x") == 4
    assert await credits.credit(books.conn, PERSON, 4, Reason.PURCHASE, "x") is None
    assert await credits.credit(books.conn, PERSON, 4, Reason.PURCHASE, "y") == 8
    assert await books.conn.fetchval(balances) == [8, others]
    visit = await users.visit(books.conn, OTHER)
    assert (visit.created, visit.credits) == (False, others)
    assert await users.lock(books.conn, OTHER) == others
    await users.forget(books.conn, PERSON)
    assert await books.conn.fetchval("SELECT array_agg(id) FROM users WHERE forget_before IS NOT NULL") == [PERSON]


async def test_a_wish_to_be_forgotten_ends_a_day_later_where_nothing_is_left(books: Books) -> None:
    """Each thing that is left keeps it; what came after the wish, and what another has, does not."""
    conn, younger = books.conn, 3
    await users.visit(conn, younger)
    await conn.execute("DELETE FROM generations")
    wish = "UPDATE users SET forget_before = now() - $2::interval WHERE id = $1"
    await conn.execute(wish, PERSON, timedelta(days=2))
    await conn.execute(wish, OTHER, timedelta(days=2))
    await conn.execute(wish, younger, timedelta(hours=12))
    wiped = {"prompt": None, "sources": None, "status": "delivered", "finished_at": NOW, "created_at": ago("3 days")}
    await books.orders.add("wiped", user_id=PERSON, order_key="a", **wiped)
    await books.orders.add("since", user_id=PERSON, order_key="b", created_at=ago("1 day"))
    await books.orders.add("another's", user_id=OTHER, order_key="c", created_at=ago("3 days"))

    async def settled() -> list[int]:
        transaction = conn.transaction()
        await transaction.start()
        await users.settle_forgotten(conn)
        found: list[int] = await conn.fetchval("SELECT array_agg(id) FROM users WHERE forget_before IS NULL") or []
        await transaction.rollback()
        return found

    assert await settled() == [PERSON]
    for left in (
        {"prompt": "кот"},
        {"source_file_id": "f"},
        {"sources": ["f"]},
        {"result_url": "u"},
        {"status": "processing", "finished_at": None, "request_id": 77},
    ):
        order = await books.orders.add("left", user_id=PERSON, order_key="d", **wiped | left)
        assert await settled() == []
        await conn.execute("DELETE FROM generations WHERE id = $1", order)
    await books.payments.add("without", user_id=PERSON, status="canceled", created_at=ago("3 days"))
    assert await settled() == [PERSON]
    addressed = """{"receipt": {"customer": {"email": "a@example.com"}}}"""
    for owner, when, kept in ((OTHER, "3 days", False), (PERSON, "1 day", False), (PERSON, "3 days", True)):
        await books.payments.add("addressed", user_id=owner, status="canceled", request=addressed, created_at=ago(when))
        assert await settled() == ([] if kept else [PERSON])


async def test_gauges_count_what_waits_and_nothing_that_is_over(books: Books) -> None:
    conn = books.conn
    submitting = {"status": "submitting", "order_key": "s", "created_at": ago("40 seconds")}
    await books.orders.add("submitting", user_id=PERSON, **submitting)
    await conn.execute("INSERT INTO outbox (chat_id, kind, ref, due_at) VALUES (1, 'k', 'parked', 'infinity')")
    await conn.execute(
        "INSERT INTO outbox (chat_id, kind, ref, created_at) VALUES (1, 'k', 'x', now() - interval '9 s')"
    )
    await conn.execute(
        "INSERT INTO breakers (provider, refusals, opened_at, trial_at)"
        " VALUES ('open', 3, now() - interval '5 s', now()), ('closed', 1, NULL, NULL)"
    )
    await conn.execute("UPDATE audit_progress SET created_at = now() - interval '70 s'")
    await conn.execute("UPDATE audit_progress SET proven_at = now() - interval '7 s' WHERE part = 'people'")
    await conn.execute("INSERT INTO audit_findings (user_id, what, ref) VALUES (1, 'w', 'r')")
    found = {(gauge.kind, gauge.name): (gauge.items, gauge.oldest_s) for gauge in await gauges.read(conn)}
    assert {name: value for (kind, name), value in found.items() if kind == "queue"} == {
        "queued": (2, 0),
        "submitting": (1, 40),
        "processing": (2, 0),
        "outbox": (3, 9),
        "parked": (1, 0),
        "payments": (2, 0),
        "invoices": (0, 0),
    }
    assert (found["breaker", "open"], found["breaker", "closed"]) == ((1, 5), (0, 0))
    assert (found["audit", "people"], found["audit", "entries"]) == ((0, 7), (0, 70))
    assert ("differences", "ledger") not in found
    await conn.execute("DELETE FROM generations WHERE status = 'processing'")
    await conn.execute("UPDATE audit_progress SET proven_at = now()")
    found = {(gauge.kind, gauge.name): (gauge.items, gauge.oldest_s) for gauge in await gauges.read(conn)}
    assert found["queue", "processing"] == (0, 0)
    assert found["differences", "ledger"] == (1, 0)


async def test_only_what_a_living_worker_would_have_done_is_stuck(books: Books) -> None:
    """Five minutes past its turn, or failing for an hour; what waits on purpose is not, nor another shop's payment."""
    conn = books.conn
    found = await stuck.overdue(conn, "1", True)
    assert found == []
    message = "INSERT INTO outbox (chat_id, kind, ref, due_at, created_at, priority) VALUES ($1, 'k', $2, {}, {}, $3)"
    for ref, chat, due_at, created_at, priority in (
        ("late", 11, ago("6 minutes"), ago("6 minutes"), 0),
        ("failing for long", 12, ahead("1 minute"), ago("2 hours"), 1),
        ("in time", 13, ago("4 minutes"), ago("4 minutes"), 0),
        ("a broadcast", 14, ago("1 day"), ago("1 day"), 2),
        ("parked", 15, Sql("'infinity'"), ago("1 day"), 0),
        ("paused", 16, ago("1 day"), ago("1 day"), 0),
        ("not paused any more", 17, ago("6 minutes"), ago("7 minutes"), 0),
    ):
        await conn.execute(message.format(due_at, created_at), chat, ref, priority)
    await conn.execute("UPDATE outbox SET due_at = now() - interval '1 day' WHERE status <> 'pending'")
    await conn.execute("INSERT INTO chat_pauses (chat_id, until) VALUES (16, now() + interval '1 s'), (17, now())")
    late = {"deadline_at": ago("6 minutes")}
    await books.orders.add("late", user_id=1, order_key="1", **late)
    await books.orders.add("asked about, late", user_id=1, order_key="2", status="processing", request_id=91, **late)
    await books.orders.add("just late", user_id=1, order_key="3", deadline_at=ago("4 minutes"))
    await books.orders.add(
        "asked about, just late",
        user_id=1,
        order_key="4",
        status="processing",
        request_id=92,
        deadline_at=ago("4 minutes"),
    )
    await books.orders.add("over", user_id=1, order_key="5", status="delivered", finished_at=NOW, **late)
    due = {"user_id": 1, "status": "new", "poll_at": ago("6 minutes")}
    await books.payments.add("due", **due)
    await books.payments.add("of another shop", shop_id="2", **due)
    await books.payments.add("of no test", test=False, **due)
    await books.payments.add("in Stars", gateway="stars", currency="XTR", **due)
    await books.payments.add("just due", **due | {"poll_at": ago("4 minutes")})
    refunds = Rows(conn, "refunds", {"poll_at": ago("7 minutes")})
    refunded = books.payments.ids["paid 1"]
    await refunds.add("due", id="1", payment_id=refunded)
    await refunds.add("just due", id="2", payment_id=refunded, poll_at=ago("4 minutes"))
    await refunds.add("shown", id="3", payment_id=refunded, status="shown", amount=1, poll_at=None)
    tills: list[dict[str, object]] = [{"gateway": "stars", "currency": "XTR"}, {"shop_id": "2"}, {"test": False}]
    for number, till in enumerate(tills, 4):
        paid = {"user_id": 1, "status": "succeeded", "provider_id": str(number), "paid_at": NOW}
        of_another = await books.payments.add("of another till", **paid | till)
        await refunds.add("of another till", id=str(number), payment_id=of_another)
    found = await stuck.overdue(conn, "1", True)
    assert [(one.name, one.rows, one.oldest_s) for one in found] == [
        ("messages", 3, 3600),
        ("orders", 2, 360),
        ("payments", 1, 360),
        ("refunds", 1, 420),
    ]
    await conn.execute("DELETE FROM outbox WHERE ref = 'failing for long'")
    assert (await stuck.overdue(conn, "1", True))[0].oldest_s == 360


@pytest.mark.parametrize(
    "change",
    ["status = 'sent', closed_at = now()", "kind = 'new'", "ref = 'another'"],
)
async def test_a_picture_that_no_message_waits_for_is_stuck(books: Books, change: str) -> None:
    """And those of which one waits are not."""
    ready = str(books.orders.ids["ready 1"])
    await books.conn.execute("UPDATE generations SET ready_at = now() - interval '9 s'")
    await books.conn.execute(f"UPDATE outbox SET {change} WHERE kind = 'picture' AND ref = $1", ready)
    found = await stuck.overdue(books.conn, "1", True)
    assert [(one.name, one.rows, one.oldest_s) for one in found] == [("pictures without a message", 1, 9)]


async def test_findings_are_kept_once_and_forgotten_where_they_are_mended(books: Books) -> None:
    """Of the people that were looked at; another's stay."""
    one, two, others = Difference(1, "w", "a"), Difference(1, "w", "b"), Difference(2, "w", "a")
    assert await audit.note(books.conn, [1, 2], [one, two, others]) == 3
    assert await audit.note(books.conn, [1], [one]) == 0
    left = await books.conn.fetch("SELECT user_id, what, ref FROM audit_findings ORDER BY user_id, ref")
    assert [tuple(row) for row in left] == [(1, "w", "a"), (2, "w", "a")]
    assert await audit.suspects(books.conn, 9) == [1, 2]
    assert len(await audit.suspects(books.conn, 1)) == 1
    assert await audit.note(books.conn, [2], []) == 0
    assert await audit.suspects(books.conn, 9) == [1]


async def test_a_part_of_the_audit_goes_on_where_it_was_when_it_is_due(books: Books) -> None:
    """The other part is not touched."""
    conn = books.conn
    await conn.execute("UPDATE audit_progress SET due_at = now()")
    await audit.advance(conn, "people", 7, 60, at_the_end=False)
    assert await audit.claim(conn, "people") is None
    assert await audit.claim(conn, "entries") is not None
    assert not (await audit.standing(conn))["people"].proven
    await audit.advance(conn, "people", 8, 0, at_the_end=True)
    assert await audit.claim(conn, "people") == 8
    await audit.advance(conn, "people", 9, 0, at_the_end=False)
    standing = await audit.standing(conn)
    assert (standing["people"].proven, standing["entries"].proven) == (True, False)
    await conn.execute("UPDATE audit_progress SET created_at = now() - interval '9 s'")
    standing = await audit.standing(conn)
    assert (standing["people"].age_s, standing["entries"].age_s) == (0, 9)
    assert await audit.next_people(conn, 1, 9) == [2]


async def test_new_entries_are_those_after_a_number(books: Books) -> None:
    """As far as they are settled; where there is none, it goes on where it was."""
    conn = books.conn
    await conn.execute("UPDATE ledger SET created_at = now() - interval '2 minutes'")
    last = await conn.fetchval("SELECT max(id) FROM ledger")
    entries = await audit.new_entries(conn, last - 3, 99)
    assert (entries.last, entries.taken, entries.people) == (last, 3, [OTHER])
    entries = await audit.new_entries(conn, last, 99)
    assert (entries.last, entries.taken, entries.people) == (last, 0, [])
    await conn.execute("UPDATE ledger SET created_at = now() WHERE id = $1", last - 1)
    entries = await audit.new_entries(conn, last - 3, 99)
    assert (entries.last, entries.taken) == (last - 2, 1)


async def test_a_circuit_lets_one_through_in_a_while_and_holds_up_no_other(books: Books) -> None:
    """Closed ones and those of others are passed; where one refuses, no trial of another is used up."""
    conn = books.conn
    for circuit in ("gen-api/a", "gen-api/b"):
        for number in range(breakers.THRESHOLD):
            assert bool(await breakers.refused(conn, circuit, 60)) == (number == breakers.THRESHOLD - 1)
    await conn.execute("UPDATE breakers SET opened_at = now() - interval '9 s' WHERE provider = 'gen-api/a'")
    assert await breakers.refused(conn, "gen-api/a", 600) is None
    opened = "SELECT extract(epoch FROM now() - opened_at)::float8 FROM breakers WHERE provider = 'gen-api/a'"
    assert await conn.fetchval(opened) == 9
    assert await breakers.refused(conn, "gen-api/c", 60) is None
    trial = "SELECT extract(epoch FROM trial_at - now())::float8 FROM breakers WHERE provider = $1"
    assert await conn.fetchval(trial, "gen-api/a") == 60
    assert await breakers.off(conn, ["a", "c", "d"]) == {"a"}
    assert await breakers.refusing(conn, {"gen-api/a": 30, "gen-api/c": 30}) == "gen-api/a"
    await conn.execute("UPDATE breakers SET trial_at = now() WHERE provider = 'gen-api/a'")
    assert await breakers.off(conn, ["a", "b"]) == {"b"}
    assert await breakers.refusing(conn, {"gen-api/a": 30, "gen-api/b": 40}) == "gen-api/b"
    assert await conn.fetchval(trial, "gen-api/a") == 0
    assert await breakers.refusing(conn, {"gen-api/c": 40, "gen-api/a": 30}) is None
    assert await conn.fetchval(trial, "gen-api/a") == 30
    assert await conn.fetchval(trial, "gen-api/c") is None
    assert await conn.fetchval(trial, "gen-api/b") == 60
    assert await breakers.accepted(conn, ["gen-api/a", "gen-api/c", "gen-api/d"]) == ["gen-api/a"]
    refusals = "SELECT array_agg(refusals ORDER BY provider) FROM breakers WHERE provider LIKE 'gen-api/%'"
    assert await conn.fetchval(refusals) == [0, 3, 0]
    assert await breakers.refusing(conn, {"gen-api/a": 30, "gen-api/c": 40}) is None


async def test_a_picture_closes_the_circuits_of_its_way_that_opened_before_it_was_sent(books: Books) -> None:
    conn = books.conn
    sent = {"user_id": 1, "status": "submitting"}
    after = await books.orders.add("after", order_key="1", submitted_at=NOW, **sent)
    before = await books.orders.add("before", order_key="2", submitted_at=ago("1 hour"), **sent)
    await conn.execute(
        "INSERT INTO breakers (provider, refusals, opened_at, trial_at)"
        " SELECT unnest(ARRAY['gen-api/m', 'gen-api/n', 'yookassa']), 3, now() - interval '1 minute', now()"
    )
    await conn.execute("UPDATE breakers SET opened_at = now() - interval '1 minute', trial_at = now()")
    assert await breakers.accepted_since(conn, before) == []
    assert sorted(await breakers.accepted_since(conn, after)) == ["gen-api", "gen-api/m"]
    left = await conn.fetchval("SELECT array_agg(provider ORDER BY provider) FROM breakers WHERE opened_at IS NOT NULL")
    assert left == ["gen-api/n", "yookassa"]


async def test_a_schema_is_current_where_every_migration_of_this_code_is_applied(books: Books) -> None:
    """Newer ones may be there: while a new version is rolled out, the one before goes on working."""
    assert await schema.is_current(books.conn)
    newer = "INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ('newer', '9999-of-the-next-version')"
    await books.conn.execute(newer)
    assert await schema.is_current(books.conn)
    await books.conn.execute("DELETE FROM _yoyo_migration WHERE migration_id LIKE '0001-%'")
    assert not await schema.is_current(books.conn)
