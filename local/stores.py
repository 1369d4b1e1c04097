"""PostgreSQL and Redis of our own, for as long as this process runs."""

import secrets
from contextlib import ExitStack
from pathlib import Path

from app import migrate
from local.postgres import Postgres
from local.redis import Redis

STATE = Path(__file__).resolve().parent.parent / ".local"
"""Everything that runs leave behind."""


def database(name: str, running: ExitStack) -> str:
    """The address of a migrated database in our own PostgreSQL."""
    postgres = Postgres.start(STATE / "pg")
    running.callback(postgres.stop)
    url = postgres.create_database(name)
    migrate.apply(url)
    return url


def redis(running: ExitStack) -> str:
    """The address of our own Redis, or "" where there is none: the bot then keeps conversations in memory."""
    if Redis.binary() is None:
        return ""
    server = Redis.start()
    running.callback(server.stop)
    return server.url


def webhook_secret() -> str:
    """A secret of this clone, the same in every run: a changed one would refuse callbacks that are on their way."""
    path = STATE / "webhook_secret"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        half = path.with_suffix(".half")
        half.touch(mode=0o600)
        half.write_text(secrets.token_hex(32))
        half.rename(path)
    return path.read_text()
