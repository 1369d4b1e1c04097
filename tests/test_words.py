"""What people read: every language says everything, by the same signs, and nothing is said past the languages."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app import words
from app.repo.generations import Failure
from app.words import Words, en, ru
from app.words.chat import Chat
from app.words.en import numbers as en_numbers
from app.words.en import orders as en_orders
from app.words.history import History, Moved, Shown
from app.words.orders import Orders
from app.words.ru import numbers as ru_numbers
from app.words.ru import orders as ru_orders

APP = Path(words.__file__).parents[1]
RUSSIAN, ENGLISH = words.of("ru"), words.of("en")
CYRILLIC = re.compile("[А-Яа-яЁё]")
MENUS_OF_YOOKASSA = "Интеграция → HTTP-уведомления"


def test_no_sentence_in_russian_stands_outside_the_russian_words() -> None:
    found = [
        f"{path.relative_to(APP)}:{line}"
        for path in sorted(APP.rglob("*.py"))
        if not path.is_relative_to(Path(ru.__file__).parent)
        for line, text in _strings(ast.parse(path.read_text(encoding="utf-8")))
        if CYRILLIC.search(text.replace(MENUS_OF_YOOKASSA, ""))
    ]
    assert found == []


def test_no_sentence_in_english_has_a_russian_letter() -> None:
    found = [
        f"{path.name}:{line}"
        for path in sorted(Path(en.__file__).parent.rglob("*.py"))
        for line, text in _strings(ast.parse(path.read_text(encoding="utf-8")))
        if CYRILLIC.search(text)
    ]
    assert found == []


def _strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The strings of a module that the program uses: what stands by itself is documentation."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


@pytest.mark.parametrize(
    ("number", "russian", "english"),
    [
        (0, "0 кредитов", "0 credits"),
        (1, "1 кредит", "1 credit"),
        (2, "2 кредита", "2 credits"),
        (5, "5 кредитов", "5 credits"),
        (11, "11 кредитов", "11 credits"),
        (14, "14 кредитов", "14 credits"),
        (21, "21 кредит", "21 credits"),
        (112, "112 кредитов", "112 credits"),
        (122, "122 кредита", "122 credits"),
    ],
)
def test_a_number_of_credits_takes_its_form(number: int, russian: str, english: str) -> None:
    assert (ru_numbers.credits(number), en_numbers.credits(number)) == (russian, english)


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1 кредита"), (2, "2 кредитов"), (11, "11 кредитов"), (21, "21 кредита")]
)
def test_a_lowest_price_takes_the_form_that_follows_from_in_russian(number: int, text: str) -> None:
    assert ru_numbers.credits_from(number) == text


def test_kopecks_are_shown_where_there_are_any() -> None:
    assert [ru_numbers.roubles(20_000), ru_numbers.roubles(19_950)] == ["200 ₽", "199,50 ₽"]
    assert [en_numbers.roubles(20_000), en_numbers.roubles(19_905)] == ["200 ₽", "199.05 ₽"]


@pytest.mark.parametrize("code", ["ru", "ru-RU", "be", "uk", "kk", "ky", "uz", "tg", "tk", "hy", "az", "UK", None, ""])
def test_who_reads_russian_or_says_nothing_gets_russian(code: str | None) -> None:
    assert words.language_of(code) == "ru"


@pytest.mark.parametrize("code", ["en", "en-GB", "de", "pt-br", "zh-hans", "rue"])
def test_everybody_else_gets_english(code: str) -> None:
    assert words.language_of(code) == "en"


@pytest.mark.parametrize("language", [None, "ru", "a language of a later version"])
def test_words_are_russian_where_the_language_is_not_decided_or_not_known(language: str | None) -> None:
    assert words.of(language) is RUSSIAN


@pytest.mark.parametrize("said", [RUSSIAN, ENGLISH])
def test_buttons_and_prices_are_known_by_the_same_signs(said: Words) -> None:
    assert said.order_button(2).startswith("✅")
    assert said.cancel_button.startswith("❌")
    assert [said.plan(plan).partition(" — ")[0] for plan in ("p200", "p500", "p1000")] == ["200 ₽", "500 ₽", "1000 ₽"]


@pytest.mark.parametrize("said", [RUSSIAN, ENGLISH])
def test_a_start_names_the_ways_on(said: Words) -> None:
    for command in ("/photo", "/buy_subscription", "/status"):
        assert command in said.greeting(10)
        assert command in said.unknown_command
    assert re.search(r"\b10 (кредитов|credits)\b", said.greeting(10))


@pytest.mark.parametrize("said", [RUSSIAN, ENGLISH])
def test_the_first_number_of_credits_in_a_status_is_the_balance(said: Words) -> None:
    text = said.status(7, "p500", date(2026, 12, 26))
    found = re.search(r"(\d+) (кредит|credit)", text)
    assert found is not None
    assert found[1] == "7"
    assert "26.12.2026" in text
    assert "/buy_subscription" in said.status(7, None, None)


@pytest.mark.parametrize("said", [RUSSIAN, ENGLISH])
def test_of_all_messages_about_an_order_only_its_failure_speaks_of_a_refund(said: Words) -> None:
    topics = (Orders, Chat, History)
    about_orders = {name: _anything(said, name) for topic in topics for name in topic.__annotations__}
    about_orders |= {name: _anything(said, name) for topic in topics for name in vars(topic) if name[0] != "_"}
    # That one is about credits, and holds whatever became of them
    del about_orders["movements"]
    about_orders["picture_refused"] = said.alert_picture_refused("an id")
    coming_back = re.compile("возвращ|refund", re.IGNORECASE)
    assert [name for name, text in about_orders.items() if coming_back.search(text)] == ["order_failed"]


def _anything(said: Words, name: str) -> str:
    """A sentence with whatever values it takes."""
    sentence = getattr(said, name)
    if not callable(sentence):
        return str(sentence)
    values: dict[Any, Any] = {
        int: 2,
        int | None: 2,
        float: 90.0,
        float | None: 90.0,
        str: "a cat",
        str | None: "a cat",
        bool: True,
        Sequence[str]: ("a cat",),
        Sequence[Shown]: [Shown(date(2026, 12, 26), "a cat", "GPT", "512x512")],
        Sequence[Moved]: [],
    }
    return str(
        sentence(*(values[parameter.annotation] for parameter in inspect.signature(sentence).parameters.values()))
    )


def test_both_languages_know_the_same_failures() -> None:
    assert set(ru_orders._FAILURES) == set(en_orders._FAILURES) == set(Failure)
    later = RUSSIAN.order_failed("a reason of a later version", 2, 10, None, ())
    assert later == RUSSIAN.order_failed("provider", 2, 10, None, ())


@pytest.mark.parametrize("said", [RUSSIAN, ENGLISH])
@pytest.mark.parametrize(
    "sentence",
    [
        lambda said, text: said.card(text, 1, 1, "GPT", None, "512x512", None, 2),
        lambda said, text: said.card("a cat", 1, 1, text, None, "512x512", None, 2),
        lambda said, text: said.ordered("", text, "512x512", 2, 8),
        lambda said, text: said.plan(text),
        lambda said, text: said.payment_link(text),
        lambda said, text: said.status(1, text, date(2026, 12, 26)),
        lambda said, text: said.alert(text),
        lambda said, text: said.history([Shown(date(2026, 12, 26), text, "GPT", "512x512")]),
        lambda said, text: said.history([Shown(date(2026, 12, 26), "a cat", text, "512x512")]),
    ],
)
def test_what_people_wrote_is_escaped(said: Words, sentence: Callable[[Words, str], str]) -> None:
    text = sentence(said, "<b>&")
    assert "&lt;b&gt;&amp;" in text
    assert "<b>&" not in text


@pytest.mark.parametrize("said", [RUSSIAN, ENGLISH])
def test_every_command_has_a_line_that_telegram_takes(said: Words) -> None:
    assert said.commands._fields == words.COMMANDS
    assert all(1 <= len(line) <= 256 for line in said.commands)
