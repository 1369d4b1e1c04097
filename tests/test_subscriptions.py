"""Whose days a refund ends, and whose it moves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.repo import payments, subscriptions, users
from app.repo.payments import NewPurchase

PERSON, OTHER = 7, 8
"""About the database's now(): days are compared to the minute."""


@dataclass
class Shelf:
    """One person's paid payments and their days."""

    db: "asyncpg.Connection[asyncpg.Record]"
    bought: dict[str, UUID] = field(default_factory=dict)

    async def holds(self, name: str, from_day: float, to_day: float, person: int = PERSON) -> None:
        """A subscription whose days are counted from now."""
        payment_id = self.bought[name] = uuid4()
        new = NewPurchase(payment_id, person, "p200", 10, 20_000, "RUB", "yookassa", "1", True, "{}")
        await payments.insert(self.db, new, retry_after_s=60)
        await self.db.execute(
            "INSERT INTO subscriptions (payment_id, user_id, plan, starts_at, ends_at)"
            " VALUES ($1, $2, 'p200', now() + make_interval(secs => $3), now() + make_interval(secs => $4))",
            payment_id,
            person,
            from_day * 86400,
            to_day * 86400,
        )

    async def refunded(self, name: str) -> None:
        """A full refund of one of them."""
        await subscriptions.revoke(self.db, self.bought[name])

    async def days(self) -> dict[str, tuple[float, float]]:
        """What runs or is to run, in days from now, rounded to a hundredth."""
        names = {payment_id: name for name, payment_id in self.bought.items()}
        rows = await self.db.fetch(
            "SELECT payment_id, starts_at - now() AS begins, ends_at - now() AS ends FROM subscriptions"
            " WHERE revoked_at IS NULL"
        )

        def in_days(span: timedelta) -> float:
            return round(span.total_seconds() / 86400, 2)

        return {names[row["payment_id"]]: (in_days(row["begins"]), in_days(row["ends"])) for row in rows}


@pytest.fixture
async def shelf(shared_database_url: str) -> AsyncIterator[Shelf]:
    """In one transaction, so that now() stands still and days that meet do so exactly."""
    connection = await asyncpg.connect(shared_database_url)
    transaction = connection.transaction()
    await transaction.start()
    for person in (PERSON, OTHER):
        await users.visit(connection, person)
    yield Shelf(connection)
    await transaction.rollback()
    await connection.close()


async def test_a_refund_of_days_that_are_over_moves_nobodys(shelf: Shelf) -> None:
    """Bought eight months apart: the one that runs is none of the old payment's business."""
    await shelf.holds("old", -240, -210)
    await shelf.holds("running", -5, 25)
    await shelf.holds("next", 25, 55)
    await shelf.refunded("old")
    assert await shelf.days() == {"running": (-5, 25), "next": (25, 55)}


async def test_a_refund_of_running_days_gives_its_place_to_those_chained_to_it(shelf: Shelf) -> None:
    """Only what had not run out: the next begins now and loses none of its days."""
    await shelf.holds("running", -10, 20)
    await shelf.holds("second", 20, 50)
    await shelf.holds("third", 50, 80)
    await shelf.refunded("running")
    assert await shelf.days() == {"second": (0, 30), "third": (30, 60)}


async def test_a_refund_of_days_to_come_closes_the_gap_behind_them(shelf: Shelf) -> None:
    """All of them go; what comes before stays."""
    await shelf.holds("running", -10, 20)
    await shelf.holds("refunded", 20, 50)
    await shelf.holds("last", 50, 80)
    await shelf.refunded("refunded")
    assert await shelf.days() == {"running": (-10, 20), "last": (20, 50)}


async def test_days_behind_a_gap_do_not_move(shelf: Shelf) -> None:
    """Whatever made the gap: they were not chained to the refunded ones."""
    await shelf.holds("running", -10, 20)
    await shelf.holds("chained", 20, 50)
    await shelf.holds("apart", 51, 81)
    await shelf.refunded("running")
    assert await shelf.days() == {"chained": (0, 30), "apart": (51, 81)}


async def test_one_refund_after_another_takes_each_payments_own_days(shelf: Shelf) -> None:
    """The first moved the second to now; the second's whole thirty days then go."""
    await shelf.holds("first", -10, 20)
    await shelf.holds("second", 20, 50)
    await shelf.holds("third", 50, 80)
    await shelf.refunded("first")
    await shelf.refunded("second")
    await shelf.refunded("second")
    assert await shelf.days() == {"third": (0, 30)}


async def test_a_refund_moves_no_day_that_is_not_its_own_persons_and_valid(shelf: Shelf) -> None:
    """Whatever begins just where the days end that are taken: another's, or what was taken before and hung on that."""
    await shelf.holds("running", -10, 20)
    await shelf.holds("chained", 20, 50)
    await shelf.holds("taken before", 20, 50)
    await shelf.holds("taken before, too", 50, 80)
    await shelf.holds("behind it", 80, 110)
    await shelf.holds("another's", 20, 50, OTHER)
    await shelf.holds("another's next", 50, 80, OTHER)
    taken = [shelf.bought["taken before"], shelf.bought["taken before, too"]]
    await shelf.db.execute("UPDATE subscriptions SET revoked_at = now() WHERE payment_id = ANY ($1)", taken)
    await shelf.refunded("running")
    untouched = {"behind it": (80, 110), "another's": (20, 50), "another's next": (50, 80)}
    assert await shelf.days() == {"chained": (0, 30)} | untouched
    begins = "SELECT array_agg(starts_at - now() ORDER BY starts_at) FROM subscriptions WHERE payment_id = ANY ($1)"
    assert await shelf.db.fetchval(begins, taken) == [timedelta(days=20), timedelta(days=50)]


async def test_a_refund_that_is_told_of_again_moves_nothing(shelf: Shelf) -> None:
    """Days bought since may begin just where the refunded ones ended."""
    await shelf.holds("refunded", -10, 20)
    await shelf.refunded("refunded")
    await shelf.holds("since", 20, 50)
    await shelf.refunded("refunded")
    assert await shelf.days() == {"since": (20, 50)}


async def test_a_refund_of_days_that_are_over_moves_not_even_what_was_chained_to_them(shelf: Shelf) -> None:
    await shelf.holds("over", -40, -10)
    await shelf.holds("running", -10, 20)
    await shelf.refunded("over")
    assert await shelf.days() == {"running": (-10, 20)}


async def test_a_purchase_is_chained_to_the_end_of_the_latest(shelf: Shelf) -> None:
    """Thirty days from there; from now where nothing runs any more."""
    await shelf.holds("running", -10, 20)
    await shelf.holds("new", 100, 101)
    await shelf.db.execute("DELETE FROM subscriptions WHERE payment_id = $1", shelf.bought["new"])
    ends_at = await subscriptions.extend(shelf.db, shelf.bought["new"], PERSON, "p200", 30)
    assert await shelf.days() == {"running": (-10, 20), "new": (20, 50)}
    assert abs(ends_at - (datetime.now(UTC) + timedelta(days=50))) < timedelta(minutes=10)
