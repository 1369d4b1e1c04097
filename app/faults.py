"""Faults of the surroundings, not of the bot: what failed on one of these is to be sent again."""

import asyncpg
from aiogram.exceptions import ClientDecodeError, TelegramNetworkError, TelegramRetryAfter, TelegramServerError
from redis.exceptions import RedisError

INFRASTRUCTURE: tuple[type[Exception], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.exceptions.OperatorInterventionError,  # shut down, starting up, a statement cancelled
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,  # a deadlock's victim
    asyncpg.exceptions.LockNotAvailableError,
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
