"""SIGTERM with work in flight, and SIGKILL at once: nothing is lost."""

import asyncio
import signal
import time
from collections.abc import Callable

import pytest

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
