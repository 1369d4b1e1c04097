"""Work that nobody does."""

from dataclasses import dataclass

from app.repo.queries import query
from app.repo.records import Connection

_OVERDUE = query("stuck.overdue")


@dataclass(frozen=True, slots=True)
class Overdue:
    """Rows of a kind that are past their time, and by how many seconds the oldest is."""

    name: str
    rows: int
    oldest_s: float


async def overdue(conn: Connection, shop_id: str, test: bool) -> list[Overdue]:
    """What is stuck, a kind a row: nothing while a worker lives. Payments are looked at for this shop only."""
    return [Overdue(row["queue"], row["rows"], row["oldest_s"]) for row in await conn.fetch(_OVERDUE, shop_id, test)]
