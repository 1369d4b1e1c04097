"""The wires between the bot and everything outside it, on which each message is a boundary where the bot can die.

A message that the bot sends, and one that it receives, is counted before it is passed on. So a death at a boundary
is one before a statement, a COMMIT or a call took effect, or one after it and before its answer was heard.
"""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.crashes.changes import Statements, in_redis, over_http

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset, as the system does for a process that was killed."""

_SILENCE_S = 0.1


@dataclass
class Mortality:
    """Counts boundaries while `counting`, and ends the life at number `die_at` (0: at none), whose place is noted.

    `changes_only`: no others are counted than those where what is passed on can change something.
    """

    changes_only: bool = False
    die_at: int = 0
    counting: bool = False
    alive: bool = False
    crossed: int = 0
    places: list[str] = field(default_factory=list)
    last_at: float = 0
    died: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, die_at: int = 0, *, counting: bool) -> None:
        """A new life."""
        self.die_at, self.counting, self.alive = die_at, counting, True
        self.crossed = 0
        self.died.clear()

    def cross(self, way: str, data: bytes, change: bool) -> bool:
        """Whether the message gets through."""
        self.last_at = time.monotonic()
        if self.alive and self.counting and (change or not self.changes_only):
            self.crossed += 1
            if self.crossed == self.die_at:
                self.places.append(f"{way}: {_gist(data)}")
                self.end()
        return self.alive

    async def quiet(self) -> None:
        """Waits until nothing has been said for a tenth of a second: nothing tells that a start is over."""
        while (silent := time.monotonic() - self.last_at) < _SILENCE_S:  # noqa: ASYNC110 - see there
            await asyncio.sleep(_SILENCE_S - silent)

    def end(self) -> None:
        """From here on nothing that the bot does has an effect."""
        self.alive = False
        self.died.set()


@dataclass
class Line:
    """A port that passes every connection on to another, for as long as the bot lives."""

    name: str
    host: str
    port: int
    mortality: Mortality
    inward: bool = False
    here: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def _asked_for(self) -> bytes:
        return f"Host: 127.0.0.1:{self.here}\r\n".encode()

    @property
    def _true_name(self) -> bytes:
        return f"Host: {self.host}:{self.port}\r\n".encode()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listens on `here`, or on a free port that `here` then names."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.here)
        self.here = server.sockets[0].getsockname()[1]
        cutting = asyncio.create_task(self._cut_at_death())
        try:
            async with server:
                yield
                self._cut()
        finally:
            cutting.cancel()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _cut_at_death(self) -> None:
        while True:
            await self.mortality.died.wait()
            self._cut()
            await asyncio.sleep(0.005)

    def _cut(self) -> None:
        for writer in tuple(self._open):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.mortality.alive:
            _reset(writer)
            return
        try:
            back_reader, back_writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            _reset(writer)
            return
        ends = {writer, back_writer}
        self._open |= ends
        asked, answered = ("asked of the bot", "answered by it") if self.inward else ("asked", "answered")
        # What the bot hears changes nothing but the bot
        asks, answers = (_nothing, _anything) if self.inward else (self._changes(), _nothing)
        pumps = [
            asyncio.create_task(self._pump(reader, back_writer, asked, asks)),
            asyncio.create_task(self._pump(back_reader, writer, answered, answers)),
        ]
        for pump in pumps:
            self._tasks.add(pump)
            pump.add_done_callback(self._tasks.discard)
        await asyncio.gather(*pumps, return_exceptions=True)
        self._open -= ends
        for one in ends:
            one.close()

    def _changes(self) -> Callable[[bytes], bool]:
        """What tells of each message on a new connection whether it can change something."""
        return {"database": Statements().change, "redis": in_redis}.get(self.name, over_http)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        way: str,
        changes: Callable[[bytes], bool],
    ) -> None:
        while data := await reader.read(1 << 20):
            if not self.mortality.cross(f"{self.name} {way}", data, changes(data)):
                return
            # A service answers to its own address alone
            writer.write(data.replace(self._asked_for, self._true_name, 1))
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _nothing(_data: bytes) -> bool:
    return False


def _anything(_data: bytes) -> bool:
    return True


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and not writer.is_closing():
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


def _gist(data: bytes) -> str:
    """The beginning of a message, for a reader of the report."""
    text = data[:400].decode("latin-1")
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    return " ".join(words)[:70]


@asynccontextmanager
async def lines(*all_lines: Line) -> AsyncIterator[None]:
    """All of them open."""
    async with AsyncExitStack() as stack:
        for line in all_lines:
            await stack.enter_async_context(line.open())
        yield


def through(url: str, line: Line) -> str:
    """The address `url` by way of the line."""
    parts = urlsplit(url)
    host = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return parts._replace(netloc=f"{host}127.0.0.1:{line.here}").geturl()
