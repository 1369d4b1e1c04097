"""`python -m sandbox`: the three services, the page with the chat and the machine room, and the bot between them."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys

from sandbox.books import Books
from sandbox.bot_process import START_S, BotProcess
from sandbox.genapi import FakeGenApi
from sandbox.networks import NETWORKS
from sandbox.page_server import PageServer
from sandbox.room import Room
from sandbox.telegram import FakeTelegram
from sandbox.yookassa import FakeYooKassa

_FIRST_PAGE_PORT = 8000


async def main() -> int:
    """Run until a signal (0). A bot that does not come up at first ends it all (with the bot's code, 1 at least)."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    telegram = FakeTelegram(f"4242:{secrets.token_urlsafe(26)}", retry_s=1)
    genapi = FakeGenApi(secrets.token_urlsafe(16), delay=4, result_delay=1)
    yookassa = FakeYooKassa("100500", f"test_{secrets.token_urlsafe(16)}", retry_s=2)
    services = (telegram, genapi, yookassa)
    async with contextlib.AsyncExitStack() as stack:
        for service in services:
            await service.start()
            stack.push_async_callback(service.stop)
        for person_id, name in ((101, "Аня"), (102, "Борис")):
            telegram.person(person_id, name)
        url = f"http://127.0.0.1:{_free_port()}"
        yookassa.notify_url = f"{url}/yookassa/webhook"
        environment = _environment(telegram, genapi, yookassa, url)
        bot = BotProcess(environment, url)
        stack.push_async_callback(bot.stop)
        room = Room(telegram, genapi, yookassa, bot, Books(environment["DATABASE_URL"]))
        await room.start()
        stack.push_async_callback(room.stop)
        page = PageServer(telegram, services, [room])
        await page.start(_FIRST_PAGE_PORT)
        stack.push_async_callback(page.stop)
        yookassa.chat_url = f"http://127.0.0.1:{page.port}"
        asked = asyncio.create_task(stopped.wait())
        ready = asyncio.create_task(bot.start())
        await asyncio.wait({asked, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done() and not ready.result():
            print(f"The bot did not come up (code {bot.code}, {START_S} s at most).", file=sys.stderr)
            return max(bot.code or 0, 1)
        if ready.done():
            print(f"Откройте / Open: {yookassa.chat_url}/", flush=True)
        await asked
        ready.cancel()
        return 0


def _environment(telegram: FakeTelegram, genapi: FakeGenApi, yookassa: FakeYooKassa, url: str) -> dict[str, str]:
    return {
        **os.environ,
        "ENV": "sandbox",
        "HOST": "127.0.0.1",
        "PORT": url.rpartition(":")[2],
        "PUBLIC_URL": url,
        "BOT_TOKEN": telegram.token,
        "WEBHOOK_SECRET": secrets.token_urlsafe(48),
        "TELEGRAM_API_URL": telegram.url,
        "GEN_API_KEY": genapi.key,
        "GEN_API_URL": genapi.url,
        "MODELS": ",".join(NETWORKS),
        "DEFAULT_MODEL": "gpt-image-1",
        "PAYMENTS": "yookassa,stars",
        "YOOKASSA_SHOP_ID": yookassa.shop_id,
        "YOOKASSA_SECRET_KEY": yookassa.secret,
        "YOOKASSA_API_URL": yookassa.url,
        "YOOKASSA_OAUTH_TOKEN": "",
        "YOOKASSA_RECEIPT_EMAIL": "receipts@sandbox.example",
        "SENTRY_DSN": "",
        "SELLER_NAME": "ИП Песочница",
        "SELLER_INN": "000000000000",
        "SUPPORT_CONTACT": "@sandbox_support",
        "TERMS_URL": "",
        "PRIVACY_URL": "",
        "DATABASE_URL": os.environ.get("DATABASE_URL", ""),
        "REDIS_URL": os.environ.get("REDIS_URL", ""),
        "LOG_FORMAT": "console",
        # Whoever breaks something wants to see it heal.
        "GENERATION_POLL_AFTER_S": "10",
        "GENERATION_DEADLINE_S": "60",
        "PAYMENT_POLL_AFTER_S": "10",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
