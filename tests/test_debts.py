"""What a refund could not take is taken from credits that come later, whatever brings them."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from app.flows import debts
from app.repo import credits, users
from app.repo.credits import AlreadyBooked, Reason
from app.repo.violations import unique
from sandbox.people import Person
from tests.books import sound_books
from tests.world import World

_ROOT = Path(__file__).parents[1]


async def spend(bot: World, person: Person, amount: int, status: str = "delivered") -> None:
    """An order of that price, as if it had been made and drawn."""
    order = uuid4()
    async with bot.db.transaction():
        await users.lock(bot.db, person.id)
        await credits.debit(bot.db, person.id, amount, Reason.ORDER, str(order))
        await bot.db.execute(
            "INSERT INTO generations (id, user_id, order_key, status, model, size, price, prompt, source_file_id,"
            " claimable_at, deadline_at, finished_at) VALUES ($1, $2, $3, $4, 'gpt-image-1', '512x512', $5, 'x', 'x',"
            " 'infinity', now() + interval '1 hour', CASE WHEN $4 = 'delivered' THEN now() END)",
            order,
            person.id,
            str(order),
            status,
            amount,
        )


async def in_debt(bot: World, person: Person, spent: int) -> None:
    """Bought ten credits, spent so many of the twenty, and got the money back."""
    payment = await bot.choose(person)
    await bot.yookassa.pay(payment)
    await spend(bot, person, spent)
    assert await bot.yookassa.refund(payment) == 200


async def owed(bot: World, person: Person) -> list[tuple[int, int]]:
    """Taken and short of each of the person's payments that were refunded."""
    rows = await bot.db.fetch(
        "SELECT credits_taken, credits_short FROM payments WHERE user_id = $1 AND refunded > 0 ORDER BY created_at",
        person.id,
    )
    return [(row["credits_taken"], row["credits_short"]) for row in rows]


async def test_each_credit_pays_debts_in_turn_once_and_tells_of_what_was_taken(shared_database_url: str) -> None:
    """The oldest first; one that there is nothing left for is not told of, nor is a credit that was booked before."""
    async with sound_books(shared_database_url) as books:
        conn, ids = books.conn, books.payments.ids
        await conn.execute("UPDATE users SET credits = 0 WHERE id = 1")
        short = "UPDATE payments SET credits_short = $2, created_at = now() - $3::interval WHERE id = $1"
        await conn.execute(short, ids["in part 1"], 3, timedelta(hours=1))
        await conn.execute(short, ids["paid 1"], 5, timedelta(0))
        told = "SELECT array_agg((payload ->> 'taken')::int ORDER BY id) FROM outbox WHERE kind = 'debt_taken'"
        assert await debts.credit(conn, 1, 3, Reason.PURCHASE, "x") == 0
        assert await conn.fetchval(told) == [3]
        assert await debts.credit(conn, 1, 3, Reason.PURCHASE, "x") is None
        assert await debts.credit(conn, 1, 4, Reason.PURCHASE, "y") == 0
        assert await debts.credit(conn, 1, 4, Reason.PURCHASE, "z") == 3
        assert await conn.fetchval(told) == [3, 4, 1]


async def test_a_later_purchase_pays_what_a_refund_was_short_of(bot: World) -> None:
    """Twenty, fifteen spent: five go and five are missing, until ten are bought. The person is told."""
    person = bot.person()
    await in_debt(bot, person, 15)
    assert await owed(bot, person) == [(5, 5)]
    assert await bot.credits(person) == 0
    await bot.yookassa.pay(await bot.choose(person, "500 ₽"))
    assert await bot.credits(person) == 20
    assert await owed(bot, person) == [(10, 0)]
    told = await bot.told(person, "Удержано 5 кредитов")
    assert "На балансе 20 кредитов" in (told.text or "")
    succeeded = await bot.told(person, "добавлено 25 кредитов")
    assert "Теперь у вас 20 кредитов" in (succeeded.text or "")


