"""A changed shop loses no payment silently: whoever asks is told to ask again, and the operators are told once."""

import asyncio

import pytest

from tests.world import World, services, serving

ADMIN = 5


pytestmark = pytest.mark.settings(admin_ids=(ADMIN,))


async def alerts(bot: World) -> list[str]:
    """The kinds of the alerts that operators are owed."""
    rows = await bot.db.fetch("SELECT kind FROM outbox WHERE kind LIKE 'alert%' ORDER BY id")
    return [row["kind"] for row in rows]


async def test_a_notification_of_another_shops_payment_is_sent_again_until_the_shop_is_back(bot: World) -> None:
    """These keys cannot read it: 503, and one alert however often it comes; with the right shop it is credited."""
    person = bot.person()
    payment = await bot.choose(person)
    await bot.db.execute("UPDATE payments SET shop_id = 'before'")
    assert await bot.yookassa.pay(payment) == 503
    assert set(await asyncio.gather(*(bot.yookassa.notify(payment) for _ in range(5)))) == {503}
    assert await alerts(bot) == ["alert_payment_elsewhere"]
    assert await bot.credits(person) == 10
    assert bot.yookassa.called("payments.get") == []
    await bot.db.execute("UPDATE payments SET shop_id = $1", bot.settings.yookassa_shop_id)
    assert await bot.yookassa.notify(payment) == 200
    assert await bot.credits(person) == 20


async def test_a_payment_that_yookassa_gave_us_and_no_longer_knows_is_sent_again(bot: World) -> None:
    """Keys of another shop under the same number, or YooKassa's own trouble: never 200, and one alert."""
    person = bot.person()
    payment = await bot.choose(person)
    kept = bot.yookassa.payments.pop(payment)
    told = {"type": "notification", "event": "payment.succeeded", "object": {"id": payment}}
    assert [await bot.yookassa.send("payment.succeeded", told["object"]) for _ in range(3)] == [503] * 3  # type: ignore[arg-type]  # a dict
    await person.send_text("/start success")
    assert await alerts(bot) == ["alert_payment_gone"]
    bot.yookassa.payments[payment] = kept
    assert await bot.yookassa.pay(payment) == 200
    assert await bot.credits(person) == 20


async def test_an_id_that_only_the_notification_claims_is_no_alert(bot: World) -> None:
    """The create call's answer was lost, and somebody invents a payment for it: 200, nothing written."""
    bot.yookassa.fault("payments.create", drop=True)
    person = bot.person()
    await person.send_text("/buy_subscription")
    offer = await bot.says(person, lambda message: message.button("200 ₽"))
    await person.press(offer.id, "200 ₽")
    ours = str(await bot.db.fetchval("SELECT id FROM payments"))
    assert await bot.yookassa.send("payment.succeeded", {"id": "2e-x", "metadata": {"payment_id": ours}}) == 200
    assert await alerts(bot) == []


async def test_open_payments_of_another_shop_are_told_at_the_start(database_url: str, redis_url: str) -> None:
    """How many, once a number: nobody asks about them any more."""
    async with services(database_url, redis_url, admin_ids=(ADMIN,)) as around:
        async with serving(around):
            for number in range(3):
                await around.choose(around.person(100 + number))
        assert await alerts(around) == []
        await around.db.execute("UPDATE payments SET shop_id = 'before'")
        for _ in range(2):
            async with serving(around):
                admin = around.person(ADMIN)
                await around.says(admin, lambda message: "3 незакрытых платежа" in (message.text or ""))
        assert await alerts(around) == ["alert_other_till"]
