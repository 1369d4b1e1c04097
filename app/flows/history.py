"""What a person has: the pictures that they got, by pages and one by one, and the movements of their credits."""

from collections.abc import Callable
from enum import Enum
from functools import partial
from uuid import UUID

import structlog

from app.db import connection, transaction
from app.notices import Original
from app.pages import Page, Turn, look
from app.repo import credits, history, outbox, users
from app.repo.credits import Movement
from app.repo.history import Kept
from app.repo.records import Pool

log = structlog.get_logger()

PICTURES = 5
MOVEMENTS = 10
"""Entries of a page."""


class Owed(Enum):
    """What became of a wish for an untouched file."""

    COMES = "comes"
    GONE = "gone"
    UNKNOWN = "unknown"
    """No picture of this person, or one that was forgotten."""


class History:
    """Reads it, and owes the untouched files."""

    def __init__(self, pool: Pool, wake_delivery: Callable[[], None]) -> None:
        self._pool = pool
        self._wake_delivery = wake_delivery

    async def pictures(self, user_id: int, turn: Turn = Turn.NEWEST, than: UUID | None = None) -> Page[Kept]:
        """A page of what was delivered to them."""
        async with connection(self._pool) as conn:
            return await look(
                partial(history.newest, conn, user_id),
                partial(history.older, conn, user_id),
                partial(history.newer, conn, user_id),
                PICTURES,
                turn,
                than,
            )

    async def movements(self, user_id: int, turn: Turn = Turn.NEWEST, than: int | None = None) -> Page[Movement]:
        """A page of their ledger."""
        async with connection(self._pool) as conn:
            return await look(
                partial(credits.newest, conn, user_id),
                partial(credits.older, conn, user_id),
                partial(credits.newer, conn, user_id),
                MOVEMENTS,
                turn,
                than,
            )

    async def picture(self, user_id: int, generation_id: UUID) -> Kept | None:
        """One picture of theirs; None where it is somebody else's, or was forgotten."""
        async with connection(self._pool) as conn:
            return await history.find(conn, generation_id, user_id)

    async def owe_original(self, user_id: int, generation_id: UUID, press: str) -> Owed:
        """Owes the untouched file to whoever pressed for it, once a press, and not while it is owed already."""
        order = str(generation_id)
        async with transaction(self._pool) as conn:
            await users.lock(conn, user_id)
            kept = await history.find(conn, generation_id, user_id)
            if kept is None:
                return Owed.UNKNOWN
            if kept.url is None:
                return Owed.GONE
            owed = not await outbox.owes(conn, user_id, Original.kind, order)
            if owed:
                owed = await outbox.put(conn, user_id, Original(press, order))
        if owed:
            log.info("original.asked_for", user_id=user_id, generation_id=order)
            self._wake_delivery()
        return Owed.COMES
