"""People."""

from dataclasses import dataclass

from app.catalog import WELCOME_CREDITS
from app.repo.queries import query
from app.repo.records import Connection

_TOUCH = query("users.touch")
_LOCK = query("users.lock")
_BALANCE = query("users.balance")
_FORGET = query("users.forget")
_SETTLE_FORGOTTEN = query("users.settle_forgotten")


@dataclass(frozen=True, slots=True)
class Touched:
    """Whether the person is new, and how many parked messages became due."""

    created: bool
    unparked: int


async def touch(conn: Connection, user_id: int) -> Touched:
    """Creates the person at the first contact, and wakes what was parked for them."""
    row = await conn.fetchrow(_TOUCH, user_id, WELCOME_CREDITS)
    assert row is not None
    return Touched(row["created"], row["unparked"])


async def lock(conn: Connection, user_id: int) -> int | None:
    """Locks the person's row until the transaction ends; their credits, or None for nobody."""
    credits: int | None = await conn.fetchval(_LOCK, user_id)
    return credits


async def balance(conn: Connection, user_id: int) -> int:
    """The person's credits; 0 for nobody."""
    return await conn.fetchval(_BALANCE, user_id) or 0


async def forget(conn: Connection, user_id: int) -> None:
    """Notes that what the person ordered so far is to be wiped once it is finished."""
    await conn.execute(_FORGET, user_id)


async def settle_forgotten(conn: Connection) -> int:
    """Ends the wishes to be forgotten that nothing is left of; how many."""
    return len(await conn.fetch(_SETTLE_FORGOTTEN))
