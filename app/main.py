"""The web application: what is opened in which order, who is given what, and the route table."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import structlog
from aiogram import Bot, Dispatcher
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.fsm.storage.base import BaseEventIsolation, BaseStorage, DefaultKeyBuilder
from aiogram.fsm.storage.memory import MemoryStorage, SimpleEventIsolation
from aiogram.fsm.storage.redis import RedisEventIsolation, RedisStorage
from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app import keys
from app.clients.genapi import GenApi
from app.clients.results import Results
from app.clients.yookassa import YooKassa
from app.db import connection, open_pool
from app.flood import Flood, MemoryFlood, RedisFlood
from app.flows.billing import Billing
from app.flows.delivery import Delivery
from app.flows.gauges import Gauges
from app.flows.ordering import Ordering
from app.handlers import errors, photo, start, status, subscription
from app.metrics import CountedCalls, Metrics
from app.proofs import telegram_secret
from app.registration import register_telegram, register_yookassa
from app.repo import schema
from app.repo.records import Pool
from app.routes import gen_callback, health, yookassa
from app.routes.access import access_log
from app.routes.telegram import UPDATE_TIMEOUT_S, TelegramRoute
from app.settings import Settings
from app.workers.housekeeping import audit_ledger, wipe_old
from app.workers.loop import Worker
from app.workers.payments import payments_worker

log = structlog.get_logger()

BODY_LIMIT = 1024 * 1024
DRAIN_S = 2.5
"""Requests and workers may take this long each to finish after SIGTERM: together under the 10 s of the contract."""

_CLOSE_S = 1.0

_CONVERSATION_TTL_S = 7 * 24 * 3600


def create_app(settings: Settings) -> web.Application:
    """The whole bot as an aiohttp application; nothing is connected before it starts."""
    app = web.Application(client_max_size=BODY_LIMIT, middlewares=[_count_requests, access_log])
    app[keys.SETTINGS] = settings
    app[keys.IN_FLIGHT] = keys.InFlight()
    app.on_shutdown.append(_drain)
    app.cleanup_ctx.append(_run_bot)
    app.router.add_get("/healthz", health.healthz)
    app.router.add_get("/readyz", health.readyz)
    app.router.add_get("/metrics", health.metrics)
    app.router.add_post("/gen/callback", gen_callback.handle)
    app.router.add_post("/yookassa/webhook", yookassa.handle)
    app.router.add_post("/telegram/webhook", _telegram)
    return app


@web.middleware
async def _count_requests(request: web.Request, handler: Any) -> web.StreamResponse:
    with request.app[keys.IN_FLIGHT]:
        response: web.StreamResponse = await handler(request)
        return response


async def _telegram(request: web.Request) -> web.StreamResponse:
    return await request.app[keys.TELEGRAM].handle(request)


async def _drain(app: web.Application) -> None:
    """Lets the requests in flight finish before anything they need is closed (aiohttp 3.14 does not)."""
    await app[keys.IN_FLIGHT].idle(DRAIN_S)


async def _run_bot(app: web.Application) -> AsyncIterator[None]:
    settings = app[keys.SETTINGS]
    metrics = Metrics()
    pool = await _pool(settings)
    redis = await _redis(settings)
    session = AiohttpSession(api=TelegramAPIServer.from_base(settings.telegram_api_url), timeout=15)
    session.middleware(CountedCalls(metrics))
    bot = Bot(
        settings.bot_token.get_secret_value(),
        session=session,
        default=DefaultBotProperties(parse_mode="HTML", link_preview_is_disabled=True),
    )
    gen_api = GenApi(settings.gen_api_url, settings.gen_api_key.get_secret_value())
    results = Results(settings.gen_api_url)
    kassa = YooKassa(settings)

    ordering = Ordering(pool, settings, metrics, gen_api, bot, lambda: submitter.wake(), lambda: deliverer.wake())
    billing = Billing(pool, settings, metrics, kassa, lambda: deliverer.wake())
    delivery = Delivery(pool, metrics, bot, results, gen_api, ordering, lambda: deliverer.wake())
    submitter = Worker("submit", ordering.claim, ordering.submit, 8, settings.worker_tick_s)
    reconciler = Worker("reconcile", ordering.claim_questions, ordering.reconcile, 8, settings.worker_tick_s)
    deliverer = Worker("deliver", delivery.claim, delivery.deliver, 8, settings.worker_tick_s)
    workers: Sequence[Worker[Any]] = (
        submitter,
        reconciler,
        deliverer,
        payments_worker(billing, settings),
    )

    dispatcher = _dispatcher(settings, redis, pool, deliverer)
    dispatcher.workflow_data.update(pool=pool, ordering=ordering, billing=billing, metrics=metrics)
    secret = telegram_secret(settings.webhook_secret.get_secret_value())
    app[keys.ORDERING], app[keys.BILLING] = ordering, billing
    flood = _flood(settings, redis, bot)
    app[keys.TELEGRAM] = TelegramRoute(dispatcher, bot, metrics, secret, settings.max_updates, flood)
    for worker in workers:
        metrics.worker_items.labels(worker.name).set_function(worker.running)
    app[keys.METRICS], app[keys.GAUGES] = metrics, Gauges(pool, metrics)
    registered = asyncio.Event()
    app[keys.READINESS] = _readiness(pool, redis, registered)

    background = [
        asyncio.create_task(register_telegram(bot, dispatcher, settings, secret, registered), name="register"),
        asyncio.create_task(register_yookassa(kassa, settings), name="register_yookassa"),
        asyncio.create_task(wipe_old(pool, settings.retention_days), name="retain"),
        asyncio.create_task(audit_ledger(pool, metrics), name="audit"),
        *(asyncio.create_task(worker.run(), name=worker.name) for worker in workers),
    ]
    log.info("bot.started", port=settings.port, env=settings.env)
    yield
    await asyncio.gather(*(worker.stop(DRAIN_S) for worker in workers))
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    await dispatcher.storage.close()
    await dispatcher.fsm.events_isolation.close()
    if redis is not None:
        await redis.aclose()
    await gen_api.close()
    await results.close()
    await kassa.close()
    await session.close()
    try:
        async with asyncio.timeout(_CLOSE_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()
    log.info("bot.stopped")


async def _pool(settings: Settings) -> Pool:
    """Waits for PostgreSQL instead of crash-looping; says so once a try."""
    delay = 0.5
    while True:
        try:
            return await open_pool(settings)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("postgres.waiting", error=repr(error), next_try_s=delay)
        await asyncio.sleep(delay)
        delay = min(delay * 2, 10)


async def _redis(settings: Settings) -> Redis | None:
    """Waits for Redis where it is set; None where conversations live in memory."""
    if not settings.redis_url:
        return None
    redis = Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=5)
    delay = 0.5
    while True:
        try:
            await redis.ping()
            return redis
        except (RedisError, OSError) as error:
            log.warning("redis.waiting", error=repr(error), next_try_s=delay)
        await asyncio.sleep(delay)
        delay = min(delay * 2, 10)


def _flood(settings: Settings, redis: Redis | None, bot: Bot) -> Flood:
    burst, per_s = settings.flood_burst, settings.flood_per_s
    return RedisFlood(redis, bot.id, burst, per_s) if redis is not None else MemoryFlood(burst, per_s)


def _dispatcher(settings: Settings, redis: Redis | None, pool: Pool, deliverer: Worker[Any]) -> Dispatcher:
    storage: BaseStorage = MemoryStorage()
    isolation: BaseEventIsolation = SimpleEventIsolation()
    if redis is not None:
        names = DefaultKeyBuilder(with_bot_id=True)
        storage = RedisStorage(redis, names, state_ttl=_CONVERSATION_TTL_S, data_ttl=_CONVERSATION_TTL_S)
        # A handler that was killed holds its person's conversation no longer than one could have run
        isolation = RedisEventIsolation(redis, names, lock_kwargs={"timeout": UPDATE_TIMEOUT_S + 5})
    dispatcher = Dispatcher(storage=storage, events_isolation=isolation)
    acquaintance = errors.Acquaintance(pool, deliverer.wake)
    dispatcher.message.outer_middleware(acquaintance)
    dispatcher.callback_query.outer_middleware(acquaintance)
    # An inner one: of memberships only what the handler is for, a person who is back
    dispatcher.my_chat_member.middleware(acquaintance)
    dispatcher.include_routers(
        errors.router,
        start.router,
        status.router,
        subscription.router,
        photo.router,
        errors.fallback,
    )
    return dispatcher


def _readiness(pool: Pool, redis: Redis | None, registered: asyncio.Event) -> Any:
    async def readiness() -> dict[str, bool]:
        checks = {"postgres": False, "redis": redis is None, "telegram_webhook": registered.is_set()}
        try:
            async with connection(pool) as conn:
                checks["postgres"] = await schema.is_current(conn)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("readyz.postgres", error=repr(error))
        if redis is not None:
            try:
                checks["redis"] = bool(await redis.ping())
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("readyz.redis", error=repr(error))
        return checks

    return readiness
