"""What the fake services share: a real HTTP server with a journal of its calls and faults to switch on."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any, Literal

import aiohttp
from aiohttp import web

Hook = Callable[[], Awaitable[object]]
Mishap = Literal["lost", "doubled", "delayed", "forged"]
_SUMMARY = 300


@dataclass
class Call:
    """One request that arrived; `status` is 0 until it is answered, and stays so for a dropped one."""

    service: str
    route: str
    method: str
    path: str
    body: str = ""
    status: int = 0


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


@dataclass
class _Misdelivery:
    kind: Mishap
    times: int
    delay: float


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
        self._misdeliveries: list[_Misdelivery] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._change = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None
        self.watchers: list[Callable[[], None]] = []

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one."""
        app = web.Application(middlewares=[self._journal], client_max_size=64 * 2**20)
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
    ) -> Fault:
        """Disturb the next `times` requests of `route` (its short name, or a pattern of `METHOD /path`).

        `before` runs on receiving, `after` once the request took effect, just before the answer.
        `status` (with `body`: text or something for JSON), `hang` and `drop` (the connection is closed)
        stand in for the request; with `handled=True` it takes effect first and only its answer is lost.
        """
        fault = Fault(route, times, status, body, headers, hang, drop, handled, before, after)
        self._faults.append(fault)
        return fault

    def misdeliver(self, kind: Mishap, times: int = 1, delay: float = 1.0) -> None:
        """Do that to the next `times` callbacks or notifications: lost, doubled, delayed (s) or forged."""
        self._misdeliveries.append(_Misdelivery(kind, times, delay))

    def heal(self) -> None:
        """Forget every fault that has not happened yet."""
        self._faults.clear()
        self._misdeliveries.clear()

    def called(self, route: str) -> list[Call]:
        """The calls of a route so far, oldest first."""
        return [call for call in self.calls if self._matches(route, call)]

    async def wait_for[T](self, predicate: Callable[[], T], timeout: float = 10) -> T:  # noqa: ASYNC109
        """The first true answer of `predicate`, asked again after every change; TimeoutError else."""
        async with asyncio.timeout(timeout):
            while not (found := predicate()):
                await self._change.wait()
            return found

    def changed(self) -> None:
        """Wake everybody in `wait_for` and tell the watchers."""
        self._change.set()
        self._change = asyncio.Event()
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
        mishap = next((m for m in self._misdeliveries if m.times > 0), None)
        if mishap:
            mishap.times -= 1
            if mishap.kind == "lost":
                return 200
            if mishap.kind == "delayed":
                await asyncio.sleep(mishap.delay)
            elif mishap.kind == "doubled":
                await self._post(url, body)
            elif mishap.kind == "forged":
                url, body = forge()
        return await self._post(url, body)

    async def _post(self, url: str, body: dict[str, Any]) -> int:
        call = Call(self.service, "outgoing", "POST →", url, json.dumps(body, ensure_ascii=False)[:_SUMMARY])
        self.calls.append(call)
        try:
            async with self.http.post(url, json=body) as answer:
                call.status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            call.status = 0
        self.changed()
        return call.status

    @web.middleware
    async def _journal(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        name = self.route_name(request)
        call = Call(self.service, name, request.method, request.path)
        self.calls.append(call)
        call.body = await _summary(request)
        fault = next((f for f in self._faults if f.times > 0 and self._matches(f.route, call)), None)
        self.changed()
        try:
            answer = await (self._disturbed(fault, request, handler) if fault else handler(request))
        except web.HTTPRedirection as redirect:
            call.status = redirect.status
            raise
        except web.HTTPException as error:
            answer = self.error(error.status, error.reason)
        call.status = answer.status
        self.changed()
        return answer

    async def _disturbed(
        self,
        fault: Fault,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        fault.times -= 1
        if fault.before:
            await fault.before()
        instead = fault.hang or fault.drop or fault.status is not None
        answer: web.StreamResponse | None = None
        if not instead or fault.handled:
            answer = await handler(request)
        if fault.after:
            await fault.after()
        if fault.hang:
            await asyncio.Event().wait()
        if fault.drop:
            if request.transport:
                request.transport.abort()
            return web.Response(status=499)
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


async def _summary(request: web.Request) -> str:
    if request.content_type == "multipart/form-data":
        form = await request.post()
        shown = {k: v if isinstance(v, str) else f"<{getattr(v, 'filename', 'bytes')}>" for k, v in form.items()}
        return json.dumps(shown, ensure_ascii=False)[:_SUMMARY]
    return (await request.read()).decode(errors="replace")[:_SUMMARY]
