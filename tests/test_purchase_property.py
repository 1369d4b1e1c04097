"""Random purchases both ways, mishaps, refunds and kills of several persons at once leave the books right."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.catalog import PLANS
from app.repo import credits, users
from app.repo.credits import Reason
from sandbox.people import Person
from sandbox.stars import Charge
from tests.world import World, world

PRICES = ("200 ₽", "500 ₽", "1000 ₽")
WELCOME = 10

which = st.integers(0, 4)
delivery = st.sampled_from(["", "", "lost", "doubled", "delayed", "forged"])
told = st.sampled_from(["", "", "lost", "doubled", "delayed"])
amounts = st.sampled_from(["0.01", "19.99", "33.33", "50.00", "120.00", "all"])
actions = st.one_of(
    st.tuples(st.just("buy"), st.sampled_from(PRICES), st.sampled_from(["", "answer lost", "500", "never arrived"])),
    st.tuples(st.just("pay"), which, delivery),
    st.tuples(st.just("pay"), which, delivery),
    st.tuples(st.just("cancel"), which, delivery),
    st.tuples(st.just("claim"), which, st.sampled_from(["payment.succeeded", "payment.canceled", "refund.succeeded"])),
    st.tuples(st.just("repeat"), which, st.integers(1, 5)),
    st.tuples(st.just("refund"), which, amounts, delivery),
    st.tuples(st.just("refund"), which, amounts, delivery),
    st.tuples(st.just("spend"), st.sampled_from([1, 10, 100])),
    st.tuples(st.just("return")),
    st.tuples(st.just("invoice"), st.sampled_from(list(PLANS))),
    st.tuples(st.just("invoice"), st.sampled_from(list(PLANS))),
    st.tuples(st.just("pay_stars"), which, told),
    st.tuples(st.just("pay_stars"), which, told),
    st.tuples(st.just("pay_stars_unasked"), which, told),
    st.tuples(st.just("refund_stars"), which, told),
    st.tuples(st.just("kill")),
)


@dataclass
class Buyer:
    """A person who does the actions, and what they spent so far."""

    bot: World
    pool: "asyncpg.Pool[asyncpg.Record]"
    person: Person
    offer: int = 0
    spent: int = 0

    @property
    def payments(self) -> list[dict[str, Any]]:
        """Theirs at YooKassa."""
        every = self.bot.yookassa.payments.values()
        return [payment for payment in every if payment["metadata"]["user_id"] == str(self.person.id)]

    async def act(self, script: list[tuple[Any, ...]]) -> None:
        """The actions one after another; one that cannot be done now is left out."""
        await self.person.send_text("/buy_subscription")
        offer = await self.bot.offered(self.person, PRICES[0])
        self.offer = offer.id
        for name, *arguments in script:
            await getattr(self, f"_{name}")(*arguments)

    def _pick(self, number: int, *statuses: str) -> dict[str, Any] | None:
        fit = [payment for payment in self.payments if payment["status"] in statuses]
        return fit[number % len(fit)] if fit else None

    def _misdeliver(self, kind: Any) -> None:
        if kind:
            self.bot.yookassa.misdeliver(kind, delay=0.05)

    async def _buy(self, price: str, mishap: str) -> None:
        match mishap:
            case "answer lost":
                self.bot.yookassa.fault("payments.create", drop=True, handled=True)
            case "500":
                self.bot.yookassa.fault("payments.create", status=500, handled=True)
            case "never arrived":
                self.bot.yookassa.fault("payments.create", drop=True)
        await self.person.press(self.offer, price)

    async def _pay(self, number: int, kind: str) -> None:
        if payment := self._pick(number, "pending"):
            self._misdeliver(kind)
            await self.bot.yookassa.pay(payment["id"])

    async def _cancel(self, number: int, kind: str) -> None:
        if payment := self._pick(number, "pending"):
            self._misdeliver(kind)
            await self.bot.yookassa.cancel(payment["id"])

    async def _claim(self, number: int, event: str) -> None:
        """A notification of what may not have happened, about a payment that exists."""
        if payment := self._pick(number, "pending", "succeeded", "canceled"):
            thing = {**payment, "payment_id": payment["id"], "status": event.partition(".")[2], "refunded_amount": {}}
            await self.bot.yookassa.send(event, thing)

    async def _repeat(self, number: int, times: int) -> None:
        if payment := self._pick(number, "succeeded", "canceled"):
            await asyncio.gather(*(self.bot.yookassa.repeat(payment["id"]) for _ in range(times)))

    async def _refund(self, number: int, amount: str, kind: str) -> None:
        if payment := self._pick(number, "succeeded"):
            try:
                refund = self.bot.yookassa.give_back(payment["id"], None if amount == "all" else amount)
            except ValueError:  # less than that is left
                return
            self._misdeliver(kind)
            await self.bot.yookassa.send("refund.succeeded", refund)

    @property
    def charges(self) -> list[Charge]:
        """Theirs in Stars."""
        return [charge for charge in self.bot.telegram.charges if charge.person is self.person]

    async def _invoice(self, plan: str) -> None:
        await self.person.press(self.offer, f"stars:{plan}")

    def _invoices(self) -> list[int]:
        return [message.id for message in self.person.messages if "invoice" in message.raw]

    def _mistell(self, kind: Any) -> None:
        if kind:
            self.bot.telegram.misdeliver(kind, delay=0.05)

    async def _pay_stars(self, number: int, kind: str) -> None:
        """One that is paid already is declined."""
        if invoices := self._invoices():
            self._mistell(kind)
            await self.person.pay(invoices[number % len(invoices)])

    async def _pay_stars_unasked(self, number: int, kind: str) -> None:
        """Paid again, perhaps."""
        if invoices := self._invoices():
            self._mistell(kind)
            await self.bot.telegram.charge_unasked(self.person, invoices[number % len(invoices)])

    async def _refund_stars(self, number: int, kind: str) -> None:
        if charges := [charge for charge in self.charges if not charge.refunded]:
            self._mistell(kind)
            self.bot.telegram.refund_stars(charges[number % len(charges)])

    async def _kill(self) -> None:
        """As a kill of the process does, it ends every transaction of the bot where it stands."""
        await self.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'picture-bot' AND datname = current_database()"
        )

    async def _spend(self, at_most: int) -> None:
        order = uuid4()
        async with self.pool.acquire() as conn, conn.transaction():
            amount = min(at_most, await users.lock(conn, self.person.id) or 0)
            if amount == 0:
                return
            await credits.debit(conn, self.person.id, amount, Reason.ORDER, str(order))
            await conn.execute(
                "INSERT INTO generations (id, user_id, order_key, status, model, size, price, deadline_at, finished_at)"
                " VALUES ($1, $2, $3, 'delivered', 'gpt-image-1', '512x512', $4, now(), now())",
                order,
                self.person.id,
                str(order),
                amount,
            )
        self.spent += amount

    async def _return(self) -> None:
        await self.person.send_text("/start success")


_BOOKED = """
SELECT count(*) FILTER (WHERE provider_id = ANY ($1::text[]) AND status = 'succeeded') = cardinality($1::text[])
   AND count(*) FILTER (WHERE provider_id = ANY ($2::text[]) AND status = 'refunded') = cardinality($2::text[])
