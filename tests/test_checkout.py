"""A press on a plan, the link it gives, and how often YooKassa is asked about it."""

import asyncio

import asyncpg
import pytest

from app.db import open_pool
from app.flows.purchases import Links
from app.flows.purchases.checkout import PATIENCE_S, Outcome
from app.flows.purchases.settle import Settlement
from app.gateways.yookassa import YooKassa
from app.metrics import Metrics
from app.repo import payments
from tests.world import World


async def test_ten_presses_at_once_make_one_payment(bot: World) -> None:
    """Each repeats the same key and body."""
    person = bot.person()
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, "200 ₽")
    await asyncio.gather(*(person.press(offer.id, "200 ₽", at_once=True) for _ in range(10)))
    await bot.offered(person, "Оплатить")
    assert len(bot.yookassa.payments) == 1
    assert await bot.db.fetchval("SELECT count(*) FROM payments") == 1


async def test_ten_presses_at_two_replicas_make_one_payment(bot: World) -> None:
    """Nothing in a process keeps them apart: the lock on the person's row does."""
    person = bot.person()
    await person.send_text("/start")
    replicas = []
    for _ in range(2):
        pool = await open_pool(bot.settings)
        client, metrics = YooKassa(bot.settings), Metrics()
        settlement = Settlement(pool, bot.settings, metrics, lambda: None)
        replicas.append((pool, client, Links(pool, bot.settings, metrics, client, settlement, lambda: None)))
    presses = [links.checkout.offer(person.id, "p200", "https://t.me/bot") for _, _, links in replicas * 5]
    offers = await asyncio.gather(*presses)
    for pool, client, _ in replicas:
        await client.close()
        await pool.close()
    assert {offer.outcome for offer in offers} <= {Outcome.LINK, Outcome.LATER}
    assert len({offer.url for offer in offers if offer.url}) == 1
    assert len(bot.yookassa.payments) == 1
    assert await bot.db.fetchval("SELECT count(*) FROM payments") == 1


async def test_a_press_is_answered_while_yookassa_hangs(bot: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person is told to wait; the patience is under the 15 s that a press may take."""
    assert PATIENCE_S < 15
    monkeypatch.setattr("app.flows.purchases.checkout.PATIENCE_S", 0.5)
    person = bot.person()
    hang = bot.yookassa.fault("payments.create", hang=True)
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, "200 ₽")
    async with asyncio.timeout(5):  # the client's own deadline is 8 s
        await person.press(offer.id, "200 ₽")
        await bot.told(person, "второго платежа не будет")
    assert hang.times == 0


async def test_presses_that_wait_for_one_another_are_each_answered_in_time(
    bot: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One person's presses come one after another; the wait for the one before is a part of the patience."""
    monkeypatch.setattr("app.flows.purchases.checkout.PATIENCE_S", 1.0)
    person = bot.person()
    bot.yookassa.fault("payments.create", times=5, hang=True)
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, "200 ₽")
    async with asyncio.timeout(2.5):  # 5 s, one patience after the other
        prices = ("200 ₽", "500 ₽", "1000 ₽", "200 ₽", "500 ₽")
        await asyncio.gather(*(person.press(offer.id, price, at_once=True) for price in prices))
    assert sum("второго платежа не будет" in (message.text or "") for message in person.messages) == 5
    # A link is promised to each: the worker has what to go on with
    assert await bot.db.fetchval("SELECT count(DISTINCT plan) FROM payments WHERE status = 'new'") == 3


async def test_an_old_link_that_is_still_payable_is_shown_again(bot: World) -> None:
    """Nearly an hour old, it is read back first."""
    person = bot.person()
    first = await bot.choose(person)
    await bot.db.execute("UPDATE payments SET linked_at = now() - interval '55 minutes'")
    assert await bot.choose(person) == first
    assert len(bot.yookassa.called("payments.get")) == 1
    assert len(bot.yookassa.payments) == 1


async def test_an_old_link_that_expired_gives_way_to_a_new_payment(bot: World) -> None:
    """YooKassa's notification of it was lost: the press finds out."""
    person = bot.person()
    first = await bot.choose(person)
    bot.yookassa.misdeliver("lost")
    await bot.yookassa.cancel(first)
    await bot.db.execute("UPDATE payments SET linked_at = now() - interval '55 minutes'")
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, "200 ₽")
    await person.press(offer.id, "200 ₽")
    second = next(key for key in bot.yookassa.payments if key != first)
    rows = await bot.db.fetch("SELECT provider_id, status FROM payments")
    assert {row["provider_id"]: row["status"] for row in rows} == {first: "canceled", second: "pending"}


async def test_replicas_never_ask_twice_about_the_same_payment_in_one_turn(bot: World, database_url: str) -> None:
    """Ten claims at once share twenty purchases that are due."""
    for number in range(20):
        await bot.choose(bot.person(100 + number))
    # Of another shop for the running bot, whose own worker is not to claim them first.
    await bot.db.execute("UPDATE payments SET shop_id = 'other', poll_at = now()")

    async with asyncpg.create_pool(database_url, min_size=10, max_size=10) as pool:

        async def claim() -> list[object]:
            async with pool.acquire() as conn:
                return [*await payments.claim(conn, 5, 60, "yookassa", "other", test=True)]

        claims = await asyncio.gather(*(claim() for _ in range(10)))
    claimed = [payment for claim_ in claims for payment in claim_]
    assert len(claimed) == len(set(claimed))
    assert claimed


async def test_polls_become_ever_rarer_up_to_an_hour(bot: World) -> None:
    """Each turn of a payment is further away than the one before."""
    await bot.choose(bot.person())
    await bot.db.execute("UPDATE payments SET shop_id = 'other'")
    distances = []
    for _ in range(25):
        await bot.db.execute("UPDATE payments SET poll_at = now()")
        assert len(await payments.claim(bot.db, 1, 60, "yookassa", "other", test=True)) == 1
        distances.append(await bot.db.fetchval("SELECT extract(epoch FROM poll_at - now())::float8 FROM payments"))
    assert distances[0] == pytest.approx(60, abs=5)
    assert max(distances) <= 3600
    assert distances[-1] == pytest.approx(3600, abs=5)
    growing = distances[:10]
    assert growing == sorted(growing)
