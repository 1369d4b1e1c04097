"""The pool of PostgreSQL connections and the one way to open a transaction."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg

from app.repo.records import Connection, Pool
from app.settings import Settings

WAIT_S = 5
"""No statement, lock or free connection is waited for longer: a request ends in 503 and is sent again."""


async def open_pool(settings: Settings, at_most: int | None = None) -> Pool:
    """Connects to PostgreSQL, with `at_most` connections or as many as are set; raises what asyncpg raises when it does
    not answer."""
    return await asyncpg.create_pool(
        min_size=1 if at_most else 2,
        max_size=at_most or settings.db_pool_size,
        reset=_keep,
        **_connecting(settings),
    )


async def connect(settings: Settings) -> Connection:
    """A connection outside the pools, for what keeps one; raises what asyncpg raises when there is no answer."""
    conn: Connection = await asyncpg.connect(**_connecting(settings))
    return conn


def _connecting(settings: Settings) -> dict[str, Any]:
    return {
        "dsn": settings.database_url,
        "statement_cache_size": settings.db_statement_cache,
        "timeout": WAIT_S,
        # The server ends a slow statement first; this is for a server that is gone
        "command_timeout": WAIT_S + 1,
        "server_settings": {
            "application_name": "picture-bot",
            "timezone": "UTC",
            "statement_timeout": f"{WAIT_S}s",
            "lock_timeout": f"{WAIT_S}s",
            "idle_in_transaction_session_timeout": f"{2 * WAIT_S}s",
        },
    }


async def _keep(connection: Connection) -> None:
    """In place of asyncpg's RESET ALL and the like at every release: nothing of ours changes a session.

    It costs a round trip, and behind pgbouncer it wipes what the connection's other users asked for.
    """


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection inside a transaction: committed at the end, rolled back by an exception.

    No HTTP call belongs inside: a lock must not wait for somebody else's server.
    """
    async with pool.acquire(timeout=WAIT_S) as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def slow_transaction(pool: Pool, patience_s: float) -> AsyncIterator[Connection]:
    """A transaction whose statements PostgreSQL lets take `patience_s` seconds each, for what nobody waits for.

    The driver has a limit of its own: such a statement is given its `timeout` as well.
    """
    async with transaction(pool) as conn:
        await conn.execute(f"SET LOCAL statement_timeout = '{patience_s:.0f}s'")
        yield conn


def connection(pool: Pool) -> AbstractAsyncContextManager[Connection]:
    """A connection for a single statement, which is its own transaction."""
    return pool.acquire(timeout=WAIT_S)
