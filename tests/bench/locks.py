"""Who waited for whose lock in PostgreSQL, and for how long: by its own log."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg

NOTED_MS = 5
"""Waits from here on are written down. PostgreSQL looks for a deadlock as often."""

OPTIONS = {"log_lock_waits": "on", "deadlock_timeout": f"{NOTED_MS}ms"}
"""Lines of postgresql.conf that this needs."""

_WAITED = re.compile(r"process \d+ acquired \w+ on .* after (?P<ms>[\d.]+) ms$", re.MULTILINE)
_GAVE_UP = "ERROR:  canceling statement due to"
_DEADLOCK = "ERROR:  deadlock detected"
_COMMITTED = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class Waits:
    """Waits of NOTED_MS milliseconds and more, in how many transactions; statements that gave up; deadlocks."""

    transactions: int
    ms: tuple[float, ...]
    gave_up: int
    deadlocks: int

    @property
    def p99_ms(self) -> float:
        """Of the waits that were noted: the shorter ones are not counted in its favour."""
        return sorted(self.ms)[math.ceil(len(self.ms) * 0.99) - 1] if self.ms else 0


class Locks:
    """What has happened in a database since this was made."""

    def __init__(self, database_url: str, log: Path) -> None:
        self._url, self._log = database_url, log
        self._from = log.stat().st_size
        self._before = self._committed()

    def waits(self) -> Waits:
        """So far."""
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._from)
            text = log.read()
        return Waits(
            self._committed() - self._before,
            tuple(float(match["ms"]) for match in _WAITED.finditer(text)),
            text.count(_GAVE_UP),
            text.count(_DEADLOCK),
        )

    def _committed(self) -> int:
        with psycopg.connect(self._url, autocommit=True) as connection:
            row = connection.execute(_COMMITTED).fetchone()
        assert row is not None
        return int(row[0])
