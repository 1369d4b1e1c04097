"""What the bot's database says, for people to look at: orders, payments, ledgers and the audit's verdict."""

from pathlib import Path
from typing import Any

import asyncpg

_AUDIT = (Path(__file__).parent.parent / "sql" / "audit.sql").read_text()
_GENERATIONS = """
SELECT id::text, user_id, status, size, price, prompt, attempt, request_id, failure,
       extract(epoch FROM created_at)::float8 AS created_at, extract(epoch FROM submitted_at)::float8 AS submitted_at,
       extract(epoch FROM ready_at)::float8 AS ready_at, extract(epoch FROM finished_at)::float8 AS finished_at
FROM generations ORDER BY generations.created_at DESC LIMIT 30
"""
_PAYMENTS = """
SELECT id::text, user_id, status, credits, amount, provider_id, confirmation_url, refunded, credits_taken,
       credits_short, reason, attempts, extract(epoch FROM created_at)::float8 AS created_at,
       extract(epoch FROM paid_at)::float8 AS paid_at
FROM payments ORDER BY payments.created_at DESC LIMIT 30
"""
_USERS = "SELECT id, credits FROM users ORDER BY created_at DESC LIMIT 30"
_LEDGER = """
SELECT id, user_id, delta, balance, reason, extract(epoch FROM created_at)::float8 AS created_at
FROM ledger ORDER BY id DESC LIMIT 300
"""
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
                return {
                    "generations": await self._rows(_GENERATIONS),
                    "payments": await self._rows(_PAYMENTS),
                    "users": await self._rows(_USERS),
                    "ledger": await self._rows(_LEDGER),
                    "audit": await self._rows(_AUDIT),
                }
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