FROM payments WHERE gateway = 'stars'
"""


async def _settle(bot: World, pool: "asyncpg.Pool[asyncpg.Record]", buyers: list[Buyer]) -> None:
    """What was lost is made up for: the worker's turn comes at once, and YooKassa redelivers refunds."""
    bot.yookassa.heal()
    bot.telegram.heal()
    theirs = [buyer.person.id for buyer in buyers]
    async with asyncio.timeout(10):
        while True:
            rows = await pool.fetch(
                "SELECT id, provider_id, status FROM payments WHERE user_id = ANY ($1)"
                " AND gateway = 'yookassa' AND status IN ('new', 'pending') ORDER BY created_at",
                theirs,
            )
            stands = {payment["id"]: payment["status"] for buyer in buyers for payment in buyer.payments}
            if all(row["status"] == "pending" and stands[row["provider_id"]] == "pending" for row in rows):
                break
            await pool.execute(
                "UPDATE payments SET poll_at = now() WHERE id = ANY ($1) AND status IN ('new', 'pending')",
                [row["id"] for row in rows],
            )
            await asyncio.sleep(0.1)  # the worker's tick
        charges = [charge for buyer in buyers for charge in buyer.charges]
        while not await pool.fetchval(
            _BOOKED,
            [charge.id for charge in charges if not charge.refunded],
            [charge.id for charge in charges if charge.refunded],
        ):
            await pool.execute("UPDATE charge_lists SET due_at = now()")
            await asyncio.sleep(0.1)  # the worker's tick
    for buyer in buyers:
        for payment in buyer.payments:
            if payment["status"] == "succeeded":
                await bot.yookassa.repeat(payment["id"])