async def test_an_orders_refund_pays_it_too_and_as_far_as_it_goes(bot: World) -> None:
    """An order that fails by its deadline gives two back: they are taken, and three stay missing."""
    person = bot.person()
    payment = await bot.choose(person)
    await bot.yookassa.pay(payment)
    await spend(bot, person, 13)
    await spend(bot, person, 2, status="queued")
    await bot.yookassa.refund(payment)
    assert await owed(bot, person) == [(5, 5)]
    await bot.db.execute("UPDATE generations SET deadline_at = now() WHERE status = 'queued'")
    await bot.told(person, "возвращ")
    told = await bot.told(person, "Удержано 2 кредита")
    assert "Осталось удержать 3 кредита" in (told.text or "")
    assert await bot.credits(person) == 0
    assert await owed(bot, person) == [(7, 3)]


async def test_debts_of_several_purchases_are_paid_oldest_first(bot: World) -> None:
    """Each in its own name; a payment that pays two of them says so twice."""
    person = bot.person()
    first, second = await bot.choose(person), await bot.choose(person, "500 ₽")
    for payment in (first, second):
        await bot.yookassa.pay(payment)
    await spend(bot, person, 45)
    for payment in (first, second):
        await bot.yookassa.refund(payment)
    assert await owed(bot, person) == [(0, 10), (0, 25)]
    third = await bot.choose(person)
    await bot.yookassa.pay(third)
    assert await owed(bot, person) == [(10, 0), (0, 25)]
    await bot.yookassa.pay(await bot.choose(person, "1000 ₽"))
    assert await owed(bot, person) == [(10, 0), (25, 0)]
    assert await bot.credits(person) == 25


async def test_a_second_partial_refund_takes_its_own_share_alone(bot: World) -> None:
    """What the first was short of is no part of what the second may take."""
    person = bot.person()
    payment = await bot.choose(person, "500 ₽")
    await bot.yookassa.pay(payment)
    await spend(bot, person, 34)
    await bot.yookassa.refund(payment, "100.00")
    assert await owed(bot, person) == [(1, 4)]
    await bot.yookassa.refund(payment, "100.00")
    assert await owed(bot, person) == [(1, 9)]
    await bot.yookassa.pay(await bot.choose(person))
    assert await owed(bot, person) == [(10, 0)]
    assert await bot.credits(person) == 1
    await bot.yookassa.refund(payment, "20.00")
    assert await owed(bot, person) == [(11, 0)]


async def test_two_purchases_confirmed_at_once_pay_a_debt_once(bot: World) -> None:
    """Both lock the person first."""
    person = bot.person()
    await in_debt(bot, person, 15)
    payments = [await bot.choose(person, price) for price in ("200 ₽", "500 ₽")]
    for payment in payments:
        bot.yookassa.payments[payment].update(status="succeeded", paid=True)
    await asyncio.gather(*(bot.yookassa.notify(payment) for payment in payments * 5))
    assert await bot.credits(person) == 30
    assert await owed(bot, person) == [(10, 0)]


async def test_the_ledgers_reasons_are_those_that_its_check_takes(database_url: str) -> None:
    """The enumeration and the schema name the same."""
    connection = await asyncpg.connect(database_url)
    check = await connection.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ledger_reason_check'"
    )
    await connection.close()
    assert set(re.findall(r"'(\w+)'", check)) == set(Reason)


async def test_an_entry_that_is_there_already_is_said_by_name(bot: World) -> None:
    """And any other violation stays what it is."""
    await bot.person().send_text("/start")
    await credits.debit(bot.db, 77, 1, Reason.ORDER, "one")
    with pytest.raises(AlreadyBooked, match="order, one"):
        await credits.debit(bot.db, 77, 1, Reason.ORDER, "one")
    with pytest.raises(asyncpg.UniqueViolationError), unique("ledger_reason_ref_key", AlreadyBooked):
        await bot.db.execute("INSERT INTO users (id, credits) VALUES (77, 0)")
    await bot.db.execute("DELETE FROM ledger WHERE ref = 'one'")
    await bot.db.execute("UPDATE users SET credits = 10")


def test_no_credit_passes_the_debts_by() -> None:
    """Whoever adds credits does it where debts are paid."""
    callers = {
        path.relative_to(_ROOT).as_posix()
        for path in (_ROOT / "app").rglob("*.py")
        if re.search(r"\bcredits\.credit\(", path.read_text(encoding="utf-8"))
    }
    assert callers == {"app/flows/debts.py"}
