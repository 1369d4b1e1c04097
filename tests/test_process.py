"""The bot as a process: it ends when it is told to, with work in flight."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import asyncpg

from local.ports import free_port
from sandbox.genapi import FakeGenApi
from sandbox.telegram import FakeTelegram
from tests.world import photograph

_ROOT = Path(__file__).parents[1]


async def test_sigterm_with_an_order_in_flight_exits_0_within_ten_seconds(database_url: str, redis_url: str) -> None:
    """Telegram hangs on the picture; the lease is given back."""
    telegram, gen_api, port = FakeTelegram("4242:token-of-the-tests"), FakeGenApi(key="key"), free_port()
    await telegram.start()
    await gen_api.start()
    environment = {
        "PATH": os.environ["PATH"],
        "ENV": "sandbox",
        "BOT_TOKEN": "4242:token-of-the-tests",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "PORT": str(port),
        "WEBHOOK_SECRET": "a-secret-of-the-tests-that-is-long-enough",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GEN_API_KEY": "key",
        "GEN_API_URL": gen_api.url,
        "YOOKASSA_SHOP_ID": "1",
        "YOOKASSA_SECRET_KEY": "test_key",
        "TELEGRAM_API_URL": telegram.url,
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "bot.py", cwd=_ROOT, env=environment)
    try:
        await telegram.wait_for(lambda: telegram.called("setMyCommands"), 30)
        telegram.fault("file", hang=True)
        person = telegram.person(5)
        await person.send_text("/photo")
        await person.send_photo(photograph(), caption="Кот")
        card = await telegram.wait_for(lambda: next((m for m in person.messages if m.button("✅")), None))
        assert card is not None
        await person.press(card.id, "✅")
        await telegram.wait_for(lambda: telegram.called("file"))
        told_at = time.monotonic()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await process.wait() == 0
        assert time.monotonic() - told_at < 10
        db = await asyncpg.connect(database_url)
        try:
            assert await db.fetchval("SELECT status = 'queued' AND claimable_at <= now() FROM generations")
        finally:
            await db.close()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await telegram.stop()
        await gen_api.stop()
