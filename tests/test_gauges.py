"""What `/metrics` reads only when somebody asks: how old it may be, and what the pool has in use."""

from types import SimpleNamespace

import asyncpg
import pytest
from prometheus_client import Gauge

from app.flows.gauges import FRESH_S, Gauges
from app.metrics import Metrics


async def test_connections_in_use_are_those_that_somebody_has(database_url: str) -> None:
    """Of two that are open one is held."""
    metrics = Metrics()
    async with asyncpg.create_pool(database_url, min_size=2, max_size=3) as pool:
        Gauges(pool, metrics)
        async with pool.acquire():
            states = {state: _value(metrics.pool_connections, state=state) for state in ("used", "idle", "max")}
    assert states == {"used": 1, "idle": 1, "max": 3}


async def test_what_was_read_five_seconds_ago_is_read_again(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then it stays as it is, however many ask."""
    now, metrics = 100.0, Metrics()
    monkeypatch.setattr("app.flows.gauges.time", SimpleNamespace(monotonic=lambda: now))
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        gauges = Gauges(pool, metrics)
        await gauges.refresh()
        await pool.execute("INSERT INTO outbox (chat_id, kind, ref, due_at) VALUES (1, 'alert', 'b', 'infinity')")
        now += FRESH_S - 0.5
        await gauges.refresh()
        assert _value(metrics.queue_items, queue="parked") == 0
        now += 0.5
        await gauges.refresh()
        assert _value(metrics.queue_items, queue="parked") == 1


def _value(gauge: Gauge, **labels: str) -> float:
    return next(each.value for family in gauge.collect() for each in family.samples if each.labels == labels)
