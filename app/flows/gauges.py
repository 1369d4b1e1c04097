"""The gauges of `/metrics` that are read when somebody asks: what waits in PostgreSQL, and the pool."""

import asyncio
import math
import time

import structlog

from app.db import connection
from app.faults import POSTGRES
from app.metrics import Metrics
from app.repo import gauges
from app.repo.records import Pool

log = structlog.get_logger()

PATIENCE_S = 2.0
"""A scrape waits no longer for PostgreSQL, and then shows the rest."""

FRESH_S = 5.0
"""However many ask, PostgreSQL is asked once in this time."""


class Gauges:
    """Brings the gauges of `metrics` up to date."""

    def __init__(self, pool: Pool, metrics: Metrics) -> None:
        self._pool = pool
        self._metrics = metrics
        self._read_at = -FRESH_S
        self._reading = asyncio.Lock()
        for state, count in (("used", self._used), ("idle", pool.get_idle_size), ("max", pool.get_max_size)):
            metrics.pool_connections.labels(state).set_function(count)

    def _used(self) -> int:
        return self._pool.get_size() - self._pool.get_idle_size()

    async def refresh(self) -> None:
        """Reads the database's gauges unless they are fresh; takes them away where it does not answer."""
        async with self._reading:
            if time.monotonic() - self._read_at < FRESH_S:
                return
            try:
                async with asyncio.timeout(PATIENCE_S), connection(self._pool) as conn:
                    found = await gauges.read(conn)
            except POSTGRES as error:
                log.warning("metrics.database_away", error=repr(error))
                found = []
            self._read_at = time.monotonic()
            self._show(found)

    def _show(self, found: list[gauges.Gauge]) -> None:
        metrics = self._metrics
        metrics.database_up.set(bool(found))
        for gauge in (
            metrics.queue_items,
            metrics.queue_oldest_seconds,
            metrics.breaker_open,
            metrics.audit_age_seconds,
        ):
            gauge.clear()
        metrics.ledger_differences.set(math.nan)
        for one in found:
            match one.kind:
                case "breaker":
                    metrics.breaker_open.labels(one.name).set(one.items)
                case "audit":
                    metrics.audit_age_seconds.labels(one.name).set(one.oldest_s)
                case "differences":
                    metrics.ledger_differences.set(one.items)
                case _:
                    metrics.queue_items.labels(one.name).set(one.items)
                    metrics.queue_oldest_seconds.labels(one.name).set(one.oldest_s)
