"""PostgreSQL and Redis of our own: another user of the machine does not get in, and what is stored stays."""

import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from local.postgres import Postgres
from local.redis import Redis

_AS_OLDER_CLONES_LEFT_IT = "host all all 127.0.0.1/32 trust\n"


@pytest.fixture
def cluster() -> Iterator[Path]:
    """A place for a cluster, whose path bears a space."""
    home = Path(tempfile.mkdtemp(prefix="picture bot "))
    home.chmod(0o711)  # as root the server runs as nobody, who has to get through
    yield home / "pg"
    shutil.rmtree(home)


def _command_lines() -> str:
    """What every user of the machine can read of its processes. Slim images have no `ps`, macOS no `/proc`."""
    if Path("/proc/self/cmdline").exists():
        found = subprocess.run(["/bin/sh", "-c", "cat /proc/[0-9]*/cmdline"], capture_output=True, check=False)
        return found.stdout.decode(errors="replace")
    return subprocess.run(["ps", "-ww", "-A", "-o", "args="], capture_output=True, text=True, check=True).stdout


def test_nobody_gets_into_postgresql_without_the_password(cluster: Path) -> None:
    """It is another one for each cluster, in a file that others cannot read, and on no command line."""
    server = Postgres.start(cluster)
    try:
        for address in (f"postgresql://postgres@127.0.0.1:{server.port}", server.url.replace(server.password, "guess")):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(address)
        [kept] = [path for path in cluster.parent.rglob("*") if path.is_file() and _holds(path, server.password)]
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert server.password not in _command_lines()
    finally:
        server.stop()


def _holds(path: Path, word: str) -> bool:
    return word.encode() in path.read_bytes()


def test_a_cluster_of_an_older_clone_keeps_its_data_and_gets_a_password(cluster: Path) -> None:
    """Then the same one at every start; one whose file was lost is made anew."""
    server = Postgres.start(cluster)
    with psycopg.connect(server.create_database("bot")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        connection.execute("ALTER ROLE postgres PASSWORD NULL")
    server.stop()
    (cluster / "pg_hba.conf").write_text(_AS_OLDER_CLONES_LEFT_IT)
    cluster.with_name("pg.password").unlink()
    passwords = []
    for _ in range(2):
        server = Postgres.start(cluster)
        passwords.append(server.password)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{server.port}/bot")
        with psycopg.connect(server.create_database("bot")) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
        server.stop()
    assert passwords[0] == passwords[1]
    cluster.with_name("pg.password").unlink()
    server = Postgres.start(cluster)
    server.stop()
    assert server.password != passwords[0]


def test_nobody_gets_into_redis_without_the_password() -> None:
    """Which stands on no command line either."""
    server = Redis.start()
    try:
        with redis.Redis(port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert server.password not in _command_lines()
    finally:
        server.stop()
