"""Charges that a gateway tells of by itself: how far its list was read, which are known, and which are nobody's."""

from collections.abc import Sequence

from app.repo.queries import query
from app.repo.records import Connection

_CLAIM = query("charges.claim")
_ADVANCE = query("charges.advance")
_KNOWN = query("charges.known")
_STRAY = query("charges.stray")
_ABANDON = query("charges.abandon")


async def claim(conn: Connection, shop_id: str, sold: bool, every_s: float) -> int | None:
    """How many entries of the list were read, where it is this replica's turn to read on; the next is in `every_s`.

    Not `sold`: only where something was.
    """
    position: int | None = await conn.fetchval(_CLAIM, shop_id, sold, every_s)
    return position


async def advance(conn: Connection, shop_id: str, position: int) -> None:
    """Notes how many entries were read."""
    await conn.execute(_ADVANCE, shop_id, position)


async def known(conn: Connection, gateway: str, ids: Sequence[str]) -> dict[str, bool]:
    """Which of these charges are in the books or noted as nobody's, and whether their refund is as well."""
    return {row["id"]: row["refunded"] for row in await conn.fetch(_KNOWN, gateway, ids)}


async def stray(
    conn: Connection, charge_id: str, user_id: int, payload: str, amount: int, currency: str, refunded: bool
) -> bool:
    """Notes a charge that there is no purchase for, or its refund; False for one that is noted already."""
    new: bool = await conn.fetchval(_STRAY, charge_id, user_id, payload, amount, currency, refunded)
    return new


async def abandon(conn: Connection, gateway: str) -> int:
    """new → abandoned, for invoices that nobody has paid in their time; how many."""
    return len(await conn.fetch(_ABANDON, gateway))
