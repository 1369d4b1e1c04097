"""Pictures made to hurt, in the hands of the real process: others do not notice, its end neither."""

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from PIL import Image

from sandbox.telegram import Person
from tests import crafted, processes
from tests.faults.harness import Bot, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

type Somebody = Callable[[], Person]

MEMORY_LIMIT = 512 * 2**20
"""The process tree, with 16 orders under way."""


async def order(play: Stage, who: Person, data: bytes) -> None:
    """The person orders with this very file, which Telegram does not touch."""
    await who.send_text("/photo")
    await who.send_document(data, "picture", "image/tiff", f"Кот №{who.id}.")
    card = await play.offered(who, "✅")
    await who.press(card.id, "✅", wait=False)


async def decoding(bot: Bot, count: int = 1) -> list[int]:
    """The processes that read a picture, once there are so many: nothing but the system tells of them."""
    async with asyncio.timeout(20):
        while len(found := processes.decoders(bot.pid)) < count:  # noqa: ASYNC110 - the kernel tells nobody of a process
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


async def test_sixteen_orders_under_way_stay_under_half_a_gigabyte(play: Stage, bot: Bot, person: Somebody) -> None:
    """Eight results of 7 MB, and eight sources: as large as Telegram has them, large when decoded, and crafted."""
    waiting = [person() for _ in range(8)]
    arrived = asyncio.Event()
    result = noise("PNG", (1500, 1500))
    play.gen_api.fault("result", times=8, before=arrived.wait, handled=True)
    for who in waiting:
        await play.order(who)
    await play.gen_api.wait_for(lambda: sum(o.status == "success" for o in play.gen_api.orders.values()) >= 8, 40)
    for made in play.gen_api.orders.values():
        made.picture = result
    heavy = noise("JPEG", (4000, 3000), quality=97)
    assert 15 * 2**20 < len(heavy) < 20 * 2**20
    sources = [heavy, heavy, crafted.palette_on_its_side(), crafted.many_scans(), crafted.many_directories()]
    sources += [heavy, crafted.drawn("JPEG", (8160, 6120), orientation=6), heavy]
    ordering = [person() for _ in sources]
    async with watched(bot) as held:
        for who, data in zip(ordering, sources, strict=True):
            await order(play, who, data)
        arrived.set()
        for who in waiting:
            await play.says(who, lambda message: message.photo or message.document, 90)
        await play.until(
            "SELECT NOT EXISTS (SELECT FROM generations WHERE status IN ('queued', 'submitting'))", within_s=90
        )
    print(f"the tree held {max(held) / 2**20:.0f} MiB at most, {held[-1] / 2**20:.0f} MiB in the end")
    assert max(held) < MEMORY_LIMIT


async def test_sixty_four_usual_orders_under_way_take_little_memory(play: Stage, bot: Bot, person: Somebody) -> None:
    """Photographs of a phone; the results wait for one another, and are all fetched, fitted and sent at once."""
    ordering = [person() for _ in range(64)]
    arrived = asyncio.Event()
    play.gen_api.fault("result", times=64, before=arrived.wait, handled=True)
    done = sum(made.status == "success" for made in play.gen_api.orders.values())
    idle = processes.resident(bot.pid)
    async with watched(bot) as held:
        await asyncio.gather(*(play.order(who) for who in ordering))
        await play.gen_api.wait_for(
            lambda: sum(made.status == "success" for made in play.gen_api.orders.values()) >= done + 64, 60
        )
        arrived.set()
        for who in ordering:
            await play.says(who, lambda message: message.photo or message.document, 90)
    print(f"the tree held {idle / 2**20:.0f} MiB, and {max(held) / 2**20:.0f} MiB at most")
    assert max(held) - idle < 120 * 2**20


def noise(kind: str, size: tuple[int, int], **options: int) -> bytes:
    """A picture that compresses badly."""
    out = BytesIO()
    Image.frombytes("RGB", size, os.urandom(size[0] * size[1] * 3)).save(out, kind, **options)
    return out.getvalue()


@asynccontextmanager
async def watched(bot: Bot) -> AsyncIterator[list[int]]:
    """What the bot's process tree holds in bytes, as often as can be seen."""
    held: list[int] = []

    async def watch() -> None:
        while True:
            held.append(processes.resident(bot.pid))
            await asyncio.sleep(0.02)

    async with _beside(watch()):
        yield held
