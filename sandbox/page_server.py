"""The chat page: shows what the people see, does what they do, and tells of every change."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from sandbox.loopback import loopback_only
from sandbox.params import BotApiError
from sandbox.people import ChatMessage, Person, Press
from sandbox.server import Server
from sandbox.telegram import FakeTelegram

_PAGE = Path(__file__).parent / "page"
_PRESSES = 20
_UPLOAD_LIMIT = 256 * 2**20
_PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg", b"RIFF": "image/webp", b"GIF8": "image/gif"}
_NOTHING_FROM_ELSEWHERE = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)


class Part(Protocol):
    """Something else on the page with an API of its own."""

    def routes(self, router: web.UrlDispatcher) -> None:
        """Register its handlers."""


class PageServer:
    """Serves the page for one FakeTelegram, and the page's other `parts`; it tells of changes in all `services`."""

    def __init__(self, telegram: FakeTelegram, services: Sequence[Server], parts: Sequence[Part] = ()) -> None:
        self._telegram, self._parts = telegram, parts
        self._listeners: set[asyncio.Event] = set()
        self._runner: web.AppRunner | None = None
        self.port = 0
        for service in services:
            service.watchers.append(self._changed)

    async def start(self, first: int) -> None:
        """Listen on the first free loopback port from `first` up."""
        app = web.Application(middlewares=[loopback_only], client_max_size=_UPLOAD_LIMIT)
        app.router.add_get("/", self._index)
        app.router.add_static("/page/", _PAGE)
        app.router.add_get("/api/events", self._events)
        app.router.add_post("/api/people", self._add_person)
        app.router.add_get("/api/chat/{person}", self._chat)
        app.router.add_post("/api/chat/{person}/send", self._send)
        app.router.add_post("/api/chat/{person}/press", self._press)
        app.router.add_post("/api/chat/{person}/pay", self._pay)
        app.router.add_post("/api/chat/{person}/block", self._block)
        app.router.add_get("/api/files/{file}", self._file)
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
        for listener in self._listeners:
            listener.set()

    async def _index(self, _request: web.Request) -> web.StreamResponse:
        headers = {"Content-Security-Policy": _NOTHING_FROM_ELSEWHERE, "Cache-Control": "no-cache"}
        return web.FileResponse(_PAGE / "index.html", headers=headers)

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

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request)
        presses = [press for press in self._telegram.presses if press.person_id == person.id]
        return web.json_response(
            {
                "bot": self._telegram.bot,
                "commands": self._telegram.commands(person),
                "people": [_person(known) for known in self._telegram.people.values()],
                "action": person.action,
                "messages": [_message(message) for message in person.messages],
                "presses": [_press(press) for press in presses[-_PRESSES:]],
            }
        )

    async def _add_person(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        person_id = max(self._telegram.people, default=100) + 1
        person = self._telegram.person(person_id, str(body["name"])[:64], str(body["language"])[:16])
        self._telegram.changed()
        return web.json_response(_person(person))

    async def _send(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request)
        form = await request.post()
        text = str(form.get("text", "")).strip()
        files = [file for file in form.getall("file", []) if isinstance(file, web.FileField)]
        try:
            if not files:
                await person.send_text(text, wait=False)
            elif form.get("as") == "photo":
                await _send_photos(person, [file.file.read() for file in files], text or None)
            else:
                documents = [(file.file.read(), file.filename, file.content_type) for file in files]
                await _send_documents(person, documents, text or None)
        except BotApiError as error:
            raise web.HTTPBadRequest(text=error.description) from None
        return web.json_response({})

    async def _press(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        query = await self._person(request).press(int(body["message"]), str(body["data"]), wait=False)
        return web.json_response({"query": query})

    async def _pay(self, request: web.Request) -> web.StreamResponse:
        """Stars for the invoice of a message; `refused` is what the person reads where nothing was charged."""
        body = await request.json()
        try:
            refused = await self._person(request).pay(int(body["message"]), wait=False)
        except ValueError:
            raise web.HTTPNotFound from None
        return web.json_response({"refused": refused})

    async def _block(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request)
        if (await request.json())["blocked"]:
            person.block()
        else:
            person.unblock()
        return web.json_response({})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        stored = self._telegram.files.find(request.match_info["file"])
        if stored is None:
            raise web.HTTPNotFound
        # Whatever it is, it is shown as a picture or saved, never opened as a page.
        kinds = (mime for magic, mime in _PICTURES.items() if stored.data.startswith(magic))
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
            "Cache-Control": "max-age=86400, immutable",
        }
        return web.Response(body=stored.data, content_type=next(kinds, "application/octet-stream"), headers=headers)

    def _person(self, request: web.Request) -> Person:
        person_id = request.match_info["person"]
        person = self._telegram.people.get(int(person_id)) if person_id.isdigit() else None
        if person is None:
            raise web.HTTPNotFound
        return person


async def _send_photos(person: Person, pictures: list[bytes], caption: str | None) -> None:
    if len(pictures) == 1:
        await person.send_photo(pictures[0], caption, wait=False)
    else:
        await person.send_album(pictures, caption, wait=False)


async def _send_documents(person: Person, documents: list[tuple[bytes, str, str]], caption: str | None) -> None:
    if len(documents) == 1:
        await person.send_document(*documents[0], caption, wait=False)
    else:
        await person.send_files(documents, caption, wait=False)


def _person(person: Person) -> dict[str, Any]:
    last = next((message.id for message in reversed(person.messages) if message.outgoing), 0)
    return {"id": person.id, "name": person.name, "language": person.language, "blocked": person.blocked, "last": last}


def _message(message: ChatMessage) -> dict[str, Any]:
    sizes = message.raw.get("photo")
    document = message.raw.get("document")
    return {
        "id": message.id,
        "outgoing": message.outgoing,
        "date": message.date,
        "text": message.text or message.caption or "",
        "entities": message.entities,
        "photo": sizes[-1] if sizes else None,
        "document": document,
        "invoice": message.raw.get("invoice"),
        "paid": message.raw.get("successful_payment"),
        "refunded": message.raw.get("refunded_payment"),
        "album": message.raw.get("media_group_id"),
        "keyboard": message.keyboard,
        "edited": message.edited,
        "taken": message.taken,
    }


def _press(press: Press) -> dict[str, Any]:
    return {
        "id": press.id,
        "message": press.message_id,
        "data": press.data,
        "waiting": press.answer is None and not press.expired,
        "answer": press.answer,
    }
