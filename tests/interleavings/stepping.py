"""A pool whose statements wait for their turn, and the search through all the orders of two flows' statements.

PostgreSQL's own isolation tester does it so. A flow is run against real connections; before each of its statements
and before COMMIT it stands still until it is told to go on. One that waits for a lock of the other's is passed over
until it has the lock. Each order of turns is tried once, each from a state of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import asyncpg

from app.repo.records import Connection, Pool

_LOOK_S = 0.002
_STUCK_S = 10

type Flow = Callable[[Pool], Awaitable[object]]


class Actor:
    """One flow, and whether it may go on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pids: set[int] = set()
        self.arrived = asyncio.Event()
        self._go = asyncio.Event()
        self.task: asyncio.Task[object] | None = None

    @property
    def done(self) -> bool:
        """Whether the flow has ended."""
        return self.task is not None and self.task.done()

    async def turn(self) -> None:
        """Called before a statement: says that the flow stands here, and waits for its turn."""
        self._go.clear()
        self.arrived.set()
        await self._go.wait()

    def go_on(self) -> None:
        """One statement."""
        self.arrived.clear()
        self._go.set()


class SteppedConnection:
    """A connection whose statements wait for their turn: the verbs of asyncpg that the repo uses."""

    def __init__(self, conn: Connection, actor: Actor) -> None:
        self._conn, self._actor = conn, actor
        actor.pids.add(conn.get_server_pid())

    async def fetch(self, *args: Any, **kwargs: Any) -> Any:
        """As asyncpg's."""
        await self._actor.turn()
        return await self._conn.fetch(*args, **kwargs)

    async def fetchrow(self, *args: Any, **kwargs: Any) -> Any:
        """As asyncpg's."""
        await self._actor.turn()
        return await self._conn.fetchrow(*args, **kwargs)

    async def fetchval(self, *args: Any, **kwargs: Any) -> Any:
        """As asyncpg's."""
        await self._actor.turn()
        return await self._conn.fetchval(*args, **kwargs)

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        """As asyncpg's."""
        await self._actor.turn()
        return await self._conn.execute(*args, **kwargs)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """As asyncpg's; BEGIN alone changes nothing and has no turn of its own."""
        async with self._conn.transaction():
            yield
            await self._actor.turn()


class SteppedPool:
    """What a flow takes for the pool."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", actor: Actor) -> None:
        self._pool, self._actor = pool, actor

    @asynccontextmanager
    async def acquire(self, **_: Any) -> AsyncIterator[SteppedConnection]:
        """A connection of its own."""
        async with self._pool.acquire() as conn:
            yield SteppedConnection(conn, self._actor)


@dataclass
class Trace:
    """The turns that were taken: who, and who else could have been."""

    turns: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join(name for name, _ in self.turns)


async def play(pool: "asyncpg.Pool[asyncpg.Record]", flows: dict[str, Flow], prefix: Sequence[str]) -> Trace:
    """Runs the flows, first by the turns in `prefix`, then each to its end in their order. Raises what they raise."""
    actors = {name: Actor(name) for name in flows}
    for name, flow in flows.items():
        stepped = cast("Pool", SteppedPool(pool, actors[name]))
        actors[name].task = asyncio.ensure_future(flow(stepped))
    trace, locked = Trace(), set[str]()
    try:
        async with pool.acquire() as looker:
            while not all(actor.done for actor in actors.values()):
                locked = {name for name, actor in actors.items() if not await _stands(actor, looker)}
                free = tuple(name for name, actor in actors.items() if name not in locked and not actor.done)
                if not free:
                    if all(actor.done for actor in actors.values()):
                        break
                    await asyncio.sleep(_LOOK_S)
                    continue
                place = len(trace.turns)
                name = prefix[place] if place < len(prefix) and prefix[place] in free else free[0]
                trace.turns.append((name, free))
                actors[name].go_on()
        for actor in actors.values():
            assert actor.task is not None
            actor.task.result()
    except BaseException as error:
        error.add_note(f"turns: {trace}")
        raise
    finally:
        for actor in actors.values():
            assert actor.task is not None
            actor.task.cancel()
        await asyncio.gather(*(actor.task for actor in actors.values() if actor.task), return_exceptions=True)
    return trace


async def _stands(actor: Actor, looker: Connection) -> bool:
    """Waits until the flow stands before a statement or has ended: True; or waits for a lock: False."""
    assert actor.task is not None
    arriving = asyncio.ensure_future(actor.arrived.wait())
    try:
        async with asyncio.timeout(_STUCK_S):
            while True:
                await asyncio.wait({actor.task, arriving}, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                if actor.done or actor.arrived.is_set():
                    return True
                if await looker.fetchval("SELECT bool_or(cardinality(pg_blocking_pids(pid)) > 0) "
                                         "FROM unnest($1::int[]) AS pid", list(actor.pids)):  # fmt: skip
                    return False
    finally:
        arriving.cancel()


async def every_order(
    pool: "asyncpg.Pool[asyncpg.Record]",
    scene: Callable[[], Awaitable[tuple[dict[str, Flow], Callable[[], Awaitable[None]]]]],
    limit: int = 5000,
) -> int:
    """Plays a scene in every order of turns; how many these were. `scene` makes a fresh state: flows, and the check."""
    waiting: list[tuple[str, ...]] = [()]
    played = 0
    while waiting:
        prefix = waiting.pop()
        flows, check = await scene()
        trace = await play(pool, flows, prefix)
        try:
            await check()
        except BaseException as error:
            error.add_note(f"turns: {trace}")
            raise
        played += 1
        assert played <= limit, "more orders than anybody will wait for"
        names = tuple(name for name, _ in trace.turns)
        for place in range(len(prefix), len(names)):
            waiting += [(*names[:place], other) for other in trace.turns[place][1] if other != names[place]]
    return played
