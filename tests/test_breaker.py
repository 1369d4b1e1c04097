"""gen-api refuses us as customers: orders stop, the operators hear of it once, trials find out when it is over."""

import pytest

from sandbox.people import Person
from tests.world import World

ADMIN = 900

pytestmark = pytest.mark.settings(admin_ids=(ADMIN,))


async def refused(bot: World, person: Person, times: int) -> None:
    """So many orders that gen-api refuses with 402, each refunded."""
    bot.gen_api.fault("create", times=times, status=402, body={"message": "Payment Required"})
    for number in range(times):
        card = await bot.order(person, f"Отказ {number}")
        await bot.refunded(person, after=card.id)


async def declined(bot: World, person: Person) -> bool:
    """Whether a new order is declined without a debit."""
    card = await bot.order(person, "Кот")
    answer = await bot.says(
        person, lambda m: m.id >= card.id and any(word in (m.text or "") for word in ("недоступно", "Рисую", "Готово"))
    )
    return "недоступно" in (answer.text or "")


async def test_the_third_refusal_in_a_row_stops_orders_and_tells_the_operators_once(bot: World) -> None:
    """Two leave the way open; the third closes it for everybody; one alert, however many orders were on their way."""
    first, second = bot.person(1), bot.person(2)
    await refused(bot, first, 2)
    assert not await declined(bot, second)
    await bot.shown(second)
    await refused(bot, first, 3)
    assert await declined(bot, second)
    alerts = [message for message in bot.person(ADMIN).messages if "заказы остановлены" in (message.text or "")]
    assert len(alerts) == 1
    assert await bot.credits(second) == 8


async def test_one_trial_goes_through_and_an_accepted_one_opens_the_way(bot: World) -> None:
    """Before the thirty seconds are over nobody passes; then one; its acceptance lets everybody."""
    first, second = bot.person(1), bot.person(2)
    await refused(bot, first, 3)
    assert await declined(bot, second)
    await bot.db.execute("UPDATE breakers SET trial_at = now()")
    assert not await declined(bot, first)
    await bot.shown(first)
    assert not await declined(bot, second)
    await bot.shown(second)
    assert (await bot.credits(first), await bot.credits(second)) == (8, 8)


async def test_a_refused_trial_keeps_the_way_closed_for_the_next_thirty_seconds(bot: World) -> None:
    """The trial is refunded like any other; the operators are not told again."""
    first, second = bot.person(1), bot.person(2)
    await refused(bot, first, 3)
    await bot.db.execute("UPDATE breakers SET trial_at = now()")
    await refused(bot, first, 1)
    assert await declined(bot, second)
    assert await bot.db.fetchval("SELECT trial_at > now() + interval '20 seconds' FROM breakers")
    alerts = [message for message in bot.person(ADMIN).messages if "заказы остановлены" in (message.text or "")]
    assert len(alerts) == 1
    assert await bot.credits(first) == 10


async def test_a_picture_of_an_order_accepted_before_says_nothing_of_now(bot: World) -> None:
    """It was drawn for money that was there then: orders stay stopped until a trial is accepted."""
    first, second = bot.person(1), bot.person(2)
    bot.gen_api.delay = 3600
    early = await bot.card(second, "Заранее")
    await second.press(early.id, "✅")
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    (order_id,) = bot.gen_api.orders
    await refused(bot, first, 3)
    await bot.gen_api.finish(order_id)
    await bot.shown(second)
    assert await declined(bot, second)


async def test_a_trial_whose_create_call_broke_off_is_accepted_when_its_picture_comes(bot: World) -> None:
    """It was sent after the orders were stopped: the callback says that gen-api took it."""
    first, second = bot.person(1), bot.person(2)
    await refused(bot, first, 3)
    await bot.db.execute("UPDATE breakers SET trial_at = now()")
    bot.gen_api.fault("create", drop=True, handled=True)
    assert not await declined(bot, first)
    await bot.shown(first)
    assert not await declined(bot, second)
    await bot.shown(second)
