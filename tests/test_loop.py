"""The bot's event loop: names that nobody answers for hold up no others, and no end."""

import asyncio
import socket
import threading
import time
from typing import Any

import pytest

from app.loop import Loop
from local.ports import free_port

HANGS = "nobody.answers.invalid"


@pytest.fixture(autouse=True)
def _look_ups(monkeypatch: pytest.MonkeyPatch) -> Any:
    over, real = threading.Event(), socket.getaddrinfo

    def look_up(host: Any, *arguments: Any) -> Any:
        if host != HANGS:
            return real(host, *arguments)
        over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    over.set()


def test_names_that_hang_keep_neither_others_nor_the_end() -> None:
    """Twenty of them, which is more threads than any pool has here."""
    started = time.monotonic()

    async def look_up() -> list[Any]:
        loop = asyncio.get_running_loop()
        hanging = [asyncio.ensure_future(loop.getaddrinfo(HANGS, 443)) for _ in range(20)]
        async with asyncio.timeout(5):
            found = await loop.getaddrinfo("127.0.0.1", 443, type=socket.SOCK_STREAM)
        assert not any(one.done() for one in hanging)
        return found

    with asyncio.Runner(loop_factory=Loop) as runner:
        [(_, _, _, _, address)] = runner.run(look_up())
    assert address == ("127.0.0.1", 443)
    assert time.monotonic() - started < 5


def test_a_name_that_leads_nowhere_is_an_error_for_who_asked() -> None:
    """As with every other loop, and so is what is no name at all: nobody waits for an answer that does not come."""

    async def look_up(name: Any) -> None:
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().getaddrinfo(name, 443)

    with asyncio.Runner(loop_factory=Loop) as runner:
        with pytest.raises(socket.gaierror):
            runner.run(look_up("no such name"))
        with pytest.raises(UnicodeError):
            runner.run(look_up("x" * 300))
        with pytest.raises(TypeError):
            runner.run(look_up(1.5))


def test_a_connection_goes_to_the_first_address_of_a_name_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As PostgreSQL's and Redis's drivers ask for it; where none answers it is the last one's refusal."""
    free = free_port()
    family, real = socket.AF_INET, socket.getaddrinfo

    def look_up(host: Any, port: Any, *arguments: Any) -> Any:
        if host != "two.addresses.invalid":
            return real(host, port, *arguments)
        return [(family, socket.SOCK_STREAM, 6, "", ("127.0.0.1", at)) for at in (free, port)]

    async def connect() -> bytes:
        async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"here")
            writer.close()

        async with await asyncio.start_server(greet, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("two.addresses.invalid", port)
            said = await reader.read()
            writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("two.addresses.invalid", free)
        return said

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(connect()) == b"here"
