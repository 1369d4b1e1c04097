"""What is shown of the past is a person's own, in its order, and nothing that was forgotten; so are addresses."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from app.repo import charges, credits, history, payments, users
from tests.books import OTHER, PERSON, Books, sound_books
from tests.rows import NOW, ago, ahead

ADDRESSED = json.dumps({"receipt": {"customer": {"email": "a@b.example"}}})


@pytest.fixture
async def books(shared_database_url: str) -> AsyncIterator[Books]:
    async with sound_books(shared_database_url) as held:
        yield held


async def pictures(books: Books) -> list[str]:
    """Three that a person got, oldest first; another's, one that was forgotten, and an order that came to nothing."""
    await books.conn.execute("DELETE FROM generations")
    got = {"status": "delivered", "user_id": PERSON, "source_file_id": "old"}
    for number, age in enumerate(("3 hours", "2 hours", "1 hour"), 1):
        sources = {"sources": ["one", "two"]} if number != 2 else {"sources": None}
        await books.orders.add(str(number), order_key=str(number), finished_at=ago(age), **got | sources)
    aside = {"order_key": "f", "finished_at": ago("90 minutes")}
    await books.orders.add("forgotten", **got | aside | {"prompt": None})
    await books.orders.add("another's", **got | aside | {"order_key": "o", "user_id": OTHER})
    failed = {"order_key": "x", "status": "failed", "failure": "deadline", "finished_at": ago("90 minutes")}
    await books.orders.add("came to nothing", **got | failed)
    return ["1", "2", "3"]


async def test_pictures_are_leafed_through_in_the_order_that_they_came(books: Books) -> None:
    """A person's own; one that was forgotten keeps its place, another's is no place at all."""
    await pictures(books)
    conn, ids = books.conn, books.orders.ids

    names = {row: name for name, row in ids.items()}

    def named(found: list[history.Kept]) -> list[str]:
        return [names[one.id] for one in found]

    newest = await history.newest(conn, PERSON, 9)
    assert named(newest) == ["3", "2", "1"]
    assert [one.sources for one in newest] == [["one", "two"], ["old"], ["one", "two"]]
    assert named(await history.newest(conn, PERSON, 2)) == ["3", "2"]
    assert named(await history.older(conn, PERSON, 9, ids["3"])) == ["2", "1"]
    assert named(await history.newer(conn, PERSON, 9, ids["1"])) == ["2", "3"]
    for one in (*await history.older(conn, PERSON, 9, ids["3"]), *await history.newer(conn, PERSON, 9, ids["1"])):
        assert one.sources == (["old"] if names[one.id] == "2" else ["one", "two"])
    assert named(await history.older(conn, PERSON, 9, ids["forgotten"])) == ["2", "1"]
    assert named(await history.newer(conn, PERSON, 9, ids["forgotten"])) == ["3"]
    for leaf in (history.older, history.newer):
        assert await leaf(conn, PERSON, 9, ids["another's"]) == []


async def test_a_picture_is_found_by_its_person_until_it_is_forgotten(books: Books) -> None:
    """So it is for what is noted of it; a file that is known stays."""
    got = await pictures(books)
    conn = books.conn
    found = {name: await history.find(conn, row, PERSON) for name, row in books.orders.ids.items()}
    assert sorted(name for name, one in found.items() if one) == got
    assert [one.sources for name, one in sorted(found.items()) if one] == [["one", "two"], ["old"], ["one", "two"]]
    through = {"1", "2", "3", "another's"}
    gone = {name for name in books.orders.ids if name not in (*through, "forgotten", "came to nothing")}
    books.orders.ids = {name: row for name, row in books.orders.ids.items() if name not in gone}
    assert await books.orders.let_through(lambda row: history.renew_link(conn, row, "new")) == through
    await conn.execute("UPDATE generations SET result_file_id = 'known' WHERE id = $1", books.orders.ids["2"])
    assert await books.orders.let_through(lambda row: history.keep_file(conn, row, "new")) == through - {"2"}


async def test_movements_are_leafed_through_in_the_order_that_they_were_booked(books: Books) -> None:
    own = [one.id for one in await credits.newest(books.conn, PERSON, 99)]
    whose = "SELECT array_agg(id ORDER BY id DESC) FROM ledger WHERE user_id = $1"
    assert own == await books.conn.fetchval(whose, PERSON)
    assert [one.id for one in await credits.older(books.conn, PERSON, 3, own[1])] == own[2:5]
    assert [one.id for one in await credits.newer(books.conn, PERSON, 3, own[5])] == own[4:1:-1]
    others = await books.conn.fetchval(whose, OTHER)
    assert [one.id for one in await credits.older(books.conn, PERSON, 99, others[0])] == own
    assert [one.id for one in await credits.newer(books.conn, OTHER, 99, own[-1])] == others[::-1]


async def test_a_language_and_an_address_are_one_persons(books: Books) -> None:
    """An address is dropped where it is still the one that was refused."""
    conn = books.conn
    await users.choose_language(conn, PERSON, "en")
    await users.set_email(conn, PERSON, "a@b.example")
    assert (await users.language(conn, PERSON), await users.language(conn, OTHER)) == ("en", "ru")
    assert (await users.email(conn, PERSON), await users.email(conn, OTHER)) == ("a@b.example", None)
    await users.set_email(conn, OTHER, "a@b.example")
    assert not await users.drop_email(conn, PERSON, "c@d.example")
    assert await users.drop_email(conn, PERSON, "a@b.example")
    assert (await users.email(conn, PERSON), await users.email(conn, OTHER)) == (None, "a@b.example")


