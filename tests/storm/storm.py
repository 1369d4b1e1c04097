"""Ten people order and buy at random while the bot is killed and everything around it misbehaves.

What is drawn at random comes from the seed; what the machine makes of it in between does not, so a seed brings the
same plans back and not the same instants.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.catalog import MODELS, described
from app.repo import audit
from sandbox.stars import Charge
from sandbox.telegram import ChatMessage, Person
from tests.faults.harness import Bot, Stage
from tests.storm import shapes
from tests.storm.misfortunes import Misfortunes
from tests.storm.weather import FAULTS

PEOPLE = 10
SETTLE_S = 120
SETTINGS: dict[str, Any] = {
    "generation_poll_after_s": 2.0,
    "generation_deadline_s": 25.0,
    "payment_poll_after_s": 2.0,
    "worker_tick_s": 0.3,
    "flood_burst": 1000,
    "models": shapes.MODELS_SOLD,
    "payments": "yookassa,stars",
}

_LONG_MINUTES = 2
_PATIENCE_S = 8
_FIRST_PERSON = 1000
_REPEATED_AT_ONCE = 50
_OPEN = """
SELECT 1 FROM generations WHERE status NOT IN ('delivered', 'failed')
UNION ALL
SELECT 1 FROM outbox WHERE status = 'pending'
UNION ALL
SELECT 1 FROM payments WHERE status = 'new' AND gateway = 'yookassa'
"""


@dataclass
class Report:
    """What the storm did, and what it found that must not be (`differences` is empty when all is well)."""

    seed: int
    minutes: float
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {self.minutes:g} minutes"]
        lines += [f"  {name}: {count}" for name, count in self.counts.items()]
        lines += ["  faults: " + ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))]
        lines += [f"DIFFERENCE: {text}" for text in self.differences] or ["no difference"]
        return "\n".join(lines)


class Storm:
    """One storm over a stage. `interludes` are run once each, spread over its time."""

    def __init__(
        self, stage: Stage, seed: int, minutes: float, interludes: Mapping[str, Callable[[], Awaitable[None]]]
    ) -> None:
        self.report = Report(seed, minutes)
        self._stage = stage
        self._interludes = interludes
        self._over_at = 0.0
        self._repeating = asyncio.Semaphore(_REPEATED_AT_ONCE)
        self._people = [stage.person(_FIRST_PERSON + number) for number in range(PEOPLE)]

    async def run(self) -> Report:
        """Storms, heals everything, waits until all is settled, and compares the books of all sides."""
        async with self._stage.replicas() as bots:
            await asyncio.gather(*(bot.start() for bot in bots))
            self._over_at = time.monotonic() + self.report.minutes * 60
            async with asyncio.TaskGroup() as storm:
                for person in self._people:
                    storm.create_task(self._live(person))
                storm.create_task(self._disturb())
                storm.create_task(self._kill(bots))
                storm.create_task(self._interrupt())
            if self.report.minutes >= _LONG_MINUTES:
                await self._misfortunes(bots)
            await self._settle(bots)
            await self._compare()
        return self.report

    def _chance(self, who: str) -> random.Random:
        return random.Random(f"{self.report.seed} {who}")

    def _moments(self, chance: random.Random, shortest: float, longest: float) -> Iterator[float]:
        """Pauses in seconds, until the storm is over."""
        while time.monotonic() < self._over_at:
            yield chance.uniform(shortest, longest)

    async def _live(self, person: Person) -> None:
        chance = self._chance(f"person {person.id}")
        doings = (
            *(self._order, self._order, self._order),
            *(self._buy, self._buy, self._refund),
            *(self._buy_with_stars, self._refund_stars),
            *(self._chat, self._leave),
        )
        for pause in self._moments(chance, 0.1, 2):
            await asyncio.sleep(pause)
            with self._impatient():
                async with asyncio.timeout(3 * _PATIENCE_S):
                    await chance.choice(doings)(person, chance)

    @contextmanager
    def _impatient(self) -> Iterator[None]:
        """Whoever gets no answer does something else."""
        try:
            yield
        except TimeoutError:
            self.report.counts["gave up waiting"] += 1

    async def _order(self, person: Person, chance: random.Random) -> None:
        start = _newest(person)
        await shapes.begin(person, f"Кот {chance.random()}", chance)
        card = await self._answer(person, start, lambda message: message.button("✅") or message.button("🖼"))
        if not card.button("✅"):
            await person.press(card.id, "🖼", wait=False)
            card = await self._answer(person, card.id, lambda message: message.button("✅"))
        if chance.random() < 0.1:
            await person.press(card.id, "❌", wait=False)
            return
        for button in shapes.choices(chance):
            await person.press(card.id, button, wait=False)
        for _ in range(chance.choice((1, 1, 2, 5))):
            await person.press(card.id, "✅", wait=False, at_once=chance.random() < 0.5)
        self.report.counts["cards confirmed"] += 1

    async def _buy(self, person: Person, chance: random.Random) -> None:
        start = _newest(person)
        await person.send_text("/buy_subscription", wait=False)
        price = chance.choice(("200 ₽", "500 ₽", "1000 ₽"))
        offer = await self._answer(person, start, lambda message: message.button(price))
        for _ in range(chance.choice((1, 1, 3))):
            await person.press(offer.id, price, wait=False, at_once=True)
        link = await self._answer(person, offer.id, lambda message: message.button("Оплатить"))
        url = next(str(button["url"]) for button in link.buttons if "url" in button)
        payment = next(
            key
            for key, made in self._stage.yookassa.payments.items()
            if made["confirmation"]["confirmation_url"] == url
        )
        await asyncio.sleep(chance.uniform(0, 1))
        if self._stage.yookassa.payments[payment]["status"] == "pending":
            fate = chance.random()
            if fate < 0.7:
                await self._stage.yookassa.pay(payment)
            elif fate < 0.85:
                await self._stage.yookassa.cancel(payment)

    async def _buy_with_stars(self, person: Person, chance: random.Random) -> None:
        start = _newest(person)
        await person.send_text("/buy_subscription", wait=False)
        price = chance.choice(("200 ₽", "500 ₽", "1000 ₽"))
        offer = await self._answer(person, start, lambda message: message.button(price))
        await person.press(offer.id, price, wait=False)
        choice = await self._answer(person, offer.id, lambda message: message.button("⭐"))
        for _ in range(chance.choice((1, 1, 2))):
            await person.press(choice.id, "⭐", wait=False, at_once=True)
        invoice = await self._answer(person, choice.id, lambda message: "invoice" in message.raw)
        refused = await person.pay(invoice.id, wait=False)
        self.report.counts["charges in Stars refused"] += bool(refused)
        if chance.random() < 0.1:
            await self._stage.telegram.charge_unasked(person, invoice.id)

    async def _refund_stars(self, person: Person, chance: random.Random) -> None:
        paid = [charge for charge in self._charges(person) if not charge.refunded]
        if paid:
            self._stage.telegram.refund_stars(chance.choice(paid))

    def _charges(self, person: Person) -> list[Charge]:
        return [charge for charge in self._stage.telegram.charges if charge.person is person]

    async def _refund(self, person: Person, chance: random.Random) -> None:
        paid = [
            key
            for key, made in self._stage.yookassa.payments.items()
            if made["refundable"] and made["metadata"]["user_id"] == str(person.id)
        ]
        if not paid:
            return
        payment = chance.choice(paid)
        made = self._stage.yookassa.payments[payment]
        left = Decimal(made["amount"]["value"]) - Decimal(made.get("refunded_amount", {}).get("value", 0))
        amount = chance.choice((None, "50.00", "33.33"))
        await self._stage.yookassa.refund(payment, amount if amount and Decimal(amount) <= left else None)

    async def _chat(self, person: Person, chance: random.Random) -> None:
        start = _newest(person)
        await person.send_text(chance.choice(("/start", "/status", "/cancel", "/start success", "привет")), wait=False)
        await self._answer(person, start, lambda message: True)

    async def _leave(self, person: Person, chance: random.Random) -> None:
        person.block()
        await asyncio.sleep(chance.uniform(0.5, 3))
        person.unblock()
        await person.send_text("/status", wait=False)

    async def _answer(self, person: Person, after: int, found: Callable[[ChatMessage], Any]) -> ChatMessage:
        def look() -> ChatMessage | None:
            return next((m for m in person.messages if m.outgoing and m.id > after and found(m)), None)

        answer = await self._stage.telegram.wait_for(look, _PATIENCE_S)
        assert answer is not None
        return answer

    async def _disturb(self) -> None:
        chance = self._chance("weather")
        for pause in self._moments(chance, 0.2, 1.5):
            await asyncio.sleep(pause)
            name = chance.choice(list(FAULTS))
            FAULTS[name](self._stage)
            self.report.faults[name] += 1

    async def _kill(self, bots: list[Bot]) -> None:
        chance = self._chance("killer")
        for pause in self._moments(chance, 2, 8):
            await asyncio.sleep(pause)
            bot = chance.choice(bots)
            if bot.alive:
                await bot.kill()
                self.report.counts["kill -9"] += 1
            await asyncio.sleep(chance.uniform(0, 1))
            await bot.start()

    async def _interrupt(self) -> None:
        chance = self._chance("interludes")
        each = self.report.minutes * 60 / (len(self._interludes) + 1)
        for name, interlude in self._interludes.items():
            await asyncio.sleep(each * chance.uniform(0.5, 1))
            await interlude()
            self.report.counts[name] += 1

    async def _misfortunes(self, bots: list[Bot]) -> None:
        """No kills and no chance any more: what some suffer and do must not be noticed by others."""
        await self._heal(bots)
        act = Misfortunes(self._stage, self.report.minutes * 60 / 4)
        await act.run()
        self.report.counts.update(act.counts)
        self.report.differences += act.differences

    async def _heal(self, bots: list[Bot]) -> None:
        for service in (self._stage.telegram, self._stage.gen_api, self._stage.yookassa):
            service.heal()
        for bot in bots:
            if not bot.alive:
                await bot.start()

    async def _settle(self, bots: list[Bot]) -> None:
        """Everything works again and everybody is back: now all that is owed has to come."""
        stage, begun = self._stage, time.monotonic()
        await self._heal(bots)
        for person in self._people:
            person.unblock()
            await person.send_text("/status", wait=False)
        # YooKassa redelivers for a day what was not answered 200; what was lost on its way, it sends now
        made = [payment for payment, made in stage.yookassa.payments.items() if made["status"] != "pending"]
        await asyncio.gather(*map(self._repeat, made))
        try:
            async with asyncio.timeout(SETTLE_S):
                while await stage.pool.fetchval(f"SELECT EXISTS ({_OPEN})") or not await self._stars_are_booked():
                    # Leases and back-offs of up to an hour end at once, as they would by themselves
                    await stage.let_leases_run_out(3600)
                    await asyncio.sleep(1)
        except TimeoutError:
            self.report.differences.append(f"not settled within {SETTLE_S} s: {await self._left_open()}")
        self.report.counts["seconds to settle"] = round(time.monotonic() - begun)

    async def _repeat(self, payment: str) -> None:
        """Side by side with others: of one payment the next word is heard two seconds after the last."""
        async with self._repeating:
            await self._stage.yookassa.repeat(payment)

    async def _stars_are_booked(self) -> bool:
        """What no update told of, the list shows."""
        charges = self._stage.telegram.charges
        booked = await self._stage.pool.fetchval(
            "SELECT count(*) FILTER (WHERE paid_at IS NOT NULL) = $1 "
            "AND count(*) FILTER (WHERE status = 'refunded') = $2 FROM payments WHERE gateway = 'stars'",
            len(charges),
            sum(charge.refunded for charge in charges),
        )
        return bool(booked)

    async def _left_open(self) -> list[str]:
        rows = await self._stage.pool.fetch(
            "SELECT 'generation ' || id || ' ' || status AS what FROM generations "
            "WHERE status NOT IN ('delivered', 'failed') "
            "UNION ALL SELECT 'outbox ' || kind || ' ' || ref || ' attempt ' || attempt FROM outbox "
            "WHERE status = 'pending' UNION ALL SELECT 'payment ' || id FROM payments "
            "WHERE status = 'new' AND gateway = 'yookassa'"
        )
        return [row["what"] for row in rows]

    async def _compare(self) -> None:
        stage, report = self._stage, self.report
        async with stage.pool.acquire() as conn:
            for difference in await audit.differences(conn):
                report.differences.append(f"audit: {difference}")
        outcomes = await stage.pool.fetch(
            "SELECT user_id, id, status, result_file_id,"
            " extract(epoch FROM finished_at - created_at)::float8 AS took FROM generations"
        )
        self._count(outcomes)
        self._compare_orders(outcomes)
        await self._compare_shapes()
        await self._compare_payments()
        await self._compare_stars()

    def _count(self, outcomes: list[Any]) -> None:
        everybody = self._stage.telegram.people.values()
        counts, shown = self.report.counts, [m for person in everybody for m in person.messages if m.outgoing]
        counts["orders"] = len(outcomes)
        counts["delivered"] = sum(row["status"] == "delivered" for row in outcomes)
        counts["refunded"] = sum(row["status"] == "failed" for row in outcomes)
        counts["pictures shown twice"] = sum(m.photo is not None for m in shown) - counts["delivered"]
        counts["payments made at YooKassa"] = len(self._stage.yookassa.payments)
        counts["refunds at YooKassa"] = len(self._stage.yookassa.refunds)
        counts["longest order, seconds"] = round(max((row["took"] or 0 for row in outcomes), default=0))

    def _compare_orders(self, outcomes: list[Any]) -> None:
        accepted = Counter(
            parse_qs(urlsplit(order.fields["callback_url"]).query)["generation"][0]
            for order in self._stage.gen_api.orders.values()
        )
        for generation, times in accepted.items():
            if times > 1:
                self.report.differences.append(f"generation {generation} was accepted by gen-api {times} times")
        everybody = self._stage.telegram.people.values()
        for person in everybody:
            theirs = [row["status"] for row in outcomes if row["user_id"] == person.id]
            pictures = sum(1 for message in person.messages if message.outgoing and message.photo)
            told = sum("возвращ" in (message.text or "") for message in person.messages if message.outgoing)
            # Of one without a file id nobody knows whether Telegram took it
            known = sum(row["result_file_id"] is not None for row in outcomes if row["user_id"] == person.id)
            if pictures < known:
                self.report.differences.append(f"{person.id}: {pictures} pictures for {theirs}")
            if told < theirs.count("failed"):
                self.report.differences.append(f"{person.id}: told {told} times of refunds for {theirs}")

    async def _compare_shapes(self) -> None:
        """gen-api got what was ordered, and what was ordered cost what its quality costs."""
        rows = await self._stage.pool.fetch(
            "SELECT id::text, model, quality, price, prompt, style, sources FROM generations"
        )
        ours = {row["id"]: row for row in rows}
        for row in rows:
            if row["price"] != MODELS[row["model"]].quality(row["quality"]).price:
                self.report.differences.append(f"generation {row['id']} cost {row['price']}: {dict(row)}")
        for order in self._stage.gen_api.orders.values():
            row = ours[parse_qs(urlsplit(order.fields["callback_url"]).query)["generation"][0]]
            pictures = len(order.addresses) or len(order.images)
            self.report.counts[f"of {pictures} pictures"] += 1
            wanted = MODELS[row["model"]].network, len(row["sources"]), described(row["prompt"], row["style"])
            if (order.network.name, pictures, order.fields["prompt"]) != wanted:
                self.report.differences.append(f"generation {row['id']}: gen-api got {order.fields}")

    async def _compare_payments(self) -> None:
        rows = await self._stage.pool.fetch(
            "SELECT payments.id::text, status, payments.credits, amount, refunded, credits_taken, credits_short, "
            "(SELECT count(*) FROM ledger WHERE reason = 'purchase' AND ref = payments.id::text) AS credited "
            "FROM payments WHERE gateway = 'yookassa'"
        )
        ours = {row["id"]: row for row in rows}
        for payment, made in self._stage.yookassa.payments.items():
            row = ours.get(made["metadata"]["payment_id"])
            if row is None:
                self.report.differences.append(f"payment {payment} is nobody's")
                continue
            paid = made["status"] == "succeeded"
            self.report.counts["paid"] += paid
            if row["credited"] != paid:
                self.report.differences.append(f"payment {payment}: {made['status']}, credited {row['credited']} times")
            refunded = round(float(made.get("refunded_amount", {}).get("value", 0)) * 100)
            due = row["credits"] * refunded // row["amount"]
            if (row["refunded"], row["credits_taken"] + row["credits_short"]) != (refunded, due):
                self.report.differences.append(f"payment {payment}: refunded {refunded} kopecks, taken {dict(row)}")

    async def _compare_stars(self) -> None:
        rows = await self._stage.pool.fetch(
            "SELECT provider_id, user_id, status, amount, (SELECT sum(delta) FROM ledger WHERE reason = 'purchase' "
            "AND ref = payments.id::text) = credits AS credited "
            "FROM payments WHERE gateway = 'stars' AND paid_at IS NOT NULL"
        )
        ours = {row["provider_id"]: row for row in rows}
        charges = {charge.id: charge for charge in self._stage.telegram.charges}
        for name in ours.keys() ^ charges.keys():
            self.report.differences.append(f"charge {name} is in the books of one side alone")
        for name in ours.keys() & charges.keys():
            row, charge = ours[name], charges[name]
            stands = ("refunded" if charge.refunded else "succeeded", charge.person.id, charge.invoice.amount, True)
            if (row["status"], row["user_id"], row["amount"], row["credited"]) != stands:
                self.report.differences.append(f"charge {name}: {stands}, and here {dict(row)}")
        self.report.counts["charges in Stars"] = len(charges)
        self.report.counts["refunds of Stars"] = sum(charge.refunded for charge in charges.values())


def _newest(person: Person) -> int:
    return max((message.id for message in person.messages), default=0)
