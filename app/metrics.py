"""What is counted and timed; one object an application, so that several in one process do not mix.

Labels are bounded: names of ours, methods of the Bot API, HTTP statuses and names of exceptions.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.methods import Response, TelegramMethod
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_UPDATE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_CALL_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_GENERATION_BUCKETS = (5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800)
_DELIVERY_BUCKETS = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)


class Metrics:
    """Counters and histograms of one application, and the registry that `/metrics` shows."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._update_seconds = Histogram(
            "bot_update_seconds",
            "Updates of Telegram by kind and outcome: ok, or the name of the error; and the time to the answer",
            ("kind", "outcome"),
            buckets=_UPDATE_BUCKETS,
            registry=registry,
        )
        self.update_bugs = Counter(
            "bot_update_bugs", "Updates that a bug ended and an apology answered", registry=registry
        )
        self.updates_slowed = Counter(
            "bot_updates_slowed", "Updates put off because their person does too much at once", registry=registry
        )
        self.orders = Counter(
            "bot_orders",
            "Presses on the order button by what became of them",
            ("outcome",),
            registry=registry,
        )
        self.generations = Counter(
            "bot_generations", "Orders that ended: delivered, or failed and refunded", ("outcome",), registry=registry
        )
        self.generation_failures = Counter(
            "bot_generation_failures", "Orders that failed, by reason", ("reason",), registry=registry
        )
        self.generation_seconds = Histogram(
            "bot_generation_seconds",
            "From the order to the delivered picture",
            buckets=_GENERATION_BUCKETS,
            registry=registry,
        )
        self.delivery_seconds = Histogram(
            "bot_generation_delivery_seconds",
            "From the finished picture to the delivered one",
            buckets=_DELIVERY_BUCKETS,
            registry=registry,
        )
        self.payments = Counter(
            "bot_payments", "Purchases by the state that they came into", ("outcome",), registry=registry
        )
        self.payments_confirmed = Counter(
            "bot_payments_confirmed",
            "Paid purchases by what made the bot look: notification, poll, return (the person came back), checkout;"
            " of Stars: update, list",
            ("source",),
            registry=registry,
        )
        self.database_up = Gauge(
            "bot_database_up", "Whether PostgreSQL answered when the gauges were last read from it", registry=registry
        )
        self.queue_items = Gauge(
            "bot_queue_items",
            "Waiting work by queue; parked: messages to people who block the bot",
            ("queue",),
            registry=registry,
        )
        self.queue_oldest_seconds = Gauge(
            "bot_queue_oldest_seconds", "Age of the oldest waiting work by queue", ("queue",), registry=registry
        )
        self.breaker_open = Gauge(
            "bot_breaker_open",
            "Whether the circuit of the provider is open: its orders are declined",
            ("provider",),
            registry=registry,
        )
        self.ledger_differences = Gauge(
            "bot_ledger_differences",
            "Contradictions that the audit found: balances that are not the sum of their ledger, and the like;"
            " not a number until everybody's books were read once",
            registry=registry,
        )
        self.audit_age_seconds = Gauge(
            "bot_audit_age_seconds",
            "Since the audit last came to the end of its part: entries (what is new), people (everybody)",
            ("part",),
            registry=registry,
        )
        self.pool_connections = Gauge(
            "bot_pool_connections",
            "Connections to PostgreSQL: used, idle, and the limit",
            ("state",),
            registry=registry,
        )
        self.worker_items = Gauge("bot_worker_items", "Pieces of work being handled", ("worker",), registry=registry)
        self._calls = Counter(
            "bot_outside_calls",
            "Calls of outside services by outcome: ok, the status of a refusal, or the name of the error",
            ("service", "operation", "outcome"),
            registry=registry,
        )
        self._call_seconds = Histogram(
            "bot_outside_call_seconds",
            "Time of calls of outside services",
            ("service", "operation"),
            buckets=_CALL_BUCKETS,
            registry=registry,
        )
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Shows the counters of the alert rules from the start: to Prometheus one that begins at 1 did not increase."""
        for outcome in ("delivered", "failed"):
            self.generations.labels(outcome)
        for outcome in ("review", "late"):
            self.payments.labels(outcome)
        for source in ("notification", "poll", "return", "checkout"):
            self.payments_confirmed.labels(source)
        for operation in ("create", "ask"):
            self._calls.labels("gen-api", operation, "402")

    @contextmanager
    def update(self, kind: str) -> Iterator[None]:
        """Times the handling of an update and counts it by how it ended; errors pass."""
        started, outcome = time.perf_counter(), "ok"
        try:
            yield
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            self._update_seconds.labels(kind, outcome).observe(time.perf_counter() - started)

    @contextmanager
    def outside_call(self, service: str, operation: str) -> Iterator[None]:
        """Times a call of an outside service and counts it by how it ended; errors pass."""
        started, outcome = time.perf_counter(), "ok"
        try:
            yield
        except BaseException as error:
            outcome = str(getattr(error, "status", None) or type(error).__name__)
            raise
        finally:
            self._call_seconds.labels(service, operation).observe(time.perf_counter() - started)
            self._calls.labels(service, operation, outcome).inc()


class CountedCalls(BaseRequestMiddleware):
    """Counts and times every call of the Bot API."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[Any],
        bot: Bot,
        method: TelegramMethod[Any],
    ) -> Response[Any]:
        with self._metrics.outside_call("telegram", method.__api_method__):
            return await make_request(bot, method)