async def test_who_is_locked_is_one_person(books: Books) -> None:
    await books.conn.execute("UPDATE users SET credits = 3 WHERE id = $1", OTHER)
    mine = await books.conn.fetchval("SELECT credits FROM users WHERE id = $1", PERSON)
    assert (await users.lock(books.conn, PERSON), await users.lock(books.conn, OTHER)) == (mine, 3)
    assert await users.lock(books.conn, 77) is None


async def test_addresses_go_out_of_what_is_not_sent_any_more(books: Books) -> None:
    """One person's, where there is one."""
    conn, rows = books.conn, books.payments
    await conn.execute("UPDATE payments SET request = $1", ADDRESSED)
    without = await rows.add("without", user_id=PERSON, status="canceled")
    mine = {name for name in rows.ids if name.endswith(" 1") and name != "new 1"}
    assert await rows.changes(lambda: payments.wipe_addresses(conn, PERSON)) == mine
    assert without


async def test_whose_address_is_to_be_forgotten_has_one_from_before_the_wish(books: Books) -> None:
    conn, rows = books.conn, books.payments

    async def asked() -> list[int]:
        return await payments.with_forgotten_addresses(conn, 9)

    await rows.add("mine", user_id=PERSON, status="canceled", request=ADDRESSED, created_at=ago("2 hours"))
    assert await asked() == []
    wish = "UPDATE users SET forget_before = now() - $1::interval WHERE id = $2"
    await conn.execute(wish, timedelta(hours=3), PERSON)
    await conn.execute(wish, timedelta(hours=1), OTHER)
    assert await asked() == []
    await rows.add(
        "new", user_id=OTHER, status="new", request=ADDRESSED, created_at=ago("2 hours"), poll_at=ahead("1 minute")
    )
    await rows.add("bare", user_id=OTHER, status="canceled", created_at=ago("2 hours"))
    assert await asked() == []
    await conn.execute(wish, timedelta(hours=1), PERSON)
    assert await asked() == [PERSON]


async def test_a_payment_is_the_first_where_no_other_of_that_person_was_paid_that_way(books: Books) -> None:
    conn, rows = books.conn, books.payments
    await conn.execute("DELETE FROM subscriptions")
    await conn.execute("DELETE FROM payments")
    paid = {"status": "succeeded", "paid_at": NOW}
    mine = await rows.add("mine", user_id=PERSON, provider_id="m", **paid)
    await rows.add("another's", user_id=OTHER, provider_id="o", **paid)
    await rows.add("in Stars", user_id=PERSON, provider_id="s", gateway="stars", currency="XTR", **paid)
    await rows.add("unpaid", user_id=PERSON, status="canceled")
    assert await payments.first_through(conn, PERSON, mine, "yookassa")
    await rows.add("second", user_id=PERSON, provider_id="n", **paid)
    assert not await payments.first_through(conn, PERSON, mine, "yookassa")


async def test_a_list_of_charges_is_read_in_its_turn_where_something_was_sold(books: Books) -> None:
    """By a bot's own list; how far it was read is that list's."""
    conn, rows = books.conn, books.payments
    assert await charges.claim(conn, "4242", False, 60) is None
    await rows.add("elsewhere", user_id=PERSON, status="canceled", gateway="stars", currency="XTR", shop_id="7")
    await rows.add("by card", user_id=PERSON, status="canceled", shop_id="4242")
    assert await charges.claim(conn, "4242", False, 60) is None
    assert await charges.claim(conn, "7", False, 60) == 0
    assert await charges.claim(conn, "4242", True, 60) == 0
    assert await charges.claim(conn, "4242", True, 60) is None
    await charges.advance(conn, "4242", 5)
    await conn.execute("UPDATE charge_lists SET due_at = now()")
    assert (await charges.claim(conn, "4242", True, 60), await charges.claim(conn, "7", True, 60)) == (5, 0)


async def test_charges_are_known_by_their_own_number_at_their_gateway(books: Books) -> None:
    conn, rows = books.conn, books.payments
    stars = {"user_id": PERSON, "gateway": "stars", "currency": "XTR"}
    await rows.add("paid", status="succeeded", provider_id="a", paid_at=NOW, **stars)
    await rows.add("under review", status="review", provider_id="b", **stars)
    await rows.add("by card", user_id=PERSON, status="canceled", provider_id="c")
    await rows.add("not asked for", status="succeeded", provider_id="f", paid_at=NOW, **stars)
    for stray in ("d", "e"):
        await charges.stray(conn, stray, PERSON, "x", 5, "XTR", False)
    assert await charges.known(conn, "stars", ["a", "b", "c", "d"]) == {"a": False, "b": True, "d": False}


async def test_invoices_that_nobody_has_paid_in_their_time_are_given_up(books: Books) -> None:
    conn, rows = books.conn, books.payments
    stars = {"user_id": PERSON, "gateway": "stars", "currency": "XTR", "status": "new"}
    await rows.add("over", poll_at=NOW, **stars)
    await rows.add("pending", provider_id="p", poll_at=NOW, **stars | {"status": "pending"})
    await rows.add("in time", poll_at=ahead("1 second"), **stars)
    await rows.add("by card", user_id=PERSON, status="new", poll_at=NOW)
    assert await rows.changes(lambda: charges.abandon(conn, "stars")) == {"over"}
