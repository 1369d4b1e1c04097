"""A person's pictures: fetched from Telegram and checked once, and kept for another try or for gen-api to fetch."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from io import BytesIO
from uuid import UUID

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import File

from app.catalog import MODELS
from app.db import connection
from app.metrics import Metrics
from app.pictures import MAX_BYTES, NotAPicture, Picture, Pictures, TooLarge
from app.repo import generations
from app.repo.generations import Failure
from app.repo.records import Pool
from app.room import Room

KEPT_BYTES = 16 * 1024 * 1024
"""Checked pictures that are kept in memory, those asked for last."""

_LITTLE_BYTES = 1024 * 1024
"""Telegram's own photos are smaller, and wait for nobody's large files."""

_ROOM_BYTES = 24 * 1024 * 1024
"""Pictures that are on their way from Telegram to gen-api; the next order waits: eight of the largest would be more
than the process may hold."""

_REMEMBERED = 256
"""Files that there was no room for: Telegram need not be asked again where they are."""


class Crowded(Exception):
    """There is no room for pictures so large now; nothing is wrong with them."""


class Unusable(Exception):
    """A source that no order can be made of; `failure` says why, `number` which of several it is, from 1 on."""

    def __init__(self, failure: Failure, number: int | None = None) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.number = number


class Sources:
    """Checked pictures by file id, and by whether they may be WEBP."""

    def __init__(self, pool: Pool, bot: Bot, pictures: Pictures, metrics: Metrics) -> None:
        self._pool = pool
        self._bot = bot
        self._pictures = pictures
        self._metrics = metrics
        self._kept: OrderedDict[tuple[str, bool], Picture] = OrderedDict()
        self._bytes = 0
        self._room = Room(_ROOM_BYTES)
        self._put_off: OrderedDict[str, File] = OrderedDict()

    async def of_order(self, generation_id: UUID, number: int, held: AsyncExitStack) -> Picture | None:
        """One of an open order's pictures, the first being number 1; None for none.

        It waits for room, which `held` gives back: gen-api asks, and may not ask again. Raises as `fetch_all`, but for
        Crowded.
        """
        async with connection(self._pool) as conn:
            source = await generations.source(conn, generation_id, number)
        if source is None:
            return None
        file_id, model = source
        webp = model not in MODELS or MODELS[model].webp
        [picture] = await self._fetch([await self._find(file_id, webp)], held, webp)
        return picture

    async def fetch_all(self, file_ids: Sequence[str], held: AsyncExitStack, webp: bool = True) -> list[Picture]:
        """Several pictures fit for gen-api, side by side, together no larger than one may be.

        `webp`: whether the model takes that format. `held` gives their room back: it is closed when the caller has no
        more use for them. Raises Unusable, Crowded, or one of `faults.TELEGRAM` where they may come later.
        """
        found = await _each(partial(self._find, webp=webp), file_ids)
        size = _size(found)
        if size > _LITTLE_BYTES and not self._room.has(size):
            self._put_off |= {one.file_id: one for one in found if isinstance(one, File)}
            while len(self._put_off) > _REMEMBERED:
                self._put_off.popitem(last=False)
            raise Crowded(f"{size} bytes")
        return await self._fetch(found, held, webp)

    async def _fetch(self, found: Sequence[Picture | File], held: AsyncExitStack, webp: bool) -> list[Picture]:
        size = _size(found)
        if size > _LITTLE_BYTES:
            await held.enter_async_context(self._room.taken(size))
        pictures = await _each(partial(self._checked, webp=webp), found)
        if sum(len(picture.data) for picture in pictures) > MAX_BYTES:
            raise Unusable(Failure.TOO_LARGE)
        for one, picture in zip(found, pictures, strict=True):
            if isinstance(one, File):
                self._keep((one.file_id, webp), picture)
        return pictures

    async def _find(self, file_id: str, webp: bool) -> Picture | File:
        if kept := self._kept.get((file_id, webp)):
            self._kept.move_to_end((file_id, webp))
            return kept
        if put_off := self._put_off.pop(file_id, None):
            return put_off
        try:
            return await self._bot.get_file(file_id)
        except TelegramBadRequest as error:
            raise Unusable(Failure.TOO_LARGE if "too big" in error.message else Failure.FILE_GONE) from error

    async def _checked(self, found: Picture | File, webp: bool) -> Picture:
        if isinstance(found, Picture):
            return found
        try:
            return await self._pictures.inspect(await self._download(found), webp)
        except NotAPicture as error:
            raise Unusable(Failure.NOT_A_PICTURE) from error
        except TooLarge as error:
            raise Unusable(Failure.TOO_LARGE) from error

    async def _download(self, file: File) -> bytes:
        buffer = BytesIO()
        if file.file_path is None:
            raise Unusable(Failure.FILE_GONE)
        with self._metrics.outside_call("telegram", "download"):
            await self._bot.download_file(file.file_path, buffer)
        return buffer.getvalue()

    def _keep(self, name: tuple[str, bool], picture: Picture) -> None:
        if name in self._kept:
            return
        self._kept[name] = picture
        self._bytes += len(picture.data)
        while self._bytes > KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.data)


def _size(found: Sequence[Picture | File]) -> int:
    """Bytes that are to come: together no more than one picture may have."""
    size = sum(one.file_size or MAX_BYTES if isinstance(one, File) else 0 for one in found)
    if size > MAX_BYTES:
        raise Unusable(Failure.TOO_LARGE)
    return size


async def _each[T, R](do: Callable[[T], Awaitable[R]], things: Sequence[T]) -> list[R]:
    """What becomes of each, side by side; what is unusable says which of several it was, before any other fault."""
    found = await asyncio.gather(*map(do, things), return_exceptions=True)
    errors = [(number, error) for number, error in enumerate(found, 1) if isinstance(error, BaseException)]
    for number, error in errors:
        if isinstance(error, Unusable):
            raise Unusable(error.failure, number if len(found) > 1 else None)
    for _, error in errors:
        raise error
    return [one for one in found if not isinstance(one, BaseException)]
