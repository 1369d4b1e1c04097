"""The bot: web server and background workers in one process."""

import gc
import resource

import uvloop
from aiohttp import web

from app import logs
from app.main import create_app
from app.settings import load_settings

OPEN_FILES = 10_000


def main() -> None:
    """Reads the settings and serves until SIGTERM or Ctrl-C."""
    settings = load_settings()
    logs.configure(settings)
    app = create_app(settings)
    _allow_many_connections()
    gc.freeze()
    web.run_app(
        app,
        host=settings.host,
        port=settings.port,
        shutdown_timeout=1,
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
        # Nobody whom the bot serves compresses, and a broken stream is aiohttp's 500, or a wait without end.
        auto_decompress=False,
    )


def _allow_many_connections() -> None:
    """Raises the soft limit of open files, often 1,024, as far as the hard one lets: idle sockets soon fill it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main()
