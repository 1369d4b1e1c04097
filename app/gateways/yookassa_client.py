"""HTTP to YooKassa through its SDK, with what the SDK lacks: deadlines, typed errors, no logging.

See docs/adr/0004-yookassa-sdk-threads.md.
"""

import asyncio
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from yookassa import Configuration
from yookassa.client import ApiClient

from app.gateways.port import DEADLINE_S, Lane, Refused, Unavailable

_CONNECT_S, _READ_S = 3.0, 5.0
_BODY_LIMIT = 1024 * 1024

_THREADS = {Lane.PRESS: 4, Lane.POLL: 2, Lane.NOTIFICATION: 4}

_WAITING = 32
"""So many calls of a lane wait for one of its threads; a further one fails at once instead of in vain."""


class Threads:
    """Runs calls in threads, a few for each lane; each call ends by `DEADLINE_S`."""

    def __init__(self) -> None:
        self._pools = {
            lane: ThreadPoolExecutor(count, thread_name_prefix=f"yookassa-{lane.value}")
            for lane, count in _THREADS.items()
        }
        self._calls = dict.fromkeys(Lane, 0)

    async def call(
        self,
        client: "Client",
        lane: Lane,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> Any:
        """The JSON of a 200. Raises Refused or Unavailable."""
        if self._calls[lane] >= _THREADS[lane] + _WAITING:
            raise Unavailable("too many calls at once")
        self._calls[lane] += 1
        loop = asyncio.get_running_loop()
        deadline = time.monotonic() + DEADLINE_S
        try:
            async with asyncio.timeout(DEADLINE_S + 0.5):
                return await loop.run_in_executor(
                    self._pools[lane], client.call, method, path, headers or {}, body, deadline
                )
        except TimeoutError as error:
            raise Unavailable("no answer in time") from error
        finally:
            self._calls[lane] -= 1

    def close(self) -> None:
        """Frees the threads; a call in flight ends by its deadline."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)


class Client(ApiClient):  # type: ignore[misc]  # the SDK has no types
    """The SDK's client with its own endpoint and keys instead of the SDK's global ones."""

    def __init__(self, endpoint: str, shop_id: str = "", secret: str = "", token: str | None = None) -> None:
        Configuration.configure(shop_id or "0", secret or "0")  # ApiClient refuses to be made without
        super().__init__()
        self.endpoint, self.shop_id, self.shop_password = endpoint, shop_id, secret
        self.auth_token = token

    def call(
        self, method: str, path: str, headers: dict[str, str], body: dict[str, Any] | None, deadline: float
    ) -> Any:
        """The JSON of a 200. The SDK's `request` is passed by: it turns a lost connection into AttributeError."""
        if time.monotonic() > deadline:
            raise Unavailable("no free thread in time")
        line = _Line()
        cut = threading.Timer(deadline - time.monotonic(), line.cut)
        cut.daemon = True
        cut.start()
        try:
            with requests.Session() as session:
                session.trust_env = False
                session.mount("https://", line)
                session.mount("http://", line)
                response = session.request(
                    method,
                    self.endpoint + path,
                    headers=self.prepare_request_headers(headers),
                    json=body,
                    timeout=(_CONNECT_S, _READ_S),
                    stream=True,
                    allow_redirects=False,
                )
                content = _read(response, deadline)
        except requests.RequestException as error:
            raise Unavailable(type(error).__name__) from None
        finally:
            cut.cancel()
        status = response.status_code
        if 400 <= status < 500 and status not in (408, 409, 429):
            raise Refused(status, content[:300].decode("utf-8", "replace"))
        if status != 200:
            raise Unavailable(f"HTTP {status}")
        try:
            return json.loads(content)
        except ValueError as error:
            raise Unavailable("an answer that is no JSON") from error


class _Line(HTTPAdapter):
    """The one connection of a call. requests' timeouts are per read, so a peer that drips bytes would hold the
    thread, and with it the end of the process, for ever: `cut` shuts the socket down under it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._late = False
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        line = self

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                line.hold(self.sock)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                # Before the handshake, which may drip as well.
                return line.hold(super()._new_conn())

        pools = self.poolmanager.pool_classes_by_scheme
        made = {}
        for scheme, connection in (("http", Plain), ("https", Secure)):
            made[scheme] = type("Pool", (pools[scheme],), {"ConnectionCls": connection})
        self.poolmanager.pool_classes_by_scheme = made

    def hold(self, sock: socket.socket) -> socket.socket:
        """Remembers the socket, or shuts it at once where the deadline is past."""
        with self._lock:
            # A duplicate: TLS takes the original's descriptor away.
            self._socket = sock.dup()
            if self._late:
                self._shut()
        return sock

    def cut(self) -> None:
        """The deadline: whatever reads or writes on the socket fails now."""
        with self._lock:
            self._late = True
            self._shut()

    def close(self) -> None:
        """Frees the duplicate too."""
        super().close()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # the peer was faster
                self._socket.shutdown(socket.SHUT_RDWR)


def _read(response: requests.Response, deadline: float) -> bytes:
    content = b""
    for chunk in response.iter_content(16 * 1024):
        content += chunk
        if len(content) > _BODY_LIMIT or time.monotonic() > deadline:
            raise Unavailable("an answer too long or too slow")
    return content
