"""What the fake services share: a real HTTP server with a journal of its calls and faults to switch on."""

import asyncio
import io
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any, Literal
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from sandbox.loopback import loopback_only

Hook = Callable[[], Awaitable[object]]
Mishap = Literal["lost", "doubled", "delayed", "forged"]
_TEXT = 6000
_WITH_TEXTS = 1000
_HEADERS = ("Authorization", "Idempotence-Key")
_HANG_LOOK_S = 0.2
_NO_ANSWER = 499
_numbers = itertools.count(1)


@dataclass
class Call:
    """One request that arrived or was sent; `status` is 0 until it is answered, 499 where its answer was withheld.

    `body` and `answer` are cut to 6,000 characters, files in them stand as <name, size>. `ms` is the time it
    took, None while it lasts. `mishap` says how it was disturbed.
    """

    service: str
    route: str
    method: str
    path: str
    body: str = ""
    status: int = 0
    answer: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    mishap: str = ""
    ms: int | None = None
    number: int = field(default_factory=lambda: next(_numbers))
    at: float = field(default_factory=time.time)
    outgoing: bool = False
    _began: float = field(default_factory=time.monotonic, repr=False)

    def end(self, status: int, answer: str = "") -> None:
        """Note the answer; status 0 says that there was none."""
        self.status, self.answer = status, answer[:_TEXT]
        self.ms = round((time.monotonic() - self._began) * 1000)


@dataclass
class Fault:
    """What happens to the next `times` requests of a route instead of, or around, the true answer."""

    route: str
    times: int = 1
    status: int | None = None
    body: Any = None
    headers: dict[str, str] | None = None
    hang: bool = False
    drop: bool = False
    handled: bool = False
    before: Hook | None = None
    after: Hook | None = None
    name: str = ""


@dataclass
class Misdelivery:
    """What happens to the next `times` callbacks or notifications; `delay` in seconds."""

    kind: Mishap
    times: int
    delay: float
    name: str = ""


