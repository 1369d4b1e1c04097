"""Pictures made to hurt, in the hands of the real process: others do not notice, its end neither."""

import asyncio
import signal
import statistics
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from sandbox.telegram import Person
from tests import crafted, processes
from tests.faults.harness import Bot, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

type Somebody = Callable[[], Person]


async def order(play: Stage, who: Person, data: bytes) -> None:
    """The person orders with this very file, which Telegram does not touch."""
    await who.send_text("/photo")
    await who.send_document(data, "picture", "image/tiff", f"Кот №{who.id}.")
    card = await play.offered(who, "✅")
    await who.press(card.id, "✅", wait=False)


async def decoding(bot: Bot, count: int = 1) -> list[int]:
    """The processes that read a picture, once there are so many: nothing but the system tells of them."""
    async with asyncio.timeout(20):
        while len(found := processes.decoders(bot.pid)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


async def test_crafted_pictures_are_refunded_and_nobody_else_notices(play: Stage, bot: Bot, person: Somebody) -> None:
    """Two that keep two cores busy for as long as they are let; the process answers, another's picture comes."""
    hostile, quiet = [person(), person()], person()
    picture = crafted.many_directories()
    for who in hostile:
        await order(play, who, picture)
    await decoding(bot)
    async with pinged(bot) as answered_in:
        began = time.monotonic()
        await play.order(quiet)
        await play.shown(quiet, within_s=40)
        assert time.monotonic() - began < 40
        for who in hostile:
            await play.refunded(who)
    print(f"/healthz: median {statistics.median(answered_in):.4f} s, longest {max(answered_in):.4f} s")
    assert statistics.median(answered_in) < 0.05
    assert not any(play.creates(who) for who in hostile)


@pytest.mark.parametrize(
    "picture",
    [crafted.broken_off("GIF"), crafted.broken_off("TIFF"), b"II*\0\x08\0\0\0" + bytes(range(256)), b"GIF89a"],
    ids=["GIF broken off", "TIFF broken off", "TIFF of garbage", "GIF without anything"],
)
async def test_what_no_decoder_understands_is_refunded_at_once(play: Stage, person: Somebody, picture: bytes) -> None:
    """Whatever is raised over it: no error that somebody is told of, no second try."""
    who = person()
    await order(play, who, picture)
    await play.told(who, "возвращ", within_s=10)
    assert await play.credits(who) == 10
    assert await play.pool.fetchval("SELECT attempt FROM generations WHERE user_id = $1", who.id) == 1


async def test_sigterm_while_a_crafted_picture_is_read(play: Stage, bot: Bot, person: Somebody) -> None:
    """Exit 0 within ten seconds, and nothing goes on behind it."""
    who = person()
    await order(play, who, crafted.many_directories())
    children = await decoding(bot)
    told_at = time.monotonic()
    bot.signal(signal.SIGTERM)
    assert await bot.ended() == 0
    assert time.monotonic() - told_at < 10
    assert not any(processes.exists(child) for child in children)
    await bot.start()
    await play.refunded(who)


async def test_sigkill_while_a_crafted_picture_is_read(play: Stage, bot: Bot, person: Somebody) -> None:
    """The child dies with its parent."""
    who = person()
    await order(play, who, crafted.many_directories())
    children = await decoding(bot)
    await bot.kill()
    async with asyncio.timeout(2):
        while any(processes.exists(child) for child in children):  # noqa: ASYNC110 - nobody tells of an orphan's end
            await asyncio.sleep(0.02)
    await play.let_locks_run_out()
    await bot.start()
    await play.let_leases_run_out()
    await play.refunded(who)


@asynccontextmanager
async def pinged(bot: Bot) -> AsyncIterator[list[float]]:
    """How long /healthz takes (s), ten times a second."""
    answered_in: list[float] = []

    async def ping() -> None:
        async with aiohttp.ClientSession() as client:
            while True:
                began = time.monotonic()
                async with client.get(f"{bot.url}/healthz") as answer:
                    assert answer.status == 200
                answered_in.append(time.monotonic() - began)
                await asyncio.sleep(0.1)

    async with _beside(ping()):
        yield answered_in


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
