"""The connections of the web server: which of them a request is under way on, and since when nothing was."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

UNUSED_S = 60.0
"""A connection on which no request was complete for so long is closed: never used, or its headers drip."""


class Connections:
    """Counts the requests being answered, so that a shutdown can wait for them; closes what nobody uses."""

    def __init__(self) -> None:
        self._requests = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._unused_since: dict[web.RequestHandler, float] = {}

    @contextmanager
    def answering(self, request: web.Request) -> Iterator[None]:
        """While a request is being answered."""
        connection = request.protocol
        self._requests += 1
        self._idle.clear()
        self._unused_since[connection] = float("inf")
        try:
            yield
        finally:
            self._unused_since[connection] = time.monotonic()
            self._requests -= 1
            if not self._requests:
                self._idle.set()

    async def idle(self, patience_s: float) -> bool:
        """Waits until nothing is being answered; False when `patience_s` seconds were not enough."""
        try:
            async with asyncio.timeout(patience_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def close_unused(self, server: web.Server, unused_s: float = UNUSED_S) -> None:
        """Closes connections that are not used, for ever. aiohttp's own limit begins with the first answer."""
        while True:
            now = time.monotonic()
            open_now = server.connections
            self._unused_since = {connection: self._unused_since.get(connection, now) for connection in open_now}
            for connection, since in self._unused_since.items():
                if now - since > unused_s:
                    connection.force_close()
            await asyncio.sleep(unused_s / 6)
