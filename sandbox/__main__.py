"""`python -m sandbox`: the three services, the chat page, and the bot between them."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from pathlib import Path

import aiohttp

from sandbox.genapi import FakeGenApi
from sandbox.page_server import PageServer
from sandbox.telegram import FakeTelegram
from sandbox.yookassa import FakeYooKassa

ROOT = Path(__file__).parent.parent
START_S = 90
STOP_S = 12


async def main() -> int:
    """Run until a signal (0) or until the bot ends by itself (its code, 1 at least)."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    telegram = FakeTelegram(f"4242:{secrets.token_urlsafe(26)}", retry_s=1)
    genapi = FakeGenApi(secrets.token_urlsafe(16), delay=4)
    yookassa = FakeYooKassa("100500", f"test_{secrets.token_urlsafe(16)}")
    services = (telegram, genapi, yookassa)
    async with contextlib.AsyncExitStack() as stack:
        for service in services:
            await service.start()
            stack.push_async_callback(service.stop)
        for person_id, name in ((101, "Аня"), (102, "Борис")):
            telegram.person(person_id, name)
        page = PageServer(telegram, services)
        await page.start(8000)
        stack.push_async_callback(page.stop)
        port = _free_port()
        yookassa.notify_url = f"http://127.0.0.1:{port}/yookassa/webhook"
        bot = await asyncio.create_subprocess_exec(
            sys.executable, "bot.py", cwd=ROOT, env=_environment(telegram, genapi, yookassa, port)
        )
        stack.push_async_callback(_end, bot)
        ended = asyncio.create_task(bot.wait())
        asked = asyncio.create_task(stopped.wait())
        ready = asyncio.create_task(_ready(f"http://127.0.0.1:{port}/readyz"))
        await asyncio.wait({ended, asked, ready}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done() and not ready.result():
            print(f"The bot was not ready within {START_S} s.", file=sys.stderr)
            return 1
        if ready.done():
            print(f"Откройте / Open: http://127.0.0.1:{page.port}/", flush=True)
            await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if asked.done():
            return 0
        print(f"The bot ended by itself (code {ended.result()}).", file=sys.stderr)
        return max(ended.result(), 1)


def _environment(telegram: FakeTelegram, genapi: FakeGenApi, yookassa: FakeYooKassa, port: int) -> dict[str, str]:
    return {
        **os.environ,
        "ENV": "sandbox",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "BOT_TOKEN": telegram.token,
        "WEBHOOK_SECRET": secrets.token_urlsafe(48),
        "TELEGRAM_API_URL": telegram.url,
        "GEN_API_KEY": genapi.key,
        "GEN_API_URL": genapi.url,
        "YOOKASSA_SHOP_ID": yookassa.shop_id,
        "YOOKASSA_SECRET_KEY": yookassa.secret,
        "YOOKASSA_API_URL": yookassa.url,
        "YOOKASSA_OAUTH_TOKEN": "",
        "SENTRY_DSN": "",
        "DATABASE_URL": os.environ.get("DATABASE_URL", ""),
        "REDIS_URL": os.environ.get("REDIS_URL", ""),
        "LOG_FORMAT": "console",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _ready(url: str) -> bool:
    """Whether the bot came up within START_S seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_S), aiohttp.ClientSession() as http:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get(url) as answer:
                        if answer.status == 200:
                            return True
                await asyncio.sleep(0.3)
    return False


async def _end(bot: asyncio.subprocess.Process) -> None:
    if bot.returncode is not None:
        return
    bot.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await bot.wait()
    except TimeoutError:
        bot.kill()
        await bot.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
