"""The bot's event loop: names that nobody answers for hold up no others, and no end."""

import asyncio
import socket
import threading
import time
from typing import Any

import pytest

from app.loop import Loop

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
    """As with every other loop."""

    async def look_up(name: str) -> None:
        await asyncio.get_running_loop().getaddrinfo(name, 443)

    with asyncio.Runner(loop_factory=Loop) as runner:
        with pytest.raises(socket.gaierror):
            runner.run(look_up("no such name"))
        with pytest.raises(UnicodeError):
            runner.run(look_up("x" * 300))
