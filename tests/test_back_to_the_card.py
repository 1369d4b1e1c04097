"""From a card that credits are missing for to the plans, and back to the card."""

from tests.world import photograph, world


async def test_too_few_credits_lead_to_the_plans_and_back_to_the_card_by_one_tap_each(
    database_url: str, redis_url: str
) -> None:
    """Nothing that was collected is asked for again: after the payment the same picture is ordered."""
    async with world(database_url, redis_url) as bot:
        person = bot.person()
        card = await bot.card(person, "Кот в космосе")
        await bot.db.execute(
            "WITH spent AS (UPDATE users SET credits = 1 WHERE id = $1 RETURNING id) "
            "INSERT INTO ledger (user_id, delta, balance, reason, ref) SELECT id, -9, 1, 'order', 'spent' FROM spent",
            person.id,
        )
        await person.press(card.id, "✅")
        declined = await bot.says(person, lambda message: "Не хватает кредитов" in (message.text or ""))
        assert "/buy_subscription" in (declined.text or "")
        await person.press(declined.id, "Купить")
        offer = await bot.says(person, lambda message: message.button("200 ₽"))
        await person.press(offer.id, "200 ₽")
        await bot.says(person, lambda message: message.button("Оплатить"))
        await bot.yookassa.pay(min(bot.yookassa.payments))
        paid = await bot.says(person, lambda message: "добавлено 10 кредитов" in (message.text or ""))
        await person.press(paid.id, "Вернуться")
        again = await bot.says(person, lambda message: message.id > paid.id and "Кот в космосе" in (message.text or ""))
        await person.press(again.id, "✅")
        await bot.says(person, lambda message: message.photo)
        assert await bot.credits(person) == 9


async def test_back_without_a_card_begins_an_order(database_url: str, redis_url: str) -> None:
    """Somebody who bought first is asked for a picture and a description."""
    async with world(database_url, redis_url) as bot:
        person = bot.person()
        payment = await bot.choose(person)
        await bot.yookassa.pay(payment)
        paid = await bot.says(person, lambda message: "добавлено 10 кредитов" in (message.text or ""))
        await person.press(paid.id, "Вернуться")
        await bot.says(person, lambda message: "Пришлите картинку" in (message.text or ""))
        await person.send_photo(photograph(), caption="Кот")
        await bot.says(person, lambda message: message.button("✅"))
