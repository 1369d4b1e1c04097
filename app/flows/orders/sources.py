"""A person's pictures: fetched from Telegram and checked once, and kept for another try or for gen-api to fetch."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from io import BytesIO
from uuid import UUID

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import File

from app.db import connection
from app.metrics import Metrics
from app.pictures import MAX_BYTES, NotAPicture, Picture, Pictures, TooLarge
from app.repo import generations
from app.repo.generations import Failure
from app.repo.records import Pool
from app.room import Room

KEPT_BYTES = 32 * 1024 * 1024
"""Checked pictures that are kept in memory, those asked for last."""

_ARRIVING_BYTES = 3 * MAX_BYTES
"""Pictures that are being fetched and checked; the next one waits."""


class Unusable(Exception):
    """A source that no order can be made of; `failure` says why, `number` which of several it is, from 1 on."""

    def __init__(self, failure: Failure, number: int | None = None) -> None:
        super().__init__(failure.value)
        self.failure = failure
        self.number = number


class Sources:
    """Checked pictures by file id."""

    def __init__(self, pool: Pool, bot: Bot, pictures: Pictures, metrics: Metrics) -> None:
        self._pool = pool
        self._bot = bot
        self._pictures = pictures
        self._metrics = metrics
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._bytes = 0
        self._arriving = Room(_ARRIVING_BYTES)

    async def of_order(self, generation_id: UUID, number: int) -> Picture | None:
        """One of an open order's pictures, the first being number 1; None where there is none. Raises as `fetch`."""
        async with connection(self._pool) as conn:
            file_id = await generations.source(conn, generation_id, number)
        return await self.fetch(file_id) if file_id else None

    async def fetch_all(self, file_ids: Sequence[str]) -> list[Picture]:
        """Several pictures, side by side, together no larger than one may be. Raises as `fetch`."""
        found = await asyncio.gather(*map(self.fetch, file_ids), return_exceptions=True)
        pictures = [picture for picture in found if isinstance(picture, Picture)]
        errors = [(number, error) for number, error in enumerate(found, 1) if isinstance(error, BaseException)]
        for number, error in errors:
            if isinstance(error, Unusable):
                raise Unusable(error.failure, number if len(found) > 1 else None)
        for _, error in errors:
            raise error
        if sum(len(picture.data) for picture in pictures) > MAX_BYTES:
            raise Unusable(Failure.TOO_LARGE)
        return pictures

    async def fetch(self, file_id: str) -> Picture:
        """The picture, fit for gen-api. Raises Unusable, or one of `faults.TELEGRAM` where it may come later."""
        if kept := self._kept.get(file_id):
            self._kept.move_to_end(file_id)
            return kept
        try:
            file = await self._bot.get_file(file_id)
            async with self._arriving.taken(file.file_size or MAX_BYTES):
                picture = await self._pictures.inspect(await self._download(file))
        except NotAPicture as error:
            raise Unusable(Failure.NOT_A_PICTURE) from error
        except TooLarge as error:
            raise Unusable(Failure.TOO_LARGE) from error
        except TelegramBadRequest as error:
            raise Unusable(Failure.TOO_LARGE if "too big" in error.message else Failure.FILE_GONE) from error
        self._keep(file_id, picture)
        return picture

    async def _download(self, file: File) -> bytes:
        buffer = BytesIO()
        if file.file_path is None:
            raise Unusable(Failure.FILE_GONE)
        with self._metrics.outside_call("telegram", "download"):
            await self._bot.download_file(file.file_path, buffer)
        return buffer.getvalue()

    def _keep(self, file_id: str, picture: Picture) -> None:
        if file_id in self._kept:
            return
        self._kept[file_id] = picture
        self._bytes += len(picture.data)
        while self._bytes > KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.data)
