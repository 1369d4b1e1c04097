"""Wakes the workers: told by whoever writes work, in any replica, and by one look at what is due for anybody."""

import asyncio
import math
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from app.db import connect
from app.faults import POSTGRES
from app.repo import wakes
from app.repo.records import Connection
from app.repo.wakes import CHANNEL, Work
from app.settings import Settings

log = structlog.get_logger()

LONGEST_TICKS = 5
"""While every writer's word is heard, and nothing is known to be due, it is looked no oftener than every fifth tick."""

_CONNECT_AGAIN_S = 1.0
_CLOSE_S = 1.0


class Wakes:
    """The workers' events by the work that they are for."""

    def __init__(self) -> None:
        self._events: dict[Work, list[asyncio.Event]] = defaultdict(list)

    def event(self, work: Work) -> asyncio.Event:
        """One for a worker of its own: an event that a worker clears is not seen by another."""
        event = asyncio.Event()
        self._events[work].append(event)
        return event

    def wake(self, *works: Work) -> None:
        """There is such work: whoever does it looks for it now."""
        for work in works:
            for event in self._events[work]:
                event.set()


class Watch:
    """Looks for work nobody woke the workers for: what is due by the clock, what the dead left, what was not heard.

    It has a connection of its own. Told of all new work there, and of what is due next by its last look, it looks when
    that is due, every tick at most; behind pgbouncer, where nobody is told anything, at every tick.
    """

    def __init__(self, settings: Settings, events: Wakes) -> None:
        self._settings = settings
        self._wakes = events
        # asyncpg keeps statements everywhere but behind pgbouncer, which keeps no listener either
        self._listens = settings.db_statement_cache > 0
        self._changed, self._lost = asyncio.Event(), asyncio.Event()

    def look_again(self) -> None:
        """Something was worked on: it may be due again sooner than the last look knows."""
        self._changed.set()

    async def run(self) -> None:
        """Looks for ever; while PostgreSQL is away nobody is woken, and there is nothing to be done."""
        while True:
            try:
                async with self._connected() as conn:
                    while True:
                        await self._pause(await self._look(conn))
            except Exception as error:
                log.warning("work.not_looked_for", error=repr(error))
            await asyncio.sleep(_CONNECT_AGAIN_S)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        conn = await connect(self._settings)
        self._lost.clear()
        conn.add_termination_listener(self._end)
        try:
            if self._listens:
                await conn.add_listener(CHANNEL, self._told)
            yield conn
        finally:
            with suppress(*POSTGRES):
                await conn.close(timeout=_CLOSE_S)

    def _end(self, _conn: object) -> None:
        self._lost.set()
        self._changed.set()

    def _told(self, _conn: object, _pid: int, _channel: str, work: object) -> None:
        # A newer version may tell of work that this one does not know
        with suppress(ValueError):
            self._wakes.wake(Work(str(work)))

    async def _look(self, conn: Connection) -> float:
        """Wakes for what is due; in how many seconds more will be."""
        self._changed.clear()
        due = await wakes.due(conn)
        for work, in_s in due.items():
            if in_s <= 0:
                self._wakes.wake(work)
        return min(due.values(), default=math.inf)

    async def _pause(self, due_in_s: float) -> None:
        tick = self._settings.worker_tick_s
        await _set_within(tick, self._lost)
        if self._listens:
            await _set_within(min(due_in_s, LONGEST_TICKS * tick) - tick, self._changed)


async def _set_within(seconds: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
