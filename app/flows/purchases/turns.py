"""However many ask about the same thing at once, it is looked at once, and once more, in a while, for who came then."""

import asyncio
from collections.abc import Awaitable, Callable


class Turns[T]:
    """For each key one run under way and one that waits for its end.

    Whoever comes while one is under way, or within `pause_s` seconds after it, joins the one that waits till then: what
    the first has read may be older than what they were told. A run goes on when those who wait for it have gone.
    """

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._free: dict[str, asyncio.Event] = {}
        self._running: set[asyncio.Task[T]] = set()
        self._waiting: dict[str, asyncio.Task[T]] = {}

    async def join(self, key: str, run: Callable[[], Awaitable[T]]) -> T:
        """What the next run for this key brings, or raises; `run` is done only where none waits yet."""
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = asyncio.create_task(self._run(key, run))
            waiting.add_done_callback(_looked_at)
            self._waiting[key] = waiting
        return await asyncio.shield(waiting)

    async def _run(self, key: str, run: Callable[[], Awaitable[T]]) -> T:
        if before := self._free.get(key):
            await before.wait()
        self._free[key] = asyncio.Event()
        task = self._waiting.pop(key)
        self._running.add(task)
        try:
            return await run()
        finally:
            self._running.remove(task)
            asyncio.get_running_loop().call_later(self._pause_s, self._next, key)

    def _next(self, key: str) -> None:
        self._free.pop(key).set()

    async def close(self) -> None:
        """Cuts short what is under way."""
        tasks = (*self._running, *self._waiting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _looked_at(task: "asyncio.Task[object]") -> None:
    """Nobody may be left to be told of its error."""
    if not task.cancelled():
        task.exception()
