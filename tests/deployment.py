"""A deployment as a platform does it: versions as processes behind one address, the fake services around them."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from local.ports import free_port
from sandbox.genapi import FakeGenApi
from sandbox.telegram import FakeTelegram, Person
from sandbox.yookassa import FakeYooKassa
from tests.world import photograph

PATIENCE_S = 60
_TOKEN = "4242:token-of-the-tests"
_DRAINING_S = 15


@dataclass
class Image:
    """What deploy/Dockerfile makes: the files that it copies, and the folder of a `python` with what it installs."""

    files: Path
    programs: Path
    command: str


class Edge:
    """The platform's front door: one address, every request to one of the versions that take traffic."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.served: dict[int, int] = {}
        self._turn = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with aiohttp.ClientSession() as self._client:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
            await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.Response:
        if not self.ports:
            return web.Response(status=502)
        self._turn += 1
        port = self.ports[self._turn % len(self.ports)]
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        url = f"http://127.0.0.1:{port}{request.path_qs}"
        try:
            async with self._client.request(request.method, url, data=await request.read(), headers=headers) as answer:
                self.served[port] = self.served.get(port, 0) + 1
                kind = {"Content-Type": answer.headers["Content-Type"]} if "Content-Type" in answer.headers else {}
                return web.Response(status=answer.status, body=await answer.read(), headers=kind)
        except aiohttp.ClientError:
            return web.Response(status=502)


class Version:
    """A process of the image's command, with the given variables alone."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process, self.port = process, port

    @classmethod
    async def start(cls, image: Image, variables: dict[str, str]) -> "Version":
        """Starts it and waits until its health check answers 200, as the platform does before it sends traffic."""
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", image.command, cwd=image.files, env={**variables, "PORT": str(port)}
        )
        version = cls(process, port)
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as client:
            while not await version._is_ready(client):
                assert process.returncode is None
                await asyncio.sleep(0.2)
        return version

    async def _is_ready(self, client: aiohttp.ClientSession) -> bool:
        try:
            async with client.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def retire(self) -> int:
        """SIGTERM, and SIGKILL where it has not ended when its draining seconds are over; the exit code."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_DRAINING_S):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()


@dataclass
class Deployment:
    """What stands around the versions, and those that were started, oldest first."""

    telegram: FakeTelegram
    gen_api: FakeGenApi
    yookassa: FakeYooKassa
    edge: Edge
    variables: dict[str, str]
    versions: list[Version] = field(default_factory=list)

    async def start(self, image: Image) -> Version:
        """Another version beside those that run; it gets no traffic yet."""
        path = f"{image.programs}:/usr/bin:/bin"
        self.versions.append(await Version.start(image, {**self.variables, "PATH": path}))
        return self.versions[-1]

    def send_traffic_to(self, *versions: Version) -> None:
        """From here on requests go to these in turn."""
        self.edge.ports = [version.port for version in versions]

    async def order(self, person: Person) -> None:
        """A picture from beginning to end, whichever version is asked on the way."""
        cards, pictures = _count(person, "✅"), _count(person, "photo")
        await person.send_text("/photo")
        await person.send_photo(photograph(), caption="Кот")
        await self.telegram.wait_for(lambda: _count(person, "✅") > cards, PATIENCE_S)
        await self.press(person)
        await self.telegram.wait_for(lambda: _count(person, "photo") > pictures, PATIENCE_S)

    async def press(self, person: Person) -> None:
        """«✅» on the newest card."""
        card = [message for message in person.messages if message.outgoing and message.button("✅")][-1]
        await person.press(card.id, "✅")

    async def shown(self, person: Person, pictures: int = 1) -> None:
        """The person has so many pictures, now or soon."""
        await self.telegram.wait_for(lambda: _count(person, "photo") >= pictures, PATIENCE_S)


def _count(person: Person, found: str) -> int:
    mine = [message for message in person.messages if message.outgoing]
    return sum(bool(message.photo if found == "photo" else message.button(found)) for message in mine)


@asynccontextmanager
async def deployment(database_url: str, redis_url: str) -> AsyncIterator[Deployment]:
    """The services and the front door, with no version yet; all that are started are gone at the end."""
    telegram, gen_api, yookassa = FakeTelegram(_TOKEN), FakeGenApi(key="key", delay=1), FakeYooKassa()
    services = (telegram, gen_api, yookassa)
    for service in services:
        await service.start()
    edge = Edge()
    async with edge.open() as address:
        yookassa.notify_url = f"{address}/yookassa/webhook"
        variables = {
            "ENV": "local",  # for the http of the fakes; Redis and PostgreSQL are as in production
            "BOT_TOKEN": _TOKEN,
            "PUBLIC_URL": address,
            "WEBHOOK_SECRET": "a-secret-of-the-tests-that-is-long-enough",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "GEN_API_KEY": gen_api.key,
            "GEN_API_URL": gen_api.url,
            "YOOKASSA_SHOP_ID": yookassa.shop_id,
            "YOOKASSA_SECRET_KEY": yookassa.secret,
            "YOOKASSA_API_URL": yookassa.url,
            "TELEGRAM_API_URL": telegram.url,
        }
        made = Deployment(telegram, gen_api, yookassa, edge, variables)
        try:
            yield made
        finally:
            for version in made.versions:
                await version.retire()
            for service in services:
                await service.stop()