async def _check(bot: World, pool: "asyncpg.Pool[asyncpg.Record]", buyer: Buyer) -> None:
    """The rows agree with YooKassa, and the balance with both."""
    stands = {payment["metadata"]["payment_id"]: payment for payment in buyer.payments}
    assert len(stands) == len(buyer.payments), "one purchase, two payments"
    rows = await pool.fetch("SELECT * FROM payments WHERE user_id = $1", buyer.person.id)
    by_link = [row for row in rows if row["gateway"] == "yookassa"]
    assert {str(row["id"]) for row in by_link} == set(stands)
    balance = WELCOME - buyer.spent + await _stars(pool, buyer, [row for row in rows if row["gateway"] == "stars"])
    for row in by_link:
        payment = stands[str(row["id"])]
        refunded = int(Decimal(payment.get("refunded_amount", {}).get("value", "0")) * 100)
        full = refunded == row["amount"]
        assert row["status"] == ("refunded" if full else payment["status"])
        assert row["refunded"] == refunded
        assert row["credits_taken"] + row["credits_short"] == row["credits"] * refunded // row["amount"]
        booked = await pool.fetch("SELECT delta FROM ledger WHERE reason = 'purchase' AND ref = $1", str(row["id"]))
        paid = [row["credits"]] if payment["status"] == "succeeded" else []
        assert [entry["delta"] for entry in booked] == paid
        balance += sum(paid) - row["credits_taken"]
    assert await bot.credits(buyer.person) == balance >= 0
    if any(row["credits_short"] for row in rows):
        lowest = await pool.fetchval("SELECT min(balance) FROM ledger WHERE user_id = $1", buyer.person.id)
        assert lowest == 0, "a refund took less than there was"


async def _stars(pool: "asyncpg.Pool[asyncpg.Record]", buyer: Buyer, rows: list[Any]) -> int:
    """Every charge has its purchase, and the other way round; what they left on the balance."""
    paid = {row["provider_id"]: row for row in rows if row["provider_id"]}
    assert {charge.id for charge in buyer.charges} == set(paid)
    assert {row["status"] for row in rows if not row["provider_id"]} <= {"new"}
    left = 0
    for charge in buyer.charges:
        row = paid[charge.id]
        assert (row["amount"], row["currency"]) == (charge.invoice.amount, "XTR")
        assert row["status"] == ("refunded" if charge.refunded else "succeeded")
        assert row["credits_taken"] + row["credits_short"] == (row["credits"] if charge.refunded else 0)
        booked = await pool.fetch("SELECT delta FROM ledger WHERE reason = 'purchase' AND ref = $1", str(row["id"]))
        assert [entry["delta"] for entry in booked] == [row["credits"]]
        left += row["credits"] - row["credits_taken"]
    return left


# Notifications of one payment are read two seconds apart, so an example takes its seconds
@pytest.mark.timeout(600)
def test_whatever_happens_to_purchases_every_rouble_and_star_is_credited_once(
    database_url: str, redis_url: str
) -> None:
    """Each example: three persons at once, then the lost notifications are made up for, then the audit."""
    numbers = count(1000)

    async def example(bot: World, pool: "asyncpg.Pool[asyncpg.Record]", scripts: list[list[tuple[Any, ...]]]) -> None:
        buyers = [Buyer(bot, pool, bot.person(next(numbers))) for _ in scripts]
        await asyncio.gather(*(buyer.act(script) for buyer, script in zip(buyers, scripts, strict=True)))
        await _settle(bot, pool, buyers)
        for buyer in buyers:
            await _check(bot, pool, buyer)
        await bot.audit()

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        bot = runner.run(
            stack.enter_async_context(world(database_url, redis_url, worker_tick_s=0.05, payments="yookassa,stars"))
        )
        try:
            pool = runner.run(stack.enter_async_context(asyncpg.create_pool(database_url, min_size=1, max_size=3)))

            # A failing example is not shrunk: each attempt would wait in vain for what never comes.
            @settings(
                derandomize=True,
                max_examples=12,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=[HealthCheck.too_slow],
            )
            @given(st.lists(st.lists(actions, min_size=14, max_size=24), min_size=3, max_size=3))
            def run(scripts: list[list[tuple[Any, ...]]]) -> None:
                runner.run(example(bot, pool, scripts))

            run()
        finally:
            runner.run(stack.aclose())
