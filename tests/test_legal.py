"""/terms, /privacy, /support, /paysupport: true of this software, and in the seller's name."""

from collections.abc import Callable

import pytest

from app import words
from app.shelf import KEPT_S
from app.words import Words
from app.words.legal import Seller
from tests.world import World

SELLER = Seller("ИП Иванов <И. И.>", "500100732259", "help@bot.example", "https://bot.example/terms", "")
NOBODY = Seller("", "", "", "", "")
LANGUAGES = [words.of("ru"), words.of("en")]
TELEGRAM_TEXT_LIMIT = 4096


@pytest.mark.settings(
    seller_name="ИП Иванов <И. И.>",
    seller_inn="500100732259",
    support_contact="help@bot.example",
    terms_url="https://bot.example/terms",
    retention_days=31,
)
@pytest.mark.parametrize(
    ("command", "holds"),
    [
        ("/terms", ("200 ₽", "1000 ₽", "https://bot.example/terms", "/paysupport", "/privacy")),
        ("/privacy", ("31 день", "/forget", "gen-api.ru", "ЮKassa")),
        ("/support", ("help@bot.example", "/paysupport")),
        ("/paysupport", ("help@bot.example", "Возврат денег", "/terms")),
    ],
)
async def test_a_command_answers_in_the_name_of_the_seller(bot: World, command: str, holds: tuple[str, ...]) -> None:
    """What the operator wrote is shown as he wrote it."""
    person = bot.person()
    await person.send_text(command)
    said = await bot.told(person, "ИП Иванов <И. И.>")
    assert "ИНН 500100732259" in (said.text or "")
    assert [part for part in holds if part not in (said.text or "")] == []


@pytest.mark.parametrize("said", LANGUAGES)
@pytest.mark.parametrize("seller", [SELLER, NOBODY])
def test_every_text_fits_into_a_message_and_promises_no_empty_address(said: Words, seller: Seller) -> None:
    for text in (said.terms(seller), said.privacy(seller, 90), said.support(seller), said.paysupport(seller)):
        assert len(text) < TELEGRAM_TEXT_LIMIT
        assert ": \n" not in text
        assert not text.endswith(": ")


@pytest.mark.parametrize("said", LANGUAGES)
@pytest.mark.parametrize(
    "text",
    [
        lambda said, seller: said.terms(seller),
        lambda said, seller: said.privacy(seller, 90),
        lambda said, seller: said.support(seller),
        lambda said, seller: said.paysupport(seller),
    ],
)
def test_what_the_operator_wrote_is_escaped(said: Words, text: Callable[[Words, Seller], str]) -> None:
    odd = Seller("<b>", "&", "<b>", "https://bot.example/?a=1&b=2", "https://bot.example/?a=1&b=2")
    assert "&lt;b&gt;" in text(said, odd)
    assert "a=1&b" not in text(said, odd)


@pytest.mark.parametrize(
    ("days", "russian", "english"), [(1, "1 день", "1 day "), (22, "22 дня", "22 days"), (90, "90 дней", "90 days")]
)
def test_the_retention_is_the_one_that_is_set(days: int, russian: str, english: str) -> None:
    assert russian in words.of("ru").privacy(NOBODY, days)
    assert english in words.of("en").privacy(NOBODY, days)


def test_what_was_begun_and_not_ordered_is_kept_for_as_long_as_it_says() -> None:
    assert f"{KEPT_S // 86400} дней" in words.of("ru").privacy(NOBODY, 90)
    assert f"{KEPT_S // 86400} days" in words.of("en").privacy(NOBODY, 90)
