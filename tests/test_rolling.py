"""A deployment as a platform does it: what deploy/Dockerfile makes, an old and a new process, people chatting."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from local.ports import free_port
from sandbox.genapi import FakeGenApi
from sandbox.telegram import FakeTelegram, Person
from sandbox.yookassa import FakeYooKassa
from tests.world import photograph

_ROOT = Path(__file__).parents[1]
_TOKEN = "4242:token-of-the-tests"
_DRAINING_S = 15
_PATIENCE_S = 60

pytestmark = pytest.mark.timeout(400)


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
        async with asyncio.timeout(_PATIENCE_S), aiohttp.ClientSession() as client:
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


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Made by the lines of deploy/Dockerfile, without Docker; where CI is not set, with the packages that we have."""
    dockerfile = (_ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
    files = tmp_path_factory.mktemp("image")
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", dockerfile, re.MULTILINE):
        if (_ROOT / source).is_dir():
            shutil.copytree(_ROOT / source, files / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(_ROOT / source, files / target)
    found = re.search(r'^CMD \["sh", "-c", "(.+)"\]$', dockerfile, re.MULTILINE)
    assert found
    # A platform and a container run the same.
    assert (_ROOT / "Procfile").read_text() == f"web: {found[1]}\n"
    programs = Path(sys.executable).parent
    if os.environ.get("CI"):
        programs = tmp_path_factory.mktemp("installed") / "bin"
        subprocess.run([sys.executable, "-m", "venv", str(programs.parent)], check=True)
        for install in re.findall(r"python (-m pip install .+?) &&", dockerfile):
            subprocess.run([str(programs / "python"), *install.split(), "--quiet"], cwd=files, check=True)
    return Image(files, programs, found[1])


async def _order(telegram: FakeTelegram, person: Person) -> None:
    """A picture from beginning to end, whichever version is asked on the way."""

    def outgoing(found: str) -> int:
        mine = [message for message in person.messages if message.outgoing]
        return sum(bool(message.photo if found == "photo" else message.button(found)) for message in mine)

    cards, pictures = outgoing("✅"), outgoing("photo")
    await person.send_text("/photo")
    await person.send_photo(photograph(), caption="Кот")
    await telegram.wait_for(lambda: outgoing("✅") > cards, _PATIENCE_S)
    card = [message for message in person.messages if message.outgoing and message.button("✅")][-1]
    await person.press(card.id, "✅")
    await telegram.wait_for(lambda: outgoing("photo") > pictures, _PATIENCE_S)


async def test_a_new_version_takes_over_while_people_order(database_url: str, redis_url: str, image: Image) -> None:
    """Every picture arrives once for its price, nothing is refunded, and the webhook is never deleted."""
    telegram, gen_api, yookassa = FakeTelegram(_TOKEN), FakeGenApi(key="key", delay=1), FakeYooKassa()
    services = (telegram, gen_api, yookassa)
    for service in services:
        await service.start()
    edge, versions = Edge(), list[Version]()
    db = await asyncpg.connect(database_url)
    try:
        async with edge.open() as address:
            variables = {
                "PATH": f"{image.programs}:/usr/bin:/bin",
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
            versions.append(await Version.start(image, variables))
            edge.ports = [versions[0].port]
            rolled = asyncio.Event()

            async def chat(person: Person) -> int:
                orders = 0
                while orders < 2 or (not rolled.is_set() and orders < 4):
                    await _order(telegram, person)
                    orders += 1
                await rolled.wait()
                await _order(telegram, person)
                return orders + 1

            people = [telegram.person(number) for number in range(31, 35)]
            chats = [asyncio.create_task(chat(person)) for person in people]
            # Everybody has begun before the new version comes.
            await gen_api.wait_for(lambda: len(gen_api.called("create")) >= len(people), _PATIENCE_S)
            versions.append(await Version.start(image, variables))
            edge.ports = [version.port for version in versions]
            during = [asyncio.create_task(_order(telegram, telegram.person(40 + number))) for number in range(3)]
            await telegram.wait_for(lambda: all(edge.served.get(port, 0) > 5 for port in edge.ports), _PATIENCE_S)
            edge.ports = [versions[1].port]
            assert await versions[0].retire() == 0
            rolled.set()
            ordered = dict(zip((person.id for person in people), await asyncio.gather(*chats), strict=True))
            await asyncio.gather(*during)
            ordered |= {40 + number: 1 for number in range(3)}
            # A picture is in the chat before that is noted.
            async with asyncio.timeout(_PATIENCE_S):
                while await db.fetchval("SELECT count(*) FROM generations WHERE status <> 'delivered'"):  # noqa: ASYNC110 - nothing outside the database tells of a commit
                    await asyncio.sleep(0.1)
            assert await versions[1].retire() == 0
        left = {row["id"]: row["credits"] for row in await db.fetch("SELECT id, credits FROM users")}
        assert left == {person_id: 10 - 2 * orders for person_id, orders in ordered.items()}
        assert await db.fetchval("SELECT count(*) FROM outbox WHERE status <> 'sent'") == 0
        booked = await db.fetch("SELECT user_id, sum(delta) AS credits FROM ledger GROUP BY user_id")
        assert {row["user_id"]: row["credits"] for row in booked} == left
        assert len(gen_api.called("create")) == len(telegram.called("sendPhoto")) == sum(ordered.values())
        assert telegram.called("deleteWebhook") == []
    finally:
        for version in versions:
            await version.retire()
        await db.close()
        for service in services:
            await service.stop()
