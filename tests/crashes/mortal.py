"""The whole bot in a process that ends by SIGKILL: forked from one that has it loaded, so that a life costs little.

`python -m tests.crashes.mortal SOCKET` is that one. For a line with an environment in JSON it forks the bot; for the
next line, or the end of them, it kills it. Each time it says when that is done. The number is that of the socket which
all lives listen on.
"""

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from aiohttp import web

from app.main import create_app
from app.settings import Settings
from tests.faults.harness import environment

_ROOT = Path(__file__).parents[2]
_DONE = "done"


class Lives:
    """The lives of the bot, one after another, each of which takes what comes to `port`."""

    def __init__(self, forking: subprocess.Popen[str], port: int) -> None:
        self.port = port
        self._forking = forking
        self._alive = False

    async def begin(self, settings: Settings) -> None:
        """The process is there; that it serves is seen from outside."""
        self._alive = True
        await asyncio.to_thread(self._say, json.dumps(environment(settings)))

    async def end(self) -> None:
        """SIGKILL for the present one, and the end of its process: nothing is closed in order."""
        if self._alive:
            self._alive = False
            await asyncio.to_thread(self._say, "")

    def _say(self, line: str) -> None:
        assert self._forking.stdin is not None
        assert self._forking.stdout is not None
        self._forking.stdin.write(f"{line}\n")
        self._forking.stdin.flush()
        assert self._forking.stdout.readline().strip() == _DONE, "what forks the bot has ended"


@contextmanager
def lives() -> Iterator[Lives]:
    """The process that forks them; what lives at the end is killed with it."""
    # The port stays ours while nobody lives
    with socket.create_server(("127.0.0.1", 0)) as listening:
        forking = subprocess.Popen(
            (sys.executable, "-m", __name__, str(listening.fileno())),
            cwd=_ROOT,
            pass_fds=[listening.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Lives(forking, listening.getsockname()[1])
        finally:
            forking.communicate()


def main() -> None:
    """Reads on until there is nobody who could say anything."""
    # What is here before a fork is not looked through in each life, which would copy all of it
    gc.freeze()
    listening = socket.socket(fileno=int(sys.argv[1]))
    while line := sys.stdin.readline():
        life = os.fork()
        if not life:
            _live(json.loads(line), listening)
        print(_DONE, flush=True)
        sys.stdin.readline()
        os.kill(life, signal.SIGKILL)
        os.waitpid(life, 0)
        print(_DONE, flush=True)


def _live(variables: dict[str, str], listening: socket.socket) -> None:
    # Its answers are read on the other one
    os.dup2(2, 1)
    # What a dying bot has to say fills screens, and is of no use
    logging.disable(logging.CRITICAL)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    os.environ.clear()
    os.environ.update(variables)
    asyncio.run(_serve(Settings(_env_file=None), listening))  # type: ignore[call-arg]  # pydantic's own argument


async def _serve(settings: Settings, listening: socket.socket) -> None:
    runner = web.AppRunner(create_app(settings), access_log=None, shutdown_timeout=0.01, auto_decompress=False)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
