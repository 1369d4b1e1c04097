"""What the tests of flows share that need a database and no server of anybody else's."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from prometheus_client import Counter

from app.db import open_pool
from app.flows.purchases.settle import Settlement, Source
from app.gateways.port import Charge, Status
from app.metrics import Metrics
from app.notices import Notice
from app.repo import audit, credits, users
from app.repo.credits import Reason
from app.repo.records import Message, Pool
from app.settings import Settings
from tests.rows import NOW, Rows

PERSON, OTHER, OPERATOR = 1, 2, 3
ADDRESSED = json.dumps({"receipt": {"customer": {"email": "a@b.example"}}})


def flow_settings(database_url: str, **changes: Any) -> Settings:
    """Settings of a bot that nobody starts; `changes` are those that differ."""
    values: dict[str, Any] = {
        "_env_file": None,
        "env": "sandbox",
        "bot_token": "4242:a-token-of-the-tests",
        "public_url": "http://127.0.0.1",
        "webhook_secret": "a-secret-of-the-tests-that-is-long-enough",
        "database_url": database_url,
        "gen_api_key": "a-key-of-the-tests",
        "yookassa_shop_id": "1",
        "yookassa_secret_key": "test_key_of_the_tests",
    }
    return Settings(**values | changes)


def outcomes(counter: Counter) -> dict[str, int]:
    """What was counted, by the only label that the counter has; nothing of what never was."""
    samples = [each for family in counter.collect() for each in family.samples if each.name.endswith("_total")]
    return {next(iter(each.labels.values())): int(each.value) for each in samples if each.value}


@dataclass
class Till:
    """The settlement with a pool of its own; `woken` counts how often the deliverer was."""

    pool: Pool
    rows: Rows
    settings: Settings
    metrics: Metrics = field(default_factory=Metrics)
    woken: int = 0

    async def bought(self, **columns: Any) -> UUID:
        """A purchase: new, for 200 roubles and ten credits, unless said otherwise."""
        payment = uuid4()
        await self.rows.add(str(payment), **{"id": payment, "status": "new", "poll_at": NOW} | columns)
        return payment

    async def told(self, payment: UUID, status: Status = Status.PAID, owed: bool = True, **changes: Any) -> None:
        """The gateway says so of the purchase's charge."""
        charge = Charge("c", status, 20_000, "RUB", "1", True, payment, PERSON, None, 0, None, None)
        settlement = Settlement(self.pool, self.settings, self.metrics, self.wake)
        await settlement.settle(payment, replace(charge, **changes), Source.POLL, owed=owed)

    def wake(self) -> None:
        self.woken += 1

    async def owed(self) -> list[tuple[str, dict[str, Any]]]:
        """Kind and payload of every message that is owed, in order."""
        found = await self.rows.conn.fetch("SELECT kind, payload FROM outbox ORDER BY id")
        return [(row["kind"], json.loads(row["payload"])) for row in found]

    def counted(self) -> dict[str, int]:
        """Purchases by the state that they came into, as far as there are any."""
        return outcomes(self.metrics.payments)

    async def spend(self, price: int) -> None:
        """An order of that price that was drawn."""
        orders = Rows(self.rows.conn, "generations", {"model": "m", "size": "s", "user_id": PERSON, "order_key": "k"})
        order = await orders.add("order", price=price, status="delivered", finished_at=NOW, deadline_at=NOW)
        await credits.debit(self.rows.conn, PERSON, price, Reason.ORDER, str(order))

    async def drawn(self, **columns: Any) -> UUID:
        """An order for two credits whose picture was delivered; `columns` say what differs."""
        await self.spend(2)
        values = {"prompt": "кот", "sources": ["x"], "ready_at": datetime.now(UTC)} | columns
        places = ", ".join(f"{name} = ${number}" for number, name in enumerate(values, 1))
        order: UUID = await self.rows.conn.fetchval(f"UPDATE generations SET {places} RETURNING id", *values.values())
        return order

    async def claimed(self, notice: Notice, sends: int = 0, failures: int = 0) -> Message:
        """What is owed to the person, as a lane has it that has just claimed it."""
        outbox = Rows(self.rows.conn, "outbox", {"id": ..., "chat_id": PERSON, "due_at": NOW, "attempt": 1})
        message = {"kind": notice.kind, "ref": notice.ref, "payload": notice.payload(), "sends": sends}
        row = await outbox.add("it", **message)
        return Message(row, PERSON, notice.kind, notice.ref, notice.payload(), 1, failures, sends, None)

    async def credits(self) -> int:
        balance: int = await self.rows.conn.fetchval("SELECT credits FROM users WHERE id = $1", PERSON)
        return balance


@asynccontextmanager
async def open_till(database_url: str) -> AsyncIterator[Till]:
    """Two people with ten credits each; the books are audited at the end."""
    receipts = {"yookassa_receipt_email": "shop@example.com", "yookassa_vat_code": 11, "yookassa_tax_system_code": 2}
    settings = flow_settings(database_url, admin_ids=(OPERATOR,), **receipts)
    pool = await open_pool(settings, 2)
    async with pool.acquire() as conn:
        await users.visit(conn, PERSON)
        await users.visit(conn, OTHER)
        usual = {"user_id": PERSON, "plan": "p200", "credits": 10, "amount": 20_000, "gateway": "yookassa"}
        rows = Rows(conn, "payments", usual | {"shop_id": "1", "test": True, "request": ADDRESSED, "attempts": 1})
        yield Till(pool, rows, settings)
        assert await audit.differences(conn) == []
    await pool.close()
