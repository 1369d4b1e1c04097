"""Who calls the bot is told where it is: Telegram always, YooKassa where a partner's token allows it."""

import asyncio

import structlog
from aiogram import Bot, Dispatcher

from app import keyboards, paths, words
from app.faults import TELEGRAM
from app.gateways.port import Refused, Unavailable
from app.gateways.yookassa import EVENTS, YooKassa
from app.patience import until_it_works
from app.settings import Settings

log = structlog.get_logger()

_LONGEST_PAUSE_S = 60.0
_CONNECTIONS = 100
"""The most that Telegram opens (40 by default): one person's updates that wait leave some to others."""


async def register_telegram(
    bot: Bot, dispatcher: Dispatcher, settings: Settings, secret: str, registered: asyncio.Event
) -> None:
    """Registers the webhook and the commands with Telegram, for as long as it takes."""

    async def register() -> None:
        me = await bot.me()
        await bot.set_webhook(
            settings.telegram_webhook_url,
            secret_token=secret,
            allowed_updates=dispatcher.resolve_used_update_types(),
            drop_pending_updates=False,
            max_connections=_CONNECTIONS,
        )
        await bot.set_my_commands(keyboards.menu(words.of("en")))
        for code in words.READ_RUSSIAN:
            await bot.set_my_commands(keyboards.menu(words.of("ru")), language_code=code)
        registered.set()
        log.info("telegram.registered", url=settings.telegram_webhook_url, bot=me.username)

    await until_it_works(register, TELEGRAM, "telegram.not_registered", _LONGEST_PAUSE_S)


async def register_yookassa(yookassa: YooKassa, settings: Settings) -> None:
    """Says what is to be pasted into the account; with YOOKASSA_OAUTH_TOKEN registers it, for as long as it takes.

    A shop without such a token cannot register webhooks (FACTS: a partner's OAuth token only).
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
