"""What is done now and then, whoever does or does not write to the bot."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from app.db import connection
from app.faults import POSTGRES
from app.flows import receipts
from app.flows.audit import PARTS, prove
from app.repo import generations, outbox, users
from app.repo.records import Connection, Pool

log = structlog.get_logger()

_RETENTION_EVERY_S = 3600
_AUDIT_LOOK_EVERY_S = 15

_AT_ONCE = 1000
"""Rows that one statement removes: it and its locks are over long before a person's request gives up."""


async def audit_ledger(pool: Pool) -> None:
    """Goes on with each part of the audit whose turn it is; what it has found is in the database, for every replica."""
    while True:
        try:
            for part in PARTS:
                while await prove(pool, part):
                    pass
        except POSTGRES as error:
            log.warning("audit.failed", error=repr(error))
        await asyncio.sleep(_AUDIT_LOOK_EVERY_S)


async def wipe_old(pool: Pool, retention_days: int) -> None:
    """Wipes what is no longer to be kept, every hour, and until nothing of it is left."""
    while True:
        try:
            for remove in (generations.wipe, outbox.purge, outbox.purge_pauses):
                await _remove_all(pool, remove, retention_days)
            await receipts.wipe(pool)
            async with connection(pool) as conn:
                await users.settle_forgotten(conn)
        except POSTGRES as error:
            log.warning("retention.failed", error=repr(error))
        await asyncio.sleep(_RETENTION_EVERY_S)


async def _remove_all(pool: Pool, remove: Callable[[Connection, int, int], Awaitable[int]], days: int) -> None:
    while True:
        async with connection(pool) as conn:
            if not await remove(conn, days, _AT_ONCE):
                return
