"""The language: Telegram's first word decides, /language changes it, and everything follows."""

import re

import pytest

from app import words
from app.notices import OrderFailed
from sandbox.telegram import Person
from tests.world import World

RUSSIAN, ENGLISH = words.of("ru"), words.of("en")


def _somebody(bot: World, language: str, person_id: int = 77) -> Person:
    return bot.telegram.person(person_id, "Ann", language)


def _menu(bot: World, person: Person) -> dict[str, str]:
    return {line["command"]: line["description"] for line in bot.telegram.commands(person)}


@pytest.mark.parametrize(("code", "said"), [("ru", RUSSIAN), ("kk", RUSSIAN), ("en", ENGLISH), ("pt-br", ENGLISH)])
async def test_the_first_word_is_in_the_language_of_the_app(bot: World, code: str, said: words.Words) -> None:
    person = _somebody(bot, code)
    await person.send_text("/start")
    await bot.told(person, said.greeting(10))


async def test_a_language_stays_as_it_was_at_first_whatever_the_app_speaks_later(bot: World) -> None:
    person = _somebody(bot, "en")
    await person.send_text("/start")
    await bot.told(person, ENGLISH.greeting(10))
    person.language = "ru"
    await person.send_text("/status")
    await bot.told(person, ENGLISH.status(10, None, None))


async def test_an_order_in_english_from_the_first_word_to_the_picture(bot: World) -> None:
    """Buttons are known by the same signs; the balance is a number with a form of «credit»."""
    person = _somebody(bot, "en")
    await person.send_text("/photo")
    await bot.told(person, ENGLISH.ask_both)
    await bot.order(person, "a cat in space")
    await bot.told(person, ENGLISH.order_done)
    await bot.shown(person)
    await person.send_text("/status")
    told = await bot.says(person, lambda message: re.search(r"\b8 credits\b", message.text or ""))
    assert "кредит" not in (told.text or "")


async def test_a_failure_in_english_says_refund(bot: World) -> None:
    person = _somebody(bot, "en")
    bot.gen_api.failure = "moderation"
    await bot.order(person)
    await bot.told(person, OrderFailed("", "provider", 2, 10))


async def test_what_comes_later_is_said_in_the_language_of_its_moment(bot: World) -> None:
    """An order of before the press ends in the language of after it."""
    person = _somebody(bot, "ru")
    bot.gen_api.delay = 3600
    await bot.order(person)
    (order,) = await bot.gen_api.wait_for(lambda: list(bot.gen_api.orders))
    await person.send_text("/language")
    offer = await bot.offered(person, "🇬🇧")
    await person.press(offer.id, "🇬🇧")
    await bot.told(person, ENGLISH.language_chosen)
    await bot.gen_api.finish(order, "moderation")
    await bot.told(person, ENGLISH.order_failed("provider", 2, 10, None, ()))


async def test_language_changes_the_words_and_the_menu(bot: World) -> None:
    person = _somebody(bot, "ru")
    await person.send_text("/language")
    offer = await bot.offered(person, "🇬🇧")
    assert [button["text"] for button in offer.buttons] == ["🇷🇺 Русский", "🇬🇧 English"]
    await person.press(offer.id, "🇬🇧")
    await bot.told(person, ENGLISH.language_chosen)
    assert _menu(bot, person) == ENGLISH.commands._asdict()
    assert _menu(bot, _somebody(bot, "ru", 78)) == RUSSIAN.commands._asdict()
    await bot.order(person)
    await bot.told(person, ENGLISH.order_done)
    await person.press(offer.id, "🇷🇺")
    await bot.told(person, RUSSIAN.language_chosen)
    assert _menu(bot, person) == RUSSIAN.commands._asdict()


async def test_a_menu_that_telegram_does_not_take_keeps_no_language_from_being_chosen(bot: World) -> None:
    person = _somebody(bot, "ru")
    await person.send_text("/language")
    offer = await bot.offered(person, "🇬🇧")
    bot.telegram.fault("setMyCommands", status=500)
    await person.press(offer.id, "🇬🇧")
    await bot.told(person, ENGLISH.language_chosen)
    await person.send_text("/status")
    await bot.told(person, ENGLISH.status(10, None, None))
