"""However many ask about the same thing at once, it is looked at once, and once more for who came meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable


class Turns[T]:
    """For each key one run under way and one that waits for its end.

    Whoever comes while one is under way joins the one that waits: what the first has read may be older than what they
    were told. A run goes on when those who wait for it have gone.
    """

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[T]] = {}
        self._waiting: dict[str, asyncio.Task[T]] = {}

    async def join(self, key: str, run: Callable[[], Awaitable[T]]) -> T:
        """What the next run for this key brings, or raises; `run` is done only where none waits yet."""
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = asyncio.create_task(self._after(self._running.get(key), key, run))
            waiting.add_done_callback(_looked_at)
            self._waiting[key] = waiting
        return await asyncio.shield(waiting)

    async def _after(self, before: asyncio.Task[T] | None, key: str, run: Callable[[], Awaitable[T]]) -> T:
        if before is not None:
            await asyncio.wait((before,))
        self._running[key] = self._waiting.pop(key)
        try:
            return await run()
        finally:
            del self._running[key]

    async def close(self) -> None:
        """Cuts short what is under way."""
        tasks = (*self._running.values(), *self._waiting.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _looked_at(task: "asyncio.Task[object]") -> None:
    """Nobody may be left to be told of its error."""
    if not task.cancelled():
        task.exception()
