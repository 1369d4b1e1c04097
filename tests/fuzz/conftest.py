"""One `python bot.py` for all of these tests, between the fake services, and a client that can send it anything."""

import asyncio
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.proofs import telegram_secret
from local.ports import free_port
from local.postgres import Postgres
from local.redis import Redis
from sandbox.genapi import FakeGenApi
from sandbox.server import Server
from sandbox.telegram import FakeTelegram
from sandbox.yookassa import FakeYooKassa

SECRET = "a-secret-of-the-tests-that-is-long-enough"
TELEGRAM, GEN_API, YOOKASSA = ROUTES = ("/telegram/webhook", "/gen/callback", "/yookassa/webhook")
PATIENCE_S = 20
"""An answer that takes longer is a hang."""

PERSON = 5
"""Somebody who has a chat with the bot."""

_TRACE = re.compile(rb'Traceback|File "|site-packages|\.py\b')
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Target:
    """The running bot; `database_url` is where it keeps what it believed."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path
    database_url: str

    def post(self, route: str, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST") -> Answer:
        """One request on a connection of its own; Telegram's secret goes along on its route.

        No answer may be a 5xx or tell of the code behind it, whatever was sent.
        """
        sent = {"Content-Type": "application/json", **(headers or {})}
        if route.startswith(TELEGRAM):
            sent.setdefault("X-Telegram-Bot-Api-Secret-Token", telegram_secret(SECRET))
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, route, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.read())
        finally:
            connection.close()
        assert answer.status < 500, answer
        assert not _TRACE.search(answer.body), answer
        return answer

    def raw(self, data: bytes) -> bytes:
        """Whatever bytes on a connection of their own, and all that comes back; b"" where it is only closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert not _TRACE.search(answer), answer
        return answer

    def errors(self) -> list[str]:
        """The lines of the log that an operator would be woken by."""
        return [line for line in self.log.read_text().splitlines() if '"level": "error"' in line or line[:1] != "{"]

    def resident_mib(self) -> float:
        """The memory that the process occupies."""
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, check=True)
        return int(told.stdout) / 1024

    def rows(self, table: str) -> int:
        """How many rows a table holds."""
        with psycopg.connect(self.database_url) as connection:
            found = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        assert found is not None
        return int(found[0])


class _Services:
    """The fake services on an event loop in a thread of their own: the tests here are not asynchronous."""

    def __init__(self, *servers: Server) -> None:
        self._servers = servers
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        for server in self._servers:
            asyncio.run_coroutine_threadsafe(server.start(), self._loop).result(30)

    def stop(self) -> None:
        for server in self._servers:
            asyncio.run_coroutine_threadsafe(server.stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture(scope="package")
def bot(
    postgres: Postgres, _template: str, _redis: Redis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    telegram, gen_api = FakeTelegram("4242:token-of-the-tests"), FakeGenApi(key="key-of-the-tests")
    yookassa = FakeYooKassa("100500", "test_key_of_the_tests")
    telegram.person(PERSON)
    services = _Services(telegram, gen_api, yookassa)
    services.start()
    port, log = free_port(), tmp_path_factory.mktemp("fuzz") / "bot.log"
    database_url = postgres.create_database("fuzz", template=_template)
    environment = {
        "PATH": os.environ["PATH"],
        "FLOOD_BURST": "1000000",
        "ENV": "sandbox",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "WEBHOOK_SECRET": SECRET,
        "BOT_TOKEN": telegram.token,
        "TELEGRAM_API_URL": telegram.url,
        "DATABASE_URL": database_url,
        "REDIS_URL": _redis.url,
        "GEN_API_KEY": gen_api.key,
        "GEN_API_URL": gen_api.url,
        "YOOKASSA_SHOP_ID": yookassa.shop_id,
        "YOOKASSA_SECRET_KEY": yookassa.secret,
        "YOOKASSA_API_URL": yookassa.url,
    }
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, "bot.py"], cwd=_ROOT, env=environment, stdout=out, stderr=out)
        target = Target(port, process, log, database_url)
        try:
            _wait(target, telegram)
            yield target
        finally:
            process.kill()
            process.wait()
            services.stop()
    postgres.drop_database("fuzz")


def _wait(target: Target, telegram: FakeTelegram) -> None:
    give_up_at = time.monotonic() + 60
    while not telegram.called("setMyCommands"):
        assert target.process.poll() is None, target.log.read_text()
        assert time.monotonic() < give_up_at, target.log.read_text()
        time.sleep(0.05)
