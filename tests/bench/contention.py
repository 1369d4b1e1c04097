"""`./run_local.sh bench --contention`: two replicas, and many who want the same at once."""

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import aiohttp
import asyncpg

from app.db import open_pool
from app.flows.orders.place import Card, Ordering, Placed
from app.metrics import Metrics
from app.proofs import callback_url
from app.repo import audit
from app.settings import Settings
from tests.bench import rows
from tests.bench.load import Client
from tests.bench.locks import OPTIONS, Locks, Waits
from tests.bench.rows import generation, request_id
from tests.bench.stage import SECRET, TEMPLATE, Server, Surroundings, surroundings
from tests.bench.stubs import TOKEN

REPLICAS = 2
WAIT_MS, LEAVES_MS = 100, 200
"""No lock is waited for longer, of a hundred waits one aside; and so long after its callback a result has left."""

PER_S = 30
"""Results: what Telegram takes of a bot."""

_PATIENCE_S = 300
_WAITING = """
INSERT INTO outbox (chat_id, kind, ref, payload)
SELECT 1000000000 + n, 'payment_link', n::text, '{"plan": "small", "url": "https://yoomoney.ru/x"}'
FROM generate_series(1, $1::bigint) AS n
"""
_SAID = "SELECT count(*) FROM outbox WHERE kind = 'payment_link' AND status = 'sent'"
_READY = "SELECT count(*) FROM generations WHERE ready_at IS NOT NULL"
_DELIVERED = "SELECT count(*) FROM generations WHERE status = 'delivered'"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many take part."""

    orders: int = 100
    people: int = 1000
    callbacks: int = 1000
    messages: int = 100_000
    seconds: int = 20


@dataclass(frozen=True, slots=True)
class Contest:
    """What came of one: `units` took `took_s`, with these waits; `leaves_ms`: from a callback to its picture."""

    name: str
    units: str
    took_s: float
    waits: Waits
    leaves_ms: Sequence[float] = ()

    @property
    def missed(self) -> list[str]:
        """What was to be and is not."""
        missed = []
        if self.waits.deadlocks or self.waits.gave_up:
            missed.append(f"{self.waits.deadlocks} deadlocks, {self.waits.gave_up} statements gave up")
        if self.waits.p99_ms > WAIT_MS:
            missed.append(f"a lock was waited for {self.waits.p99_ms:.0f} ms")
        if self.leaves_ms and _p(self.leaves_ms, 99) > LEAVES_MS:
            missed.append(f"a result left after {_p(self.leaves_ms, 99):.0f} ms")
        return missed


def contention(sizes: Sizes) -> list[Contest]:
    """All of them, one after the other, between the same two replicas."""
    with surroundings(OPTIONS) as around:
        url = around.postgres.create_database("contention", TEMPLATE)
        replicas = [around.start(f"replica-{n}", ["bot.py"], url, TOKEN) for n in range(REPLICAS)]
        return asyncio.run(_Contention(around, replicas, url, sizes).run())


def table(contests: Iterable[Contest]) -> str:
    """As docs/performance.md has it."""
    lines = [
        "| | | took | transactions | waits of 5 ms and more | p99 | longest | deadlocks | a result leaves: p50, p99 |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in contests:
        waits, leaves = one.waits, "–"
        if one.leaves_ms:
            leaves = f"{_p(one.leaves_ms, 50):.0f}, {_p(one.leaves_ms, 99):.0f} ms"
        lines.append(
            f"| {one.name} | {one.units} | {one.took_s:.1f} s | {waits.transactions:,} | {len(waits.ms)} "
            f"| {waits.p99_ms:.0f} ms | {max(waits.ms, default=0):.0f} ms | {waits.deadlocks} | {leaves} |"
        )
    return "\n".join(lines)


class _Contention:
    def __init__(self, around: Surroundings, replicas: Sequence[Server], url: str, sizes: Sizes) -> None:
        self._around, self._replicas, self._url, self._sizes = around, replicas, url, sizes
        self._stub = f"http://127.0.0.1:{around.stubs}"

    async def run(self) -> list[Contest]:
        sizes = self._sizes
        return [
            await self._orders("one person orders", people=1, orders=sizes.orders),
            await self._callbacks("one person's callbacks at once", people=1, callbacks=sizes.orders),
            await self._orders("a thousand people order", people=sizes.people, orders=sizes.people),
            await self._callbacks("a thousand people's callbacks at once", sizes.people, sizes.callbacks),
            await self._results("results, nothing else waits", messages=0),
            await self._results("results before messages that wait", sizes.messages),
        ]

    async def _orders(self, name: str, people: int, orders: int) -> Contest:
        """Orders placed side by side through as many pools as there are replicas, until gen-api has called back."""
        await self._seed("order", people, 0)
        locks, began = self._locks(), time.monotonic()
        async with self._placing() as ways:
            placed = await asyncio.gather(*(self._place(next(ways), n % people + 1, n) for n in range(orders)))
        assert placed == [Placed.ORDERED] * orders, placed
        await self._until(_READY, orders)
        if people == orders:
            await self._until(_DELIVERED, orders)
        return await self._ended(name, f"{orders} orders", began, locks)

    async def _callbacks(self, name: str, people: int, callbacks: int) -> Contest:
        """Each on a connection of its own, all at once."""
        await self._seed("callback", people, callbacks)
        async with self._connected(callbacks) as clients:
            locks, began = self._locks(), time.monotonic()
            await asyncio.gather(*(self._call_back(client, number) for number, client in enumerate(clients)))
            return await self._ended(name, f"{callbacks} callbacks", began, locks)

    async def _results(self, name: str, messages: int) -> Contest:
        """So many callbacks a second, each of another person, and when each picture came to Telegram."""
        count = PER_S * self._sizes.seconds
        await self._seed("callback", count, count)
        if messages:
            await self._execute(_WAITING, messages)
            # Autovacuum comes within a minute; until then plans are those of an empty table
            await self._execute("ANALYZE outbox")
        async with self._connected(count) as clients:
            locks, began = self._locks(), time.monotonic()
            called_at: dict[int, float] = {}

            async def call(number: int, client: Client) -> None:
                await asyncio.sleep(began + number / PER_S - time.monotonic())
                called_at[number + 1] = time.monotonic()
                await self._call_back(client, number)

            await asyncio.gather(*(call(number, client) for number, client in enumerate(clients)))
        await self._until(_DELIVERED, count)
        sent = await self._sent()
        leaves = [(sent[str(person)] - at) * 1000 for person, at in called_at.items()]
        units = f"{count} at {PER_S} a second"
        if messages:
            units += f", {await self._value(_SAID):,} messages sent meanwhile"
        return await self._ended(name, units, began, locks, leaves)

    async def _ended(
        self, name: str, units: str, began: float, locks: Locks, leaves_ms: Sequence[float] = ()
    ) -> Contest:
        took_s = time.monotonic() - began
        # PostgreSQL's counters come within a second
        await asyncio.sleep(1.5)
        contest = Contest(name, units, took_s, locks.waits(), leaves_ms)
        connection = await asyncpg.connect(self._url)
        assert await audit.differences(connection) == []
        await connection.close()
        return contest

    async def _seed(self, scenario: str, people: int, count: int) -> None:
        await asyncio.to_thread(rows.seed, self._url, scenario, people, count)
        async with aiohttp.ClientSession() as http, http.delete(f"{self._stub}/sent"):
            pass

    @asynccontextmanager
    async def _placing(self) -> AsyncIterator[Iterator[Ordering]]:
        """The flow that a press ends in, by a pool each."""
        named = self._around.settings(self._url, 0, TOKEN)
        values: dict[str, Any] = {"_env_file": None, **{name.lower(): value for name, value in named.items()}}
        settings = Settings(**values)
        pools = [await open_pool(settings) for _ in self._replicas]
        yield cycle([Ordering(pool, settings, Metrics(), lambda: None) for pool in pools])
        for pool in pools:
            await pool.close()

    @asynccontextmanager
    async def _connected(self, count: int) -> AsyncIterator[Sequence[Client]]:
        """Connections to the replicas by turns."""
        replicas, loop = cycle(self._replicas), asyncio.get_running_loop()
        made = [await loop.create_connection(Client, "127.0.0.1", next(replicas).port) for _ in range(count)]
        yield [client for _, client in made]
        for transport, _ in made:
            transport.close()
        # They are closed in the loop's next turn
        await asyncio.sleep(0)

    async def _place(self, ordering: Ordering, person: int, number: int) -> Placed:
        card = Card(f"card-{number}", "gpt-image-1", "1024x1024", "Кот", ("file",), number + 1)
        return (await ordering.place(person, card)).outcome

    async def _call_back(self, client: Client, number: int) -> None:
        body = {"request_id": request_id(number), "status": "success", "result": [f"{self._stub}/now/{number}.png"]}
        answer = await client.post(callback_url("", SECRET, generation(number)), body)
        assert json.loads(answer) == {"ok": True}, answer

    async def _sent(self) -> dict[str, float]:
        async with aiohttp.ClientSession() as http, http.get(f"{self._stub}/sent") as answer:
            sent: dict[str, float] = await answer.json()
            return sent

    def _locks(self) -> Locks:
        return Locks(self._url, self._around.home / "pg.log")

    async def _until(self, query: str, count: int) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            # Nothing outside the database tells of a commit
            while await self._value(query) < count:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.2)

    async def _value(self, query: str, *arguments: object) -> Any:
        connection = await asyncpg.connect(self._url)
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            await connection.close()

    async def _execute(self, query: str, *arguments: object) -> None:
        await self._value(query, *arguments)


def _p(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
