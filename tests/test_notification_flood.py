"""Notifications are unsigned: whoever knows a payment's id may send as they like, and delays no purchase."""

import asyncio
import gc
import time
from typing import Any

import aiohttp
import pytest

from app.flows.purchases.turns import Turns
from tests.world import World

READ_S = 0.5


async def flood(bot: World, payments: list[str], each: int) -> list[int]:
    """Forged notifications of known payments, all at once; their statuses."""
    url = f"{bot.settings.public_url}/yookassa/webhook"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def forge(payment: str) -> int:
            body: dict[str, Any] = {"type": "notification", "event": "payment.succeeded", "object": {"id": payment}}
            async with client.post(url, json=body) as answer:
                return answer.status

        return await asyncio.gather(*(forge(payment) for payment in payments for _ in range(each)))


async def slow_reads(bot: World) -> None:
    """YooKassa takes its time over every look at a payment."""
    bot.yookassa.fault("payments.get", times=10_000, before=lambda: asyncio.sleep(READ_S))


async def test_forged_notifications_of_one_payment_are_a_few_reads_and_hold_up_no_checkout(bot: World) -> None:
    """400 at once: one is under way, one waits and stands for all the others; a press has a place of its own."""
    payment = await bot.choose(bot.person(1))
    await slow_reads(bot)
    flooding = asyncio.create_task(flood(bot, [payment], 400))
    await bot.yookassa.wait_for(lambda: bot.yookassa.called("payments.get"))
    started = time.monotonic()
    await bot.choose(bot.person(2))
    assert time.monotonic() - started < 5
    assert set(await flooding) == {200}
    assert len(bot.yookassa.called("payments.get")) <= 10


@pytest.mark.settings(payment_poll_after_s=0.5)
async def test_forged_notifications_of_many_payments_hold_up_neither_a_checkout_nor_a_poll(bot: World) -> None:
    """Ten each of fifty payments: what no place is free for is to be sent again; a paid one is found meanwhile."""
    paid, person = await bot.choose(bot.person(1)), bot.person(1)
    await bot.db.execute("UPDATE payments SET poll_at = 'infinity'")
    known = [await bot.choose(bot.person(100 + number)) for number in range(50)]
    await bot.db.execute("UPDATE payments SET poll_at = 'infinity' WHERE provider_id <> $1", paid)
    await slow_reads(bot)
    flooding = asyncio.create_task(flood(bot, known, 10))
    await bot.yookassa.wait_for(lambda: bot.yookassa.called("payments.get"))
    started = time.monotonic()
    await bot.choose(bot.person(2))
    assert time.monotonic() - started < 5
    bot.yookassa.misdeliver("lost")
    await bot.yookassa.pay(paid)
    await bot.db.execute("UPDATE payments SET poll_at = now() WHERE provider_id = $1", paid)
    await bot.told(person, "добавлено 10 кредитов", within_s=4)
    statuses = await flooding
    assert set(statuses) <= {200, 503}
    assert statuses.count(503) >= 10, "whatever the number of payments, so many reads wait and no more"


async def test_what_is_over_is_read_for_nobody(bot: World) -> None:
    """Forty payments that were canceled or given back take no place from a true notification."""
    over, person = [await bot.choose(bot.person(100 + number)) for number in range(40)], bot.person(1)
    for act, payments in (
        (bot.yookassa.cancel, over[:20]),
        (bot.yookassa.pay, over[20:]),
        (bot.yookassa.refund, over[20:]),
    ):
        assert set(await asyncio.gather(*map(act, payments))) == {200}
    paid, reads = await bot.choose(person), len(bot.yookassa.called("payments.get"))
    await slow_reads(bot)
    flooding = asyncio.create_task(flood(bot, over, 10))
    assert await bot.yookassa.pay(paid) == 200
    assert set(await flooding) == {200}
    assert len(bot.yookassa.called("payments.get")) == reads + 1
    assert await bot.credits(person) == 20


async def test_one_payment_is_read_for_notifications_at_most_every_two_seconds(bot: World) -> None:
    """Forged ones come one after another for five seconds; the true one that comes among them credits."""
    person = bot.person()
    payment = await bot.choose(person)
    started, statuses = time.monotonic(), list[int]()
    flooding = asyncio.create_task(flood(bot, [payment], 1))
    await bot.yookassa.wait_for(lambda: bot.yookassa.called("payments.get"))
    true = asyncio.create_task(bot.yookassa.pay(payment))
    while time.monotonic() - started < 5:
        statuses += await flood(bot, [payment], 20)
    assert await true == 200
    assert set(await flooding + statuses) == {200}
    assert len(bot.yookassa.called("payments.get")) <= 4
    assert await bot.credits(person) == 20


async def test_who_comes_within_the_pause_is_answered_by_a_run_after_it() -> None:
    """None is lost: the pause puts off, and never answers with what was seen before."""
    runs = list[float]()

    async def look() -> int:
        runs.append(time.monotonic())
        return len(runs)

    turns = Turns[int](0.3)
    assert await turns.join("key", look) == 1
    assert await asyncio.gather(*(turns.join("key", look) for _ in range(5)), turns.join("other", look)) == [3] * 5 + [
        2
    ]
    assert runs[2] - runs[0] >= 0.3
    await turns.close()


async def test_who_comes_while_a_run_is_under_way_is_answered_by_a_later_one() -> None:
    """What is read already may be older than what they were told; and an error is told to everybody who waited."""
    runs, begun, go_on = 0, asyncio.Semaphore(0), asyncio.Event()

    async def look() -> int:
        nonlocal runs
        runs += 1
        number = runs
        begun.release()
        await go_on.wait()
        if number == 3:
            raise ValueError("no answer")
        return number

    turns = Turns[int](0)
    first = asyncio.create_task(turns.join("key", look))
    await begun.acquire()
    later = [asyncio.create_task(turns.join("key", look)) for _ in range(5)]
    other = asyncio.create_task(turns.join("another key", look))
    await begun.acquire()
    go_on.set()
    assert await first == 1
    assert await other == 2
    outcomes = await asyncio.gather(*later, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ValueError] * 5
    assert await turns.join("key", look) == 4


async def test_a_run_goes_on_for_the_others_when_one_gives_up() -> None:
    """A request that was cut short takes nobody else's answer away."""
    go_on = asyncio.Event()

    async def look() -> str:
        await go_on.wait()
        return "seen"

    turns = Turns[str](0)
    impatient = asyncio.create_task(turns.join("key", look))
    patient = asyncio.create_task(turns.join("key", look))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    go_on.set()
    assert await patient == "seen"


async def test_a_run_that_ends_when_everybody_has_gone_is_nobodys_complaint() -> None:
    """It fails, or is cut short at the end: asyncio logs no error that nobody has looked at."""
    complaints, go_on = list[str](), asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told["message"]))

    async def look() -> None:
        await go_on.wait()
        raise ValueError

    turns = Turns[None](0)
    asker = asyncio.create_task(turns.join("key", look))
    await asyncio.sleep(0)
    asker.cancel()
    await asyncio.wait([asker])
    # What holds the error is let go of: then asyncio says whether somebody has looked at it
    del asker
    go_on.set()
    await asyncio.sleep(0.01)
    go_on.clear()
    cut_short = asyncio.create_task(turns.join("another key", look))
    await asyncio.sleep(0)
    await turns.close()
    await asyncio.wait([cut_short])
    gc.collect()
    assert complaints == []
