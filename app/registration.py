"""Who calls the bot is told where it is: Telegram always, YooKassa where a partner's token allows it."""

import asyncio
import random
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from aiogram import Bot, Dispatcher

from app import keyboards, paths, words
from app.db import transaction
from app.faults import POSTGRES, TELEGRAM
from app.flows import alerts
from app.gateways.port import Refused, Unavailable
from app.gateways.yookassa import EVENTS, YooKassa
from app.notices import WebhookTaken
from app.patience import until_it_works
from app.repo.records import Pool
from app.settings import Settings

log = structlog.get_logger()

_LONGEST_PAUSE_S = 60.0
_LONGEST_TRUCE_S = 3600.0
_CONNECTIONS = 100
"""The most that Telegram opens (40 by default): one person's updates that wait leave some to others."""


class Webhook:
    """Where Telegram sends the updates of this bot."""

    def __init__(self, bot: Bot, dispatcher: Dispatcher, settings: Settings, secret: str) -> None:
        self._bot, self._dispatcher, self._secret = bot, dispatcher, secret
        self._url, self._check_s, self._admin_ids = (
            settings.telegram_webhook_url,
            settings.webhook_check_s,
            settings.admin_ids,
        )
        self.registered = asyncio.Event()
        """Whether Telegram knows it, as far as is known."""

    async def register(self) -> None:
        """Registers the webhook and the commands, for as long as it takes."""

        async def register() -> None:
            me = await self._bot.me()
            await self._set()
            await self._bot.set_my_commands(keyboards.menu(words.of("en")))
            for code in words.READ_RUSSIAN:
                await self._bot.set_my_commands(keyboards.menu(words.of("ru")), language_code=code)
            log.info("telegram.registered", url=self._url, bot=me.username)

        await until_it_works(register, TELEGRAM, "telegram.not_registered", _LONGEST_PAUSE_S)

    async def watch(self, pool: Pool, wake_delivery: Callable[[], None]) -> None:
        """Looks now and then whether another process with this token has taken it; tells the operators, takes it back.

        The other process may be doing the same: each time that it is gone again, twice as long is waited for the next.
        """
        await self.registered.wait()
        pause_s = self._check_s
        while True:
            await asyncio.sleep(pause_s * random.uniform(0.75, 1.25))  # noqa: S311 - replicas that do not look at once
            try:
                if (taken_by := await self._taken_by()) is None:
                    pause_s = self._check_s
                    continue
                async with transaction(pool) as conn:
                    await alerts.owe(conn, self._admin_ids, WebhookTaken(alerts.this_hour(), taken_by))
                wake_delivery()
                await self._set()
                log.warning("telegram.webhook_taken_back", taken_by=taken_by)
                pause_s = min(pause_s * 2, _LONGEST_TRUCE_S)
            except (*TELEGRAM, *POSTGRES) as error:
                log.warning("telegram.webhook_not_seen", error=repr(error))

    async def _set(self) -> None:
        await self._bot.set_webhook(
            self._url,
            secret_token=self._secret,
            allowed_updates=self._dispatcher.resolve_used_update_types(),
            drop_pending_updates=False,
            max_connections=_CONNECTIONS,
        )
        self.registered.set()

    async def _taken_by(self) -> str | None:
        """The host that updates go to in our place, "" for none; None where they come here.

        Asked twice: a deployment with a new address takes it from the process that is about to end.
        """
        for last in (False, True):
            url = (await self._bot.get_webhook_info()).url
            if url == self._url:
                self.registered.set()
                return None
            self.registered.clear()
            if not last:
                await asyncio.sleep(self._check_s / 10)
        return urlsplit(url).hostname or ""


async def register_yookassa(yookassa: YooKassa, settings: Settings) -> None:
    """Says what is to be pasted into the account; with YOOKASSA_OAUTH_TOKEN registers it, for as long as it takes.

    A shop without such a token cannot register webhooks (YooKassa's API takes a partner's OAuth token only).
    """
    url = settings.yookassa_webhook_url
    log.info("yookassa.webhook", url=url, events=EVENTS)
    if not settings.yookassa_oauth_token.get_secret_value():
        return
    try:
        await until_it_works(
            lambda: bring_up_to_date(yookassa, url), (Unavailable,), "yookassa.not_registered", _LONGEST_PAUSE_S
        )
    except Refused as error:
        log.error("yookassa.not_registered", error=str(error), next_try_s=None)
    else:
        log.info("yookassa.registered", url=url)


async def bring_up_to_date(yookassa: YooKassa, url: str) -> None:
    """Registers each event that is not sent to `url` yet; then removes what an earlier address of this bot left.

    What is right stays as it is, and so does whatever does not end in our own path.
    """
    found = await yookassa.webhooks()
    there = {webhook.event for webhook in found if webhook.url == url}
    for event in EVENTS:
        if event not in there:
            await yookassa.add_webhook(event, url)
    for webhook in found:
        if webhook.url.endswith(paths.YOOKASSA_WEBHOOK) and (webhook.url != url or webhook.event not in EVENTS):
            await yookassa.remove_webhook(webhook.id)
