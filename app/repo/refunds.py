"""Refunds that were told of."""

from uuid import UUID

from app.repo.queries import query
from app.repo.records import Connection

_ANNOUNCE = query("refunds.announce")
_NOTED = query("refunds.noted")
_UNTRUE = query("refunds.untrue")
_AMOUNT = query("refunds.amount")
_UNREAD = query("refunds.unread")
_MISSING = query("refunds.missing")
_SHOWN = query("refunds.shown")
_LOSE = query("refunds.lose")
_CLAIM = query("refunds.claim")


async def announce(conn: Connection, refund_id: str, payment_id: UUID, poll_after_s: float) -> None:
    """Notes a refund that was told of; a payment has no more than five that nobody could read."""
    await conn.execute(_ANNOUNCE, refund_id, payment_id, poll_after_s)


async def noted(conn: Connection, refund_id: str, amount: int) -> None:
    """Notes what an announced refund comes to, in minor units."""
    await conn.execute(_NOTED, refund_id, amount)


async def untrue(conn: Connection, refund_id: str) -> None:
    """Forgets an announced refund that is none."""
    await conn.execute(_UNTRUE, refund_id)


async def amount(conn: Connection, refund_id: str) -> int | None:
    """What a refund comes to, in minor units; None for one that was not read yet."""
    found: int | None = await conn.fetchval(_AMOUNT, refund_id)
    return found


async def unread(conn: Connection, payment_id: UUID) -> list[str]:
    """The payment's announced refunds that nobody could read yet."""
    return [row["id"] for row in await conn.fetch(_UNREAD, payment_id)]


async def missing(conn: Connection, payment_id: UUID, refunded: int) -> frozenset[str]:
    """The announced refunds that a payment does not show of which `refunded` minor units are."""
    return frozenset(row["id"] for row in await conn.fetch(_MISSING, payment_id, refunded))


async def shown(conn: Connection, payment_id: UUID, refunded: int) -> None:
    """announced → shown, for all that a payment shows of which `refunded` minor units are."""
    await conn.execute(_SHOWN, payment_id, refunded)


async def lose(conn: Connection, payment_id: UUID) -> list[str]:
    """announced → lost, for those of this payment that it has not shown for days; which."""
    return [row["id"] for row in await conn.fetch(_LOSE, payment_id)]


async def claim(
    conn: Connection, limit: int, poll_after_s: float, gateway: str, shop_id: str, test: bool
) -> list[UUID]:
    """Takes payments of this till with up to `limit` announced refunds whose turn it is."""
    return [row["payment_id"] for row in await conn.fetch(_CLAIM, limit, poll_after_s, gateway, shop_id, test)]
