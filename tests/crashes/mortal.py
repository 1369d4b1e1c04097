"""The whole bot in a thread with a loop of its own, so that it can stop between two instructions as by SIGKILL."""

import asyncio
import socket
import threading

from aiohttp import web

from app.main import create_app
from app.settings import Settings


class Mortal:
    """One life of the bot."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        # What the dead leave half done is reported by nobody
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self._socket = socket.create_server(("127.0.0.1", settings.port))
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._live, name="bot", daemon=True)

    async def start(self) -> None:
        """Serves from here on."""
        self._thread.start()
        await asyncio.to_thread(self._started.wait)

    async def kill(self) -> None:
        """The loop ends where it stands: nothing is closed in order. Its lines have to be dead already."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._started.set()
        self._loop.run_forever()
        # Only so that this process keeps no tasks and sockets of a life that is over
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left, timeout=0.2))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        self._socket.close()

    async def _serve(self) -> None:
        app = create_app(self._settings)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, auto_decompress=False)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
