"""`python -m app.doctor`: is everything as it must be? One line a check, with its mend; exit 1 if any fails."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import AiogramError
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.catalog import EVENTS
from app.clients import genapi
from app.clients.genapi import GenApi
from app.repo import audit, schema
from app.settings import Settings, faults, read_settings

_LOW_BALANCE = 100
_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Check:
    """A line of the report: what was looked at, whether it is well, and what was found or is to be done."""

    name: str
    ok: bool
    text: str


class Ill(Exception):
    """A check that fails; the text says what to do."""


def main() -> None:
    """Prints the report; exits with 1 if any check failed."""
    checks = asyncio.run(_collect())
    for check in checks:
        print(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.text}")
    sys.exit(0 if all(check.ok for check in checks) else 1)


async def _collect() -> list[Check]:
    return [check async for check in examine()]


async def examine() -> AsyncIterator[Check]:
    """Every check, in the order in which a fault would explain the ones after it."""
    try:
        settings = read_settings()
    except ValidationError as error:
        for name, message in faults(error):
            yield Check("settings", False, f"{name}: {message}" if name else message)
        return
    yield Check("settings", True, "complete")
    checks: tuple[tuple[str, Callable[[Settings], Awaitable[str]]], ...] = (
        ("postgres", _postgres),
        ("redis", _redis),
        ("telegram", _telegram),
        ("telegram webhook", _webhook),
        ("gen-api", _gen_api),
        ("yookassa", _yookassa),
    )
    for name, look in checks:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                yield Check(name, True, await look(settings))
        except Ill as error:
            yield Check(name, False, str(error))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError) as error:
            yield Check(name, False, f"does not answer ({type(error).__name__}): check its address and whether it runs")
        except (AiogramError, aiohttp.ClientError, ValueError) as error:
            yield Check(name, False, f"does not answer as it should ({type(error).__name__})")
    yield Check(
        "yookassa webhook",
        True,
        f"paste {settings.public_url}/yookassa/webhook with the events {', '.join(EVENTS)} into the YooKassa account",
    )


async def _postgres(settings: Settings) -> str:
    connection = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        try:
            current = await schema.is_current(connection)
        except asyncpg.UndefinedTableError:
            current = False
        if not current:
            raise Ill("the schema is behind: run python -m app.migrate")
        wrong = await audit.differences(connection)
        if wrong:
            raise Ill(f"{len(wrong)} balances are not the sum of their ledger, first that of user {wrong[0].user_id}")
        return "schema current, every balance is the sum of its ledger"
    finally:
        await connection.close()


async def _redis(settings: Settings) -> str:
    if not settings.redis_url:
        return "not set: conversations live in memory"
    redis = Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=5)
    try:
        await redis.ping()
    finally:
        await redis.aclose()
    return "answers"


async def _telegram(settings: Settings) -> str:
    me = await _ask_telegram(settings, Bot.get_me)
    return f"the bot is https://t.me/{me.username}"


async def _webhook(settings: Settings) -> str:
    info = await _ask_telegram(settings, Bot.get_webhook_info)
    wanted = f"{settings.public_url}/telegram/webhook"
    if info.url != wanted:
        raise Ill(f"is {info.url or 'not set'}, not {wanted}: start the bot, it registers its webhook")
    if info.last_error_message:
        raise Ill(f"Telegram's last delivery failed: {info.last_error_message}")
    return f"{wanted}, {info.pending_update_count} updates pending"


async def _ask_telegram(settings: Settings, method: Callable[[Bot], Awaitable[Any]]) -> Any:
    session = AiohttpSession(api=TelegramAPIServer.from_base(settings.telegram_api_url), timeout=_TIMEOUT_S)
    try:
        return await method(Bot(settings.bot_token.get_secret_value(), session=session))
    finally:
        await session.close()


async def _gen_api(settings: Settings) -> str:
    client = GenApi(settings.gen_api_url, settings.gen_api_key.get_secret_value())
    try:
        balance = await client.balance()
    except genapi.Refused as error:
        raise Ill(f"refuses GEN_API_KEY ({error.status}): set a valid key") from error
    except genapi.Unavailable as error:
        raise Ill("does not answer: check GEN_API_URL, or try again later") from error
    finally:
        await client.close()
    if balance < _LOW_BALANCE:
        raise Ill(f"balance is {balance}: top it up")
    return f"key accepted, balance {balance}"


async def _yookassa(settings: Settings) -> str:
    """`GET /payments?limit=1` proves the keys (FACTS: any shop may list its payments)."""
    auth = aiohttp.BasicAuth(settings.yookassa_shop_id, settings.yookassa_secret_key.get_secret_value())
    url = f"{settings.yookassa_api_url}/payments?limit=1"
    async with aiohttp.ClientSession(auth=auth) as client, client.get(url) as answer:
        if answer.status in (401, 403):
            raise Ill("refuses YOOKASSA_SHOP_ID or YOOKASSA_SECRET_KEY: copy both from the account")
        if answer.status != 200:
            raise Ill(f"answers {answer.status}: check YOOKASSA_API_URL, or try again later")
    return f"keys accepted, {'a test' if settings.yookassa_test else 'a live'} shop"


if __name__ == "__main__":
    main()
