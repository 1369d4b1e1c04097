"""What the bot's database says, for people to look at: orders, payments, ledgers and the audit's verdict."""

from pathlib import Path
from typing import Any

import asyncpg

_HERE = Path(__file__).parent
STATEMENTS = {
    **{path.stem: path.read_text(encoding="utf-8") for path in sorted((_HERE / "sql").glob("*.sql"))},
    "audit": (_HERE.parent / "sql" / "audit.sql").read_text(encoding="utf-8"),
}
"""Everything that is read, by the name that it has on the page; a test prepares each against the schema."""

_WAIT_S = 3


class Books:
    """Reads through one connection, opened when it is first needed and again after it was lost."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def read(self) -> dict[str, Any]:
        """Rows as dictionaries, times in Unix seconds, `audit` what it finds wrong; {"error": …} if unreadable now."""
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self._url, timeout=_WAIT_S, command_timeout=_WAIT_S)
            async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                return {name: await self._rows(statement) for name, statement in STATEMENTS.items()}
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            return {"error": f"{type(error).__name__}: {error}"}

    async def _rows(self, query: str) -> list[dict[str, Any]]:
        if self._connection is None:
            raise RuntimeError("not connected")
        return [dict(row) for row in await self._connection.fetch(query)]

    async def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            await self._connection.close(timeout=_WAIT_S)
