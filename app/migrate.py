"""`python -m app.migrate`: the newest schema. Needs `DATABASE_URL` and nothing else."""

import os
import re
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import psycopg
from dotenv import dotenv_values
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from yoyo import get_backend, read_migrations
from yoyo.migrations import read_sql_migration

from app import ddl

_ROOT = Path(__file__).resolve().parent.parent
_LOCK_KEY = 4_815_162_342

PATIENCE_S = 300.0
"""For a PostgreSQL that is not up yet."""

_LOCK_WAIT_S = 900
_TRY_AGAIN_S = 1.0

_REFUSED = re.compile(r'password authentication failed|role ".*" does not exist|no password supplied')
"""Where libpq cannot connect there is no SQLSTATE, only the server's text; in another language it is waited for."""


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


def apply(database_url: str, patience_s: float = PATIENCE_S) -> None:
    """Applies every migration that `database_url` (postgres:// or postgresql://) lacks.

    Waits `patience_s` seconds for a PostgreSQL that is not up. Safe when several start at once (they queue) and after
    one was killed half-way; the bot at work is not held up (app/ddl.py). Raises MigrationError.
    """
    parts = _parts(database_url)
    try:
        # What holds the lock runs the statements: that of a killed migrator ends before the next one begins.
        with _connect(parts, patience_s) as connection:
            _take_lock(connection)
            _apply_pending(connection, parts)
    except psycopg.Error as error:
        raise MigrationError(_one_line(error)) from error


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


def _connect(parts: dict[str, str], patience_s: float) -> psycopg.Connection:
    """Waits for the server, and for a database that is being restored; a refused password is nobody's to wait for."""
    give_up_at = time.monotonic() + patience_s
    said = ""
    while True:
        try:
            return psycopg.connect(
                make_conninfo(**{"connect_timeout": "5", **parts}), autocommit=True, prepare_threshold=None
            )
        except psycopg.OperationalError as error:
            text = _one_line(error)
            if _REFUSED.search(text) or time.monotonic() > give_up_at:
                raise
        if text != said:
            print(f"Waiting for PostgreSQL: {text}", file=sys.stderr, flush=True)
            said = text
        time.sleep(_TRY_AGAIN_S)


def _one_line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())


def _take_lock(connection: psycopg.Connection) -> None:
    """Waits for the advisory lock, which the server drops together with the connection of a killed migrator.

    Polled: a migrator that blocks in pg_advisory_lock holds a snapshot, and CREATE INDEX CONCURRENTLY in the
    one that has the lock would wait for it for ever.
    """
    give_up_at = time.monotonic() + _LOCK_WAIT_S
    while True:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK_KEY,)).fetchone()
        if row is not None and row[0]:
            return
        if time.monotonic() > give_up_at:
            raise MigrationError(f"another migrator has been at work for {_LOCK_WAIT_S} s")
        time.sleep(0.1)


def _apply_pending(connection: psycopg.Connection, parts: dict[str, str]) -> None:
    """yoyo says what is to be applied and keeps the marks; its way of applying is a transaction a file."""
    ddl.prepare(connection)
    migrations = read_migrations(str(_ROOT / "migrations"))
    # yoyo's own reading of an address differs from libpq's in odd passwords and names.
    with get_backend(f"postgresql+psycopg:///?{urlencode(parts)}") as backend:
        # Whoever left yoyo's own lock row behind is dead: the living hold the advisory lock.
        backend.break_lock()
        for migration in backend.to_apply(migrations):
            _, _, statements = read_sql_migration(migration.path)
            for statement in statements:
                try:
                    ddl.run(connection, statement)
                except psycopg.Error as error:
                    raise MigrationError(f"{migration.id}: {_one_line(error)}") from error
            backend.mark_migrations([migration])


if __name__ == "__main__":
    main()
