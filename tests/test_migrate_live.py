"""Migrations under a bot that works, readers that hold their locks, limits of the role, a server that is not up yet."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlparse

from app import migrate
from local.postgres import Postgres

_MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
_SLOW = """
CREATE TABLE things (id INT);
INSERT INTO things SELECT generate_series(1, 6);
CREATE FUNCTION slow(id INT) RETURNS INT IMMUTABLE LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.5); RETURN id; END $$;
"""


@contextmanager
def _migrating(database_url: str) -> Iterator[list[BaseException]]:
    """A migrator at work in a thread; what it raised, once the block is over."""
    faults: list[BaseException] = []

    def run() -> None:
        try:
            migrate.apply(database_url)
        except BaseException as fault:  # told in the test's own thread
            faults.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield faults
    finally:
        thread.join()


def _only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str = "0001-one") -> None:
    """The migrations are this text alone."""
    (tmp_path / "migrations").mkdir(exist_ok=True)
    (tmp_path / "migrations" / f"{name}.sql").write_text(text)
    monkeypatch.setattr(migrate, "_ROOT", tmp_path)


def _until(watcher: psycopg.Connection, seen: str) -> None:
    """Until a query finds something: nothing outside PostgreSQL tells of it."""
    give_up_at = time.monotonic() + 30
    while watcher.execute(seen.encode()).fetchone() is None:
        assert time.monotonic() < give_up_at, seen
        time.sleep(0.01)


def _longest(bot: psycopg.Connection, statement: str, seconds: float) -> float:
    """The longest that a statement of the bot took, asked again and again for so long."""
    longest, over = 0.0, time.monotonic() + seconds
    while time.monotonic() < over:
        began = time.monotonic()
        bot.execute(statement.encode())
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.02)  # it is the bot's statement that is looked at
    return longest


def test_a_reader_that_holds_its_lock_does_not_queue_the_bot_behind_a_migration(database_url: str) -> None:
    """pg_dump or an audit reads `generations` while 0003 alters it: no statement of the bot waits for 2 s."""
    with (
        psycopg.connect(database_url) as reader,
        psycopg.connect(database_url, autocommit=True) as bot,
    ):
        bot.execute("DELETE FROM _yoyo_migration WHERE migration_id LIKE '0003-%'")
        reader.execute("SELECT FROM generations")
        with _migrating(database_url) as faults:
            _until(bot, "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
            longest = _longest(bot, "UPDATE generations SET prompt = prompt WHERE false", 4)
            reader.rollback()
        assert faults == []
        assert 0.5 < longest < 2
        assert bot.execute("SELECT FROM _yoyo_migration WHERE migration_id LIKE '0003-%'").fetchone() is not None


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE things ADD CONSTRAINT things_slow CHECK (slow(id) > 0);",
        "-- Why it is there.\nCREATE INDEX IF NOT EXISTS things_slow ON things (slow(id));",
    ],
)
def test_what_reads_the_whole_table_lets_the_bot_write(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """Three seconds of a constraint or an index as the first migrations write them: made valid, and nobody waited."""
    _only(tmp_path, monkeypatch, statement)
    with psycopg.connect(empty_database_url, autocommit=True) as bot:
        bot.execute(_SLOW.encode())
        with _migrating(empty_database_url) as faults:
            at_work = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
            _until(bot, at_work)
            # The statement computes the slow function once itself
            longest = _longest(bot, "INSERT INTO things VALUES (7)", 1)
        assert faults == []
        assert longest < 1.5
        valid = (
            "SELECT convalidated FROM pg_constraint WHERE conname = 'things_slow' "
            "UNION ALL SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('things_slow')"
        )
        assert bot.execute(valid.encode()).fetchall() == [(True,)]


def test_a_migration_may_take_longer_than_the_role_allows_a_statement(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/scaling.md puts the bot's limits on its role where pgbouncer stands between."""
    name = empty_database_url.rpartition("/")[2]
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {name} SET {setting} = '300ms'".encode())
    _only(tmp_path, monkeypatch, "CREATE TABLE slow AS SELECT pg_sleep(1) IS NULL AS done;")
    migrate.apply(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM slow").fetchone() == (1,)


def test_an_index_that_was_left_half_made_is_made_anew(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migrator killed in the midst leaves an index that nothing uses and IF NOT EXISTS would keep."""
    index = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS things_id ON things (id);"
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE things (id INT)")
        connection.execute("INSERT INTO things VALUES (1), (1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(index.encode())
        connection.execute("DELETE FROM things")
        _only(tmp_path, monkeypatch, f"-- transactional: false\n{index}")
        migrate.apply(empty_database_url)
        valid = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'things_id'::regclass")
        assert valid.fetchone() == (True,)


def test_old_rows_are_changed_a_slice_at_a_time(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An UPDATE with a LIMIT goes on until it finds nothing; each slice is a transaction of its own."""
    _only(
        tmp_path,
        monkeypatch,
        "UPDATE things SET kind = 'old', changed_by = txid_current() WHERE id IN "
        "(SELECT id FROM things WHERE kind IS NULL LIMIT 10);",
    )
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE things (id INT, kind TEXT, changed_by BIGINT)")
        connection.execute("INSERT INTO things SELECT generate_series(1, 25)")
        migrate.apply(empty_database_url)
        found = connection.execute("SELECT count(*), count(DISTINCT changed_by) FROM things WHERE kind = 'old'")
        assert found.fetchone() == (25, 3)


def test_a_server_that_is_not_up_yet_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A platform starts everything at once, and counts how often a service fails."""
    tmp_path.chmod(0o711)
    for folder in tmp_path.parents[:2]:
        folder.chmod(0o711)
    server = Postgres.start(tmp_path / "pg", {"fsync": "off"})
    port = server.port
    address = server.create_database("bot")
    server.stop()
    with _migrating(address) as faults:
        give_up_at = time.monotonic() + 30
        while "Waiting for PostgreSQL" not in capsys.readouterr().err:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)  # nothing else tells of it
        server = Postgres.start(tmp_path / "pg", {"fsync": "off"}, port=port)
    try:
        assert faults == []
        with psycopg.connect(address) as connection:
            assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
    finally:
        server.stop()


def test_a_database_that_is_being_restored_is_waited_for_and_a_wrong_password_is_not(
    postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one comes by itself; for the other somebody has to mend DATABASE_URL, and should know at once."""
    address = f"{postgres.url.removesuffix('/postgres')}/restored"
    with _migrating(address) as faults:
        give_up_at = time.monotonic() + 30
        while '"restored" does not exist' not in capsys.readouterr().err:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)  # nothing else tells of it
        postgres.create_database("restored")
    assert faults == []
    postgres.drop_database("restored")
    began = time.monotonic()
    with pytest.raises(migrate.MigrationError, match="password authentication failed"):
        migrate.apply(postgres.url.replace("@", "x@"))
    assert time.monotonic() - began < 5


_FORBIDDEN = (
    (r"ADD COLUMN(?! IF NOT EXISTS)", "ADD COLUMN IF NOT EXISTS: it must be able to run twice"),
    (r"ADD COLUMN[^,;]*\b(CHECK|REFERENCES|UNIQUE|PRIMARY KEY)\b", "a constraint is a step of its own, NOT VALID"),
    (r"ADD COLUMN(?![^,;]*DEFAULT)[^,;]*NOT NULL", "the version before does not write it: DEFAULT or NULL"),
    (r"ADD (?!COLUMN|CONSTRAINT)", "a constraint has a name"),
    (r"ADD CONSTRAINT \w+ (UNIQUE|PRIMARY)(?! USING)", "CREATE UNIQUE INDEX CONCURRENTLY instead"),
    (r"ADD CONSTRAINT \w+ (CHECK|FOREIGN)(?!.*NOT VALID)", "NOT VALID, then VALIDATE CONSTRAINT"),
    (r"CREATE (UNIQUE )?INDEX (?!CONCURRENTLY IF NOT EXISTS)", "CONCURRENTLY IF NOT EXISTS"),
    (r"DROP INDEX (?!CONCURRENTLY IF EXISTS)", "CONCURRENTLY IF EXISTS"),
    (r"CREATE TABLE (?!IF NOT EXISTS)", "IF NOT EXISTS: it must be able to run twice"),
    (
        r"\b(DROP TABLE|DROP COLUMN|RENAME|SET NOT NULL|TRUNCATE|LOCK TABLE)\b|ALTER COLUMN \w+ (SET DATA )?TYPE",
        "only add",
    ),
)


def test_new_migrations_are_written_so_that_nobody_waits_for_them() -> None:
    """The rules of CONTRIBUTING.md, from 0004 on; the first three are gentle by app/ddl.py alone."""
    for path in sorted(_MIGRATIONS.glob("*.sql"))[3:]:
        for statement in sqlparse.split(path.read_text(encoding="utf-8")):
            text = " ".join(sqlparse.format(statement, strip_comments=True).split())
            for pattern, rule in _FORBIDDEN:
                assert not re.search(pattern, text, re.I), f"{path.name}: {rule}: {text}"
