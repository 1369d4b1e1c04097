"""A background worker: claims work when it is woken, and handles several pieces at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

log = structlog.get_logger()

_LAST_WORDS_S = 1.0


class Worker[T]:
    """Runs `claim(free_slots)` and then `handle(item)` for each, at most `slots` at a time.

    `claim` leases what it returns, so an item whose handling fails or is cut short comes back by itself.
    `woken` is set by whoever knows of work, and makes the worker claim it now; `done` is told of each piece.
    """

    def __init__(
        self,
        name: str,
        claim: Callable[[int], Awaitable[Sequence[T]]],
        handle: Callable[[T], Awaitable[None]],
        slots: int,
        woken: asyncio.Event,
        done: Callable[[], None],
    ) -> None:
        self.name = name
        self._claim = claim
        self._handle = handle
        self._slots = slots
        self._woken = woken
        self._told_done = done
        self._stopping = False
        self._running: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._ended.set()

    def running(self) -> int:
        """How many items are being handled."""
        return len(self._running)

    async def run(self) -> None:
        """Works until `stop`. What a claim that fails did not take is still due: the next look wakes us for it."""
        self._ended.clear()
        try:
            while not self._stopping:
                await self._turn()
        finally:
            self._ended.set()

    async def _turn(self) -> None:
        self._woken.clear()
        free = self._slots - len(self._running)
        try:
            items = await self._claim(free) if free else ()
        except Exception as error:
            log.warning("worker.claim_failed", worker=self.name, error=repr(error))
            items = ()
        for item in items:
            task = asyncio.create_task(self._guarded(item), name=f"{self.name}.item")
            self._running.add(task)
            task.add_done_callback(self._done)
        await self._woken.wait()

    async def stop(self, patience_s: float) -> None:
        """Claims nothing more, waits `patience_s` seconds for what is running, then cuts it short."""
        self._stopping = True
        self._woken.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                # What a claim under way brings is leased already: it is running work like the rest
                await self._ended.wait()
                while self._running:
                    await asyncio.wait(self._running)
        if cut_short := tuple(self._running):
            for task in cut_short:
                task.cancel()
            # They give their leases back; a database that hangs does not hold the end of the process
            await asyncio.wait(cut_short, timeout=_LAST_WORDS_S)

    async def _guarded(self, item: T) -> None:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(worker=self.name)
        try:
            await self._handle(item)
        except Exception as error:
            log.exception("worker.failed", error=repr(error))

    def _done(self, task: asyncio.Task[None]) -> None:
        full = len(self._running) == self._slots
        self._running.discard(task)
        if full:
            self._woken.set()
        self._told_done()
