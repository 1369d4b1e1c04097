"""The web application: the route table, and what the routes are given."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from app import keys, paths
from app.connections import Connections
from app.routes import gen_callback, gen_source, health, yookassa
from app.routes.access import access_log
from app.routes.body import BODY_LIMIT, Unproven
from app.services import DRAIN_S, open_services
from app.settings import Settings

log = structlog.get_logger()


def create_app(settings: Settings) -> web.Application:
    """The whole bot as an aiohttp application; nothing is connected before it starts."""
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_count_requests, access_log])
    app[keys.SETTINGS] = settings
    app[keys.CONNECTIONS], app[keys.UNPROVEN] = Connections(), Unproven()
    app.on_shutdown.append(_drain)
    app.cleanup_ctx.append(_run_bot)
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)
    app.router.add_get("/metrics", health.metrics)
    app.router.add_post(paths.GEN_CALLBACK, gen_callback.handle)
    app.router.add_get(rf"{paths.GEN_SOURCE}/{{generation}}/{{number:\d{{1,2}}}}.{{suffix}}", gen_source.handle)
    if "yookassa" in settings.payments:
        app.router.add_post(paths.YOOKASSA_WEBHOOK, yookassa.handle)
    app.router.add_post(paths.TELEGRAM_WEBHOOK, _telegram)
    return app


@web.middleware
async def _count_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    with request.app[keys.CONNECTIONS].answering(request):
        return await handler(request)


async def _telegram(request: web.Request) -> web.StreamResponse:
    return await request.app[keys.TELEGRAM].handle(request)


async def _drain(app: web.Application) -> None:
    """Lets the requests in flight finish before anything they need is closed (aiohttp 3.14 does not)."""
    await app[keys.CONNECTIONS].idle(DRAIN_S)


async def _run_bot(app: web.Application) -> AsyncIterator[None]:
    settings = app[keys.SETTINGS]
    async with AsyncExitStack() as stack:
        services = await open_services(settings, stack)
        app[keys.SETTLING], app[keys.SOURCES] = services.settling, services.sources
        app[keys.PURCHASES] = services.purchases
        app[keys.TELEGRAM], app[keys.READINESS] = services.telegram, services.readiness
        app[keys.METRICS], app[keys.GAUGES] = services.metrics, services.gauges
        log.info("bot.started", port=settings.port, env=settings.env)
        yield
    log.info("bot.stopped")
