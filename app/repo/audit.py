"""The proof that no credit was made or lost, and nobody forgotten."""

from dataclasses import dataclass

from app.repo.queries import query
from app.repo.records import Connection

_DIFFERENCES = query("audit.differences")


@dataclass(frozen=True, slots=True)
class Difference:
    """A contradiction in one person's books: what is wrong, and with which order, payment or entry."""

    user_id: int
    what: str
    ref: str


async def differences(conn: Connection) -> list[Difference]:
    """Everything that contradicts itself (sql/audit.sql lists what is looked at): must be nothing."""
    return [Difference(**row) for row in await conn.fetch(_DIFFERENCES)]
