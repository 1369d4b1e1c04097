"""Migrations: they queue, recover, and can run twice."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
import sqlparse
from yoyo import get_backend, read_migrations

from app import ddl, migrate
from local.postgres import Postgres

_MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def _pending(database_url: str) -> list[str]:
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    with get_backend(url) as backend:
        return [migration.id for migration in backend.to_apply(read_migrations(str(_MIGRATIONS)))]


def test_nothing_is_left_to_apply(database_url: str) -> None:
    """The template every test copies is the newest schema."""
    assert _pending(database_url) == []


def test_two_migrators_at_once_both_succeed(empty_database_url: str) -> None:
    """Two replicas that start together queue for the lock; neither sees the other's half."""
    faults: list[BaseException] = []
    together = threading.Barrier(2)

    def run() -> None:
        together.wait()
        try:
            migrate.apply(empty_database_url)
        except BaseException as fault:  # told below, in the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert _pending(empty_database_url) == []


def test_a_migrator_killed_between_applying_and_marking_is_recovered_from(database_url: str) -> None:
    """Everything is there and nothing is marked."""
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM _yoyo_migration")
    migrate.apply(database_url)
    assert _pending(database_url) == []


def test_a_migrator_killed_under_yoyo_s_own_lock_is_recovered_from(empty_database_url: str) -> None:
    """yoyo takes it while it makes its own tables, and a row is all it is."""
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(
            "CREATE TABLE yoyo_lock (locked INT DEFAULT 1 PRIMARY KEY, ctime TIMESTAMP, pid INT NOT NULL)"
        )
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")
    migrate.apply(empty_database_url)
    assert _pending(empty_database_url) == []


@pytest.mark.parametrize("table", ["generations", "outbox", "pauses"])
def test_a_migrator_killed_in_the_midst_of_a_migration_is_recovered_from(empty_database_url: str, table: str) -> None:
    """SIGKILL while a statement waits; two that start after it queue, and one of them does the rest."""
    with psycopg.connect(empty_database_url) as holder:
        holder.execute(f"CREATE TABLE {table} (uncommitted INT)")  # whoever creates the same waits for our end
        command = [sys.executable, "-m", "app.migrate"]
        migrator = subprocess.Popen(
            command, cwd=_MIGRATIONS.parent, env={**os.environ, "DATABASE_URL": empty_database_url}
        )
        with psycopg.connect(empty_database_url, autocommit=True) as watcher:
            _until_one_waits_for_a_lock(watcher)
        migrator.send_signal(signal.SIGKILL)
        assert migrator.wait() == -signal.SIGKILL
        holder.rollback()
    test_two_migrators_at_once_both_succeed(empty_database_url)


def _until_one_waits_for_a_lock(watcher: psycopg.Connection) -> None:
    give_up_at = time.monotonic() + 30
    while time.monotonic() < give_up_at:
        waiting = watcher.execute(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        if waiting.fetchone() is not None:
            return
        time.sleep(0.05)  # nothing outside PostgreSQL tells of it
    raise TimeoutError("nobody waits for a lock")


def test_every_migration_can_run_twice(database_url: str) -> None:
    """The schema over itself is no error and changes nothing that is stored."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO users (id, credits) VALUES (1, 10)")
        for path in sorted(_MIGRATIONS.glob("*.sql")):
            for statement in sqlparse.split(path.read_text(encoding="utf-8")):
                ddl.run(connection, statement)
        assert connection.execute("SELECT id, credits FROM users").fetchall() == [(1, 10)]


def test_a_migration_that_fails_is_an_error(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken migration ends the start instead of being logged and passed over."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001-broken.sql").write_text("CREATE TABLE broken (id NOSUCHTYPE);")
    monkeypatch.setattr(migrate, "_ROOT", tmp_path)
    with pytest.raises(migrate.MigrationError):
        migrate.apply(empty_database_url)


def test_an_address_that_answers_nothing_is_one_sentence() -> None:
    """No traceback for an operator whose database is away."""
    with pytest.raises(migrate.MigrationError) as refused:
        migrate.apply("postgresql://nobody@127.0.0.1:1/none", patience_s=0)
    assert "\n" not in str(refused.value)


def test_an_odd_password_and_name_reach_the_database(postgres: Postgres) -> None:
    """What a hosting platform generates is percent-encoded, and yoyo reads that differently."""
    name = "odd name"
    address = postgres.create_database(name).replace("postgres@", "postgres:p%40s%23s%2F@")
    migrate.apply(address.replace(name, "odd%20name").replace("postgresql://", "postgres://"))
    with psycopg.connect(f"{postgres.url.removesuffix('postgres')}odd%20name") as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
    postgres.drop_database(name)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://bot:hush%zz@localhost/bot",
        "postgresql://bot:hush/x@localhost/bot",
        "postgresql://bot:x@hush@localhost/bot",
        "hush",
    ],
)
def test_no_part_of_an_unreadable_address_is_shown(address: str) -> None:
    """It may be of the password."""
    with pytest.raises(migrate.MigrationError) as refused:
        migrate.apply(address)
    assert "hush" not in str(refused.value)
