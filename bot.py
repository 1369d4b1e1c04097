"""The bot: web server and background workers in one process."""

import gc

import uvloop
from aiohttp import web

from app import logs
from app.main import create_app
from app.settings import load_settings


def main() -> None:
    """Reads the settings and serves until SIGTERM or Ctrl-C."""
    settings = load_settings()
    logs.configure(settings)
    app = create_app(settings)
    gc.freeze()
    web.run_app(
        app,
        host=settings.host,
        port=settings.port,
        shutdown_timeout=1,
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )


if __name__ == "__main__":
    main()
