"""Checks of Telegram, gen-api and YooKassa: each is asked, with the keys that the bot would use."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramNotFound, TelegramUnauthorizedError
from aiogram.types import WebhookInfo
from aiogram.utils.token import TokenValidationError

from app.clients import genapi
from app.clients.genapi import GenApi
from app.doctor.ill import Ill
from app.gateways.port import Refused, Unavailable
from app.gateways.stars import Stars
from app.gateways.yookassa import EVENTS, YooKassa
from app.settings import Settings

_LOW_BALANCE = 100
"""Roubles at gen-api below which the account is to be topped up: a few dozen pictures."""

_MANY_PENDING = 100
"""Updates waiting at Telegram; a healthy bot has a handful."""

_RECENT_S = 600
"""Telegram keeps the last failed delivery for ever; an older one has been made up for, or updates are pending."""

_TIMEOUT_S = 10


async def telegram_knows_us(settings: Settings) -> str:
    """The token is a bot's."""
    me = await _ask_telegram(settings, Bot.get_me)
    return f"the bot is https://t.me/{me.username}"


async def telegram_reaches_us(settings: Settings) -> str:
    """The webhook is ours, and updates come through."""
    info: WebhookInfo = await _ask_telegram(settings, Bot.get_webhook_info)
    wanted = settings.telegram_webhook_url
    if info.url != wanted:
        raise Ill(f"is {info.url or 'not set'}, not {wanted}: start the bot, it registers its webhook")
    if info.last_error_message and _recent(info):
        raise Ill(
            f"Telegram's last delivery failed ({info.last_error_message}): is the bot running, "
            f"and does {settings.public_url}/healthz answer from outside?"
        )
    if info.pending_update_count > _MANY_PENDING:
        raise Ill(f"{info.pending_update_count} updates are waiting: is the bot running, and is it fast enough?")
    return f"{wanted}, {info.pending_update_count} updates pending"


def _recent(info: WebhookInfo) -> bool:
    return info.last_error_date is None or info.last_error_date.timestamp() > time.time() - _RECENT_S


async def _ask_telegram(settings: Settings, method: Callable[[Bot], Awaitable[Any]]) -> Any:
    session = AiohttpSession(api=TelegramAPIServer.from_base(settings.telegram_api_url), timeout=_TIMEOUT_S)
    try:
        return await method(Bot(settings.bot_token.get_secret_value(), session=session))
    except (TelegramUnauthorizedError, TelegramNotFound, TokenValidationError) as error:
        raise Ill("refuses BOT_TOKEN: copy it from @BotFather") from error
    finally:
        await session.close()


async def stars_are_told_of(settings: Settings) -> str:
    """Telegram asks before each charge, and shows its list of them."""
    info: WebhookInfo = await _ask_telegram(settings, Bot.get_webhook_info)
    if info.url == settings.telegram_webhook_url and "pre_checkout_query" not in (info.allowed_updates or ()):
        raise Ill("Telegram does not ask before a charge, so none succeeds: start the bot, it registers its webhook")
    try:
        await _ask_telegram(settings, lambda bot: Stars(bot).entries(0))
    except Unavailable as error:
        raise Ill("Telegram's list of Stars cannot be read: try again later") from error
    return "asked before each charge, and the list of transactions can be read"


async def gen_api_takes_orders(settings: Settings) -> str:
    """The key is taken, and there is money for orders."""
    client = GenApi(settings.gen_api_url, settings.gen_api_key.get_secret_value())
    try:
        balance = await client.balance()
    except genapi.Refused as error:
        raise Ill(f"refuses GEN_API_KEY ({error.status}): copy it from the account at gen-api.ru") from error
    except genapi.Unavailable as error:
        raise Ill("does not answer as it should: check GEN_API_URL, or try again later") from error
    finally:
        await client.close()
    if balance < _LOW_BALANCE:
        raise Ill(f"the balance is {balance}: top it up")
    return f"key accepted, balance {balance}"


async def yookassa_takes_payments(settings: Settings) -> str:
    """The keys are taken (any shop may list its payments), and are of the kind of shop that they look like."""
    keys = aiohttp.encode_basic_auth(settings.yookassa_shop_id, settings.yookassa_secret_key.get_secret_value())
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(headers={"Authorization": keys}, timeout=timeout) as client:
        async with client.get(f"{settings.yookassa_api_url}/payments", params={"limit": "1"}) as answer:
            if answer.status in (401, 403):
                raise Ill("refuses YOOKASSA_SHOP_ID or YOOKASSA_SECRET_KEY: copy both from the account")
            if answer.status != 200:
                raise Ill(f"answers {answer.status}: check YOOKASSA_API_URL, or try again later")
        is_test = await _is_test_shop(client, f"{settings.yookassa_api_url}/me")
    if is_test is not None and is_test != settings.yookassa_test:
        raise Ill(
            f"this is a {_kind(is_test)} shop, but YOOKASSA_SECRET_KEY looks like a {_kind(settings.yookassa_test)} "
            "one's (test_…): its payments would not be credited; copy id and key of one shop"
        )
    return f"keys accepted, a {_kind(settings.yookassa_test)} shop"


async def _is_test_shop(client: aiohttp.ClientSession, url: str) -> bool | None:
    """What YooKassa says of the shop; None where it does not say: the field is not certain to be there."""
    try:
        async with client.get(url) as answer:
            body = await answer.json() if answer.status == 200 else None
    except (aiohttp.ClientError, OSError, ValueError):
        return None
    found = body.get("test") if isinstance(body, dict) else None
    return found if isinstance(found, bool) else None


def _kind(is_test: bool) -> str:
    return "test" if is_test else "live"


async def yookassa_address(settings: Settings) -> str:
    """A shop without a partner's token cannot be asked where it sends its notifications: the operator is told."""
    url = settings.yookassa_webhook_url
    if not settings.yookassa_oauth_token.get_secret_value():
        return (
            f"paste {url} with the events {', '.join(EVENTS)} into the YooKassa account (Интеграция → HTTP-уведомления)"
        )
    client = YooKassa(settings)
    try:
        there = {webhook.event for webhook in await client.webhooks() if webhook.url == url}
    except Refused as error:
        raise Ill(f"refuses YOOKASSA_OAUTH_TOKEN ({error.status}): set a valid one, or none") from error
    except Unavailable as error:
        raise Ill("does not say which webhooks it has: try again later") from error
    finally:
        await client.close()
    missing = [event for event in EVENTS if event not in there]
    if missing:
        raise Ill(f"{', '.join(missing)} not sent to {url}: start the bot, it registers them")
    return f"{url} is sent {', '.join(EVENTS)}"
