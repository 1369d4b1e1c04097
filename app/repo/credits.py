"""Credits: a balance changes only together with its ledger row."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.repo import users
from app.repo.queries import query
from app.repo.records import Connection
from app.repo.violations import unique

_DEBIT = query("credits.debit")
_CREDIT = query("credits.credit")
_NEWEST = query("credits.newest")
_OLDER = query("credits.older")
_NEWER = query("credits.newer")


class Reason(StrEnum):
    """Why a balance changed; `ref` of the entry then names the person, the order or the payment."""

    WELCOME = "welcome"
    ORDER = "order"
    ORDER_REFUND = "order_refund"
    PURCHASE = "purchase"
    PURCHASE_REFUND = "purchase_refund"


@dataclass(frozen=True, slots=True)
class Movement:
    """An entry of the ledger: `balance` is the one after it, `reason` one of Reason or a later version's."""

    id: int
    delta: int
    balance: int
    reason: str
    at: datetime


class AlreadyBooked(Exception):
    """The ledger holds an entry for this very reason and ref."""


async def debit(conn: Connection, user_id: int, amount: int, reason: Reason, ref: str) -> int | None:
    """Takes `amount` credits; the new balance, or None where there are too few.

    Raises AlreadyBooked, and the transaction with it is lost.
    """
    with unique("ledger_reason_ref_key", AlreadyBooked):
        balance: int | None = await conn.fetchval(_DEBIT, user_id, amount, reason, ref)
    return balance


async def credit(conn: Connection, user_id: int, amount: int, reason: Reason, ref: str) -> int | None:
    """Adds `amount` credits; the new balance, or None when this (reason, ref) was booked before.

    The caller holds the lock on the person's row. `flows.debts.credit` alone calls it.
    """
    balance: int | None = await conn.fetchval(_CREDIT, user_id, amount, reason, ref)
    return balance


async def take(conn: Connection, user_id: int, at_most: int, reason: Reason, ref: str) -> tuple[int, int]:
    """Takes as many of `at_most` credits as there are; (taken, balance after).

    Raises AlreadyBooked, and the transaction with it is lost.
    """
    balance = await users.lock(conn, user_id) or 0
    taken = min(at_most, balance)
    if taken <= 0:
        return 0, balance
    after = await debit(conn, user_id, taken, reason, ref)
    assert after is not None
    return taken, after


async def newest(conn: Connection, user_id: int, limit: int) -> list[Movement]:
    """The person's last movements, newest first."""
    return [Movement(**row) for row in await conn.fetch(_NEWEST, user_id, limit)]


async def older(conn: Connection, user_id: int, limit: int, than: int) -> list[Movement]:
    """Those before one of theirs, newest first."""
    return [Movement(**row) for row in await conn.fetch(_OLDER, user_id, limit, than)]


async def newer(conn: Connection, user_id: int, limit: int, than: int) -> list[Movement]:
    """Those after one of theirs, the next one first."""
    return [Movement(**row) for row in await conn.fetch(_NEWER, user_id, limit, than)]
