"""Pictures that people got, for as long as they are kept."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.repo.queries import query
from app.repo.records import Connection

_FIND = query("history.find")
_NEWEST = query("history.newest")
_OLDER = query("history.older")
_NEWER = query("history.newer")
_RENEW_LINK = query("history.renew_link")
_KEEP_FILE = query("history.keep_file")


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture that its person got, and what it was ordered with.

    `file_id` is Telegram's name of it, None where nobody learned it; `url` is where gen-api keeps the untouched file;
    `at` is when it came.
    """

    id: UUID
    model: str
    size: str
    quality: str | None
    style: str | None
    prompt: str
    sources: list[str]
    file_id: str | None
    url: str | None
    request_id: int | None
    at: datetime


async def find(conn: Connection, generation_id: UUID, user_id: int) -> Kept | None:
    """The person's picture; None where it is somebody else's, is not there yet, or was forgotten."""
    row = await conn.fetchrow(_FIND, generation_id, user_id)
    return Kept(**row) if row else None


async def newest(conn: Connection, user_id: int, limit: int) -> list[Kept]:
    """The person's last pictures, newest first."""
    return [Kept(**row) for row in await conn.fetch(_NEWEST, user_id, limit)]


async def older(conn: Connection, user_id: int, limit: int, than: UUID) -> list[Kept]:
    """Those before one of theirs, newest first."""
    return [Kept(**row) for row in await conn.fetch(_OLDER, user_id, limit, than)]


async def newer(conn: Connection, user_id: int, limit: int, than: UUID) -> list[Kept]:
    """Those after one of theirs, the next one first."""
    return [Kept(**row) for row in await conn.fetch(_NEWER, user_id, limit, than)]


async def renew_link(conn: Connection, generation_id: UUID, url: str) -> bool:
    """Notes a fresh link to the untouched file; False for what was forgotten meanwhile."""
    return await conn.fetchval(_RENEW_LINK, generation_id, url) is not None


async def keep_file(conn: Connection, generation_id: UUID, file_id: str) -> bool:
    """Notes Telegram's name of a picture that had none; False where it has one, or was forgotten meanwhile."""
    return await conn.fetchval(_KEEP_FILE, generation_id, file_id) is not None
