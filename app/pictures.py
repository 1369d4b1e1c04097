"""Pictures by their bytes: what may go to gen-api, and a result in the size that was chosen.

Nothing is decoded in this process: each picture has a child process of its own (`app/decoder.py`), which may be
killed. Whatever becomes of it but an answer means that there is no picture.
"""

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from socket import send_fds, socket, socketpair
from subprocess import DEVNULL, Popen

from app import decoder
from app.decoder import REQUEST
from app.room import Room

MAX_BYTES = 20 * 1024 * 1024
"""What a bot can download from Telegram."""

PATIENCE_S = 15.0
"""A child that has not answered by then is killed."""

_SMALL = 80 * 1024 * 1024
_LARGE = 2 * _SMALL
"""Bytes that a child may take. Nearly all sources do with the small one, two at a time; what does not (a progressive
JPEG of more than about 16 Mpx, a WEBP of 50) is tried once more with the large one, alone."""

_RESULT = 72 * 1024 * 1024
"""Bytes for a result: 4096 × 4096 scaled down takes half of it."""

_RETRIED_WITHIN_S = 3.0
"""An honest picture that needs more memory has found out by then; a crafted one does not get its seconds twice."""

_CHUNK = 256 * 1024
_ANSWER_LIMIT = 24 * 1024 * 1024
"""Bytes: more than the largest picture that is encoded anew."""

_ANY_SIZE = f"{decoder.MAX_PIXELS}x{decoder.MAX_PIXELS}"
"""Nothing that is taken is larger: it stays as it is."""

_SUFFIX = {"jpeg": "jpg", "png": "png", "webp": "webp", "gif": "gif", "tiff": "tiff"}

# Nothing of the bot's own environment: it holds every secret there is
_ENVIRONMENT = {"VIPS_CONCURRENCY": "1", "VIPS_BLOCK_UNTRUSTED": "1", "MALLOC_ARENA_MAX": "1"}

_ONE_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c636000000002000148afa4710000000049454e44ae426082"
)


class NotAPicture(Exception):
    """The bytes are no picture that can be read."""


class TooLarge(Exception):
    """A picture of more bytes or pixels than are taken."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is uploaded; `mime` and `filename` tell the truth about `data`."""

    data: bytes
    mime: str
    filename: str


class _NoAnswer(Exception):
    """The child died or found no picture: there is none, or too little memory to read it."""


