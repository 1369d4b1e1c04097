"""What is done every hour, whoever does or does not write to the bot."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from app.db import connection, slow_transaction
from app.faults import POSTGRES
from app.metrics import Metrics
from app.repo import audit, generations, outbox
from app.repo.records import Connection, Pool

log = structlog.get_logger()

_RETENTION_EVERY_S = 3600
_AUDIT_EVERY_S = 3600

_AT_ONCE = 1000
"""Rows that one statement removes: it and its locks are over long before a person's request gives up."""


async def audit_ledger(pool: Pool, metrics: Metrics) -> None:
    """Compares every balance with its ledger, every hour: it reads the whole ledger, too much for each scrape."""
    while True:
        try:
            async with slow_transaction(pool, audit.PATIENCE_S) as conn:
                wrong = await audit.differences(conn)
        except POSTGRES as error:
            log.warning("audit.failed", error=repr(error))
        else:
            metrics.ledger_differences.set(len(wrong))
            if wrong:
                log.error("audit.differs", differences=len(wrong), user_id=wrong[0].user_id)
        await asyncio.sleep(_AUDIT_EVERY_S)


async def wipe_old(pool: Pool, retention_days: int) -> None:
    """Wipes what is no longer to be kept, every hour, and until nothing of it is left."""
    while True:
        try:
            for remove in (generations.wipe, outbox.purge):
                await _remove_all(pool, remove, retention_days)
        except POSTGRES as error:
            log.warning("retention.failed", error=repr(error))
        await asyncio.sleep(_RETENTION_EVERY_S)


async def _remove_all(pool: Pool, remove: Callable[[Connection, int, int], Awaitable[int]], days: int) -> None:
    while True:
        async with connection(pool) as conn:
            if not await remove(conn, days, _AT_ONCE):
                return
