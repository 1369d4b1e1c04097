"""What a sentence holds depends on what there is to say: in both languages, each with and without it."""

from collections.abc import Callable
from datetime import date

import pytest

from app import words
from app.catalog import PRICE
from app.words import Words
from app.words.en import numbers as en_numbers
from app.words.history import Moved, Shown
from app.words.legal import Seller
from app.words.ru import numbers as ru_numbers
from app.words.shorten import shortened

RUSSIAN, ENGLISH = words.of("ru"), words.of("en")
DAY = date(2026, 12, 26)
NOBODY = Seller("", "", "", "", "", ("stars",))
SOMEBODY = Seller("A. Seller", "500100732259", "@help", "https://a.example", "https://b.example", ("yookassa",))


@pytest.mark.parametrize(
    ("seconds", "russian", "english"),
    [
        (2.9, "несколько секунд", "a few seconds"),
        (3, "около 5 секунд", "about 5 seconds"),
        (13, "около 15 секунд", "about 15 seconds"),
        (57.9, "около 60 секунд", "about 60 seconds"),
        (58, "около 1 минуты", "about a minute"),
        (121, "около 2 минут", "about 2 minutes"),
    ],
)
def test_a_time_that_was_measured_is_said_in_fives_of_seconds_or_in_minutes(
    seconds: float, russian: str, english: str
) -> None:
    assert (ru_numbers.about(seconds), en_numbers.about(seconds)) == (russian, english)


@pytest.mark.parametrize(
    ("seconds", "russian", "english"),
    [(0, "1 минуту", "1 minute"), (60, "1 минуту", "1 minute"), (61, "2 минуты", "2 minutes")],
)
def test_a_time_that_is_left_is_rounded_up_to_minutes(seconds: float, russian: str, english: str) -> None:
    assert (ru_numbers.minutes(seconds), en_numbers.minutes(seconds)) == (russian, english)


@pytest.mark.parametrize(("number", "form"), [(3, "few"), (4, "few"), (12, "many"), (13, "many"), (111, "many")])
def test_a_number_takes_one_of_three_forms_in_russian(number: int, form: str) -> None:
    assert ru_numbers.plural(number, "one", "few", "many") == form


def test_an_amount_bears_the_sign_or_the_name_of_its_currency() -> None:
    said = [ru_numbers.money(20_050, currency) for currency in ("RUB", "XTR", "EUR")]
    assert said == ["200,50 ₽", "⭐ 20050", "200.50 EUR"]


def test_a_text_of_just_the_length_is_not_shortened() -> None:
    assert (shortened("a\n cat", 5), shortened("a cats", 5)) == ("a cat", "a ca…")


Sentence = Callable[[Words], str]


