"""Whether the database is as new as this code needs."""

from pathlib import Path

from app.repo.queries import query
from app.repo.records import Connection

_APPLIED = query("schema.applied")
_NEEDED = frozenset(path.stem for path in (Path(__file__).resolve().parents[2] / "migrations").glob("*.sql"))


async def is_current(conn: Connection) -> bool:
    """Whether every migration of this code is applied; newer ones may be there as well."""
    return {row["migration_id"] for row in await conn.fetch(_APPLIED)} >= _NEEDED
