"""What helps whoever does not know what to do: examples, and a way on from every dead end."""

import io

import pytest
from PIL import Image

from tests.world import World


@pytest.mark.parametrize(("language", "button", "words"), [("ru", "Примеры", "Маяк"), ("en", "Examples", "lighthouse")])
async def test_examples_are_two_pictures_with_their_descriptions(
    bot: World, language: str, button: str, words: str
) -> None:
    """Under /start; they lead to an order."""
    person = bot.telegram.person(77, language=language)
    await person.send_text("/start")
    greeting = await bot.offered(person, button)
    await person.press(greeting.id, button)
    first, second = (message for message in person.messages if message.outgoing and message.photo)
    for message in (first, second):
        assert message.photo is not None
        assert Image.open(io.BytesIO(message.photo)).size == (1024, 1024)
        assert message.raw["caption"]
    assert words in second.raw["caption"]
    assert "/photo" in second.raw["caption"]
    assert len(bot.telegram.answers) == 1
    assert await bot.credits(person) == 10


async def test_an_example_is_uploaded_once(bot: World) -> None:
    """From then on Telegram's own name of it is sent."""
    for number in (1, 2):
        person = bot.person(number)
        await person.send_text("/start")
        greeting = await bot.offered(person, "Примеры")
        await person.press(greeting.id, "Примеры")
    uploads = [".jpg" in call.body for call in bot.telegram.called("sendPhoto")]
    assert uploads == [True, True, False, False]


@pytest.mark.parametrize(("language", "draw"), [("ru", "Рисовать — /photo"), ("en", "To draw: /photo")])
async def test_an_empty_state_leads_on(bot: World, language: str, draw: str) -> None:
    """To an order where there are credits for one, else to the plans."""
    person = bot.telegram.person(77, language=language)
    await person.send_text("/status")
    assert "/buy_subscription" in ((await bot.told(person, draw)).text or "")
    await person.send_text("/start success")
    await bot.told(person, "/buy_subscription", after=person.messages[-2].id)
