"""Where nobody knows how a service speaks, the bot understands every way that the sandbox can be told to."""

import pytest

from sandbox import manners
from tests.world import World

GEN_API = [
    (manner.key, value)
    for manner in manners.MANNERS
    if manner.service == "gen-api"
    for value in list(manner.options)[1:]
    if manner.key not in ("success", "failure_word", "unknown_id", "missed_callback")
    if not manner.key.startswith("network-")
]

pytestmark = pytest.mark.settings(generation_poll_after_s=1)


@pytest.mark.parametrize(("key", "value"), GEN_API)
@pytest.mark.parametrize("told", ["by the callback", "when asked"])
async def test_the_picture_arrives_however_gen_api_speaks(bot: World, key: str, value: str, told: str) -> None:
    """Both ways by which a result is learned read it."""
    manners.choose(bot.gen_api, bot.yookassa, key, value)
    if told == "when asked":
        bot.gen_api.misdeliver("lost")
    person = bot.person()
    await bot.order(person)
    await bot.shown(person, within_s=20)
    assert await bot.credits(person) == 8


@pytest.mark.parametrize("word", ["error", "failed", "cancelled", "canceled"])
async def test_a_failure_is_understood_by_every_word(bot: World, word: str) -> None:
    """The price goes back."""
    manners.choose(bot.gen_api, bot.yookassa, "failure_word", word)
    bot.gen_api.failure = "нет"
    person = bot.person()
    await bot.order(person)
    await bot.refunded(person)


async def test_a_success_without_a_picture_gives_the_price_back(bot: World) -> None:
    """There is nothing to send."""
    manners.choose(bot.gen_api, bot.yookassa, "success", "empty")
    person = bot.person()
    await bot.order(person)
    await bot.refunded(person)


async def test_a_payment_without_a_recipient_is_credited(bot: World) -> None:
    """YooKassa may leave it out: the keys say whose shop it is."""
    manners.choose(bot.gen_api, bot.yookassa, "recipient", "missing")
    person = bot.person()
    await person.send_text("/buy_subscription")
    plans = await bot.offered(person, "200 ₽")
    await person.press(plans.id, "200 ₽")
    await bot.offered(person, "Оплатить")
    await bot.yookassa.pay(next(iter(bot.yookassa.payments)))
    await bot.told(person, "20 кредитов")
    assert await bot.credits(person) == 20


@pytest.mark.settings(generation_poll_after_s=0.5, generation_deadline_s=4)
@pytest.mark.parametrize("code", ["404", "400"])
async def test_an_unknown_number_is_asked_about_until_the_deadline(bot: World, code: str) -> None:
    """gen-api may just have forgotten it: the price goes back when the time is over, and not before."""
    manners.choose(bot.gen_api, bot.yookassa, "unknown_id", code)
    bot.gen_api.auto = False
    person = bot.person()
    await bot.order(person)
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    bot.gen_api.orders.clear()
    await bot.refunded(person)
    assert {call.status for call in bot.gen_api.called("get")} == {int(code)}
