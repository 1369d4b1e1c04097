"""The servers of the suite: a real PostgreSQL and a real Redis on free loopback ports, gone at its end."""

import itertools
import logging
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client

from app import logs
from app.migrate import apply
from app.proofs import telegram_secret
from app.settings import Settings
from local.postgres import Postgres
from local.redis import Redis
from tests.world import World, world

# Configured addresses and keys are not for tests, nor for the processes that they start.
for _setting in Settings.model_fields:
    os.environ.pop(_setting.upper(), None)

# The log of the suite is written as the bot writes its own, and all of it is scanned.
_WEBHOOK_SECRET = "a-secret-of-the-tests-that-is-long-enough"
_SETTINGS: dict[str, Any] = {
    "_env_file": None,
    "env": "sandbox",
    "bot_token": "4242:a-token-of-the-tests",
    "public_url": "http://127.0.0.1",
    "webhook_secret": _WEBHOOK_SECRET,
    "database_url": "postgresql://127.0.0.1",
    "gen_api_key": "a-key-of-the-tests",
    "yookassa_shop_id": "100500",
    "yookassa_secret_key": "test_key_of_the_tests",
    "metrics_token": "a-metrics-token-of-the-tests",
    "log_level": "DEBUG",
}
logs.configure(Settings(**_SETTINGS))
# The fake services' own: addresses of the Bot API bear the token
logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
_SECRET = re.compile(
    "token-of-the-tests|key[-_]of[-_]the[-_]tests|proof=[0-9a-f]|"
    + "|".join((_WEBHOOK_SECRET, telegram_secret(_WEBHOOK_SECRET)))
)

_numbers = itertools.count(1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails a test while which a secret was written, by the bot in this process, by a process, or in an answer."""
    report = yield
    for title, text in report.sections:
        # pytest's own copy of the records was taken before they were finished
        if "log" not in title and (found := _SECRET.search(text)):
            start = max(0, found.start() - 200)
            report.outcome = "failed"
            report.longrepr = f"A secret was written ({title}): {text[start : found.end() + 50]}"
    return report


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this test process."""
    home = Path(tempfile.mkdtemp(prefix="picture-bot-tests-"))
    home.chmod(0o711)  # as root the server runs as nobody, who has to get through
    # A crash of the machine may cost this data; a crash of the server does not.
    # Where the machine has no IPv6, the server says so and listens on the other.
    options = {"fsync": "off", "max_connections": "300", "listen_addresses": "127.0.0.1,::1"}
    server = Postgres.start(home / "pg", options)
    yield server
    server.stop()
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def _template(postgres: Postgres) -> str:
    """The name of a migrated database that nobody connects to: every test's is a copy of it."""
    apply(postgres.create_database("template_bot"))
    return "template_bot"


@pytest.fixture
def empty_database_url(postgres: Postgres) -> Iterator[str]:
    """A database without a schema."""
    name = f"empty_{next(_numbers)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def shared_database_url(postgres: Postgres, _template: str) -> str:
    """A migrated database for tests that take back what they do: a copy for each costs more than such a test."""
    return postgres.create_database("shared_bot", template=_template)


@pytest.fixture
def database_url(postgres: Postgres, _template: str) -> Iterator[str]:
    """A fresh migrated database of this test alone."""
    name = f"test_{next(_numbers)}"
    yield postgres.create_database(name, template=_template)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def _redis() -> Iterator[Redis]:
    server = Redis.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(_redis: Redis) -> str:
    """A Redis that holds nothing yet."""
    with redis_client.Redis.from_url(_redis.url) as client:
        client.flushall()
    return _redis.url


@pytest.fixture
async def bot(request: pytest.FixtureRequest, database_url: str, redis_url: str) -> AsyncIterator[World]:
    """The bot between the fake services; its books are audited at the end, unless the test is marked `unaudited`.

    `@pytest.mark.settings(…)` names settings that differ; a test's own stands in for that of its module.
    """
    marker = request.node.get_closest_marker("settings")
    changes: dict[str, Any] = marker.kwargs if marker else {}
    async with world(database_url, redis_url, **changes) as running:
        yield running
        if request.node.get_closest_marker("unaudited") is None:
            await running.audit()
