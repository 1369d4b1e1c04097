"""`./run_local.sh storm --minutes 10 --seed 7`: the long storm, on a PostgreSQL and a Redis of its own."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis as redis_client

from app import migrate
from local.postgres import Postgres
from local.redis import Redis
from tests.faults.harness import stage
from tests.storm.storm import SETTINGS, Report, Storm

# A crash of the machine may cost this data; a crash of the server does not.
_OPTIONS = {"fsync": "off", "max_connections": "300"}


def main() -> int:
    """Prints the report; 1 where something differs."""
    parser = argparse.ArgumentParser(prog="run_local.sh storm")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    arguments = parser.parse_args()
    print(f"storm: seed {arguments.seed}, {arguments.minutes:g} minutes", flush=True)
    with surroundings() as around:
        report = asyncio.run(storm(around, arguments.seed, arguments.minutes))
    print(report)
    return 1 if report.differences else 0


class Surroundings:
    """Servers that the storm may restart and empty."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._postgres = Postgres.start(home / "pg", _OPTIONS)
        self.redis = Redis.start()
        self.database_url = self._postgres.create_database("storm")
        migrate.apply(self.database_url)

    async def restart_postgres(self) -> None:
        """Down for a moment, with transactions in flight."""
        await asyncio.to_thread(self._postgres.stop)
        port = self._postgres.port
        self._postgres = await asyncio.to_thread(Postgres.start, self._home / "pg", _OPTIONS, port)

    async def flush_redis(self) -> None:
        """Every conversation is forgotten."""
        with redis_client.Redis.from_url(self.redis.url) as client:
            await asyncio.to_thread(client.flushall)

    def stop(self) -> None:
        self._postgres.stop()
        self.redis.stop()


@contextmanager
def surroundings() -> Iterator[Surroundings]:
    """The servers, gone at the end."""
    home = Path(tempfile.mkdtemp(prefix="picture-bot-storm-"))
    home.chmod(0o711)  # as root the server runs as nobody, who has to get through
    around = Surroundings(home)
    try:
        yield around
    finally:
        around.stop()
        shutil.rmtree(home)


async def storm(around: Surroundings, seed: int, minutes: float) -> Report:
    """One storm over these servers."""
    interludes = {"PostgreSQL restarted": around.restart_postgres, "Redis emptied": around.flush_redis}
    async with stage(around.database_url, around.redis.url, **SETTINGS) as play:
        return await Storm(play, seed, minutes, interludes).run()


if __name__ == "__main__":
    sys.exit(main())
