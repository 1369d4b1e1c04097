"""The whole bot between the fake services, in this process, over real HTTP against real PostgreSQL and Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import asyncpg
from aiohttp import web

from app.main import create_app
from app.notices import Notice
from app.repo import audit
from app.settings import Settings
from app.words import of
from local.ports import free_port
from sandbox.formatting import parse_html
from sandbox.genapi import FakeGenApi
from sandbox.telegram import ChatMessage, FakeTelegram, Person
from sandbox.yookassa import FakeYooKassa

TOKEN = "4242:a-token-of-the-tests"
SHOP, SHOP_KEY = "100500", "test_key_of_the_tests"


@dataclass
class World:
    """The fake services and the settings that lead to them; `db` is a connection of the test's own.

    `patience_s` is how long a verb waits for what it expects.
    """

    telegram: FakeTelegram
    gen_api: FakeGenApi
    yookassa: FakeYooKassa
    settings: Settings
    db: "asyncpg.Connection[asyncpg.Record]"
    patience_s: ClassVar[float] = 20

    async def value(self, sql: str, *arguments: Any) -> Any:
        """The first value of the query's answer."""
        return await self.db.fetchval(sql, *arguments)

    async def until(self, sql: str, *arguments: Any, within_s: float | None = None) -> None:
        """Waits until the query's answer is true."""
        async with asyncio.timeout(within_s or self.patience_s):
            # Nothing outside the database tells of a commit.
            while not await self.value(sql, *arguments):  # noqa: ASYNC110 - nothing outside the database tells of a commit
                await asyncio.sleep(0.05)

    def person(self, person_id: int = 77) -> Person:
        """Somebody with a private chat."""
        return self.telegram.person(person_id)

    async def told(
        self, person: Person, what: str | Notice, *, after: int = 0, within_s: float | None = None
    ) -> ChatMessage:
        """The newest message of the bot to this person that holds these words or says this notice, now or soon.

        `after` is the id of a message that it has to come after.
        """
        words = parse_html(what.say(of(person.language)))[0] if isinstance(what, Notice) else what
        return await self.says(person, lambda message: message.id > after and words in (message.text or ""), within_s)

    async def offered(self, person: Person, button: str, within_s: float | None = None) -> ChatMessage:
        """The newest message of the bot to this person with a button that begins so, now or soon."""
        return await self.says(person, lambda message: message.button(button), within_s)

    async def shown(self, person: Person, within_s: float | None = None) -> ChatMessage:
        """The newest picture that the bot sent to this person, now or soon."""
        return await self.says(person, lambda message: message.photo, within_s)

    async def says(
        self, person: Person, found: Callable[[ChatMessage], Any], within_s: float | None = None
    ) -> ChatMessage:
        """The newest message of the bot to this person that `found` accepts, now or soon."""

        def look() -> ChatMessage | None:
            theirs = [message for message in person.messages if message.outgoing and found(message)]
            return theirs[-1] if theirs else None

        message = await self.telegram.wait_for(look, within_s or self.patience_s)
        assert message is not None
        return message

    async def card(self, person: Person, prompt: str = "Кот в космосе", data: bytes | None = None) -> ChatMessage:
        """The person orders as far as the card."""
        await person.send_text("/photo")
        await person.send_photo(data or photograph(), caption=prompt)
        return await self.offered(person, "✅")

    async def order(self, person: Person, prompt: str = "Кот в космосе") -> ChatMessage:
        """The person presses «✅» on a card; the card."""
        card = await self.card(person, prompt)
        await person.press(card.id, "✅")
        return card

    async def orders(self) -> list[str]:
        """The states of all orders, oldest first."""
        states: list[str] = await self.value("SELECT array_agg(status ORDER BY created_at) FROM generations")
        return states or []

    async def delivered(self, person: Person, balance: int = 8) -> None:
        """The person's order is done, now or soon: the picture is there, and they have that many credits left."""
        await self.told(person, "Готово")
        assert [message for message in person.messages if message.outgoing and (message.photo or message.document)]
        assert await self.credits(person) == balance

    async def refunded(self, person: Person, balance: int = 10, after: int = 0) -> ChatMessage:
        """The person is told, once and soon, that the price of an order went back; they have that many credits."""
        message = await self.told(person, "возвращ", after=after)
        told = [said for said in person.messages if said.id > after and "возвращ" in (said.text or "")]
        assert told == [message]
        assert await self.credits(person) == balance
        return message

    async def choose(self, person: Person, price: str = "200 ₽") -> str:
        """The person chooses a plan; the id of the payment at YooKassa."""
        await person.send_text("/buy_subscription")
        offer = await self.offered(person, price)
        await person.press(offer.id, price)
        link = await self.says(person, lambda message: any("url" in button for button in message.buttons))
        url = next(button["url"] for button in link.buttons if "url" in button)
        payments = self.yookassa.payments.items()
        return next(key for key, payment in payments if payment["confirmation"]["confirmation_url"] == url)

    async def credits(self, person: Person) -> int | None:
        """The balance that the database holds."""
        balance: int | None = await self.value("SELECT credits FROM users WHERE id = $1", person.id)
        return balance

    async def audit(self) -> None:
        """The books hold no contradiction."""
        assert await audit.differences(self.db) == []


@asynccontextmanager
async def services(database_url: str, redis_url: str, **changes: Any) -> AsyncIterator[World]:
    """The fake services on free ports, without a bot; `changes` are settings."""
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
    db = await asyncpg.connect(database_url)
    try:
        yield World(telegram, gen_api, yookassa, settings, db)
    finally:
        await db.close()
        for server in (telegram, gen_api, yookassa):
            await server.stop()


@asynccontextmanager
async def world(database_url: str, redis_url: str, **changes: Any) -> AsyncIterator[World]:
    """The fake services and the bot between them, in this process."""
    async with services(database_url, redis_url, **changes) as around, serving(around):
        for operator in around.settings.admin_ids:
            around.person(operator)
        await around.telegram.wait_for(lambda: around.telegram.called("setMyCommands"))
        yield around


@asynccontextmanager
async def serving(around: World) -> AsyncIterator[None]:
    """The bot in this process; its shutdown is that of SIGTERM."""
    app = create_app(around.settings)
    app.on_response_prepare.append(_write_down)
    # aiohttp's own patience with requests in flight is nothing that the bot may lean on: bot.py gives it a second
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", around.settings.port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def _write_down(_request: web.Request, response: web.StreamResponse) -> None:
    """Every answer is written where conftest.py looks for secrets."""
    body = response.body if isinstance(response, web.Response) else None
    print(response.status, dict(response.headers), body if isinstance(body, bytes) else "")


def photograph() -> bytes:
    """A real photograph as a phone stores it: a JPEG lying on its side, with the orientation in EXIF."""
    return (Path(__file__).parent / "data" / "cat.jpg").read_bytes()
