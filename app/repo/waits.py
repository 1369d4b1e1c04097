"""What a person who waits for a picture is told, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.repo.queries import query
from app.repo.records import Connection

_DRAWN_IN = query("waits.drawn_in")
_CLAIM = query("waits.claim")
_BEGIN = query("waits.begin")
_POSTPONE = query("waits.postpone")
_FINISH = query("waits.finish")
_REST = query("waits.rest")
_FAILED = query("waits.failed")


@dataclass(frozen=True, slots=True)
class Wait:
    """An order whose person may have something new to be told, leased by `told`: the edits of its message so far.

    `told_place`: the place in the queue that the message says. `ahead` queued orders came before it. `since_s`: seconds
    since its create call, or its order; `left_s`: until its deadline. `balance` is that after the order; None, as
    `prompt`, where it is no longer known.
    """

    id: UUID
    user_id: int
    card_message_id: int
    status: str
    model: str
    quality: str | None
    size: str
    price: int
    prompt: str | None
    told: int
    told_place: int | None
    language: str | None
    balance: int | None
    ahead: int
    since_s: float
    left_s: float


async def drawn_in(conn: Connection, model: str, quality: str, last: int) -> float | None:
    """The median seconds from create call to picture, of the `last` pictures; None where there is none."""
    seconds: float | None = await conn.fetchval(_DRAWN_IN, model, quality, last)
    return seconds


async def claim(conn: Connection, limit: int, lease_s: float) -> Sequence[Wait]:
    """Leases up to `limit` orders that are due to be looked at, for `lease_s` seconds."""
    return [Wait(**row) for row in await conn.fetch(_CLAIM, limit, lease_s)]


async def begin(conn: Connection, wait: Wait, place: int | None, look_again_s: float | None) -> int | None:
    """Counts an edit that is about to be made; its number, or None where the order has moved on or the lease is lost.

    `place`: the place in the queue that it says. `look_again_s`: None where something has to happen first.
    """
    told: int | None = await conn.fetchval(_BEGIN, wait.id, wait.told, wait.status, place, look_again_s)
    return told


async def postpone(conn: Connection, wait: Wait, look_again_s: float | None) -> bool:
    """Tells nothing now; False where the order has moved on or the lease is lost."""
    return await conn.fetchval(_POSTPONE, wait.id, wait.told, look_again_s, wait.status) is not None


async def finish(conn: Connection, generation_id: UUID, told: int) -> str | None:
    """Gives the lease of the edit with that number back; how the order stands now, or None where it was lost."""
    status: str | None = await conn.fetchval(_FINISH, generation_id, told)
    return status


async def rest(conn: Connection, generation_id: UUID, pause_s: float | None) -> None:
    """Tells nothing more of an order for so many seconds; None: while it is drawn."""
    await conn.execute(_REST, generation_id, pause_s)


async def failed(conn: Connection, generation_id: UUID) -> None:
    """Lets the message of an order that has just failed say so."""
    await conn.execute(_FAILED, generation_id)
