"""What the web application carries, by typed key."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from aiogram.webhook.aiohttp_server import BaseRequestHandler
from aiohttp import web

from app.flows.gauges import Gauges
from app.flows.orders.settle import Settling
from app.flows.orders.sources import Sources
from app.flows.purchases import Purchases
from app.metrics import Metrics
from app.settings import Settings


class InFlight:
    """Counts the requests being answered, so that a shutdown can wait for them."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> Self:
        self._count += 1
        self._idle.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if not self._count:
            self._idle.set()

    async def idle(self, patience_s: float) -> bool:
        """Waits until nothing is in flight; False when `patience_s` seconds were not enough."""
        try:
            async with asyncio.timeout(patience_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
SETTLING: web.AppKey[Settling] = web.AppKey("settling", Settling)
SOURCES: web.AppKey[Sources] = web.AppKey("sources", Sources)
PURCHASES: web.AppKey[Purchases] = web.AppKey("purchases", Purchases)
TELEGRAM: web.AppKey[BaseRequestHandler] = web.AppKey("telegram", BaseRequestHandler)
METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)
GAUGES: web.AppKey[Gauges] = web.AppKey("gauges", Gauges)
IN_FLIGHT: web.AppKey[InFlight] = web.AppKey("in_flight", InFlight)
READINESS: web.AppKey[Callable[[], Awaitable[dict[str, bool]]]] = web.AppKey("readiness")
