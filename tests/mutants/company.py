"""A pytest that has collected every test and plays what it is asked to: in a fork of its own each time.

Imports and the search for tests, which cost ten seconds, are paid once; a fork of what is ready costs ten milliseconds.
"""

import gc
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest

from local.postgres import Postgres
from local.redis import Redis
from tests.mutants.graft import Living, NotGraftedError, codes, graft, living
from tests.mutants.mutant import Mutant
from tests.mutants.reach import Recorder

TEMPLATE, SHARED = "template_bot", "shared_bot"
_PATIENCE_S = 5.0
"""How long a test waits for what a mutant may never bring: a quarter of what it waits for otherwise."""
_TEST_S = 30
_PASSED, _NOTICED, _BROKEN, _NOT_GRAFTED = 0, 1, 70, 71


@dataclass(frozen=True, slots=True)
class Play:
    """Tests to run within so many seconds, as they are or with a mutant; `reach` is the file for what they come by."""

    tests: list[str]
    within_s: float
    mutant: Mutant | None = None
    reach: Path | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """`noticed` is the test that failed or took too long, None if all passed; `grafted`: whether there was a mutant."""

    noticed: str | None = None
    grafted: bool = True


class Company:
    """The plugin: hands the servers to tests/conftest.py, and takes the place of pytest's own loop."""

    def __init__(self, root: Path, postgres: Postgres, redis: Redis, orders: Connection) -> None:
        self._root = root
        self._postgres = postgres
        self._orders = orders
        shared = postgres.create_database(SHARED, template=TEMPLATE)
        self._fixtures = {
            "postgres": postgres,
            "_redis": redis,
            "_template": TEMPLATE,
            "shared_database_url": shared,
        }
        self._items: dict[str, pytest.Item] = {}
        self._living: Living = {}

    def become(self, files: Sequence[str], said: Path) -> NoReturn:
        """This process is that pytest from now on; what it says goes to a file."""

        def run() -> int:
            with said.open("wb") as to:
                os.dup2(to.fileno(), 1)
                os.dup2(to.fileno(), 2)
            # pytest cannot rewrite the asserts of plugins that are imported already, and does not have to
            options = ("-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning", "-q")
            places = (f"--timeout={_TEST_S}", f"--basetemp={self._root.parent / 'tmp'}")
            return int(pytest.main([*files, *options, *places], plugins=[self]))

        _end_with(run)

    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> object:
        if fixturedef.argname not in self._fixtures:
            return None
        value = self._fixtures[fixturedef.argname]
        # What pytest's own implementation does
        key = fixturedef.cache_key(request)  # type: ignore[arg-type]  # a SubRequest, which pytest does not export
        fixturedef.cached_result = (value, key, None)
        return value

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        sys.modules["tests.world"].World.patience_s = _PATIENCE_S
        self._items = {item.nodeid: item for item in session.items}
        self._living = living(self._root)
        # A fork that ends looks through everything five times for what nobody closed: through its own things is enough
        gc.collect()
        gc.freeze()
        self._orders.send(list(self._items))
        with suppress(EOFError):
            while True:
                self._orders.send(self._play(session, self._orders.recv()))
        return True

    def _play(self, session: pytest.Session, play: Play) -> Played:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _end_with(lambda: self._perform(session, play, writing))
        os.close(writing)
        try:
            in_time = select.select([reading], [], [], play.within_s)[0]
            noticed = os.read(reading, 4096).decode() if in_time else play.tests[0]
            if not in_time:
                os.kill(child, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        finally:
            os.close(reading)
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        if code in (_PASSED, _NOT_GRAFTED):
            return Played(grafted=code == _PASSED)
        self._sweep()
        if code == _BROKEN:
            raise RuntimeError("a fork could not run its tests")
        return Played(noticed or play.tests[0])

    def _perform(self, session: pytest.Session, play: Play, writing: int) -> int:
        os.setpgid(0, 0)
        recorder = Recorder(self._root, codes(self._living), play.reach) if play.reach else None
        session.config.pluginmanager.register(recorder or _Noticing(writing))
        if play.mutant is not None:
            try:
                graft(self._root, play.mutant, self._living)
            except NotGraftedError:
                return _NOT_GRAFTED
        items = [self._items[test] for test in play.tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if recorder:
            recorder.write()
        return _PASSED

    def _sweep(self) -> None:
        """Drops the databases of a test that did not come to its end."""
        with psycopg.connect(self._postgres.url) as connection:
            left = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%' OR datname LIKE 'empty\\_%'"
            ).fetchall()
        for (name,) in left:
            self._postgres.drop_database(name)


class _Noticing:
    """The plugin of a fork: the first failure is all that is asked for, so it ends there and then."""

    def __init__(self, to: int) -> None:
        self._to = to

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            os.write(self._to, report.nodeid.encode()[:4096])
            os._exit(_NOTICED)


def _end_with(work: Callable[[], int]) -> NoReturn:
    """This process ends with what `work` returns, and with nothing of what was begun before it."""
    code = _BROKEN
    try:
        code = work()
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
