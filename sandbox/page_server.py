"""The chat page: shows what the people see, does what they do, and streams every change."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from sandbox.params import BotApiError
from sandbox.people import ChatMessage
from sandbox.server import Call, Server
from sandbox.telegram import FakeTelegram

_PAGE = Path(__file__).parent / "page"
_JOURNAL = 200
_PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg", b"RIFF": "image/webp"}


class Part(Protocol):
    """Something else on the page with an API of its own."""

    def routes(self, router: web.UrlDispatcher) -> None:
        """Register its handlers."""


class PageServer:
    """Serves the page for one FakeTelegram, the journals of all the services and the page's other `parts`."""

    def __init__(self, telegram: FakeTelegram, services: Sequence[Server], parts: Sequence[Part] = ()) -> None:
        self._telegram, self._services, self._parts = telegram, services, parts
        self._listeners: set[asyncio.Event] = set()
        self._journal: list[Call] = []
        self._seen = {id(service): 0 for service in services}
        self._runner: web.AppRunner | None = None
        self.port = 0
        for service in services:
            service.watchers.append(self._changed)

    async def start(self, first: int) -> None:
        """Listen on the first free loopback port from `first` up."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_get("/", self._index)
        app.router.add_get("/api/events", self._events)
        app.router.add_get("/api/journal", self._calls)
        app.router.add_get("/api/state/{person}", self._state)
        app.router.add_get("/api/media/{person}/{message}", self._media)
        app.router.add_post("/api/send/{person}", self._send)
        app.router.add_post("/api/press/{person}", self._press)
        app.router.add_static("/page/", _PAGE)
        for part in self._parts:
            part.routes(app.router)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        for port in range(first, first + 200):
            try:
                await web.TCPSite(self._runner, "127.0.0.1", port).start()
            except OSError:
                continue
            self.port = port
            return
        raise OSError(f"no free port from {first} to {first + 199}")

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    def _changed(self) -> None:
        for service in self._services:
            self._journal += service.calls[self._seen[id(service)] :]
            self._seen[id(service)] = len(service.calls)
        for listener in self._listeners:
            listener.set()

    async def _index(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(_PAGE / "index.html")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await stream.prepare(request)
        changed = asyncio.Event()
        self._listeners.add(changed)
        try:
            while True:
                await stream.write(b"data: changed\n\n")
                await changed.wait()
                changed.clear()
        except ConnectionResetError:
            return stream
        finally:
            self._listeners.discard(changed)

    async def _state(self, request: web.Request) -> web.StreamResponse:
        chat = self._telegram.chat(int(request.match_info["person"]))
        people = [{"id": p.id, "name": p.name} for p in self._telegram.people.values()]
        return web.json_response(
            {
                "people": people,
                "messages": [_message(message) for message in chat],
                "answers": self._telegram.answers[-20:],
            }
        )

    async def _calls(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response([asdict(call) for call in self._journal[-_JOURNAL:]])

    async def _media(self, request: web.Request) -> web.StreamResponse:
        chat = self._telegram.chat(int(request.match_info["person"]))
        wanted = int(request.match_info["message"])
        data = next((m.photo or m.document for m in chat if m.id == wanted), None)
        if data is None:
            raise web.HTTPNotFound
        # Whatever it is, it is shown as a picture or saved, never opened as a page.
        kind = next((mime for magic, mime in _PICTURES.items() if data.startswith(magic)), "application/octet-stream")
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
        return web.Response(body=data, content_type=kind, headers=headers)

    async def _send(self, request: web.Request) -> web.StreamResponse:
        person = self._telegram.person(int(request.match_info["person"]))
        form = await request.post()
        text, file = str(form.get("text", "")), form.get("file")
        if not isinstance(file, web.FileField):
            await person.send_text(text, wait=False)
        elif form.get("as") == "photo":
            try:
                await person.send_photo(file.file.read(), text or None, wait=False)
            except BotApiError as error:
                raise web.HTTPBadRequest(text=error.description) from None
        else:
            await person.send_document(file.file.read(), file.filename, file.content_type, text or None, wait=False)
        return web.json_response({})

    async def _press(self, request: web.Request) -> web.StreamResponse:
        person = self._telegram.person(int(request.match_info["person"]))
        body = await request.json()
        query = await person.press(int(body["message"]), str(body["data"]), wait=False)
        return web.json_response({"query": query})


def _message(message: ChatMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "outgoing": message.outgoing,
        "date": message.date,
        "text": message.text or message.caption or "",
        "entities": message.entities,
        "photo": message.photo is not None,
        "file": message.file_name if message.document is not None else None,
        "file_id": message.file_id,
        "keyboard": message.keyboard,
        "edited": message.edited,
    }
