"""From a card that credits are missing for to the plans, and back to the card."""

import pytest

from tests.world import World, photograph


@pytest.mark.unaudited
async def test_too_few_credits_lead_to_the_plans_and_back_to_the_card_by_one_tap_each(bot: World) -> None:
    """Nothing that was collected is asked for again: after the payment the same picture is ordered."""
    person = bot.person()
    card = await bot.card(person, "Кот в космосе")
    await bot.db.execute(
        "WITH spent AS (UPDATE users SET credits = 1 WHERE id = $1 RETURNING id) "
        "INSERT INTO ledger (user_id, delta, balance, reason, ref) SELECT id, -9, 1, 'order', 'spent' FROM spent",
        person.id,
    )
    await person.press(card.id, "✅")
    declined = await bot.told(person, "Не хватает кредитов")
    assert "/buy_subscription" in (declined.text or "")
    await person.press(declined.id, "Купить")
    offer = await bot.offered(person, "200 ₽")
    await person.press(offer.id, "200 ₽")
    await bot.offered(person, "Оплатить")
    await bot.yookassa.pay(min(bot.yookassa.payments))
    paid = await bot.told(person, "добавлено 10 кредитов")
    await person.press(paid.id, "Продолжить")
    again = await bot.told(person, "Кот в космосе", after=paid.id)
    await person.press(again.id, "✅")
    await bot.shown(person)
    assert await bot.credits(person) == 9


async def test_back_without_a_card_begins_an_order(bot: World) -> None:
    """Somebody who bought first is asked for a picture and a description."""
    person = bot.person()
    payment = await bot.choose(person)
    await bot.yookassa.pay(payment)
    paid = await bot.told(person, "добавлено 10 кредитов")
    await person.press(paid.id, "Продолжить")
    await bot.told(person, "Пришлите картинку")
    await person.send_photo(photograph(), caption="Кот")
    await bot.offered(person, "✅")
