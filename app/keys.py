"""What the web application carries, by typed key."""

from collections.abc import Awaitable, Callable

from aiogram.webhook.aiohttp_server import BaseRequestHandler
from aiohttp import web

from app.connections import Connections
from app.flows.gauges import Gauges
from app.flows.orders.settle import Settling
from app.flows.orders.sources import Sources
from app.flows.purchases import Purchases
from app.metrics import Metrics
from app.routes.body import Unproven
from app.settings import Settings

SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
SETTLING: web.AppKey[Settling] = web.AppKey("settling", Settling)
SOURCES: web.AppKey[Sources] = web.AppKey("sources", Sources)
PURCHASES: web.AppKey[Purchases] = web.AppKey("purchases", Purchases)
TELEGRAM: web.AppKey[BaseRequestHandler] = web.AppKey("telegram", BaseRequestHandler)
METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)
GAUGES: web.AppKey[Gauges] = web.AppKey("gauges", Gauges)
CONNECTIONS: web.AppKey[Connections] = web.AppKey("connections", Connections)
UNPROVEN: web.AppKey[Unproven] = web.AppKey("unproven", Unproven)
READINESS: web.AppKey[Callable[[], Awaitable[dict[str, bool]]]] = web.AppKey("readiness")
