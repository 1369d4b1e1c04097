"""The bot behind pgbouncer in transaction mode, set up as docs/scaling.md says."""

import asyncio
import os
import pwd
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psycopg
import pytest

from local.child import Child
from local.ports import free_port
from sandbox.telegram import Person
from tests.faults.harness import Stage, environment, stage

_ROOT = Path(__file__).parents[1]
_PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
_CONNECTIONS = 4
_LIMITS = {"statement_timeout": "5s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "10s"}
_INI = """
[databases]
* = host=127.0.0.1 port={server_port} user=postgres password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
ignore_startup_parameters = {limits}
"""

pytestmark = pytest.mark.skipif(
    _PROGRAM is None and "CI" not in os.environ, reason="install pgbouncer to see the bot behind it"
)


@pytest.fixture
def bouncer_url(database_url: str) -> Iterator[str]:
    """The database's address behind a pgbouncer that has fewer connections than the bots have workers."""
    with psycopg.connect(database_url, autocommit=True) as db:
        for name, limit in _LIMITS.items():
            db.execute(f"ALTER ROLE postgres IN DATABASE {urlsplit(database_url).path[1:]} SET {name} = '{limit}'")
    assert _PROGRAM is not None, "CI installs pgbouncer"
    home = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    home.chmod(0o755)
    port, limits = free_port(), ", ".join(_LIMITS)
    server = urlsplit(database_url)
    ini = home / "pgbouncer.ini"
    ini.write_text(
        _INI.format(
            server_port=server.port, password=server.password, port=port, connections=_CONNECTIONS, limits=limits
        )
    )
    # Like PostgreSQL, it refuses root.
    account = (nobody.pw_uid, nobody.pw_gid) if os.geteuid() == 0 and (nobody := pwd.getpwnam("nobody")) else None
    child = Child.start([_PROGRAM, ini], account=account, cwd=Path("/"))
    url = urlsplit(database_url)._replace(netloc=f"postgres@127.0.0.1:{port}").geturl()
    while not _answers(url):
        assert child.poll() is None
        time.sleep(0.05)
    yield url
    child.stop()
    shutil.rmtree(home)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


async def _order(play: Stage, person: Person) -> None:
    await play.order(person)
    await play.delivered(person)


async def _buy(play: Stage, person: Person) -> None:
    await play.yookassa.pay(await play.choose(person))
    await play.told(person, "добавлено 10 кредитов", within_s=30)


async def test_two_replicas_share_a_few_connections(database_url: str, redis_url: str, bouncer_url: str) -> None:
    """Ten people order and buy at once, a replica is killed meanwhile; nobody sees an error, and the limits hold."""
    async with (
        stage(database_url, redis_url) as play,
        play.replicas(2, database_url=bouncer_url, db_statement_cache=0) as (one, other),
    ):
        await asyncio.gather(one.start(), other.start())
        buyers, owners = [[play.person(number) for number in numbers] for numbers in (range(1, 6), range(6, 11))]
        await asyncio.gather(*(_buy(play, person) for person in buyers), *(_order(play, person) for person in owners))
        assert [await play.credits(person) for person in buyers + owners] == [20] * 5 + [8] * 5
        # Before the kill: after it, Telegram may remember an update that came back
        variables = environment(play.settings.model_copy(update={"database_url": bouncer_url}))
        doctor = await asyncio.create_subprocess_exec(sys.executable, "-m", "app.doctor", cwd=_ROOT, env=variables)
        assert await doctor.wait() == 0
        late = [play.person(number) for number in range(11, 14)]
        for person in late:
            await play.order(person)
        await one.kill()
        await play.let_leases_run_out()
        await asyncio.gather(*(play.told(person, "Готово", within_s=60) for person in late))
        used = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"
        assert 0 < await play.pool.fetchval(used, "picture-bot") <= _CONNECTIONS
        through = await asyncpg.connect(bouncer_url, statement_cache_size=0)
        assert {name: await through.fetchval(f"SHOW {name}") for name in _LIMITS} == _LIMITS
        await through.close()
        errors = [line for bot in (one, other) for line in bot.lines if '"level": "error"' in line]
        assert errors == []
        await play.audit()
