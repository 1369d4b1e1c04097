"""A private network that knows IPv6 alone, as older ones of Railway do."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from local.ports import free_port, is_free
from tests.faults.harness import stage

_ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not is_free("::1", 0), reason="this machine has no IPv6")


def _six(url: str) -> str:
    return url.replace("127.0.0.1", "[::1]")


async def test_everything_at_ipv6_addresses(empty_database_url: str, redis_url: str) -> None:
    """The migrator and the bot find PostgreSQL and Redis there, and the bot is found there: a picture is delivered."""
    async with Redis.from_url(redis_url) as redis:
        await redis.config_set("bind", "127.0.0.1 ::1")
    database_url, port = _six(empty_database_url), free_port()
    variables = {"PATH": os.environ["PATH"], "DATABASE_URL": database_url}
    migrator = await asyncio.create_subprocess_exec(sys.executable, "-m", "app.migrate", cwd=_ROOT, env=variables)
    assert await migrator.wait() == 0
    where = {"host": "::1", "port": port, "public_url": f"http://[::1]:{port}"}
    async with stage(database_url, _six(redis_url), **where) as play:
        await play.bot().start()
        person = play.person()
        await play.order(person)
        await play.delivered(person)
        await play.yookassa.pay(await play.choose(person))
        await play.told(person, "добавлено 10 кредитов")
        await play.audit()
