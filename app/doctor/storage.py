"""Checks of PostgreSQL and Redis, and of what lies in them."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from redis.asyncio import Redis

from app.doctor.ill import Ill
from app.repo import audit, schema, stuck
from app.repo.audit import Difference
from app.repo.records import Connection
from app.settings import Settings

_BEHIND = "the schema is behind: run python -m app.migrate"
_OLD_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
_WAIT_S = 5

_SLICE = 5000
_READING_S = 6
"""For reading everybody's books: fifty thousand people's with ten entries each, half a million's with one or two."""

_ROUND_S = 2 * 24 * 3600
"""The bot's audit goes through everybody's books in a day, and through ten million people's in two."""


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
    """Every balance is the sum of its ledger, and orders, payments and entries go together.

    Everybody's books are read here, a slice at a time, for some seconds; where that is too short, the bot's own audit
    has the word, which goes through them in a day.
    """
    async with _connection(settings) as connection:
        try:
            wrong, looked_at, everybody = await _read_books(connection)
            people = (await audit.standing(connection))["people"]
        except _OLD_SCHEMA as error:
            raise Ill(_BEHIND) from error
    if wrong:
        first = wrong[0]
        raise Ill(
            f"{len(wrong)} contradictions in the books; first user {first.user_id}: {first.what} ({first.ref}): "
            "stop the bot and find who wrote them by hand"
        )
    if everybody:
        return f"every balance is the sum of its ledger, nothing contradicts itself; {looked_at} people looked at"
    last = f"ended {people.age_s / 3600:.0f} h ago" if people.proven else "has not come to an end yet"
    if people.age_s > _ROUND_S:
        raise Ill(
            f"nothing contradicts itself in the books of the first {looked_at} people, but there are more than can be "
            f"read here, and the bot's own round through all {last}: is it running? audit.failed in its log says why"
        )
    return f"nothing contradicts itself in the first {looked_at} people's books; the bot's own round through all {last}"


async def _read_books(connection: Connection) -> tuple[list[Difference], int, bool]:
    """What is wrong, in how many people's books was looked, and whether that was everybody."""
    wrong, looked_at, position = [], 0, audit.FIRST
    give_up_at = time.monotonic() + _READING_S
    while time.monotonic() < give_up_at:
        people = await audit.next_people(connection, position, _SLICE)
        wrong += await audit.differences_of(connection, people, _WAIT_S)
        looked_at += len(people)
        if len(people) < _SLICE:
            return wrong, looked_at, True
        position = people[-1]
    known = await audit.suspects(connection, _SLICE)
    return wrong or await audit.differences_of(connection, known, _WAIT_S), looked_at, False


async def nothing_is_stuck(settings: Settings) -> str:
    """No message, order or payment waits past the time by which a worker had to deal with it."""
    async with _connection(settings) as connection:
        try:
            overdue = await stuck.overdue(connection, settings.yookassa_shop_id, settings.yookassa_test)
        except _OLD_SCHEMA as error:
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
    except (TimeoutError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError) as error:
        raise Ill(
            f"is there, but a question took longer than {_WAIT_S} s: it is overloaded, or somebody holds a lock; "
            "look at pg_stat_activity and try again"
        ) from error
    finally:
        await connection.close()
