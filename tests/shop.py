"""The ways to a link through a gateway whose answers are known, against the database alone."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from app.flows.purchases import Links
from app.flows.purchases.checkout import Outcome
from app.flows.purchases.notified import Notification
from app.flows.purchases.settle import Settlement
from app.gateways.port import Charge, Lane, Order, Refund, Status
from tests.flows import ADDRESSED, PERSON, Till, open_till

LINK = Charge("c", Status.PENDING, 20_000, "RUB", "1", True, None, PERSON, "u", 0, None, None)


@dataclass
class Answers:
    """A gateway that gives these answers in turn, the last one again and again; `calls` are what it was asked."""

    name: str = "yookassa"
    currency: str = "RUB"
    shop_id: str = "1"
    test: bool = True
    creates: list[Charge | Exception] = field(default_factory=lambda: [LINK])
    reads: list[Charge | Exception | None] = field(default_factory=lambda: [LINK])
    refunds: dict[str, Refund | Exception | None] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[object]] | None = None
    """What is done while a charge is made or read."""

    def request(self, order: Order) -> str:
        return ADDRESSED if order.email else "{}"

    def address_in(self, request: str) -> str | None:
        return "a@b.example" if "a@b.example" in request else None

    async def create(self, _request: str, key: str, lane: Lane) -> Charge:
        self.calls.append(f"create {lane.value}")
        if self.meanwhile is not None:
            await self.meanwhile()
        return replace(_next(self.creates), payment_id=UUID(key))

    async def read(self, charge_id: str, lane: Lane) -> Charge | None:
        self.calls.append(f"read {lane.value}")
        if self.meanwhile is not None:
            await self.meanwhile()
        charge = _next(self.reads)
        return replace(charge, id=charge_id) if charge else None

    async def read_refund(self, refund_id: str, lane: Lane) -> Refund | None:
        self.calls.append(f"refund {lane.value}")
        return _next([self.refunds[refund_id]])


def _next[T](answers: list[T | Exception]) -> T:
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


@dataclass
class Shop:
    """The ways to a link, through a gateway whose answers are known."""

    till: Till
    gateway: Answers
    links: Links

    async def offer(self, waited_s: float = 0) -> tuple[Outcome, str | None]:
        offer = await self.links.checkout.offer(PERSON, "p200", "https://t.me/bot", waited_s)
        return offer.outcome, offer.url

    async def states(self) -> list[str]:
        rows = await self.till.rows.conn.fetch("SELECT status FROM payments ORDER BY created_at, id")
        return [row["status"] for row in rows]

    async def kinds(self) -> list[str]:
        return [kind for kind, _ in await self.till.owed()]

    def shows(self, payment: UUID, **changes: Any) -> None:
        """That is how the gateway shows the purchase's charge from now on."""
        self.gateway.reads = [replace(LINK, payment_id=payment, **changes)]

    async def notified(self, charge: str = "c", claimed: UUID | None = None, refund: str | None = None) -> bool:
        return await self.links.notified.of(Notification(charge, claimed, refund))


@asynccontextmanager
async def open_shop(database_url: str) -> AsyncIterator[Shop]:
    async with open_till(database_url) as till:
        gateway = Answers()
        settlement = Settlement(till.pool, till.settings, till.metrics, till.wake)
        links = Links(till.pool, till.settings, till.metrics, gateway, settlement, till.wake)
        yield Shop(till, gateway, links)
        await links.notified.close()
