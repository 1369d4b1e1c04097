"""SIGTERM with work in flight, and SIGKILL at once: nothing is lost."""

import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.telegram import Person
from tests.faults.harness import Bot, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

type Somebody = Callable[[], Person]


async def in_flight(play: Stage, person: Somebody) -> list[Person]:
    """Three people whose orders hang: at the picture's download, at gen-api's create call, at the sending."""
    people = [person() for _ in range(3)]
    for who, service, route, handled in (
        (people[0], play.telegram, "file", False),
        (people[1], play.gen_api, "create", True),
        (people[2], play.telegram, "sendPhoto", False),
    ):
        play.gen_api.auto = route != "create"
        before = len(service.called(route))
        service.fault(route, hang=True, handled=handled)
        await play.order(who)
        await service.wait_for(lambda s=service, r=route, b=before: len(s.called(r)) > b, 20)  # type: ignore[misc]  # a lambda has no types
    play.gen_api.auto = True
    return people


async def test_sigterm_with_work_in_flight(play: Stage, bot: Bot, person: Somebody) -> None:
    """Exit 0 within ten seconds; a webhook in flight is finished; no order is lost or sent twice."""
    people = await in_flight(play, person)
    presser = person()
    card = await play.card(presser)
    async with play.locked(presser):
        await presser.press(card.id, "✅", wait=False)
        await play.blocked()
        told_at = time.monotonic()
        bot.signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
    assert await bot.ended() == 0
    assert time.monotonic() - told_at < 10
    assert await play.credits(presser) == 8
    assert await play.pool.fetchval(
        "SELECT claimable_at <= now() FROM generations WHERE user_id = $1 AND status = 'queued'", people[0].id
    )
    # A callback that came after the end is made up for by asking, a minute later.
    await play.pool.execute("UPDATE generations SET poll_at = now() WHERE status = 'processing'")
    await bot.start()
    assert await play.gen_api.finish((await play.order_at_gen_api(people[1])).id) == 200
    for who in (*people, presser):
        await play.delivered(who)


async def test_sigkill_at_once(play: Stage, bot: Bot, person: Somebody) -> None:
    """No second between the two signals, as Railway does it unless told otherwise."""
    people = await in_flight(play, person)
    bot.signal(signal.SIGTERM)
    await bot.kill()
    await play.let_locks_run_out()
    await bot.start()
    await play.let_leases_run_out()
    assert await play.gen_api.finish((await play.order_at_gen_api(people[1])).id) == 200
    for who in people:
        await play.delivered(who)


async def test_sigterm_while_yookassa_says_nothing(play: Stage, bot: Bot, person: Somebody) -> None:
    """A press on a plan, its notification and the workers' question wait for it: the process ends in time, and the link
    comes afterwards."""
    paid, buyer = person(), person()
    payment = await play.choose(paid)
    for route in ("payments.create", "payments.get"):
        play.yookassa.fault(route, hang=True, times=9)
    await buyer.send_text("/buy_subscription")
    offer = await play.offered(buyer, "200 ₽")
    await buyer.press(offer.id, "200 ₽", wait=False)
    paying = asyncio.create_task(play.yookassa.pay(payment))
    for route in ("payments.create", "payments.get"):
        await play.yookassa.wait_for(lambda r=route: play.yookassa.called(r), 20)  # type: ignore[misc]  # a lambda has no types
    told_at = time.monotonic()
    bot.signal(signal.SIGTERM)
    assert await bot.ended() == 0
    assert time.monotonic() - told_at < 10
    play.yookassa.heal()
    await asyncio.gather(paying, return_exceptions=True)
    await play.pool.execute("UPDATE payments SET poll_at = now() WHERE status IN ('new', 'pending')")
    await bot.start()
    await play.told(paid, "добавлено 10 кредитов")
    await play.says(buyer, lambda message: any("url" in button for button in message.buttons))


_NAMES_THAT_HANG = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
int getaddrinfo(const char *name, const char *port, const struct addrinfo *hints, struct addrinfo **found) {
    if (name && strstr(name, ".hangs")) { sleep(60); return EAI_AGAIN; }
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, port, hints, found);
}
"""


@pytest_asyncio.fixture(loop_scope="module")
async def names_that_hang(tmp_path: Path) -> str:
    """A library to load before the system's: its look-up of a name in `.hangs` takes a minute."""
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("takes a C compiler and LD_PRELOAD")
    source, library = tmp_path / "names.c", tmp_path / "names.so"
    source.write_text(_NAMES_THAT_HANG, encoding="utf-8")
    command = ("cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl")
    assert await (await asyncio.create_subprocess_exec(*command)).wait() == 0
    return str(library)


async def test_sigterm_while_yookassa_s_name_is_looked_up_in_vain(
    play: Stage, bot: Bot, person: Somebody, names_that_hang: str
) -> None:
    """A press is answered in time, and the process ends in time."""
    await bot.kill()
    hanging = play.bot(yookassa_api_url="http://yookassa.hangs/v3")
    hanging.environment["LD_PRELOAD"] = names_that_hang
    await hanging.start()
    buyer = person()
    await buyer.send_text("/buy_subscription")
    offer = await play.offered(buyer, "200 ₽")
    await buyer.press(offer.id, "200 ₽", wait=False)
    await play.told(buyer, "ЮKassa пока не отвечает", within_s=15)
    told_at = time.monotonic()
    hanging.signal(signal.SIGTERM)
    assert await hanging.ended() == 0
    assert time.monotonic() - told_at < 10
    await bot.start()


@pytest.mark.parametrize(
    ("setting", "address", "said"),
    [
        ("DATABASE_URL", "postgresql://bot@server.hangs/bot", "postgres.waiting"),
        ("REDIS_URL", "redis://server.hangs/0", "redis.waiting"),
    ],
)
async def test_sigterm_while_a_server_s_name_is_looked_up_in_vain(
    play: Stage, bot: Bot, names_that_hang: str, setting: str, address: str, said: str
) -> None:
    """A start that waits for PostgreSQL or Redis ends as soon as any other."""
    await bot.kill()
    hanging = play.bot()
    hanging.environment |= {"LD_PRELOAD": names_that_hang, setting: address}
    await hanging.launch()
    await hanging.logged(said)
    told_at = time.monotonic()
    hanging.signal(signal.SIGTERM)
    assert await hanging.ended() == 0
    assert time.monotonic() - told_at < 10
    await bot.start()