class Pictures:
    """Has pictures read; sources and results do not wait for one another."""

    def __init__(self) -> None:
        self._decoders = _Decoders()
        self._sources = Room(_LARGE)
        self._results = Room(_RESULT)

    async def open(self) -> None:
        """Reads a first picture: where that fails no order could be drawn, and each would be called no picture."""
        try:
            await self.inspect(_ONE_PIXEL)
        except NotAPicture as error:
            raise RuntimeError("pictures cannot be read here: is pyvips installed?") from error

    async def inspect(self, data: bytes, webp: bool = True) -> Picture:
        """A person's picture made fit for gen-api: JPEG, PNG or `webp`, upright; untouched where it is already.

        Raises NotAPicture or TooLarge.
        """
        if len(data) > MAX_BYTES:
            raise TooLarge(f"{len(data)} bytes")
        kind, picture = await self._read(self._sources, _SMALL, data, "source" if webp else "source-no-webp")
        return Picture(picture, f"image/{kind}", f"picture.{_SUFFIX[kind]}")

    async def fit(self, data: bytes, size: str) -> bytes:
        """A result no larger than `size` ("512x512"): scaled down to a PNG, or as it is. Raises NotAPicture."""
        try:
            _, picture = await self._read(self._results, _RESULT, data, size)
        except TooLarge as error:
            raise NotAPicture(str(error)) from error
        return picture

    async def whole(self, data: bytes) -> Picture:
        """A result as it is, whatever its size, by its true name. Raises NotAPicture."""
        try:
            kind, _ = await self._read(self._results, _RESULT, data, _ANY_SIZE)
        except TooLarge as error:
            raise NotAPicture(str(error)) from error
        return Picture(data, f"image/{kind}", f"picture.{_SUFFIX[kind]}")

    async def _read(self, room: Room, memory: int, data: bytes, task: str) -> tuple[str, bytes]:
        """Format and bytes of the picture as `task` wants it; where little memory does not do, once more with more."""
        clock = asyncio.get_running_loop().time
        async with room.taken(memory):
            began = clock()
            try:
                return await self._ask_child(data, task, memory)
            except _NoAnswer as error:
                if clock() - began > _RETRIED_WITHIN_S:
                    raise NotAPicture(str(error)) from error
        try:
            async with self._sources.taken(_LARGE):
                return await self._ask_child(data, task, _LARGE)
        except _NoAnswer as error:
            raise NotAPicture(str(error)) from error

    async def _ask_child(self, data: bytes, task: str, memory: int) -> tuple[str, bytes]:
        """One child's life. Raises _NoAnswer, NotAPicture where its time is up, TooLarge."""
        reader, writer = await asyncio.open_unix_connection(sock=self._decoders.start(task, memory))
        child = b""
        try:
            async with asyncio.timeout(PATIENCE_S):
                child = await reader.readline()
                answer = await _converse(reader, writer, data)
        except TimeoutError as error:
            raise NotAPicture(f"not read within {PATIENCE_S:.0f} s") from error
        finally:
            writer.close()
            if child:
                self._decoders.end(int(child))
        word, _, kind = answer[: answer.find(b"\n")].decode(errors="replace").partition(" ")
        if word == "large":
            raise TooLarge(f"{kind} pixels")
        if word not in {"same", "new"} or kind not in _SUFFIX:
            raise _NoAnswer(f"answered {word[:20]!r}")
        return kind, data if word == "same" else bytes(answer[answer.find(b"\n") + 1 :])

    async def close(self) -> None:
        """Ends what was started."""
        await asyncio.to_thread(self._decoders.close)


class _Decoders:
    """The process that starts a child for each picture: small, so that each start takes little and copies nothing."""

    def __init__(self) -> None:
        self._process: Popen[bytes] | None = None
        self._requests: socket | None = None

    def start(self, task: str, memory: int) -> socket:
        """A connection to a new child. Raises OSError."""
        if self._process is None or self._process.poll() is not None:
            self._launch()
        ours, theirs = socketpair()
        with theirs:
            self._ask(f"{task} {memory}", [theirs.fileno()])
        return ours

    def end(self, child: int) -> None:
        """Kills a child, should it still live."""
        with suppress(OSError):
            self._ask(f"end {child}", [])

    def _ask(self, request: str, connections: list[int]) -> None:
        assert self._requests is not None
        send_fds(self._requests, [request.ljust(REQUEST).encode()], connections)

    def _launch(self) -> None:
        if self._requests is not None:
            self._requests.close()
        self._requests, theirs = socketpair()
        command = (sys.executable, "-I", decoder.__file__, str(os.getpid()))
        with theirs:
            self._process = Popen(  # noqa: S603 - a program of ours
                command, stdin=theirs.fileno(), stdout=DEVNULL, stderr=DEVNULL, env=_ENVIRONMENT
            )

    def close(self) -> None:
        if self._process is not None and self._requests is not None:
            self._requests.close()
            self._process.wait()


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytearray:
    """What the child answers to the picture. It is believed no more than the picture is."""
    answer = bytearray()
    with suppress(ConnectionError):
        for start in range(0, len(data), _CHUNK):
            writer.write(data[start : start + _CHUNK])
            await writer.drain()
        writer.write_eof()
    with suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK):
            answer += chunk
            if len(answer) > _ANSWER_LIMIT:
                raise _NoAnswer("an answer without end")
    return answer
