"""The event loop: uvloop's, but for its look-ups of names.

uvloop looks up two names at once in all of the process, and does not end before it has: two that hang would keep the
bot from Telegram, and one from its end.
"""

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

import uvloop


class Loop(uvloop.Loop):
    """Look-ups wait neither for one another nor does the end wait for them."""

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> tuple[Any, Any]:
        """As uvloop's, which PostgreSQL's and Redis's drivers ask with a name: the first of its addresses that answers.

        Raises OSError, the last address's.
        """
        if host is None:
            return await super().create_connection(protocol_factory, host, port, **options)
        asked = {name: options.pop(name) for name in ("family", "proto", "flags") if name in options}
        found = await self.getaddrinfo(host, port, type=socket.SOCK_STREAM, **asked)
        if options.get("ssl"):
            options.setdefault("server_hostname", host)
        refusal = OSError(f"{host} has no address")
        for *_, address in found:
            try:
                return await super().create_connection(protocol_factory, *address[:2], **options)
            except OSError as error:
                refusal = error
        raise refusal

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """socket.getaddrinfo in a thread of its own, which runs on where nobody waits any more. Raises what it raises.

        Whoever asks sees to it that few run at once: each of aiohttp's connectors looks a name up once at a time.
        """
        answer: asyncio.Future[list[Any]] = self.create_future()

        def look_up() -> None:
            found: list[Any] = []
            error: Exception | None = None
            try:
                found = socket.getaddrinfo(host, port, family, type, proto, flags)
            except Exception as raised:
                error = raised
            with suppress(RuntimeError):  # the loop is closed by now
                self.call_soon_threadsafe(_tell, answer, found, error)

        threading.Thread(target=look_up, name="name", daemon=True).start()
        return await answer


def _tell(answer: asyncio.Future[list[Any]], found: list[Any], error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(found)
    else:
        answer.set_exception(error)
