"""Three servers, each of which may use one core; databases, Redis, stubs and load have the others."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from app import migrate
from app.proofs import telegram_secret
from local.child import Child
from local.ports import free_port
from local.postgres import Postgres
from local.redis import Redis
from tests import processes
from tests.bench import rows
from tests.bench.load import Measure, Task
from tests.bench.stubs import HELD_TOKEN, TOKEN

CONTENDERS = {"floor": ["-m", "tests.bench.floor"], "usual": ["-m", "tests.bench.usual"], "bot": ["bot.py"]}
"""What each is started with."""

TEMPLATE = "template_bench"
"""A migrated database that nobody connects to."""

_ROOT = Path(__file__).parents[2]
SECRET = "a-secret-of-the-bench-that-is-long-enough"
_PATIENCE_S = 120
_LOAD_S = 60


@dataclass(frozen=True, slots=True)
class Server:
    """A contender that serves, `ready_s` seconds after its start; `pid` is the process itself, `stubs` the port of the
    services around it."""

    name: str
    port: int
    pid: int
    database_url: str
    stubs: int
    ready_s: float

    @property
    def memory(self) -> int:
        """Bytes that it and everything below it hold."""
        return processes.resident(self.pid)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is sent: `seconds` a round, over so many connections, from so many people."""

    seconds: float
    connections: int
    people: int

    @property
    def rows(self) -> int:
        """Orders and payments that are seeded for a round: more than any contender gets through."""
        return int(self.seconds * 4000)


def measure(server: Server, scenario: str, sizes: Sizes) -> Measure:
    """One round. Raises RuntimeError where the database does not hold what the answers promised."""
    rows.seed(server.database_url, scenario, sizes.people, sizes.rows)
    task = Task(
        server.name,
        scenario,
        server.port,
        server.pid,
        SECRET,
        sizes.connections,
        sizes.seconds,
        sizes.people,
        sizes.rows,
        server.stubs,
    )
    command = [sys.executable, "-m", "tests.bench.load"]
    told = json.dumps(asdict(task))
    done = subprocess.run(
        command, input=told, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=_LOAD_S + 4 * sizes.seconds
    )
    if done.returncode != 0:
        raise RuntimeError(f"{server.name}, {scenario}: {done.stderr[-2000:]}")
    measured = Measure(**json.loads(done.stdout))
    known = rows.done(server.database_url, scenario)
    if known is not None and known != measured.units:
        raise RuntimeError(f"{server.name}, {scenario}: {measured.units} answered, {known} in the database")
    return measured


def imported() -> tuple[float, int]:
    """Seconds that a process takes which imports aiogram and nothing else, and the bytes that it holds then."""
    started_at = time.monotonic()
    command = [sys.executable, "-c", "import aiogram; print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_process()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        took_s, held = time.monotonic() - started_at, processes.resident(process.pid)
        process.communicate(b"\n")
    return took_s, held


@contextmanager
def stage() -> Iterator[Sequence[Server]]:
    """The contenders, ready, each with a database of its own; all is gone at the end."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    with surroundings(cores=cores[1:]) as around:
        servers = []
        for name, arguments in CONTENDERS.items():
            database_url = around.postgres.create_database(name, TEMPLATE)
            token = HELD_TOKEN if name == "bot" else TOKEN
            with _on(cores[:1] if len(cores) > 1 else []):
                servers.append(around.start(name, arguments, database_url, token))
        yield servers


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a server needs: PostgreSQL with a migrated database TEMPLATE, Redis, and the stubs, at a port."""

    home: Path
    postgres: Postgres
    redis: Redis
    stubs: int
    running: ExitStack

    def start(self, name: str, arguments: Sequence[str], database_url: str, token: str) -> Server:
        """Starts a server and waits until it is ready."""
        port, log = free_port(), self.home / f"{name}.log"
        env = _process() | self.settings(database_url, port, token)
        started_at = time.monotonic()
        with log.open("wb") as written:
            # The bot takes its port from the settings
            child = Child.start([sys.executable, *arguments, port], cwd=_ROOT, log=written, env=env)
        self.running.callback(child.stop)
        _wait_until_ready(child, port, log)
        ready_s = time.monotonic() - started_at
        return Server(name, port, _below(child.pid), database_url, self.stubs, ready_s)

    def settings(self, database_url: str, port: int, token: str) -> dict[str, str]:
        """Nothing that the workers do by the clock falls into a round, and no order is declined."""
        return {
            "ENV": "sandbox",
            "BOT_TOKEN": token,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "WEBHOOK_SECRET": SECRET,
            "TELEGRAM_SECRET": telegram_secret(SECRET),
            "DATABASE_URL": database_url,
            "REDIS_URL": self.redis.url,
            "GEN_API_KEY": "key",
            "GEN_API_URL": f"http://127.0.0.1:{self.stubs}/v1",
            "YOOKASSA_SHOP_ID": "100500",
            "YOOKASSA_SECRET_KEY": "test_key",
            "YOOKASSA_API_URL": f"http://127.0.0.1:{self.stubs}/v3",
            "TELEGRAM_API_URL": f"http://127.0.0.1:{self.stubs}",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "GENERATION_POLL_AFTER_S": "3600",
            "GENERATION_DEADLINE_S": "36000",
            "PAYMENT_POLL_AFTER_S": "3600",
            "MAX_WAITING_ORDERS": "1000000",
        }


@contextmanager
def surroundings(options: Mapping[str, str] | None = None, cores: Sequence[int] = ()) -> Iterator[Surroundings]:
    """What servers need, on these cores; `options` are lines of postgresql.conf. All is gone at the end."""
    home = Path(tempfile.mkdtemp(prefix="picture-bot-bench-"))
    home.chmod(0o711)  # as root PostgreSQL runs as nobody, who has to get through
    with ExitStack() as running:
        running.callback(shutil.rmtree, home, ignore_errors=True)
        running.enter_context(_on(cores))
        postgres = Postgres.start(home / "pg", {"fsync": "off", "max_connections": "100", **(options or {})})
        running.callback(postgres.stop)
        redis = Redis.start()
        running.callback(redis.stop)
        migrate.apply(postgres.create_database(TEMPLATE))
        stubs = free_port()
        with (home / "stubs.log").open("wb") as log:
            stub = Child.start([sys.executable, "-m", "tests.bench.stubs", stubs], cwd=_ROOT, log=log, env=_process())
        running.callback(stub.stop, 1)
        yield Surroundings(home, postgres, redis, stubs, running)


@contextmanager
def _on(cores: Sequence[int]) -> Iterator[None]:
    """What is started meanwhile may use these cores; with none named, all that we may use."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _process() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT)}


def _below(shell: int) -> int:
    """The server itself: the first process below the shell that waits for it. The shell where there is no /proc."""
    ours = (pid for pid in processes.tree(shell) if not processes.read(pid, "cmdline").startswith(b"/bin/sh"))
    return next(ours, shell)


def _wait_until_ready(child: Child, port: int, log: Path) -> None:
    give_up_at = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError as error:
            if child.poll() is not None or time.monotonic() > give_up_at:
                raise RuntimeError(f"a contender does not serve: {log.read_text()[-2000:]}") from error
        time.sleep(0.1)
