"""The proof that no credit was made or lost."""

from dataclasses import dataclass

from app.repo.queries import query
from app.repo.records import Connection

_DIFFERENCES = query("audit.differences")


@dataclass(frozen=True, slots=True)
class Difference:
    """A person whose balance is not the sum of their ledger."""

    user_id: int
    credits: int
    booked: int


async def differences(conn: Connection) -> list[Difference]:
    """Everybody whose balance is not the sum of their ledger: must be nobody."""
    return [Difference(**row) for row in await conn.fetch(_DIFFERENCES)]
