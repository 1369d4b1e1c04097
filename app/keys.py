"""What the web application carries, by typed key."""

from collections.abc import Awaitable, Callable

import asyncpg
from aiohttp import web

from app.flows.billing import Billing
from app.flows.ordering import Ordering
from app.settings import Settings

SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
POOL: web.AppKey["asyncpg.Pool[asyncpg.Record]"] = web.AppKey("pool", asyncpg.Pool)
ORDERING: web.AppKey[Ordering] = web.AppKey("ordering", Ordering)
BILLING: web.AppKey[Billing] = web.AppKey("billing", Billing)
READINESS: web.AppKey[Callable[[], Awaitable[dict[str, bool]]]] = web.AppKey("readiness")