@dataclass
class Server:
    """A fake service on a loopback port.

    `await start()`, then `url` goes into the bot's setting; `await stop()` frees the port, and a later
    `start(port)` with the same number brings the service back with all it knew.
    """

    calls: list[Call] = field(default_factory=list, init=False)
    port: int = field(default=0, init=False)
    service = "server"
    base_path = ""

    def __post_init__(self) -> None:
        self._faults: list[Fault] = []
        self._misdeliveries: list[Misdelivery] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._change = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None
        self.watchers: list[Callable[[], None]] = []

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one."""
        app = web.Application(middlewares=[loopback_only, self._journal], client_max_size=64 * 2**20)
        self.routes(app.router)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=70))

    async def stop(self) -> None:
        """Close the port and end everything still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http:
            await self._http.close()
        if self._runner:
            await self._runner.cleanup()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base that the bot's setting wants."""
        return self.origin + self.base_path

    @property
    def http(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("not started")
        return self._http

    def routes(self, router: web.UrlDispatcher) -> None:
        """Register the handlers; each names its route by `name=` or through `route_name`."""
        raise NotImplementedError

    def route_name(self, request: web.Request) -> str:
        """The short name that a fault or a look into the journal uses."""
        return request.match_info.route.name or request.path

    def error(self, status: int, description: str) -> web.Response:
        """An error in the service's own words."""
        return web.json_response({"message": description}, status=status)

    def fault(
        self,
        route: str,
        times: int = 1,
        status: int | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
        hang: bool = False,
        drop: bool = False,
        handled: bool = False,
        before: Hook | None = None,
        after: Hook | None = None,
        name: str = "",
    ) -> Fault:
        """Disturb the next `times` requests of `route` (its short name, or a pattern of `METHOD /path`).

        `before` runs on receiving, `after` once the request took effect, just before the answer.
        `status` (with `body`: text or something for JSON), `hang` and `drop` (the connection is closed)
        stand in for the request; with `handled=True` it takes effect first and only its answer is lost.
        `times` of the fault counts down; set to 0 it is disarmed. `name` is what the journal calls it.
        """
        fault = Fault(route, times, status, body, headers, hang, drop, handled, before, after, name)
        self._faults = [*(known for known in self._faults if known.times > 0), fault]
        return fault

    def misdeliver(self, kind: Mishap, times: int = 1, delay: float = 1.0, name: str = "") -> Misdelivery:
        """Do that to the next `times` callbacks or notifications: lost, doubled, delayed (s) or forged."""
        misdelivery = Misdelivery(kind, times, delay, name)
        self._misdeliveries = [*(known for known in self._misdeliveries if known.times > 0), misdelivery]
        return misdelivery

    def next_fault(self, call: Call) -> Fault | None:
        """The fault that this call meets, counted down; the journal names it."""
        fault = next((f for f in self._faults if f.times > 0 and self._matches(f.route, call)), None)
        if fault:
            fault.times -= 1
            call.mishap = fault.name or "disturbed"
        return fault

    def heal(self) -> None:
        """Forget every fault that has not happened yet."""
        for fault in self._faults:
            fault.times = 0
        for misdelivery in self._misdeliveries:
            misdelivery.times = 0

    def called(self, route: str) -> list[Call]:
        """The calls of a route so far, oldest first."""
        return [call for call in self.calls if self._matches(route, call)]

    async def wait_for[T](self, predicate: Callable[[], T], timeout: float = 10) -> T:  # noqa: ASYNC109 - the limit is the caller's
        """The first true answer of `predicate`, asked again after every change; TimeoutError else."""
        async with asyncio.timeout(timeout):
            while not (found := predicate()):
                await self._change.wait()
            return found

    def note(self, call: Call) -> Call:
        """Put a call into the journal; old ones lose their texts, so that a long run does not fill the memory."""
        self.calls.append(call)
        if len(self.calls) > _WITH_TEXTS:
            old = self.calls[-_WITH_TEXTS - 1]
            old.body = old.answer = ""
        self._tell_watchers()
        return call

    def changed(self) -> None:
        """Wake everybody in `wait_for` and tell the watchers."""
        self._change.set()
        self._change = asyncio.Event()
        self._tell_watchers()

    def _tell_watchers(self) -> None:
        for watcher in self.watchers:
            watcher()

    def spawn(self, work: Any) -> "asyncio.Task[Any]":
        """Run a coroutine until it ends or the server stops."""
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def deliver(self, url: str, body: dict[str, Any], forge: Callable[[], tuple[str, Any]]) -> int:
        """POST a callback, subject to `misdeliver`; the status it was answered with, 0 for none."""
        mishap = self.next_misdelivery()
        if mishap is None:
            return await self._post(url, body)
        name = mishap.name or mishap.kind
        if mishap.kind == "lost":
            self.lose(mishap, url, body)
            return 200
        if mishap.kind == "delayed":
            self.changed()
            await asyncio.sleep(mishap.delay)
        elif mishap.kind == "doubled":
            await self._post(url, body, name)
        elif mishap.kind == "forged":
            url, body = forge()
        return await self._post(url, body, name)

    def next_misdelivery(self) -> Misdelivery | None:
        """What happens to this delivery, counted down."""
        mishap = next((m for m in self._misdeliveries if m.times > 0), None)
        if mishap:
            mishap.times -= 1
        return mishap

    def lose(self, mishap: Misdelivery, url: str, body: dict[str, Any]) -> None:
        """A delivery that stands in the journal alone."""
        name = mishap.name or mishap.kind
        call = Call(self.service, "lost", "POST", url, as_text(body), mishap=name, outgoing=True)
        self.note(call).end(0)
        self.changed()

    async def _post(self, url: str, body: dict[str, Any], mishap: str = "") -> int:
        call = Call(self.service, "outgoing", "POST", url, as_text(body), mishap=mishap, outgoing=True)
        self.note(call)
        try:
            async with self.http.post(url, json=body) as answer:
                call.end(answer.status, await answer.text(errors="replace"))
        except (aiohttp.ClientError, TimeoutError):
            call.end(0)
        self.changed()
        return call.status

    @web.middleware
    async def _journal(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        call = Call(self.service, self.route_name(request), request.method, request.path)
        call.headers = {name: request.headers[name] for name in _HEADERS if name in request.headers}
        self.note(call)
        files: list[web.FileField] = []
        try:
            call.body, files = await _read(request)
            fault = self.next_fault(call)
            self.changed()
            answer = await (self._disturbed(fault, request, handler) if fault else handler(request))
            call.end(answer.status, _shown(answer))
        except web.HTTPRedirection as redirect:
            call.end(redirect.status, f"→ {redirect.headers.get('Location')}")
            raise
        except web.HTTPException as error:
            answer = self.error(error.status, error.reason)
            call.end(answer.status, _shown(answer))
        finally:
            for file in files:
                file.file.close()
            if call.ms is None:  # the caller died while it spoke
                call.end(0)
            self.changed()
        return answer

    async def _disturbed(
        self,
        fault: Fault,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        if fault.before:
            await fault.before()
        instead = fault.hang or fault.drop or fault.status is not None
        answer: web.StreamResponse | None = None
        if not instead or fault.handled:
            answer = await handler(request)
        if fault.after:
            await fault.after()
        if fault.hang:
            # Until the caller has had enough; aiohttp tells of that in no other way.
            while request.transport and not request.transport.is_closing():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(_HANG_LOOK_S)
        if fault.drop and request.transport:
            request.transport.abort()
        if fault.hang or fault.drop:
            return web.Response(status=_NO_ANSWER)
        if fault.status is not None:
            return _given(fault)
        if answer is None:
            raise RuntimeError("a fault without an answer")
        return answer

    @staticmethod
    def _matches(route: str, call: Call) -> bool:
        return route == call.route or fnmatch(f"{call.method} {call.path}", route)


def _given(fault: Fault) -> web.Response:
    status = fault.status or 500
    if isinstance(fault.body, str):
        return web.Response(status=status, text=fault.body, content_type="text/html", headers=fault.headers)
    body = {} if fault.body is None else fault.body
    return web.json_response(body, status=status, headers=fault.headers)


def as_text(body: Any) -> str:
    """A JSON body for the journal."""
    return json.dumps(body, ensure_ascii=False, default=str)[:_TEXT]


def sized(name: str, length: int) -> str:
    """How a file of `length` bytes stands in the journal."""
    return f"<{name}, {max(1, round(length / 1000))} kB>"


async def _read(request: web.Request) -> tuple[str, list[web.FileField]]:
    """The body for the journal, and the files in it, which are to be closed."""
    if request.content_type != "multipart/form-data":
        text = (await request.read()).decode(errors="replace")
        if request.content_type == "application/x-www-form-urlencoded":
            text = as_text(dict(parse_qsl(text)))
        return text[:_TEXT] or (f"?{request.query_string}" if request.query_string else ""), []
    form = await request.post()
    shown = {name: _part(value) for name, value in form.items()}
    return as_text(shown), [value for value in form.values() if isinstance(value, web.FileField)]


def _part(value: str | bytes | bytearray | web.FileField) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, web.FileField):
        return sized("file", len(value))
    length = value.file.seek(0, io.SEEK_END)
    value.file.seek(0)
    return sized(value.filename, length)


def _shown(answer: web.StreamResponse) -> str:
    """An answer for the journal."""
    body = answer.body if isinstance(answer, web.Response) else None
    if not isinstance(body, bytes):
        return ""
    if answer.content_type.startswith("image/") or answer.content_type == "application/octet-stream":
        return sized(answer.content_type, len(body))
    return body.decode(errors="replace")[:_TEXT]
