"""The bot's process: started, killed, paused, and started again while everything around it lives on."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import aiohttp

ROOT = Path(__file__).parent.parent
START_S = 90
STOP_S = 12
REVIVAL_S = 1.0

State = Literal["starting", "running", "paused", "down"]


class BotProcess:
    """`python bot.py` with `environment`; `url` is where it serves. `watchers` are told of every change of `state`.

    `code` is the exit code of the last end, negative for a signal; `starts` counts the starts, and `since` is
    when the state began (Unix time).
    """

    def __init__(self, environment: Mapping[str, str], url: str) -> None:
        self._environment, self._url = environment, url
        self._process: asyncio.subprocess.Process | None = None
        self._end_noted: asyncio.Task[None] | None = None
        self._revival: asyncio.Task[None] | None = None
        self.state: State = "down"
        self.code: int | None = None
        self.starts = 0
        self.since = time.time()
        self.watchers: list[Callable[[], None]] = []

    async def start(self) -> bool:
        """Start it unless it runs; whether it was ready within START_S seconds."""
        if self.state == "down":
            self._become("starting")
            self.starts += 1
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "bot.py", cwd=ROOT, env=self._environment
            )
            self._end_noted = asyncio.create_task(self._note_end(self._process))
        return await self._ready()

    async def _note_end(self, process: asyncio.subprocess.Process) -> None:
        self.code = await process.wait()
        self._become("down")

    async def _ready(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S), aiohttp.ClientSession() as http:
                while self.state != "down":
                    with contextlib.suppress(aiohttp.ClientError):
                        async with http.get(f"{self._url}/readyz") as answer:
                            if answer.status == 200:
                                if self.state == "starting":
                                    self._become("running")
                                return True
                    await asyncio.sleep(0.2)
        return False

    async def kill(self) -> None:
        """SIGKILL; it starts again by itself after REVIVAL_S seconds."""
        if self._process is None or self.state == "down":
            return
        self._process.kill()
        await self._ended()
        self._revival = asyncio.create_task(self._revive())

    async def _revive(self) -> None:
        await asyncio.sleep(REVIVAL_S)
        await self.start()

    async def restart(self) -> None:
        """SIGTERM and a new start; just a start where it is down."""
        await self._terminate()
        await self.start()

    def pause(self) -> None:
        """Stop its clock: it holds its connections and does nothing."""
        if self._process is not None and self.state == "running":
            self._process.send_signal(signal.SIGSTOP)
            self._become("paused")

    def resume(self) -> None:
        """Let it go on after `pause`."""
        if self._process is not None and self.state == "paused":
            self._process.send_signal(signal.SIGCONT)
            self._become("running")

    async def stop(self) -> None:
        """End it for good."""
        if self._revival is not None:
            self._revival.cancel()
        await self._terminate()

    async def _terminate(self) -> None:
        self.resume()
        if self._process is None or self.state == "down":
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await self._ended()
        except TimeoutError:
            self._process.kill()
            await self._ended()

    async def _ended(self) -> None:
        if self._end_noted is not None:
            await asyncio.shield(self._end_noted)

    def _become(self, state: State) -> None:
        self.state, self.since = state, time.time()
        for watcher in self.watchers:
            watcher()
