"""gen-api.ru over HTTP: typed answers, typed errors, bounded waits."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from app.pictures import Picture

CREATE_TIMEOUT_S = 30
ASK_TIMEOUT_S = 10
_CONNECT_TIMEOUT_S = 10
_BODY_LIMIT = 1024 * 1024
_MAX_ID = 2**63 - 1

_NOT_ACCEPTED = {419, 429, 503}
_AMBIGUOUS = {408, 409}
_ENDED_WITHOUT = {"error", "failed", "cancelled", "canceled"}
_MAX_COST = 10**9


class Refused(Exception):
    """gen-api answered that it will not do this: for certain nothing was ordered."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class NotAccepted(Exception):
    """For certain nothing was ordered, and the same call may succeed later: not before `retry_after_s` seconds."""

    def __init__(self, text: str, retry_after_s: float = 0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Unknown(Exception):
    """Nobody can tell whether the order runs: it must not be sent again."""


class Unavailable(Exception):
    """A question got no usable answer; it may be asked again."""


class NotFound(Exception):
    """gen-api knows no such request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One picture to be ordered: fields, and pictures under `source_field`, in a form.

    With `addresses` all of it is JSON, and the list of them stands under `source_field`.
    """

    network: str
    fields: Mapping[str, str | int]
    source_field: str = "image[]"
    pictures: tuple[Picture, ...] = ()
    addresses: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What gen-api says of a request: not final, or a picture's `url`, or the `reason` there is none.

    `cost` is what it took for it, in kopecks, where it says so.
    """

    final: bool
    url: str | None = None
    reason: str | None = None
    cost: int | None = None


class GenApi:
    """A client of one account; every call on a connection of its own."""

    def __init__(self, base_url: str, key: str) -> None:
        self._base = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._opened: aiohttp.ClientSession | None = None

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            # A stale keep-alive connection cannot be told from an accepted request: none is kept
            connector = aiohttp.TCPConnector(force_close=True)
            self._opened = aiohttp.ClientSession(connector=connector, headers=self._headers)
        return self._opened

    async def create(self, request: Request) -> int:
        """Orders one generation and gives its request id. Raises Refused, NotAccepted or Unknown."""
        url = f"{self._base}/networks/{request.network}"
        timeout = aiohttp.ClientTimeout(total=CREATE_TIMEOUT_S, sock_connect=_CONNECT_TIMEOUT_S)
        try:
            async with self._session().post(url, timeout=timeout, allow_redirects=False, **_body(request)) as response:
                status, raw = response.status, b""
                if status in _NOT_ACCEPTED:
                    raise NotAccepted(f"status {status}", _retry_after_s(response.headers.get("Retry-After", "")))
                refused = 400 <= status < 500 and status not in _AMBIGUOUS
                try:
                    raw = await _read(response)
                except (aiohttp.ClientError, OSError, ValueError):
                    # The status alone says that it was refused; without one that does, the id is lost
                    if not refused:
                        raise
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotAccepted(repr(error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unknown(repr(error)) from error
        if refused:
            raise Refused(status, raw[:300].decode(errors="replace"))
        request_id = parse_request_id(_object(raw)) if 200 <= status < 300 else None
        if request_id is None:
            raise Unknown(f"status {status}, no request id")
        return request_id

    async def ask(self, request_id: int) -> Outcome:
        """What became of a request. Raises NotFound or Unavailable."""
        status, raw = await self._get(f"request/get/{request_id}")
        if status in {400, 404}:
            raise NotFound(f"request {request_id}")
        body = _object(raw)
        if status != 200 or not body:
            raise Unavailable(f"status {status}")
        return parse_outcome(body)

    async def balance(self) -> Decimal:
        """What is left on the account, in roubles. Raises Refused (a wrong key) or Unavailable."""
        status, raw = await self._get("user")
        if status in {401, 403}:
            raise Refused(status, raw[:300].decode(errors="replace"))
        try:
            balance = Decimal(str(_object(raw)["balance"]))
        except (KeyError, InvalidOperation) as error:
            raise Unavailable(f"status {status}, no balance") from error
        if status != 200 or not balance.is_finite():
            raise Unavailable(f"status {status}, no balance")
        return balance

    async def _get(self, path: str) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
        try:
            async with self._session().get(f"{self._base}/{path}", timeout=timeout, allow_redirects=False) as response:
                return response.status, await _read(response)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(repr(error)) from error

    async def close(self) -> None:
        """Closes what was opened."""
        if self._opened is not None:
            await self._opened.close()


def _body(request: Request) -> dict[str, Any]:
    """The request as an argument of aiohttp's post."""
    if request.addresses is not None:
        sources = {request.source_field: list(request.addresses)} if request.addresses else {}
        return {"json": {**request.fields, **sources}}
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in request.fields.items():
        form.add_field(name, str(value))
    for picture in request.pictures:
        form.add_field(request.source_field, picture.data, content_type=picture.mime, filename=picture.filename)
    return {"data": form}


def _retry_after_s(value: str) -> float:
    """The seconds of a Retry-After header, which holds them or an instant (RFC 9110); 0 where it holds neither."""
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        instant = parsedate_to_datetime(value)
    except ValueError:
        return 0
    return max(0.0, (instant.replace(tzinfo=instant.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise ValueError("an answer of more than 1 MiB")
    return bytes(body)


def _object(raw: bytes) -> Mapping[str, Any]:
    """The JSON object in `raw`, empty where there is none."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def parse_request_id(body: Mapping[str, Any]) -> int | None:
    """The request id in an answer or a callback (`request_id`, else `id`), None where there is no usable one."""
    value = body.get("request_id")
    if value is None:
        value = body.get("id")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if type(value) is not int:  # a bool is an int to isinstance
        return None
    return value if 1 <= value <= _MAX_ID else None


def parse_outcome(body: Mapping[str, Any]) -> Outcome:
    """What an answer or a callback says; `status` first, because a failure's reason sits where a URL would."""
    status, cost = body.get("status"), _cost(body.get("cost"))
    if status == "success":
        url = _first_url(body.get("result")) or _first_url(body.get("full_response"))
        return Outcome(True, url=url, cost=cost) if url else Outcome(True, reason="no picture", cost=cost)
    if isinstance(status, str) and status in _ENDED_WITHOUT:
        return Outcome(True, reason=next(_reasons(body), str(status)), cost=cost)
    return Outcome(False)


def _cost(roubles: object) -> int | None:
    """An amount of roubles, a number or text, in kopecks; None where there is none to believe."""
    try:
        kopecks = Decimal(str(roubles)) * 100
        return round(kopecks) if 0 <= kopecks <= _MAX_COST else None
    except (ArithmeticError, ValueError):
        return None


def _reasons(body: Mapping[str, Any]) -> Iterator[str]:
    """Whatever an ended request says of why there is no picture, the likeliest place first."""
    for field in ("result", "error", "message", "full_response"):
        for text in _texts(body.get(field), ("message", "error", "reason", "detail")):
            # PostgreSQL stores no NUL in a text
            if readable := text.replace("\0", "").strip()[:500]:
                yield readable


def _first_url(value: object) -> str | None:
    for url in _texts(value, ("url",)):
        # Printable: PostgreSQL stores no NUL and no half of a surrogate pair
        if url.lower().startswith(("http://", "https://")) and url.isprintable():
            return url
    return None


def _texts(value: object, names: tuple[str, ...]) -> Iterator[str]:
    """The texts of a value that is one, or a list of them, or of objects that hold them under one of `names`."""
    for item in value if isinstance(value, list) else [value]:
        found = [item.get(name) for name in names] if isinstance(item, dict) else [item]
        yield from (text for text in found if isinstance(text, str))
