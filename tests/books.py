"""Two people's books without a contradiction, to see what is found in them after a change."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from app.repo import audit, users
from app.repo.audit import Difference
from app.repo.credits import Reason
from app.repo.records import Connection
from tests.rows import A_PURCHASE, AN_ORDER, NOW, Rows, ago

PERSON, OTHER = 1, 2


@dataclass
class Books:
    """Two people's books that hold no contradiction: each has an order of every state, and purchases."""

    conn: Connection
    orders: Rows
    payments: Rows

    async def book(self, user_id: int, delta: int, reason: Reason, ref: object) -> None:
        """An entry and its balance."""
        await self.conn.execute(
            "WITH changed AS (UPDATE users SET credits = credits + $2 WHERE id = $1 RETURNING credits)"
            " INSERT INTO ledger (user_id, delta, balance, reason, ref) SELECT $1, $2, credits, $3, $4 FROM changed",
            user_id,
            delta,
            reason,
            str(ref),
        )

    async def owe(self, kind: str, ref: object, status: str = "pending") -> None:
        """A message of that kind."""
        await self.conn.execute(
            "INSERT INTO outbox (chat_id, kind, ref, status, closed_at)"
            " VALUES (1, $1, $2, $3, CASE WHEN $3 <> 'pending' THEN now() END)",
            kind,
            str(ref),
            status,
        )

    async def hold(self, payment: UUID, user_id: int, revoked: bool) -> None:
        """The days of a payment."""
        await self.conn.execute(
            "INSERT INTO subscriptions (payment_id, user_id, plan, starts_at, ends_at, revoked_at)"
            " VALUES ($1, $2, 'p', now(), now() + interval '30 days', CASE WHEN $3 THEN now() END)",
            payment,
            user_id,
            revoked,
        )

    async def found(self, people: Sequence[int] = (PERSON, OTHER)) -> list[Difference]:
        """What the slice of these people finds, which is what the whole finds of them."""
        whole = await audit.differences(self.conn)
        sliced = await audit.differences_of(self.conn, people, 5)
        assert sorted(map(str, sliced)) == sorted(str(one) for one in whole if one.user_id in people)
        return sliced

    async def after(self, sql: str, *arguments: object) -> list[Difference]:
        """What is found after the statement, which is taken back; a slice finds its own person's alone."""
        transaction = self.conn.transaction()
        await transaction.start()
        await self.conn.execute(sql, *arguments)
        found = await self.found()
        assert await self.found([OTHER]) == [one for one in found if one.user_id == OTHER]
        await transaction.rollback()
        return found


@asynccontextmanager
async def sound_books(database_url: str) -> AsyncIterator[Books]:
    """In a transaction, so that now() stands still; taken back at the end."""
    connection = await asyncpg.connect(database_url)
    transaction = connection.transaction()
    await transaction.start()
    orders = Rows(connection, "generations", AN_ORDER)
    payments = Rows(connection, "payments", A_PURCHASE)
    held = Books(connection, orders, payments)
    for person in (PERSON, OTHER):
        await users.visit(connection, person)
        await held.book(person, 90, Reason.PURCHASE, await _paid(held, f"large {person}", person, credits=90))
        states: dict[str, dict[str, Any]] = {
            "queued": {"status": "queued"},
            "processing": {"status": "processing", "request_id": person},
            "ready": {"status": "ready", "result_url": "u", "ready_at": NOW},
            "delivered": {"status": "delivered", "finished_at": NOW},
            "failed": {"status": "failed", "failure": "deadline", "finished_at": NOW},
            "failed long ago": {"status": "failed", "failure": "deadline", "finished_at": ago("2 days")},
        }
        for name, columns in states.items():
            order = await orders.add(f"{name} {person}", user_id=person, order_key=f"{name} {person}", **columns)
            await held.book(person, -2, Reason.ORDER, order)
            if columns["status"] == "ready":
                await held.owe("picture", order)
            if columns["status"] == "failed":
                await held.book(person, 2, Reason.ORDER_REFUND, order)
            if name == "failed":
                await held.owe("order_failed", order, "sent")
        await payments.add(f"new {person}", user_id=person, status="new", poll_at=NOW)
        await payments.add(f"canceled {person}", user_id=person, status="canceled")
        await held.book(person, 10, Reason.PURCHASE, await _paid(held, f"paid {person}", person))
        part = await _paid(held, f"in part {person}", person, refunded=5_001, credits_taken=1, credits_short=1)
        await held.book(person, 10, Reason.PURCHASE, part)
        await held.book(person, -1, Reason.PURCHASE_REFUND, f"{part}:5001")
        whole: dict[str, Any] = {"status": "refunded", "refunded": 20_000, "credits_taken": 10}
        refunded = await _paid(held, f"refunded {person}", person, **whole)
        await held.book(person, 10, Reason.PURCHASE, refunded)
        await held.book(person, -3, Reason.PURCHASE_REFUND, f"{refunded}:5000")
        await held.book(person, -7, Reason.PURCHASE_REFUND, f"{refunded}:20000")
        old = await _paid(held, f"paid long ago {person}", person, told=False, paid_at=ago("2 days"))
        await held.book(person, 10, Reason.PURCHASE, old)
    yield held
    await transaction.rollback()
    await connection.close()


async def _paid(held: Books, name: str, person: int, *, told: bool = True, **columns: Any) -> UUID:
    usual = {"user_id": person, "status": "succeeded", "provider_id": name, "paid_at": NOW}
    payment: UUID = await held.payments.add(name, **usual | columns)
    await held.hold(payment, person, columns.get("status") == "refunded")
    if told:
        await held.owe("payment_succeeded", payment, "sent")
    return payment
