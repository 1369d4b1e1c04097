"""Faults of the surroundings, not of the bot: what failed on one of these is to be sent again."""

import aiohttp
import asyncpg
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from redis.exceptions import RedisError

INFRASTRUCTURE: tuple[type[Exception], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver's own confusion over a connection that ends under its hands
    asyncpg.exceptions.OperatorInterventionError,  # shut down, starting up, a statement cancelled
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,  # a deadlock's victim
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.InvalidAuthorizationSpecificationError,  # a password being changed
    asyncpg.exceptions.InvalidCatalogNameError,  # a database being restored
    asyncpg.exceptions.PostgresSystemError,  # its disk
    asyncpg.exceptions.ReadOnlySQLTransactionError,  # a fail-over under way
    OSError,
    TimeoutError,
    RedisError,
    TelegramRetryAfter,
    TelegramNetworkError,
    TelegramServerError,
    ClientDecodeError,  # a proxy's page in place of Telegram's answer
)
"""Answered with 503 wherever it escapes, so that the sender tries again."""

POSTGRES: tuple[type[Exception], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""Whatever a statement may fail with where nothing is lost by asking later.

A server that is away or hangs (TimeoutError is an OSError), and whatever it answers.
"""

REDIS: tuple[type[Exception], ...] = (RedisError, OSError)
"""Whatever a call of Redis may fail with."""

TELEGRAM: tuple[type[Exception], ...] = (AiogramError, aiohttp.ClientError, OSError, TimeoutError)
"""Whatever a call to Telegram may fail with: its own errors, an answer that is none, a file that does not come."""
