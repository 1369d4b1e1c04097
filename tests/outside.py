"""What delivery meets outside: Telegram, gen-api, the host of its results, and the process that reads pictures."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from aiogram import Bot
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.clients.genapi import GenApi
from app.clients.results import Results
from app.flows.delivery.fetch import Fetching
from app.flows.delivery.upload import Upload
from app.metrics import Metrics
from app.pictures import Pictures
from tests.crafted import drawn

PICTURE = drawn("PNG")


@dataclass
class Outside:
    """In place of Telegram: `calls` are those of its methods that show something, and `errors` what they end in.

    What is sent comes there as a whole if it `arrives`, is called by one of `names` in the answer, if by any, and
    `meanwhile` happens before that. `fresh` is where gen-api says that a picture is, `asked` how often it was asked.
    """

    gen_api: GenApi
    fetching: Fetching
    pictures: Pictures
    host: str
    calls: list[str] = field(default_factory=list)
    errors: dict[str, BaseException] = field(default_factory=dict)
    arrives: bool = True
    names: dict[str, str | None] = field(default_factory=lambda: {"photo": "a photo", "document": "a document"})
    meanwhile: Callable[[], Awaitable[object]] | None = None
    fresh: str | None = None
    asked: int = 0

    @property
    def telegram(self) -> Bot:
        return cast("Bot", self)

    async def send_chat_action(self, *_: Any, **_named: Any) -> None:
        """As aiogram's, like the others."""

    async def send_photo(self, _chat_id: int, upload: Upload, **_: Any) -> Any:
        file = await self._sent("photo", upload)
        return SimpleNamespace(photo=[file] if file else None)

    async def send_document(self, _chat_id: int, upload: Upload, **_: Any) -> Any:
        return SimpleNamespace(document=await self._sent("document", upload))

    async def edit_message_text(self, *_: Any, **_named: Any) -> None:
        self.calls.append("edit")

    async def _sent(self, method: str, upload: Upload) -> Any:
        self.calls.append(method)
        if self.arrives:
            async for _ in upload.read(self.telegram):
                pass
        if self.meanwhile:
            await self.meanwhile()
        if method in self.errors:
            raise self.errors[method]
        name = self.names[method]
        return SimpleNamespace(file_id=name) if name else None

    async def answer(self, request: web.Request) -> web.Response:
        """gen-api's, or that of the host of results: `/gone` is there no more, `/page` is no picture."""
        if request.path.startswith("/api/"):
            self.asked += 1
            body = {"status": "success", "result": [f"{self.host}{self.fresh}"]}
            return web.json_response(body, status=200 if self.fresh else 404)
        body_of = {"/gone": b"", "/page": b"<html>"}
        return web.Response(status=404 if request.path == "/gone" else 200, body=body_of.get(request.path, PICTURE))


@asynccontextmanager
async def outside() -> AsyncIterator[Outside]:
    """All of it, for as long as a test lasts."""

    async def answer(request: web.Request) -> web.Response:
        return await there.answer(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        host = str(server.make_url("")).rstrip("/")
        gen_api, results, pictures = GenApi(f"{host}/api/v1", "key"), Results(host), Pictures()
        there = Outside(gen_api, Fetching(Metrics(), results, gen_api), pictures, host)
        yield there
        await pictures.close()
        await gen_api.close()
        await results.close()
