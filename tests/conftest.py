"""The servers of the suite: a real PostgreSQL and a real Redis on free loopback ports, gone at its end."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_client

from app.migrate import apply
from app.settings import Settings
from local.postgres import Postgres
from local.redis import Redis

# Configured addresses and keys are not for tests, nor for the processes that they start.
for _setting in Settings.model_fields:
    os.environ.pop(_setting.upper(), None)

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this test process."""
    home = Path(tempfile.mkdtemp(prefix="picture-bot-tests-"))
    home.chmod(0o711)  # as root the server runs as nobody, who has to get through
    # A crash of the machine may cost this data; a crash of the server does not.
    server = Postgres.start(home / "pg", {"fsync": "off", "max_connections": "300"})
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
