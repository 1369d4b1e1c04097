"""A copy of the tree with servers beside it, and a warm process whose copies run pytest there.

Nothing of the tree itself is changed. Starting pytest and importing what the bot leans on takes seconds; a fork of a
process that has done so takes none.
"""

import gc
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.postgres import Postgres
from local.redis import Redis
from tests.mutants.mutant import Mutant

_OURS = ("app", "local", "sandbox", "tests")
_NEEDED = "import sys, app.main, app.migrate, sandbox.__main__, tests.world, hypothesis, pytest_asyncio, pytest_aiohttp"
_TEMPLATE = "template_bot"
_PATIENCE_S = 5.0
"""How long a test waits for what a mutant may never bring: a quarter of what it waits for otherwise."""


# pytest cannot rewrite the asserts of plugins that are imported already, and does not have to
_LIKE_A_FRESH_ONE = ("-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")


class Stage:
    """Runs tests in the copy at `root`, as it is or with one mutant."""

    def __init__(self, root: Path, postgres: Postgres, redis: Redis) -> None:
        self.root = root
        self.said = root.parent / "said.txt"
        self._postgres = postgres
        self._redis = redis

    def prepares(self, statement: str) -> bool:
        """Whether PostgreSQL takes the statement at all."""
        try:
            with psycopg.connect(self._postgres.create_database(_TEMPLATE)) as connection:
                connection.execute(f"EXPLAIN (GENERIC_PLAN) {statement}".encode())
        except psycopg.Error:
            return False
        return True

    @contextmanager
    def changed(self, mutant: Mutant) -> Iterator[None]:
        """The copy holds the mutant."""
        path = self.root / mutant.path
        kept = path.with_suffix(".kept")
        path.rename(kept)
        try:
            path.write_bytes(mutant.text_of(kept.read_bytes()))
            yield
        finally:
            # With its old age, so that what is compiled of it stays good
            kept.rename(path)

    def run(self, arguments: Sequence[str], within_s: float, *plugins: object, compiling: bool = False) -> int | None:
        """pytest's exit code, None if it took longer than that; what it says is in `said`."""
        child = os.fork()
        if child == 0:
            self._become_pytest(arguments, plugins, compiling)
        over_at = time.monotonic() + within_s
        while time.monotonic() < over_at:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                self._sweep(child)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self._sweep(child)
        return None

    def _become_pytest(self, arguments: Sequence[str], plugins: Sequence[object], compiling: bool) -> None:
        code = 70
        try:
            os.setpgid(0, 0)
            os.chdir(self.root)
            with self.said.open("wb") as said:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
            forget_ours()
            sys.path[:] = [str(self.root), *(path for path in sys.path if path not in ("", str(Path.cwd())))]
            sys.dont_write_bytecode = not compiling
            code = int(pytest.main([*arguments, *_LIKE_A_FRESH_ONE], plugins=[_Shared(self), *plugins]))
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _sweep(self, child: int) -> None:
        """Ends what the tests left behind."""
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        with psycopg.connect(self._postgres.url) as connection:
            left = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%' OR datname LIKE 'empty\\_%'"
            ).fetchall()
        for (name,) in left:
            self._postgres.drop_database(name)


class _Shared:
    """The plugin that hands the servers to tests/conftest.py."""

    def __init__(self, stage: Stage) -> None:
        self._fixtures = {"postgres": stage._postgres, "_redis": stage._redis, "_template": _TEMPLATE}

    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> object:
        if fixturedef.argname not in self._fixtures:
            return None
        value = self._fixtures[fixturedef.argname]
        # What pytest's own implementation does
        key = fixturedef.cache_key(request)  # type: ignore[arg-type]  # a SubRequest, which pytest does not export
        fixturedef.cached_result = (value, key, None)
        return value

    def pytest_collection_finish(self) -> None:
        world = sys.modules.get("tests.world")
        if world is not None:
            world.World.patience_s = _PATIENCE_S


def forget_ours() -> None:
    """Lets this process import our modules anew."""
    for name in list(sys.modules):
        if name.split(".")[0] in _OURS:
            del sys.modules[name]


@contextmanager
def stage(tree: Path) -> Iterator[Stage]:
    """Makes the copy, starts the servers and warms this process up; gone at the end."""
    home = Path(tempfile.mkdtemp(prefix="picture-bot-mutants-")).resolve()
    home.chmod(0o711)  # as root the server runs as nobody, who has to get through
    root = home / "tree"
    try:
        _copy(tree, root)
        _warm(root)
        options = {"fsync": "off", "max_connections": "300", "listen_addresses": "127.0.0.1,::1"}
        postgres, redis = Postgres.start(home / "pg", options), Redis.start()
        try:
            _migrate(root, postgres.create_database(_TEMPLATE))
            yield Stage(root, postgres, redis)
        finally:
            postgres.stop()
            redis.stop()
    finally:
        shutil.rmtree(home)


def _copy(tree: Path, root: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=tree, check=True, capture_output=True, text=True
    )
    for name in listed.stdout.splitlines():
        if (tree / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree / name, root / name)


def _warm(root: Path) -> None:
    """Imports what our modules import that is not ours."""
    listing = f"{_NEEDED}; print(*sys.modules)"
    named = subprocess.run([sys.executable, "-c", listing], cwd=root, check=True, capture_output=True, text=True)
    for name in named.stdout.split():
        if name.split(".")[0] not in (*_OURS, "__main__"):
            with suppress(ImportError):
                importlib.import_module(name)
    # A fork that ends looks through everything five times for what nobody closed: through its own things is enough
    gc.collect()
    gc.freeze()


def _migrate(root: Path, url: str) -> None:
    apply = "import sys; from app.migrate import apply; apply(sys.argv[1])"
    subprocess.run([sys.executable, "-c", apply, url], cwd=root, check=True)
