"""Connections that nobody uses end; those that somebody uses do not."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler

from app.connections import Connections
from local.ports import free_port

_UNUSED_S = 0.3
_HEAD = b"GET / HTTP/1.1\r\nHost: bot\r\n\r\n"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where a server closes what is unused for a third of a second; each request takes three times as long."""
    connections = Connections()

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        with connections.answering(request):
            await asyncio.sleep(3 * _UNUSED_S if request.path == "/slow" else 0)
            return web.Response(text="an answer")

    runner = web.AppRunner(web.Application(middlewares=[count]), access_log=None)
    await runner.setup()
    number = free_port()
    await web.TCPSite(runner, "127.0.0.1", number).start()
    assert runner.server is not None
    closing = asyncio.create_task(connections.close_unused(runner.server, _UNUSED_S))
    yield number
    closing.cancel()
    await runner.cleanup()


@pytest.mark.parametrize("first", [b"", b"GET /a", b"GET / HTTP/1.1\r\nHost:"], ids=["nothing", "a line", "headers"])
async def test_a_connection_without_a_whole_request_is_closed(port: int, first: bytes) -> None:
    """Whether it is silent or drips a letter now and then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    async with asyncio.timeout(5):
        while not reader.at_eof():
            if first:
                writer.write(b"x")
            try:
                async with asyncio.timeout(0.05):
                    assert await reader.read(100) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                break
    writer.close()


async def test_a_connection_that_is_used_stays(port: int) -> None:
    """One request after another on it for longer than the limit, and one that takes longer itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(10):
        writer.write(_HEAD)
        await reader.readuntil(b"an answer")
        await asyncio.sleep(_UNUSED_S / 4)
    writer.write(_HEAD.replace(b"/ ", b"/slow "))
    await reader.readuntil(b"an answer")
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
