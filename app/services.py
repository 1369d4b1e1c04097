"""What the bot consists of: opened in this order, closed in the reverse one."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from aiogram import Bot
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.methods import Response
from aiogram.types import File, LinkPreviewOptions, Message
from redis.asyncio import Redis

from app import words
from app.clients.genapi import GenApi
from app.clients.results import Results
from app.db import connection, open_pool
from app.faults import POSTGRES, REDIS
from app.flood import MemoryFlood, RedisFlood
from app.flows.cards import Cards
from app.flows.delivery.fetch import Fetching
from app.flows.delivery.lanes import Letters, lanes
from app.flows.delivery.original import OriginalLetters
from app.flows.delivery.picture import PictureLetters
from app.flows.delivery.text import TextLetters
from app.flows.gauges import Gauges
from app.flows.history import History
from app.flows.orders.place import Ordering
from app.flows.orders.settle import Settling
from app.flows.orders.sources import Sources
from app.flows.orders.submit import Submitting
from app.flows.orders.waiting import Waiting
from app.flows.purchases import Purchases
from app.gateways.stars import Stars
from app.gateways.yookassa import YooKassa
from app.handlers import table
from app.handlers.visitor import Visits
from app.metrics import CountedCalls, Metrics
from app.notices import KINDS, Original, Picture
from app.patience import until_it_works
from app.pictures import Pictures
from app.proofs import telegram_secret
from app.registration import Webhook, register_yookassa
from app.repo import schema
from app.repo.records import Pool
from app.repo.wakes import Work
from app.routes.telegram import TelegramRoute
from app.settings import Settings
from app.shelf import MemoryShelf, RedisShelf, open_redis
from app.turns import Turns
from app.workers.housekeeping import audit_ledger, wipe_old
from app.workers.loop import Worker
from app.workers.watch import Wakes, Watch

log = structlog.get_logger()

DRAIN_S = 2.5
"""Requests and workers may take this long each to finish after SIGTERM: together under the 10 s of the contract."""

_CLOSE_S = 1.0

_AT_THE_DESK = 2
"""Connections that only questions before a charge take."""

_LONGEST_PAUSE_S = 10.0


_ANSWERS = (Response[bool], Response[File], Response[Message], Response[Message | bool])
"""Types of Telegram's answers. aiogram makes one for each call, which pydantic finds again while somebody holds it."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes need."""

    settling: Settling
    sources: Sources
    purchases: Purchases
    telegram: TelegramRoute
    metrics: Metrics
    gauges: Gauges
    readiness: Callable[[], Awaitable[dict[str, bool]]]


async def open_services(settings: Settings, stack: AsyncExitStack) -> Services:
    """Connects everything and starts the workers; `stack` closes it again. Waits for PostgreSQL and Redis."""
    wakes = Wakes()
    watch = Watch(settings, wakes)
    order_placed, message_owed = partial(wakes.wake, Work.ORDERS), partial(wakes.wake, Work.MESSAGES, Work.RESULTS)
    metrics = Metrics()

    pool = await _pool(settings)
    stack.push_async_callback(_close_pool, pool)
    # Before Telegram charges somebody it asks, and waits ten seconds: whatever the others do, this one is free
    desk = await _pool(settings, at_most=_AT_THE_DESK)
    stack.push_async_callback(_close_pool, desk)
    redis = await _redis(settings)
    if redis is not None:
        stack.push_async_callback(redis.aclose)
    bot = _bot(settings, metrics)
    stack.push_async_callback(bot.session.close)
    gen_api = GenApi(settings.gen_api_url, settings.gen_api_key.get_secret_value())
    stack.push_async_callback(gen_api.close)
    results = Results(settings.gen_api_url)
    stack.push_async_callback(results.close)
    pictures = Pictures()
    stack.push_async_callback(pictures.close)
    await pictures.open()
    kassa = YooKassa(settings) if "yookassa" in settings.payments else None
    if kassa is not None:
        stack.push_async_callback(kassa.close)

    ordering = Ordering(pool, settings, metrics, order_placed)
    settling = Settling(pool, settings, metrics, gen_api, message_owed)
    sources = Sources(pool, bot, pictures, metrics)
    submitting = Submitting(pool, settings, metrics, gen_api, sources, settling, order_placed)
    list_to_read = partial(wakes.wake, Work.PURCHASES)
    purchases = Purchases(pool, desk, settings, metrics, kassa, Stars(bot), message_owed, list_to_read)
    if (links := purchases.links) is not None:
        stack.push_async_callback(links.notified.close)
    waiting = Waiting(pool)
    cards = Cards(pool, bot, waiting, order_placed)
    fetching = Fetching(metrics, results, gen_api)
    letters: dict[str, Letters] = dict.fromkeys(KINDS, TextLetters(pool, settings, bot))
    letters[Picture.kind] = PictureLetters(pool, metrics, bot, fetching, pictures, settling, cards)
    letters[Original.kind] = OriginalLetters(pool, bot, pictures, fetching, message_owed)
    delivery = lanes(pool, letters, message_owed)

    turns = _turns(settings, redis, bot)
    dispatcher = table.dispatcher(turns, Visits(pool, settings.admin_ids, message_owed))
    dispatcher.workflow_data.update(
        pool=pool,
        ordering=ordering,
        history=History(pool, message_owed),
        purchases=purchases,
        waiting=waiting,
        cards=cards,
        metrics=metrics,
        words=words.of(None),
        settings=settings,
    )
    secret = telegram_secret(settings.webhook_secret.get_secret_value())
    webhook = Webhook(bot, dispatcher, settings, secret)

    _run(
        stack,
        webhook.register(),
        webhook.watch(pool, message_owed),
        *([register_yookassa(kassa, settings)] if kassa is not None else ()),
        until_it_works(purchases.tills.tell, POSTGRES, "payments.not_looked_at", 60),
        wipe_old(pool, settings.retention_days),
        audit_ledger(pool),
    )

    def worker[T](
        name: str,
        claim: Callable[[int], Awaitable[Sequence[T]]],
        handle: Callable[[T], Awaitable[None]],
        slots: int,
        work: Work,
    ) -> Worker[T]:
        return Worker(name, claim, handle, slots, wakes.event(work), watch.look_again)

    workers: Sequence[Worker[Any]] = (
        worker("submit", submitting.claim, submitting.submit, 8, Work.ORDERS),
        worker("reconcile", settling.claim, settling.reconcile, 8, Work.QUESTIONS),
        *(worker(lane.kind.name, lane.claim, lane.deliver, lane.kind.slots, lane.kind.work) for lane in delivery),
        worker("cards", cards.claim, cards.tell, 4, Work.CARDS),
        *([worker("payments", links.poll.claim, links.poll.reconcile, 4, Work.PURCHASES)] if links else ()),
        worker("stars", purchases.charge_list.claim, purchases.charge_list.read_on, 1, Work.PURCHASES),
    )
    for one in workers:
        metrics.worker_items.labels(one.name).set_function(one.running)
    _run(stack, watch.run(), *(one.run() for one in workers))
    stack.push_async_callback(_stop, workers)
    return Services(
        settling,
        sources,
        purchases,
        TelegramRoute(dispatcher, bot, metrics, secret, turns),
        metrics,
        Gauges(pool, metrics),
        _readiness(pool, redis, webhook.registered),
    )


