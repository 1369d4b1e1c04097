"""`python -m app.migrate`: the newest schema. Needs `DATABASE_URL` and nothing else."""

import os
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import psycopg
from dotenv import dotenv_values
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from yoyo import get_backend, read_migrations

_ROOT = Path(__file__).resolve().parent.parent
_LOCK_KEY = 4_815_162_342
_LOCK_WAIT_S = 300


class MigrationError(Exception):
    """The database could not be brought to the newest schema; the text is one sentence for an operator."""


def main() -> None:
    """Migrates `DATABASE_URL`; ends the process with one line and status 1 where that fails."""
    database_url = os.environ.get("DATABASE_URL") or dotenv_values(_ROOT / ".env").get("DATABASE_URL")
    if not database_url:
        sys.exit("DATABASE_URL is not set")
    try:
        apply(database_url)
    except MigrationError as error:
        sys.exit(f"Migration failed: {error}")
    print("The database has the newest schema")


def apply(database_url: str) -> None:
    """Applies every migration that `database_url` (postgres:// or postgresql://) lacks.

    Safe when several start at once (they queue) and after one was killed half-way. Raises MigrationError.
    """
    parts = _parts(database_url)
    try:
        with psycopg.connect(make_conninfo(**parts), autocommit=True) as guard:
            _take_lock(guard)
            # yoyo's own reading of an address differs from libpq's in odd passwords and names.
            _apply_pending(f"postgresql+psycopg:///?{urlencode(parts)}")
    except psycopg.Error as error:
        raise MigrationError(str(error).strip()) from error


def _parts(database_url: str) -> dict[str, str]:
    """The address as libpq's parameters. libpq quotes what it cannot read, and that may be of the password."""
    _, _, rest = database_url.partition("://")
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(f"postgresql://{rest}").items()}
    except psycopg.ProgrammingError:
        parts = {}
    readable = parts.get("port", "5432").isdecimal() and "@" not in parts.get("host", "")
    if not rest or not parts or not readable:
        raise MigrationError("DATABASE_URL is not a postgresql:// address (percent-encode an odd password)")
    return parts


def _take_lock(guard: psycopg.Connection) -> None:
    """Waits for the advisory lock, which the server drops together with the connection of a killed migrator.

    Polled: a migrator that blocks in pg_advisory_lock holds a snapshot, and CREATE INDEX CONCURRENTLY in the
    one that has the lock would wait for it for ever.
    """
    give_up_at = time.monotonic() + _LOCK_WAIT_S
    while True:
        row = guard.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK_KEY,)).fetchone()
        if row is not None and row[0]:
            return
        if time.monotonic() > give_up_at:
            raise MigrationError(f"another migrator has been at work for {_LOCK_WAIT_S} s")
        time.sleep(0.1)


def _apply_pending(yoyo_url: str) -> None:
    migrations = read_migrations(str(_ROOT / "migrations"))
    with get_backend(yoyo_url) as backend:
        # Whoever left yoyo's own lock row behind is dead: the living hold the advisory lock.
        backend.break_lock()
        backend.apply_migrations(backend.to_apply(migrations))
        # yoyo logs a migration that failed and goes on; only this shows it.
        left = [migration.id for migration in backend.to_apply(migrations)]
    if left:
        raise MigrationError(f"not applied: {', '.join(left)}")


if __name__ == "__main__":
    main()