@pytest.mark.parametrize(
    ("sentence", "russian", "english"),
    [
        (lambda said: said.card("", 0, 0, "GPT", None, "s", None, 2), "Без картинки", "No picture"),
        (lambda said: said.card("", 2, 2, "GPT", None, "s", None, 2), "Картинки: 2\n", "Pictures: 2\n"),
        (lambda said: said.card("", 3, 2, "GPT", None, "s", None, 2), "берёт первые 2", "takes the first 2"),
        (lambda said: said.card("", 3, 1, "GPT", None, "s", None, 2), "только первую", "only the first one"),
        (lambda said: said.card("", 3, 0, "GPT", None, "s", None, 2), "рисует без них", "draws without them"),
        (lambda said: said.card("", 1, 1, "GPT", "low", "s", "anime", 2), "Качество: Простое", "Quality: Basic"),
        (lambda said: said.card("", 1, 1, "GPT", "low", "s", "anime", 2), "Стиль: Аниме", "Style: Anime"),
        (lambda said: said.order_queued(3, 20.0, None), "сейчас рисуется около 20 секунд", "takes about 20 seconds"),
        (lambda said: said.order_queued(3, None, 90.0), "место 3. Если", "number 3. If"),
        (lambda said: said.order_queued(3, None, 90.0), "ещё 2 минуты", "within 2 minutes"),
        (lambda said: said.order_drawing(None), "придёт сюда", "will arrive here"),
        (lambda said: said.order_drawing(20.0), "уходит около 20 секунд", "takes about 20 seconds"),
        (lambda said: said.order_late(20.0, 60.0), "(обычно около 20 секунд)", "(usually about 20 seconds)"),
        (lambda said: said.order_late(None, 60.0), "дольше обычного. Если", "longer than usual. If"),
        (lambda said: said.ordered("⏳", "a cat", "s", 2, 8), "⏳\n\na cat\nРазмер", "⏳\n\na cat\nSize"),
        (lambda said: said.ordered("⏳", None, "s", 2, 8), "⏳\n\nРазмер", "⏳\n\nSize"),
        (lambda said: said.model_button("GPT", PRICE, True), f"GPT · от {PRICE}", f"GPT · from {PRICE}"),
        (lambda said: said.model_button("GPT", 5, False), "GPT · 5 кредитов", "GPT · 5 credits"),
        (lambda said: said.model_off([]), "ни одна модель", "No model is available"),
        (lambda said: said.model_off(["A", "B"]), "другую: A, B.", "on the card: A, B."),
        (lambda said: said.order_failed("deadline", 2, 8, 3, ()), "Картинка № 3: ", "Picture 3: "),
        (lambda said: said.order_failed("model_gone", 2, 8, None, ["A"]), "другую: A.\n", "another: A.\n"),
        (lambda said: said.payment_state(None), "Платежей пока нет", "no payments yet"),
        (lambda said: said.payment_state("pending"), "ещё не подтверждён", "isn’t confirmed yet"),
        (lambda said: said.payment_canceled("p200", "expired_on_confirmation"), "Срок оплаты истёк", "has expired"),
        (lambda said: said.payment_canceled("p200", "fraud"), "Платёж отменён", "was cancelled"),
        (lambda said: said.payment_refunded(2, 8, True), "Подписка по этому платежу закончена", "has ended"),
        (lambda said: said.debt_taken(2, 3, 0), "Осталось удержать 3 кредита", "Still to be taken: 3 credits"),
        (lambda said: said.status(PRICE, "p200", None), "подписки нет", "no active subscription"),
        (lambda said: said.status(PRICE, None, DAY), "подписки нет", "no active subscription"),
        (lambda said: said.status(PRICE, "p200", DAY), "/photo", "/photo"),
        (lambda said: said.email(None), "не назван", "No address"),
        (lambda said: said.email("a@b.example"), "a@b.example", "a@b.example"),
        (lambda said: said.alert_other_till("1", 2), " 2", "2 open payments"),
        (lambda said: said.alert_other_till("1", 1), " 1", "1 open payment of"),
        (lambda said: said.alert_webhook_taken("a.example"), "переставлен на a.example", "moved to a.example"),
        (lambda said: said.alert_webhook_taken(""), "снят", "was removed"),
        (lambda said: said.unknown_command, "/photo", "/photo"),
        (lambda said: said.history([Shown(DAY, "a cat", "GPT", "s")]), "a cat", "a cat"),
        (lambda said: said.history([Shown(DAY, "a cat", "GPT", "s")]), "Ваши картинки", "Your pictures"),
        (lambda said: said.movements([Moved(DAY, "order", -2, 8)]), "-2", "-2"),
        (lambda said: said.privacy(NOBODY, 1), "1 день", "1 day after"),
        (lambda said: said.privacy(NOBODY, 5), "5 дней", "5 days after"),
        (lambda said: said.privacy(SOMEBODY, 5), "ЮKassa", "YooKassa gets"),
        (lambda said: said.privacy(SOMEBODY, 5), "https://b.example", "https://b.example"),
        (lambda said: said.terms(SOMEBODY), "https://a.example", "https://a.example"),
        (lambda said: said.terms(SOMEBODY), "A. Seller, ИНН 500100732259", "A. Seller, INN 500100732259"),
        (lambda said: said.terms(NOBODY), "Продавец: не назван", "not named"),
        (lambda said: said.support(SOMEBODY), "@help", "@help"),
        (lambda said: said.support(NOBODY), "вопросов пока не назван", "No contact address"),
    ],
)
def test_what_there_is_to_say_is_said(sentence: Sentence, russian: str, english: str) -> None:
    assert russian in sentence(RUSSIAN)
    assert english in sentence(ENGLISH)


@pytest.mark.parametrize(
    ("sentence", "russian", "english"),
    [
        (lambda said: said.card("", 1, 1, "GPT", None, "s", None, 2), "Качество", "Quality"),
        (lambda said: said.card("", 1, 1, "GPT", None, "s", None, 2), "Стиль", "Style"),
        (lambda said: said.card("", 1, 1, "GPT", None, "s", None, 2), "эта модель", "this model"),
        (lambda said: said.order_queued(3, 20.0, None), "на балансе", "your balance"),
        (lambda said: said.model_button("GPT", PRICE, False), "·", "·"),
        (lambda said: said.order_failed("deadline", 2, 8, None, ()), "Картинка №", "Picture "),
        (lambda said: said.order_failed("model_gone", 2, 8, None, ()), "другую:", "another:"),
        (lambda said: said.payment_refunded(2, 8, False), "Подписка", "subscription"),
        (lambda said: said.debt_taken(2, 0, 0), "Осталось", "Still"),
        (lambda said: said.status(PRICE - 1, "p200", DAY), "/photo", "/photo"),
        (lambda said: said.status(PRICE, "p200", DAY), "/buy_subscription", "/buy_subscription"),
        (lambda said: said.privacy(NOBODY, 5), "ЮKassa", "YooKassa"),
        (lambda said: said.privacy(NOBODY, 5), "http", "http"),
        (lambda said: said.terms(NOBODY), "ИНН", "INN"),
    ],
)
def test_what_there_is_not_is_not_said(sentence: Sentence, russian: str, english: str) -> None:
    assert russian not in sentence(RUSSIAN)
    assert english not in sentence(ENGLISH)
