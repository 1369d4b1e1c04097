"""How much waits, and for how long."""

from dataclasses import dataclass

from app.repo.queries import query
from app.repo.records import Connection

_READ = query("gauges.read")


@dataclass(frozen=True, slots=True)
class Gauge:
    """A queue (`kind` "queue": `items` waiting, the oldest `oldest_s` seconds old), a breaker ("breaker": 1 open),

    a part of the audit ("audit": its last end was `oldest_s` seconds ago), or what it found ("differences").
    """

    kind: str
    name: str
    items: int
    oldest_s: float


async def read(conn: Connection) -> list[Gauge]:
    """Every queue and every breaker, and how the audit stands, in one round trip."""
    return [Gauge(**row) for row in await conn.fetch(_READ)]
