"""The proof that no credit was made or lost, and nobody forgotten."""

from dataclasses import dataclass

from app.repo.queries import query
from app.repo.records import Connection

_DIFFERENCES = query("audit.differences")


PATIENCE_S = 120.0
"""The whole ledger is read: 7 s for a million orders on a small machine, more than any other statement may take."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A contradiction in one person's books: what is wrong, and with which order, payment or entry."""

    user_id: int
    what: str
    ref: str


async def differences(conn: Connection) -> list[Difference]:
    """Everything that contradicts itself (sql/audit.sql lists what is looked at): must be nothing."""
    return [Difference(**row) for row in await conn.fetch(_DIFFERENCES, timeout=PATIENCE_S)]
