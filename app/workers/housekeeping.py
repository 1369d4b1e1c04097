"""What is done every hour, whoever does or does not write to the bot."""

import asyncio

import asyncpg
import structlog

from app.db import connection
from app.metrics import Metrics
from app.repo import audit, generations, outbox
from app.repo.records import Pool

log = structlog.get_logger()

_RETENTION_EVERY_S = 3600
_AUDIT_EVERY_S = 3600


async def audit_ledger(pool: Pool, metrics: Metrics) -> None:
    """Compares every balance with its ledger, every hour: it reads the whole ledger, too much for each scrape."""
    while True:
        try:
            async with connection(pool) as conn:
                wrong = await audit.differences(conn)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("audit.failed", error=repr(error))
        else:
            metrics.ledger_differences.set(len(wrong))
            if wrong:
                log.error("audit.differs", differences=len(wrong), user_id=wrong[0].user_id)
        await asyncio.sleep(_AUDIT_EVERY_S)


async def wipe_old(pool: Pool, retention_days: int) -> None:
    """Wipes what is no longer to be kept, every hour."""
    while True:
        try:
            async with connection(pool) as conn:
                await generations.wipe(conn, retention_days)
                await outbox.purge(conn, retention_days)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("retention.failed", error=repr(error))
        await asyncio.sleep(_RETENTION_EVERY_S)
