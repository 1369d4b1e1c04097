"""What is owed to a person is said in their language, whenever it is sent."""

import pytest

from tests.world import World


@pytest.mark.settings(generation_poll_after_s=0.5)
async def test_a_person_whose_telegram_is_english_is_told_in_english(bot: World) -> None:
    person = bot.telegram.person(901, language="en")
    bot.gen_api.failure = "policy"
    await bot.order(person, "A cat in space")
    failed = await bot.told(person, "refund")
    assert "возвращ" not in (failed.text or "")
    await bot.yookassa.pay(await bot.choose(person))
    await bot.told(person, "10 credits")
    bot.gen_api.failure = ""
    await bot.order(person, "A cat at home")
    assert "✅" in ((await bot.told(person, "Done")).text or "")
