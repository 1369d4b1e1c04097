"""A background worker: claims work when woken or at every tick, and handles several pieces at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

log = structlog.get_logger()


class Worker[T]:
    """Runs `claim(free_slots)` and then `handle(item)` for each, at most `slots` at a time.

    `claim` leases what it returns, so an item whose handling fails or is cut short comes back by itself.
    """

    def __init__(
        self,
        name: str,
        claim: Callable[[int], Awaitable[Sequence[T]]],
        handle: Callable[[T], Awaitable[None]],
        slots: int,
        tick: float,
    ) -> None:
        self.name = name
        self._claim = claim
        self._handle = handle
        self._slots = slots
        self._tick = tick
        self._woken = asyncio.Event()
        self._stopping = False
        self._running: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Makes the worker look for work now."""
        self._woken.set()

    async def run(self) -> None:
        """Works until `stop`; a claim that fails is tried again at the next tick."""
        while not self._stopping:
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
            try:
                async with asyncio.timeout(self._tick):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def stop(self, patience_s: float) -> None:
        """Claims nothing more, waits `patience_s` seconds for what is running, then cuts it short."""
        self._stopping = True
        self.wake()
        if self._running:
            await asyncio.wait(self._running, timeout=patience_s)
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _guarded(self, item: T) -> None:
        try:
            await self._handle(item)
        except Exception as error:
            log.exception("worker.failed", worker=self.name, error=repr(error))

    def _done(self, task: asyncio.Task[None]) -> None:
        full = len(self._running) == self._slots
        self._running.discard(task)
        if full:
            self.wake()
