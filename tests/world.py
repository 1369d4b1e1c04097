"""The whole bot between the fake services, in this process, over real HTTP against real PostgreSQL and Redis."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from aiohttp import web
from PIL import Image, ImageDraw

from app.handlers import errors, photo, start, status, subscription
from app.main import create_app
from app.settings import Settings
from local.ports import free_port
from sandbox.genapi import FakeGenApi
from sandbox.telegram import ChatMessage, FakeTelegram, Person
from sandbox.yookassa import FakeYooKassa

TOKEN = "4242:a-token-of-the-tests"
SHOP, SHOP_KEY = "100500", "test_key_of_the_tests"


@dataclass
class World:
    """The fake services and the running bot; `db` is a connection of the test's own."""

    telegram: FakeTelegram
    gen_api: FakeGenApi
    yookassa: FakeYooKassa
    settings: Settings
    db: "asyncpg.Connection[asyncpg.Record]"

    def person(self, person_id: int = 77) -> Person:
        """Somebody with a private chat."""
        return self.telegram.person(person_id)

    async def says(self, person: Person, found: Callable[[ChatMessage], Any], within_s: float = 10) -> ChatMessage:
        """The newest message of the bot to this person that `found` accepts, now or soon."""

        def look() -> ChatMessage | None:
            theirs = [message for message in person.messages if message.outgoing and found(message)]
            return theirs[-1] if theirs else None

        message = await self.telegram.wait_for(look, within_s)
        assert message is not None
        return message

    async def card(self, person: Person, prompt: str = "Кот в космосе", data: bytes | None = None) -> ChatMessage:
        """The person orders as far as the card."""
        await person.send_text("/photo")
        await person.send_photo(data or photograph(), caption=prompt)
        return await self.says(person, lambda message: message.button("✅"))

    async def credits(self, person: Person) -> int | None:
        """The balance that the database holds."""
        balance: int | None = await self.db.fetchval("SELECT credits FROM users WHERE id = $1", person.id)
        return balance

    async def audit(self) -> None:
        """Every balance is the sum of its ledger."""
        wrong = await self.db.fetch(
            "SELECT id, credits FROM users WHERE credits <> "
            "(SELECT COALESCE(sum(delta), 0) FROM ledger WHERE user_id = users.id)"
        )
        assert wrong == []


@asynccontextmanager
async def world(database_url: str, redis_url: str, **changes: Any) -> AsyncIterator[World]:
    """Starts everything on free ports, and stops it."""
    telegram, gen_api = FakeTelegram(TOKEN, retry_s=0.05), FakeGenApi(key="a-key-of-the-tests", delay=0.05)
    yookassa = FakeYooKassa(SHOP, SHOP_KEY)
    for server in (telegram, gen_api, yookassa):
        await server.start()
    port = free_port()
    values: dict[str, Any] = {
        "_env_file": None,
        "bot_token": TOKEN,
        "public_url": f"http://127.0.0.1:{port}",
        "webhook_secret": "a-secret-of-the-tests-that-is-long-enough",
        "database_url": database_url,
        "redis_url": redis_url,
        "env": "sandbox",
        "gen_api_key": "a-key-of-the-tests",
        "gen_api_url": gen_api.url,
        "yookassa_shop_id": SHOP,
        "yookassa_secret_key": SHOP_KEY,
        "yookassa_api_url": yookassa.url,
        "telegram_api_url": telegram.url,
        "worker_tick_s": 0.1,
        "port": port,
    }
    settings = Settings(**(values | changes))
    yookassa.notify_url = f"{settings.public_url}/yookassa/webhook"
    for router in (errors.router, errors.fallback, photo.router, start.router, status.router, subscription.router):
        # aiogram attaches a router to one dispatcher in a process's life; here each test has a bot of its own.
        router._parent_router = None
    runner = web.AppRunner(create_app(settings))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    db = await asyncpg.connect(database_url)
    try:
        await telegram.wait_for(lambda: telegram.called("setMyCommands"))
        yield World(telegram, gen_api, yookassa, settings, db)
    finally:
        await db.close()
        await runner.cleanup()
        for server in (telegram, gen_api, yookassa):
            await server.stop()


def photograph(width: int = 640, height: int = 480) -> bytes:
    """A JPEG as a camera makes it."""
    image = Image.new("RGB", (width, height), "steelblue")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height * 2 // 3, width, height), fill="seagreen")
    draw.ellipse((width // 4, height // 4, width // 2, height // 2), fill="gold")
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()
