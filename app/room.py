"""Room for what is large: whoever needs so much of it waits until so much is free."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """`size` units that are taken and given back; those who wait are served in the order in which they came."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def has(self, units: int) -> bool:
        """Whether whoever takes so many now need not wait."""
        return not self._waiting and min(units, self._size) <= self._free

    @asynccontextmanager
    async def taken(self, units: int) -> AsyncIterator[None]:
        """Holds `units` while the block runs; more than there are at all counts as all of them."""
        units = min(units, self._size)
        await self._take(units)
        try:
            yield
        finally:
            self._free += units
            self._admit()

    async def _take(self, units: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((units, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove((units, turn))
            else:
                self._free += units
            self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and (self._waiting[0][1].cancelled() or self._waiting[0][0] <= self._free):
            units, turn = self._waiting[0]
            if turn.cancelled():
                return
            self._waiting.popleft()
            self._free -= units
            turn.set_result(None)
