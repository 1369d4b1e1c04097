"""The bot as a process: told to end, or killed, with work in flight."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from local.ports import free_port
from sandbox.genapi import FakeGenApi
from sandbox.telegram import ChatMessage, FakeTelegram, Person
from tests.world import photograph

_ROOT = Path(__file__).parents[1]


@dataclass
class Process:
    """`python bot.py` between the fakes; `db` is a connection of the test's own."""

    telegram: FakeTelegram
    gen_api: FakeGenApi
    environment: dict[str, str]
    db: "asyncpg.Connection[asyncpg.Record]"
    running: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        """Starts the bot, on the same port each time, and waits until it has registered itself."""
        before = len(self.telegram.called("setMyCommands"))
        self.running = await asyncio.create_subprocess_exec(sys.executable, "bot.py", cwd=_ROOT, env=self.environment)
        await self.telegram.wait_for(lambda: len(self.telegram.called("setMyCommands")) > before, 30)

    async def kill(self) -> None:
        """SIGKILL, and the end of the process."""
        assert self.running is not None
        if self.running.returncode is None:
            self.running.kill()
        await self.running.wait()

    async def says(self, person: Person, found: Callable[[ChatMessage], Any]) -> ChatMessage:
        """A message of the bot that `found` accepts, now or soon."""

        def look() -> ChatMessage | None:
            return next((m for m in person.messages if m.outgoing and found(m)), None)

        message = await self.telegram.wait_for(look, 20)
        assert message is not None
        return message

    async def order(self, person: Person) -> None:
        """The person presses «✅»; the press is redelivered for as long as the bot is down."""
        await person.send_text("/photo")
        await person.send_photo(photograph(), caption="Кот")
        card = await self.says(person, lambda message: message.button("✅"))
        await person.press(card.id, "✅", wait=False)

    async def paid_once(self, person: Person) -> None:
        """Eight credits are left, and every balance is the sum of its ledger."""
        assert await self.db.fetchval("SELECT credits FROM users WHERE id = $1", person.id) == 8
        assert (
            await self.db.fetch(
                "SELECT user_id FROM users JOIN ledger ON user_id = users.id "
                "GROUP BY user_id, credits HAVING credits <> sum(delta)"
            )
            == []
        )


@pytest.fixture
async def bot(database_url: str, redis_url: str) -> AsyncIterator[Process]:
    telegram, gen_api, port = FakeTelegram("4242:token-of-the-tests"), FakeGenApi(key="key", auto=False), free_port()
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
    db = await asyncpg.connect(database_url)
    process = Process(telegram, gen_api, environment, db)
    try:
        await process.start()
        yield process
    finally:
        await process.kill()
        await db.close()
        await telegram.stop()
        await gen_api.stop()


async def test_sigterm_with_an_order_in_flight_exits_0_within_ten_seconds(bot: Process) -> None:
    """Telegram hangs on the picture; the lease is given back."""
    bot.telegram.fault("file", hang=True)
    await bot.order(bot.telegram.person(5))
    await bot.telegram.wait_for(lambda: bot.telegram.called("file"))
    told_at = time.monotonic()
    assert bot.running is not None
    bot.running.send_signal(signal.SIGTERM)
    async with asyncio.timeout(15):
        assert await bot.running.wait() == 0
    assert time.monotonic() - told_at < 10
    assert await bot.db.fetchval("SELECT status = 'queued' AND claimable_at <= now() FROM generations")


async def test_a_kill_after_gen_api_accepted_does_not_order_twice(bot: Process) -> None:
    """The request number was never stored: the callback's proof brings it to the next process."""

    async def kill(*_: Any) -> None:
        await bot.kill()

    bot.gen_api.fault("create", after=kill)
    person = bot.telegram.person(5)
    await bot.order(person)
    assert bot.running is not None
    await bot.running.wait()
    assert await bot.db.fetchval("SELECT status FROM generations") == "submitting"
    assert await bot.db.fetchval("SELECT request_id FROM generations") is None
    await bot.start()
    assert await bot.gen_api.finish(min(bot.gen_api.orders)) == 200
    await bot.says(person, lambda message: message.photo)
    assert len(bot.gen_api.called("create")) == 1
    await bot.paid_once(person)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_kill_around_the_sending_of_the_picture_loses_neither_picture_nor_credits(
    bot: Process, moment: str
) -> None:
    """Killed before the picture was sent or before that was noted: the next process sends it, for one price."""

    async def kill(*_: Any) -> None:
        await bot.kill()

    fault = bot.telegram.fault("sendPhoto")
    setattr(fault, moment, kill)
    person = bot.telegram.person(5)
    await bot.order(person)
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    # The callback may overtake the answer to the create call, as it does in life.
    await bot.gen_api.finish(min(bot.gen_api.orders))
    assert bot.running is not None
    await bot.running.wait()
    assert await bot.db.fetchval("SELECT status FROM generations") == "ready"
    await bot.start()
    # The dead process's lease, run out at once.
    await bot.db.execute("UPDATE outbox SET due_at = now() WHERE status = 'pending'")
    await bot.says(person, lambda message: "Готово" in (message.text or ""))
    pictures = [message for message in person.messages if message.outgoing and message.photo]
    assert 1 <= len(pictures) <= 2
    assert await bot.db.fetchval("SELECT status FROM generations") == "delivered"
    await bot.paid_once(person)