def _run(stack: AsyncExitStack, *forever: Coroutine[Any, Any, None]) -> None:
    """Runs coroutines beside the requests until the stack is closed."""
    tasks = [asyncio.create_task(one) for one in forever]

    async def end() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    stack.push_async_callback(end)


async def _stop(workers: Sequence[Worker[Any]]) -> None:
    await asyncio.gather(*(worker.stop(DRAIN_S) for worker in workers))


async def _pool(settings: Settings, at_most: int | None = None) -> Pool:
    """Waits for PostgreSQL instead of crash-looping; says so once a try."""
    return await until_it_works(lambda: open_pool(settings, at_most), POSTGRES, "postgres.waiting", _LONGEST_PAUSE_S)


async def _close_pool(pool: Pool) -> None:
    try:
        async with asyncio.timeout(_CLOSE_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def _redis(settings: Settings) -> Redis | None:
    """Waits for Redis where it is set; None where conversations live in memory."""
    if not settings.redis_url:
        return None
    redis = open_redis(settings.redis_url)
    await until_it_works(redis.ping, REDIS, "redis.waiting", _LONGEST_PAUSE_S)
    return redis


def _bot(settings: Settings, metrics: Metrics) -> Bot:
    session = AiohttpSession(api=TelegramAPIServer.from_base(settings.telegram_api_url), timeout=15)
    session.middleware(CountedCalls(metrics))
    return Bot(
        settings.bot_token.get_secret_value(),
        session=session,
        default=DefaultBotProperties(parse_mode="HTML", link_preview=LinkPreviewOptions(is_disabled=True)),
    )


def _turns(settings: Settings, redis: Redis | None, bot: Bot) -> Turns:
    burst, per_s = settings.flood_burst, settings.flood_per_s
    if redis is None:
        return Turns(MemoryShelf(MemoryFlood(burst, per_s)), settings.max_updates)
    return Turns(RedisShelf(redis, RedisFlood(redis, bot.id, burst, per_s)), settings.max_updates)


def _readiness(pool: Pool, redis: Redis | None, registered: asyncio.Event) -> Callable[[], Awaitable[dict[str, bool]]]:
    async def readiness() -> dict[str, bool]:
        checks = {"postgres": False, "redis": redis is None, "telegram_webhook": registered.is_set()}
        try:
            async with connection(pool) as conn:
                checks["postgres"] = await schema.is_current(conn)
        except POSTGRES as error:
            log.warning("readyz.postgres", error=repr(error))
        if redis is not None:
            try:
                checks["redis"] = bool(await redis.ping())
            except REDIS as error:
                log.warning("readyz.redis", error=repr(error))
        return checks

    return readiness
