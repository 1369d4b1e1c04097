"""HTTP to YooKassa: the SDK says who asks, aiohttp asks, with what the SDK lacks: deadlines, typed errors, no logging.

See docs/adr/0004-yookassa-over-aiohttp.md.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
from yookassa import Configuration
from yookassa.client import ApiClient

from app.gateways.port import DEADLINE_S, Lane, Refused, Unavailable

_TIMEOUTS = aiohttp.ClientTimeout(sock_connect=3, sock_read=5)
_BODY_LIMIT = 1024 * 1024

_AT_ONCE = {Lane.PRESS: 8, Lane.POLL: 2, Lane.NOTIFICATION: 4}

_WAITING = 32
"""So many calls of a lane wait for a place in it; a further one fails at once instead of in vain."""


class Client(ApiClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's client with its own endpoint and keys instead of the SDK's global ones; the wire is aiohttp's."""

    def __init__(self, endpoint: str, shop_id: str = "", secret: str = "", token: str | None = None) -> None:
        Configuration.configure("0", "0")  # ApiClient refuses to be made without
        super().__init__()
        self.endpoint, self.shop_id, self.shop_password = endpoint, shop_id, secret
        self.auth_token = token
        self._lanes = {lane: asyncio.Semaphore(places) for lane, places in _AT_ONCE.items()}
        self._calls = dict.fromkeys(Lane, 0)
        self._opened: aiohttp.ClientSession | None = None

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[_seen_used_again()],
            )
        return self._opened

    async def call(
        self,
        lane: Lane,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> Any:
        """The JSON of a 200, within `DEADLINE_S` whatever the peer does. Raises Refused or Unavailable.

        The SDK's own `request` is passed by: it blocks, waits for ever, and turns a lost connection into
        AttributeError.
        """
        try:
            async with asyncio.timeout(DEADLINE_S), self._place(lane):
                status, content = await self._ask(method, path, headers, body)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(type(error).__name__) from None
        if 400 <= status < 500 and status not in (408, 409, 429):
            raise Refused(status, content[:300].decode("utf-8", "replace"))
        if status != 200:
            raise Unavailable(f"HTTP {status}")
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise Unavailable("an answer that is no JSON") from error

    async def _ask(
        self, method: str, path: str, headers: dict[str, str] | None, body: dict[str, Any] | None
    ) -> tuple[int, bytes]:
        """The status and the body of the answer, whether or not a kept connection is still one."""
        while True:
            connection = SimpleNamespace(used_again=False)
            request = self._session().request(
                method,
                self.endpoint + path,
                headers=self.prepare_request_headers(headers),
                json=body,
                timeout=_TIMEOUTS,
                allow_redirects=False,
                trace_request_ctx=connection,
            )
            try:
                async with request as response:
                    return response.status, await _read(response)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                # A create call as well: with the same key it is made once. Each loss takes a kept connection away
                if not connection.used_again:
                    raise

    @asynccontextmanager
    async def _place(self, lane: Lane) -> AsyncIterator[None]:
        if self._calls[lane] >= _AT_ONCE[lane] + _WAITING:
            raise Unavailable("too many calls at once")
        self._calls[lane] += 1
        try:
            async with self._lanes[lane]:
                yield
        finally:
            self._calls[lane] -= 1

    async def close(self) -> None:
        """Closes what was opened."""
        if self._opened is not None:
            await self._opened.close()


def _seen_used_again() -> aiohttp.TraceConfig:
    """Notes for a request whether it went on a connection that was there before it."""

    async def kept(_session: aiohttp.ClientSession, context: SimpleNamespace, _about: object) -> None:
        context.trace_request_ctx.used_again = True

    async def new(_session: aiohttp.ClientSession, context: SimpleNamespace, _about: object) -> None:
        context.trace_request_ctx.used_again = False

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(kept)
    tracing.on_connection_create_start.append(new)
    return tracing


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_chunked(16 * 1024):
        content += chunk
        if len(content) > _BODY_LIMIT:
            raise Unavailable("an answer too long")
    return bytes(content)
