"""A gateway that refuses us: few rows, few calls, one alert an hour, and sales go on by themselves."""

import pytest

from sandbox.people import Person
from tests.world import SHOP_KEY, World

ADMIN = 5


pytestmark = pytest.mark.settings(admin_ids=(ADMIN,))


async def press(bot: World, person: Person, times: int = 1, price: str = "200 ₽") -> None:
    """Presses on a plan, one after another."""
    await person.send_text("/buy_subscription")
    offer = await bot.says(person, lambda message: message.button(price))
    for _ in range(times):
        await person.press(offer.id, price)


def declined(person: Person) -> int:
    """How often the person was told that paying is not possible now."""
    return sum("Оплата сейчас недоступна" in (message.text or "") for message in person.messages)


async def alerts(bot: World) -> list[str]:
    """The refs of the alerts that operators are owed."""
    rows = await bot.db.fetch("SELECT ref FROM outbox WHERE kind LIKE 'alert%' ORDER BY id")
    return [row["ref"] for row in rows]


async def refusals(bot: World, number: int) -> None:
    """Waits until so many in a row are counted."""
    await bot.until("SELECT refusals = $1 FROM breakers WHERE provider = 'yookassa'", number)


async def test_fifteen_presses_with_wrong_keys_are_three_calls_three_rows_and_one_alert(bot: World) -> None:
    """The third refusal in a row stops sales; each press is answered all the same."""
    bot.yookassa.secret = "test_another"
    person = bot.person()
    await press(bot, person, 15)
    assert declined(person) == 15
    assert len(bot.yookassa.called("payments.create")) == 3
    assert await bot.db.fetchval("SELECT count(*) FROM payments") == 3
    assert len(await alerts(bot)) == 1


async def test_each_status_is_an_alert_of_its_own(bot: World) -> None:
    """Wrong keys and a wrong receipt are two things to mend."""
    person = bot.person()
    for status in (401, 400, 401):
        bot.yookassa.fault("payments.create", status=status)
        await press(bot, person)
    assert [ref.partition(":")[0] for ref in await alerts(bot)] == ["401", "400"]


async def test_a_trial_that_is_accepted_opens_sales_to_everybody(bot: World) -> None:
    """Before its time nobody is let through; after it one is, and with its link all are."""
    bot.yookassa.secret = "test_another"
    first, second = bot.person(1), bot.person(2)
    await press(bot, first, 3)
    bot.yookassa.secret = SHOP_KEY
    await press(bot, second)
    assert declined(second) == 1
    await bot.db.execute("UPDATE breakers SET trial_at = now() WHERE provider = 'yookassa'")
    await bot.choose(first)
    await bot.choose(second)
    assert len(bot.yookassa.payments) == 2


async def test_a_link_that_is_payable_is_shown_while_sales_are_stopped(bot: World) -> None:
    """It needs no call."""
    buyer, other = bot.person(1), bot.person(2)
    payment = await bot.choose(buyer)
    bot.yookassa.secret = "test_another"
    await press(bot, other, 3)
    assert await bot.choose(buyer) == payment
    assert declined(buyer) == 0


async def test_a_purchase_refused_after_an_unknown_call_is_tried_ever_more_rarely(bot: World) -> None:
    """It may have been made by the first call, so it stays; and while sales are stopped it is sent as a trial alone."""
    bot.yookassa.fault("payments.create", drop=True)
    await press(bot, bot.person())
    bot.yookassa.secret = "test_another"
    waits = []
    for call in range(2, 5):
        await bot.db.execute("UPDATE payments SET poll_at = now(), polls = 0")
        await refusals(bot, call - 1)
        assert len(bot.yookassa.called("payments.create")) == call
        waits.append(await bot.db.fetchval("SELECT extract(epoch FROM poll_at - now())::float8 FROM payments"))
    assert waits == sorted(waits)
    assert waits[-1] > 600
    assert await bot.db.fetchval("SELECT status FROM payments") == "new"
    bot.yookassa.secret = SHOP_KEY
    await bot.db.execute("UPDATE breakers SET trial_at = now() WHERE provider = 'yookassa'")
    await bot.db.execute("UPDATE payments SET poll_at = now()")
    await bot.yookassa.wait_for(lambda: bot.yookassa.payments)
    assert len(bot.yookassa.called("payments.create")) == 5
