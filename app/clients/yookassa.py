"""YooKassa through its SDK, with what the SDK lacks: deadlines, typed errors, no logging, no surprises in the body.

See docs/adr/0004-yookassa-sdk-threads.md.
"""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID, uuid4

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from yookassa import Configuration
from yookassa.client import ApiClient

from app.settings import Settings

DEADLINE_S = 8.0
"""One deadline over a whole call, under SIGTERM's 10 s."""

_CONNECT_S, _READ_S = 3.0, 5.0
_BODY_LIMIT = 1024 * 1024
_THREADS = 8


class YooKassaUnavailable(Exception):
    """No usable answer: what was asked may have happened or not; the same key and body may be sent again."""


class YooKassaRefused(Exception):
    """A 4xx: what was asked did not happen. `status` is the HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status} {detail}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as YooKassa tells it; `amount` and `refunded` in kopecks."""

    id: str
    status: str
    amount: int
    currency: str
    test: bool
    shop_id: str | None
    payment_id: UUID | None
    user_id: int | None
    confirmation_url: str | None
    refunded: int
    cancel_reason: str | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Webhook:
    """A registered notification: `event` goes to `url`."""

    id: str
    event: str
    url: str


class YooKassa:
    """Creates and reads payments. Each call runs in a thread of its own small pool and ends by `DEADLINE_S`."""

    def __init__(self, settings: Settings) -> None:
        self._client = _Client(
            settings.yookassa_api_url,
            settings.yookassa_shop_id,
            settings.yookassa_secret_key.get_secret_value(),
        )
        self._partner = _Client(settings.yookassa_api_url, token=settings.yookassa_oauth_token.get_secret_value())
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="yookassa")

    async def create_payment(self, body: Mapping[str, Any], key: str) -> Payment:
        """`POST /payments` with this very body and Idempotence-Key.

        Raises YooKassaRefused or YooKassaUnavailable.
        """
        return _payment(await self._call("POST", "/payments", {"Idempotence-Key": key}, dict(body)))

    async def get_payment(self, provider_id: str) -> Payment | None:
        """`GET /payments/{id}`; None where there is no such payment. Raises YooKassaUnavailable."""
        try:
            return _payment(await self._call("GET", f"/payments/{provider_id}", {}, None))
        except YooKassaRefused as error:
            if error.status == 404:
                return None
            raise YooKassaUnavailable(str(error)) from error

    async def webhooks(self) -> list[Webhook]:
        """`GET /webhooks` with YOOKASSA_OAUTH_TOKEN. Raises YooKassaRefused or YooKassaUnavailable."""
        body = await self._call("GET", "/webhooks", {}, None, self._partner)
        try:
            return [Webhook(str(item["id"]), str(item["event"]), str(item["url"])) for item in body["items"]]
        except (KeyError, TypeError) as error:
            raise YooKassaUnavailable(f"an answer that is no list: {error!r}") from error

    async def add_webhook(self, event: str, url: str) -> None:
        """`POST /webhooks`. Raises YooKassaRefused or YooKassaUnavailable."""
        body = {"event": event, "url": url}
        await self._call("POST", "/webhooks", {"Idempotence-Key": str(uuid4())}, body, self._partner)

    async def remove_webhook(self, webhook_id: str) -> None:
        """`DELETE /webhooks/{id}`. Raises YooKassaRefused or YooKassaUnavailable."""
        await self._call("DELETE", f"/webhooks/{webhook_id}", {}, None, self._partner)

    async def close(self) -> None:
        """Frees the threads; a call in flight ends by its deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: dict[str, Any] | None,
        client: "_Client | None" = None,
    ) -> Any:
        client = client or self._client
        loop = asyncio.get_running_loop()
        deadline = time.monotonic() + DEADLINE_S
        try:
            async with asyncio.timeout(DEADLINE_S + 0.5):
                return await loop.run_in_executor(self._threads, client.call, method, path, headers, body, deadline)
        except TimeoutError as error:
            raise YooKassaUnavailable("no answer in time") from error


class _Client(ApiClient):  # type: ignore[misc]
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
            raise YooKassaUnavailable("no free thread in time")
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
            raise YooKassaUnavailable(type(error).__name__) from None
        finally:
            cut.cancel()
        status = response.status_code
        if 400 <= status < 500 and status not in (408, 409, 429):
            raise YooKassaRefused(status, content[:300].decode("utf-8", "replace"))
        if status != 200:
            raise YooKassaUnavailable(f"HTTP {status}")
        try:
            return json.loads(content)
        except ValueError as error:
            raise YooKassaUnavailable("an answer that is no JSON") from error


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
            raise YooKassaUnavailable("an answer too long or too slow")
    return content


def _payment(body: Any) -> Payment:
    """A payment out of YooKassa's JSON; raises YooKassaUnavailable for anything that is none."""
    try:
        metadata, confirmation = body.get("metadata") or {}, body.get("confirmation") or {}
        refunded = body.get("refunded_amount") or {"value": "0"}
        recipient, details = body.get("recipient") or {}, body.get("cancellation_details") or {}
        return Payment(
            id=str(body["id"]),
            status=str(body["status"]),
            amount=_kopecks(body["amount"]["value"]),
            currency=str(body["amount"]["currency"]),
            test=body.get("test") is True,
            shop_id=str(recipient["account_id"]) if recipient.get("account_id") else None,
            payment_id=_uuid(metadata.get("payment_id")),
            user_id=_integer(metadata.get("user_id")),
            confirmation_url=confirmation.get("confirmation_url"),
            refunded=_kopecks(refunded["value"]),
            cancel_reason=details.get("reason"),
            created_at=_instant(body.get("created_at")),
        )
    except (AttributeError, KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise YooKassaUnavailable(f"an answer that is no payment: {error!r}") from error


def _kopecks(value: str) -> int:
    amount = Decimal(str(value)) * 100
    if amount != amount.to_integral_value():
        raise ValueError("a fraction of a kopeck")
    return int(amount)


def _instant(value: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return instant if instant.tzinfo else None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _integer(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
