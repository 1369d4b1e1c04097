"""What can be told to a person who waits for a picture."""

from dataclasses import dataclass
from uuid import UUID

from app.repo.queries import query
from app.repo.records import Connection

_DRAWN_IN = query("waits.drawn_in")
_STANDS = query("waits.stands")


@dataclass(frozen=True, slots=True)
class Wait:
    """How an order stands: `ahead` orders were queued before it.

    `since_s`: seconds since its create call, or its order; `left_s`: until its deadline.
    """

    status: str
    model: str
    quality: str | None
    ahead: int
    since_s: float
    left_s: float


async def drawn_in(conn: Connection, model: str, quality: str, last: int) -> float | None:
    """The median seconds from create call to picture, of the `last` pictures; None where there is none."""
    seconds: float | None = await conn.fetchval(_DRAWN_IN, model, quality, last)
    return seconds


async def stands(conn: Connection, generation_id: UUID) -> Wait | None:
    """How the order stands."""
    row = await conn.fetchrow(_STANDS, generation_id)
    return Wait(**row) if row else None
