"""The bot: web server and background workers in one process."""

import asyncio
import ctypes
import gc
import resource
import signal
import sys
from contextlib import suppress

from aiohttp import web

from app import keys, logs
from app.connections import UNUSED_S
from app.loop import Loop
from app.main import create_app
from app.settings import Settings, load_settings

OPEN_FILES = 10_000

MOST_HEADERS, LONGEST_HEADER = 64, 2048
"""Headers of a request, and bytes of one: what the bot's callers and a proxy or two send is a tenth of it."""

_M_MMAP_THRESHOLD = -3


def main() -> None:
    """Reads the settings and serves until SIGTERM or Ctrl-C."""
    settings = load_settings()
    logs.configure(settings)
    _allow_many_connections()
    _give_memory_back()
    with asyncio.Runner(loop_factory=Loop) as runner, suppress(asyncio.CancelledError):
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    serving = asyncio.current_task()
    assert serving is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    app = create_app(settings)
    gc.freeze()
    runner = web.AppRunner(
        app,
        shutdown_timeout=1,
        access_log=None,
        keepalive_timeout=UNUSED_S,
        # What has arrived of a body that nobody reads yet is kept, on each connection
        read_bufsize=2**16,
        # So are headers until the last has come: aiohttp's own limits let 200 connections hold 380 MB of them
        max_headers=MOST_HEADERS,
        max_field_size=LONGEST_HEADER,
        # Nobody whom the bot serves compresses, and a broken stream is aiohttp's 500, or a wait without end.
        auto_decompress=False,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        assert runner.server is not None
        await app[keys.CONNECTIONS].close_unused(runner.server)
    finally:
        await runner.cleanup()


def _allow_many_connections() -> None:
    """Raises the soft limit of open files, often 1,024, as far as the hard one lets: idle sockets soon fill it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _give_memory_back() -> None:
    """Has each picture's memory mapped by itself, and so given back with it: glibc keeps up to 32 MB of each size."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, 256 * 1024)


if __name__ == "__main__":
    main()
