"""A copy of the tree with servers beside it, and a pytest there that is asked for one play of tests after the other.

Nothing of the tree itself is changed.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import psycopg

from local.postgres import Postgres
from local.redis import Redis
from tests.mutants.company import TEMPLATE, Play, Played

_OURS = ("app", "local", "sandbox", "tests")


class Stage:
    """Runs tests in the copy at `root`, as it is or with one mutant; `tests` are all that were collected."""

    def __init__(self, root: Path, postgres: Postgres, redis: Redis, files: Sequence[str]) -> None:
        self.root = root
        self._postgres = postgres
        self._said = root.parent / "said.txt"
        self._orders, orders = Pipe()
        self._company = os.fork()
        if self._company == 0:
            self._orders.close()
            _move_to(root)
            from tests.mutants.company import Company

            Company(root, postgres, redis, orders).become(files, self._said)
        orders.close()
        self.tests: list[str] = self._answer()

    def prepares(self, statement: str) -> bool:
        """Whether PostgreSQL takes the statement at all."""
        try:
            with psycopg.connect(self._postgres.create_database(TEMPLATE)) as connection:
                connection.execute(f"EXPLAIN (GENERIC_PLAN) {statement}".encode())
        except psycopg.Error:
            return False
        return True

    def play(self, play: Play) -> Played:
        """Lets a fork run these tests."""
        self._orders.send(play)
        played: Played = self._answer()
        return played

    def close(self) -> None:
        """Ends pytest, which waits for its next play or is told that this is no longer wanted."""
        self._orders.close()
        os.kill(self._company, signal.SIGTERM)
        os.waitpid(self._company, 0)

    def _answer(self) -> Any:
        try:
            return self._orders.recv()
        except EOFError:
            said = self._said.read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"pytest broke off:\n{said[-3000:]}") from None


def _move_to(root: Path) -> None:
    """Lets this process import the modules of the copy in place of the tree's."""
    for name in list(sys.modules):
        if name.split(".")[0] in _OURS:
            del sys.modules[name]
    sys.path[:] = [str(root), *(path for path in sys.path if path not in ("", str(Path.cwd())))]
    os.chdir(root)


@contextmanager
def stage(tree: Path, files: Sequence[str]) -> Iterator[Stage]:
    """Makes the copy, starts the servers and collects the tests of these files; gone at the end."""
    home = Path(tempfile.mkdtemp(prefix="picture-bot-mutants-")).resolve()
    home.chmod(0o711)  # as root the server runs as nobody, who has to get through
    root = home / "tree"
    try:
        _copy(tree, root)
        options = {"fsync": "off", "max_connections": "300", "listen_addresses": "127.0.0.1,::1"}
        postgres, redis = Postgres.start(home / "pg", options), Redis.start()
        try:
            _migrate(root, postgres.create_database(TEMPLATE))
            with closing(Stage(root, postgres, redis, files)) as running:
                yield running
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


def _migrate(root: Path, url: str) -> None:
    apply = "import sys; from app.migrate import apply; apply(sys.argv[1])"
    subprocess.run([sys.executable, "-c", apply, url], cwd=root, check=True)
