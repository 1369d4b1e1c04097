"""What stands in place of Telegram's files and of the child that reads them."""

from dataclasses import dataclass, field
from io import BytesIO

from aiogram.exceptions import TelegramAPIError
from aiogram.methods import GetFile
from aiogram.types import File

from app.pictures import Picture

METHOD = GetFile(file_id="x")


@dataclass
class Post:
    """In place of both.

    `sizes` are what Telegram says of a file, a byte unless named; `data` are the bytes that come, five unless named.
    `errors` are what comes of asking for a file, `unread` of reading it. `asked` and `fetched` are what was, in order;
    `formats` whether it might be WEBP.
    """

    sizes: dict[str, int | None] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)
    errors: dict[str, TelegramAPIError] = field(default_factory=dict)
    unread: Exception | None = None
    lost: bool = False
    asked: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    formats: list[bool] = field(default_factory=list)

    async def get_file(self, file_id: str) -> File:
        """As aiogram's."""
        self.asked.append(file_id)
        if file_id in self.errors:
            raise self.errors[file_id]
        path = None if self.lost else file_id
        return File(file_id=file_id, file_unique_id=file_id, file_size=self.sizes.get(file_id, 1), file_path=path)

    async def download_file(self, file_path: str, destination: BytesIO) -> None:
        """As aiogram's."""
        self.fetched.append(file_path)
        destination.write(self.data.get(file_path, b"bytes"))

    async def inspect(self, data: bytes, webp: bool) -> Picture:
        """As the child's."""
        self.formats.append(webp)
        if self.unread is not None:
            raise self.unread
        return Picture(data, "image/png", "picture.png")
