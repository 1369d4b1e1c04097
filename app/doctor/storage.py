"""Checks of PostgreSQL and Redis, and of what lies in them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from redis.asyncio import Redis

from app.doctor.ill import Ill
from app.repo import audit, schema, stuck
from app.repo.records import Connection
from app.settings import Settings

_BEHIND = "the schema is behind: run python -m app.migrate"
_WAIT_S = 5


async def schema_is_current(settings: Settings) -> str:
    """PostgreSQL answers, and has every migration of this code."""
    async with _connection(settings) as connection:
        try:
            current = await schema.is_current(connection)
        except asyncpg.UndefinedTableError:
            current = False
        if not current:
            raise Ill(_BEHIND)
    return "schema current"


async def balances_are_sums(settings: Settings) -> str:
    """Every balance is the sum of its ledger, and orders, payments and entries go together."""
    async with _connection(settings) as connection:
        try:
            wrong = await audit.differences(connection)
        except asyncpg.UndefinedTableError as error:
            raise Ill(_BEHIND) from error
    if wrong:
        first = wrong[0]
        raise Ill(
            f"{len(wrong)} contradictions in the books; first user {first.user_id}: {first.what} ({first.ref}): "
            "stop the bot and find who wrote them by hand"
        )
    return "every balance is the sum of its ledger, nothing contradicts itself"


async def nothing_is_stuck(settings: Settings) -> str:
    """No message, order or payment waits past the time by which a worker had to deal with it."""
    async with _connection(settings) as connection:
        try:
            overdue = await stuck.overdue(connection, settings.yookassa_shop_id, settings.yookassa_test)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise Ill(_BEHIND) from error
    if overdue:
        found = ", ".join(
            f"{queue.rows} {queue.name}, the oldest for {queue.oldest_s / 60:.0f} min" for queue in overdue
        )
        raise Ill(f"stuck: {found}: is the bot running? its log says why")
    return "no message, order or payment is stuck"


async def redis_answers(settings: Settings) -> str:
    """Redis answers and will not throw conversations away to make room."""
    if not settings.redis_url:
        return "not set: conversations live in memory"
    redis = Redis.from_url(settings.redis_url, socket_timeout=_WAIT_S, socket_connect_timeout=_WAIT_S)
    try:
        memory = await redis.info("memory")
    finally:
        await redis.aclose()
    policy = memory.get("maxmemory_policy", "noeviction")
    if memory.get("maxmemory") and policy != "noeviction":
        raise Ill(f"throws keys away when full ({policy}): set maxmemory-policy noeviction")
    return "answers"


@asynccontextmanager
async def _connection(settings: Settings) -> AsyncIterator[Connection]:
    # No statement cache: the check must work through pgbouncer too.
    connection = await asyncpg.connect(
        settings.database_url, timeout=_WAIT_S, command_timeout=_WAIT_S, statement_cache_size=0
    )
    try:
        yield connection
    finally:
        await connection.close()
