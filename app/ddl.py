"""One statement of a migration, run beside a bot that works on the same tables."""

import re
import time
from collections.abc import Iterator
from typing import Final

import psycopg

_BLOCKED_MS: Final = 1500
"""How long a statement waits for its lock: whatever the bot asks of the table queues behind it for that time.

Under the promised 2 s, which leaves room for the statement itself, and over PostgreSQL's deadlock_timeout (1 s), after
which a vacuum of its own makes way.
"""

_PAUSE_S = 2.0
"""Between two tries: the bot's statements go on."""

_PATIENCE_S = 600.0
"""For somebody who reads a table all this time (pg_dump): then the deployment fails, and the next one tries again."""

_COMMENTS = re.compile(r"\A(\s|--[^\n]*\n)*")
_CREATE_INDEX = re.compile(r"CREATE (?P<unique>UNIQUE )?INDEX (CONCURRENTLY )?(IF NOT EXISTS )?(?P<name>\w+)\s", re.I)
_DROP_INDEX = re.compile(r"DROP INDEX (CONCURRENTLY )?(IF EXISTS )?", re.I)
_ADD_CONSTRAINT = re.compile(
    r"ALTER TABLE (IF EXISTS )?(?P<table>\w+)\s.*ADD CONSTRAINT (?P<name>\w+)\s+(CHECK|FOREIGN KEY)\b", re.I | re.S
)
_VALIDATED_LATER = re.compile(r"NOT VALID\s*;?\s*\Z", re.I)
_SLICE = re.compile(r"(UPDATE|DELETE)\b.*\bLIMIT \d+", re.I | re.S)
_SETTINGS = ("statement_timeout", "transaction_timeout", "idle_session_timeout")


def prepare(connection: psycopg.Connection) -> None:
    """Lets a statement take its time, whatever limits the role or the database has (ALTER ROLE … SET)."""
    connection.execute("SELECT set_config(name, '0', false) FROM pg_settings WHERE name = ANY (%s)", (list(_SETTINGS),))


def run(connection: psycopg.Connection, statement: str) -> None:
    """Runs a statement that can run twice, in a transaction of its own, on a connection in autocommit.

    Never holds the bot's statements up for 2 s: indexes are made and dropped CONCURRENTLY, constraints are added
    NOT VALID and then validated, a lock that is not to be had is asked for again after a pause, and an UPDATE or DELETE
    with a LIMIT is repeated until it finds nothing. Raises psycopg.Error; LockNotAvailable after ten minutes of tries.
    """
    for step in _gently(_COMMENTS.sub("", statement)):
        _insist(connection, step)


def _gently(statement: str) -> Iterator[str]:
    if found := _CREATE_INDEX.match(statement):
        unique, name = found["unique"] or "", found["name"]
        yield f"CREATE {unique}INDEX CONCURRENTLY IF NOT EXISTS {name} {statement[found.end() :]}"
    elif found := _DROP_INDEX.match(statement):
        yield f"DROP INDEX CONCURRENTLY IF EXISTS {statement[found.end() :]}"
    elif (found := _ADD_CONSTRAINT.match(statement)) and not _VALIDATED_LATER.search(statement):
        yield f"{statement.rstrip().removesuffix(';')} NOT VALID"
        yield f"ALTER TABLE {found['table']} VALIDATE CONSTRAINT {found['name']}"
    else:
        yield statement


def _insist(connection: psycopg.Connection, statement: str) -> None:
    give_up_at = time.monotonic() + _PATIENCE_S
    # What is done CONCURRENTLY waits for the transactions that there are, and nobody waits for it.
    concurrently = " INDEX CONCURRENTLY " in statement
    blocked_ms = int(_PATIENCE_S * 1000) if concurrently else _BLOCKED_MS
    connection.execute("SELECT set_config('lock_timeout', %s, false)", (f"{blocked_ms}ms",))
    while True:
        try:
            if found := _CREATE_INDEX.match(statement):
                _drop_half_made(connection, found["name"])
            changed = connection.execute(statement.encode()).rowcount
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if time.monotonic() > give_up_at:
                raise
            time.sleep(_PAUSE_S)
        else:
            if changed <= 0 or not _SLICE.match(statement):
                return


def _drop_half_made(connection: psycopg.Connection, name: str) -> None:
    """An index whose making was cut short is there, is kept up, and is used by nobody: IF NOT EXISTS would keep it."""
    half_made = "SELECT FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid"
    if connection.execute(half_made, (name,)).fetchone() is not None:
        connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}".encode())
