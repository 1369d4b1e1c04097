"""The card: what begins it, what gathers on it, what is chosen on it, and what it costs."""

import asyncio
import io
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from app.catalog import MODELS, STYLES, Quality
from app.keyboards import CARD_ACTS, CardPress
from app.words import of
from local.ports import free_port
from sandbox.people import ChatMessage, Person
from tests.world import World, photograph, serving

EVERY = ",".join(MODELS)
_ids = itertools.count(10_000)


def _picture(number: int) -> bytes:
    """A picture that is known again by its width."""
    out = io.BytesIO()
    Image.new("RGB", (64 + 8 * number, 64), "teal").save(out, "JPEG")
    return out.getvalue()


def _album(bot: World, person: Person, captions: Sequence[str | None], group: str = "g") -> list[dict[str, Any]]:
    """The updates of an album, a picture for each caption, in the order in which they were sent."""
    updates = []
    for number, caption in enumerate(captions, 1):
        message = {
            "message_id": next(_ids),
            "date": 1,
            "chat": person.chat,
            "from": person.user,
            "media_group_id": group,
            "photo": bot.telegram.files.photo_sizes(_picture(number)),
            **({"caption": caption} if caption else {}),
        }
        updates.append({"update_id": next(_ids), "message": message})
    return updates


async def _drawn(bot: World) -> list[int]:
    """Which pictures gen-api got with the newest order, in their order."""
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    images = bot.gen_api.orders[max(bot.gen_api.orders)].images
    return [(Image.open(io.BytesIO(image)).width - 64) // 8 for image in images]


def _cards(person: Person) -> list[ChatMessage]:
    return [message for message in person.messages if any(b["text"].startswith("✅") for b in message.buttons)]


def _labels(card: ChatMessage) -> list[str]:
    return [button["text"] for button in card.buttons]


async def _says(bot: World, person: Person, card: ChatMessage, words: str) -> ChatMessage:
    """The same card, once it holds these words."""
    return await bot.says(person, lambda message: message.id == card.id and words in (message.text or ""))


@asynccontextmanager
async def _replica(bot: World) -> AsyncIterator[str]:
    """A second bot beside the one of the test; where it takes updates."""
    port = free_port()
    async with serving(replace(bot, settings=bot.settings.model_copy(update={"port": port}))):
        yield f"http://127.0.0.1:{port}/telegram/webhook"


@pytest.mark.parametrize("kind", ["photo", "file"])
async def test_a_picture_without_a_command_begins_an_order(bot: World, kind: str) -> None:
    """As /photo does: of a person who has never written before, too."""
    person = bot.person()
    if kind == "photo":
        await person.send_photo(photograph(), caption="Кот")
    else:
        await person.send_document(photograph(), "cat.jpg", "image/jpeg")
        await bot.told(person, "опишите словами")
        await person.send_text("Кот")
    card = await bot.offered(person, "✅")
    assert "Картинки: 1" in (card.text or "")


async def test_a_picture_by_itself_after_a_card_begins_the_next_order(bot: World) -> None:
    """With its own description, or asked for one; the card before is old."""
    person = bot.person()
    await person.send_photo(_picture(1), caption="Кот")
    first = await bot.offered(person, "✅")
    await person.send_photo(_picture(2))
    await bot.told(person, "опишите словами")
    await person.send_text("Пёс")
    card = await bot.says(person, lambda message: "Пёс" in (message.text or ""))
    assert "Кот" not in (card.text or "")
    await person.press(first.id, "✅")
    assert await bot.credits(person) == 10
    await person.press(card.id, "✅")
    assert await _drawn(bot) == [2]


async def test_a_description_alone_can_be_drawn(bot: World) -> None:
    """The question for a picture has a button that makes the card; gen-api gets no picture."""
    person = bot.person()
    await person.send_text("/photo")
    await person.send_text("Кот в космосе")
    asked = await bot.offered(person, "🖼")
    await person.press(asked.id, "🖼")
    card = await bot.offered(person, "✅")
    assert "Без картинки" in (card.text or "")
    await person.press(card.id, "✅")
    await bot.shown(person)
    [order] = bot.gen_api.orders.values()
    assert (order.images, order.fields["prompt"]) == ([], "Кот в космосе")
    await person.press(asked.id, "🖼")
    assert "устарела" in bot.telegram.answers[-1]["text"]


async def test_one_more_picture_is_added_by_hand_until_there_are_four(bot: World) -> None:
    """On the same card, in the order they were sent; with four the button is gone."""
    person = bot.person()
    await person.send_photo(_picture(1), caption="Коты")
    card = await bot.offered(person, "✅")
    for number in (2, 3, 4):
        assert any(label.startswith("➕") for label in _labels(card))
        await person.press(card.id, "➕")
        await bot.told(person, "ещё одну картинку")
        await person.send_photo(_picture(number))
        card = await _says(bot, person, card, f"Картинки: {number}")
    assert not any(label.startswith("➕") for label in _labels(card))
    assert _cards(person) == [card]
    await person.press(card.id, "➕")
    assert "до 4 картинок" in bot.telegram.answers[-1]["text"]
    await person.press(card.id, "✅")
    assert await _drawn(bot) == [1, 2, 3, 4]


async def test_a_late_picture_of_the_card_s_album_is_not_the_one_that_was_asked_for(bot: World) -> None:
    """«➕» waits for the person's next picture, whatever Telegram brings late of the pictures before."""
    person = bot.person()
    first, late = _album(bot, person, ["Коты", None])
    await bot.telegram.post_update(first)
    card = await bot.offered(person, "✅")
    await person.press(card.id, "➕")
    await bot.told(person, "ещё одну картинку")
    await bot.telegram.post_update(late)
    await _says(bot, person, card, "Картинки: 2")
    await person.send_photo(_picture(3))
    await _says(bot, person, card, "Картинки: 3")
    await person.press(card.id, "✅")
    assert await _drawn(bot) == [1, 2, 3]


async def test_a_picture_that_telegram_brings_twice_is_added_once(bot: World) -> None:
    """The answer to the first was lost: the second begins no other order."""
    person = bot.person()
    await person.send_photo(_picture(1), caption="Коты")
    card = await bot.offered(person, "✅")
    await person.press(card.id, "➕")
    await bot.told(person, "ещё одну картинку")
    [more] = _album(bot, person, [None])
    del more["message"]["media_group_id"]
    for _ in range(2):
        assert await bot.telegram.post_update(more) == 200
    card = _cards(person)[-1]
    assert "Картинки: 2" in (card.text or "")
    await person.press(card.id, "✅")
    assert len(await _drawn(bot)) == 2


async def test_a_picture_is_added_to_a_card_that_had_none(bot: World) -> None:
    person = bot.person()
    await person.send_text("/photo")
    await person.send_text("Кот")
    asked = await bot.offered(person, "🖼")
    await person.press(asked.id, "🖼")
    card = await bot.offered(person, "✅")
    await person.press(card.id, "➕")
    await person.send_photo(_picture(3), caption="Кот в шляпе")
    card = await _says(bot, person, card, "Картинки: 1")
    assert "Кот в шляпе" in (card.text or "")
    await person.press(card.id, "✅")
    assert await _drawn(bot) == [3]


@pytest.mark.parametrize("captioned", [0, 1, 3])
@pytest.mark.parametrize("arrival", ["in order", "reversed", "at once", "at two replicas"])
async def test_an_album_is_one_card_however_its_messages_arrive(bot: World, arrival: str, captioned: int) -> None:
    """The pictures in the order they were sent, whichever of them bears the description."""
    person = bot.person()
    updates = _album(bot, person, ["Коты" if number == captioned else None for number in range(4)])
    if arrival in ("in order", "reversed"):
        for update in updates if arrival == "in order" else reversed(updates):
            assert await bot.telegram.post_update(update) == 200
    else:
        async with _replica(bot) as other:
            urls = [None, other if arrival == "at two replicas" else None] * 2
            found = await asyncio.gather(
                *(bot.telegram.post_update(update, url) for update, url in zip(updates, urls, strict=True))
            )
            assert found == [200] * 4
    card = await bot.says(person, lambda message: "Картинки: 4" in (message.text or ""))
    assert _cards(person) == [card]
    assert "Коты" in (card.text or "")
    await person.press(card.id, "✅")
    assert await _drawn(bot) == [1, 2, 3, 4]
    assert len(bot.gen_api.called("create")) == 1


@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "reversed"])
async def test_of_six_pictures_the_last_two_are_left_out_and_that_is_said_once(bot: World, backwards: bool) -> None:
    """Those that were sent last, whichever arrived last."""
    person = bot.person()
    updates = _album(bot, person, ["Коты", *[None] * 5])
    for update in reversed(updates) if backwards else updates:
        await bot.telegram.post_update(update)
    await bot.told(person, "до 4 картинок")
    assert len([message for message in person.messages if "до 4 картинок" in (message.text or "")]) == 1
    [card] = _cards(person)
    await person.press(card.id, "✅")
    assert await _drawn(bot) == [1, 2, 3, 4]


async def test_of_several_captions_the_first_is_the_description(bot: World) -> None:
    """Whichever came first; a message that Telegram brings twice changes nothing."""
    person = bot.person()
    updates = _album(bot, person, ["Первая", "Вторая", "Третья"])
    for at in (1, 2, 1, 0, 2, 0):
        await bot.telegram.post_update(updates[at])
    [card] = _cards(person)
    assert "Первая" in (card.text or "")
    assert "Картинки: 3" in (card.text or "")


async def test_an_album_without_a_description_is_asked_for_it_once(bot: World) -> None:
    """Pictures that come after the description stand on the card too."""
    person = bot.person()
    first, *more, late = _album(bot, person, [None] * 4)
    for update in (first, *more):
        await bot.telegram.post_update(update)
    await bot.told(person, "опишите словами")
    assert len([message for message in person.messages if message.outgoing]) == 1
    await person.send_text("Коты")
    card = await bot.offered(person, "✅")
    assert "Картинки: 3" in (card.text or "")
    await bot.telegram.post_update(late)
    await _says(bot, person, card, "Картинки: 4")
    assert _cards(person) == [await bot.offered(person, "✅")]


@pytest.mark.parametrize("ended", ["✅", "❌", "/cancel", "another"])
async def test_a_picture_of_an_album_that_is_over_begins_nothing(bot: World, ended: str) -> None:
    """It is answered with a sentence; the order, or the card that came after, stays what it was."""
    person = bot.person()
    early, late, later = _album(bot, person, ["Коты", None, "Поздно"])
    await bot.telegram.post_update(early)
    card = await bot.offered(person, "✅")
    if ended == "/cancel":
        await person.send_text("/cancel")
    elif ended == "another":
        await person.send_photo(_picture(5), caption="Пёс")
    else:
        await person.press(card.id, ended)
    cards = _cards(person)
    for update in (late, later):
        before = person.messages[-1].id
        await bot.telegram.post_update(update)
        await bot.told(person, "Карточка этого альбома уже закрыта", after=before)
    assert _cards(person) == cards
    if ended == "✅":
        await bot.shown(person)
        assert await _drawn(bot) == [1]
    if ended == "another":
        await person.press(cards[-1].id, "✅")
        assert await _drawn(bot) == [5]
    await person.send_photo(_picture(6), caption="Новый")
    await bot.says(person, lambda message: "Новый" in (message.text or ""))


async def test_photo_as_a_caption_in_an_album_does_not_begin_it_anew(bot: World) -> None:
    person = bot.person()
    updates = _album(bot, person, [None, "/photo Коты", None])
    updates[1]["message"]["caption_entities"] = [{"type": "bot_command", "offset": 0, "length": 6}]
    for update in updates:
        await bot.telegram.post_update(update)
    [card] = _cards(person)
    assert "Коты" in (card.text or "")
    assert "Картинки: 3" in (card.text or "")


async def test_a_card_that_the_person_deleted_is_shown_again(bot: World) -> None:
    """The next picture of the album finds no message to edit."""
    person = bot.person()
    first, second = _album(bot, person, ["Коты", None])
    await bot.telegram.post_update(first)
    await bot.offered(person, "✅")
    bot.telegram.fault(
        "editMessageText",
        status=400,
        body={"ok": False, "error_code": 400, "description": "Bad Request: message to edit not found"},
    )
    await bot.telegram.post_update(second)
    card = await bot.says(person, lambda message: "Картинки: 2" in (message.text or ""))
    await person.press(card.id, "✅")
    assert await _drawn(bot) == [1, 2]


async def test_what_telegram_could_not_show_is_brought_again_and_counted_once(bot: World) -> None:
    """503 for the picture whose card was not edited; the album is whole after all."""
    person = bot.person()
    first, second = _album(bot, person, ["Коты", None])
    await bot.telegram.post_update(first)
    card = await bot.offered(person, "✅")
    bot.telegram.fault("editMessageText", status=502)
    assert await bot.telegram.post_update(second) == 503
    assert await bot.telegram.post_update(second) == 200
    await _says(bot, person, card, "Картинки: 2")


async def test_a_model_that_takes_fewer_uses_the_first_ones_and_the_card_says_so(
    bot: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "gpt-image-1", replace(MODELS["gpt-image-1"], most_sources=2))
    person = bot.person()
    for update in _album(bot, person, ["Коты", None, None]):
        await bot.telegram.post_update(update)
    [card] = _cards(person)
    assert "Картинки: 3, эта модель берёт первые 2" in (card.text or "")
    await person.press(card.id, "✅")
    assert await _drawn(bot) == [1, 2]


@pytest.mark.settings(models=EVERY)
async def test_the_card_shows_every_model_with_its_price_and_what_is_chosen(bot: World) -> None:
    """The price on «✅» is that of what is chosen, and that is what is debited."""
    person = bot.person()
    card = await bot.card(person)
    models = [label for label in _labels(card) if label.startswith("🤖")]
    assert models == [
        "🤖 GPT Image 1 ✓",
        "🤖 GPT Image 2 · от 2",
        "🤖 Nano Banana · 3 кредита",
        "🤖 FLUX.2 Pro · 3 кредита",
    ]
    await person.press(card.id, "🤖 GPT Image 2")
    card = await _says(bot, person, card, "GPT Image 2")
    assert [label for label in _labels(card) if " · " in label and "🤖" not in label] == [
        "• Простое · 2",
        "Среднее · 4",
        "Высокое · 8",
        "✅ Нарисовать · 2 кредита",
    ]
    await person.press(card.id, "Среднее")
    card = await _says(bot, person, card, "Качество: Среднее")
    assert "Цена: 4 кредита" in (card.text or "")
    assert "✅ Нарисовать · 4 кредита" in _labels(card)
    await person.press(card.id, "1536x1024")
    await _says(bot, person, card, "Размер: 1536x1024")
    await person.press(card.id, "✅")
    await bot.shown(person)
    [order] = bot.gen_api.orders.values()
    assert (order.fields["quality"], order.fields["image_size"]) == ("medium", "1536x1024")
    assert await bot.credits(person) == 6


async def test_another_model_begins_with_its_lowest_quality(bot: World) -> None:
    person = bot.person()
    card = await bot.card(person)
    for button, words in (
        ("🤖 GPT Image 2", "Качество: Простое"),
        ("Высокое", "Качество: Высокое"),
        ("🤖 GPT Image 1", "GPT Image 1"),
        ("🤖 GPT Image 2", "Качество: Простое"),
    ):
        await person.press(card.id, button)
        await _says(bot, person, card, words)


@pytest.mark.parametrize("style", STYLES)
async def test_a_style_is_chosen_from_a_list_named_on_the_card_and_ordered(bot: World, style: str) -> None:
    """And gen-api gets its words after the person's own."""
    person = bot.person()
    card = await bot.card(person)
    await person.press(card.id, "🎨")
    name = of("ru").styles[style]
    listed = await bot.says(person, lambda message: name in _labels(message))
    assert set(of("ru").styles.values()) <= set(_labels(listed))
    await person.press(card.id, name)
    card = await _says(bot, person, card, f"Стиль: {name}")
    assert "🎨 Стиль" in _labels(card)
    await person.press(card.id, "✅")
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    [order] = bot.gen_api.orders.values()
    assert order.fields["prompt"] == f"Кот в космосе\n\n{STYLES[style]}"
    assert await bot.value("SELECT style FROM generations") == style


async def test_a_style_is_taken_off_again(bot: World) -> None:
    """On the card, or in the list; the list closes without a choice too."""
    person = bot.person()
    card = await bot.card(person)
    await person.press(card.id, "🎨")
    await person.press(card.id, "←")
    card = await bot.says(person, lambda message: "512x512" in _labels(message))
    assert not any(label.startswith("🚫") for label in _labels(card))
    await person.press(card.id, "🎨")
    await person.press(card.id, "Аниме")
    await _says(bot, person, card, "Стиль: Аниме")
    await person.press(card.id, "🚫")
    card = await bot.says(person, lambda message: message.id == card.id and "Стиль:" not in (message.text or ""))
    await person.press(card.id, "✅")
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    assert bot.gen_api.orders[min(bot.gen_api.orders)].fields["prompt"] == "Кот в космосе"


@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_style_and_quality_has_a_name(language: str) -> None:
    assert set(of(language).styles) == set(STYLES)
    assert set(of(language).qualities) >= {each.key for model in MODELS.values() for each in model.qualities}


def test_no_button_data_is_longer_than_telegram_takes() -> None:
    values = [*MODELS, *STYLES, *(size for model in MODELS.values() for size in model.sizes), ""]
    assert (
        max(len(CardPress(card="c" * 12, act=act, value=value).pack()) for act in CARD_ACTS for value in values) <= 64
    )


async def test_a_price_that_changed_meanwhile_is_shown_before_it_is_debited(
    bot: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """«✅» of the old price orders nothing; the fresh card orders for the new one."""
    person = bot.person()
    card = await bot.card(person)
    dearer = replace(MODELS["gpt-image-1"], qualities=(Quality("low", 3, cost=250),))
    monkeypatch.setitem(MODELS, "gpt-image-1", dearer)
    await person.press(card.id, "✅")
    assert "теперь 3 кредита" in bot.telegram.answers[-1]["text"]
    assert await bot.credits(person) == 10
    card = await _says(bot, person, card, "Цена: 3 кредита")
    await person.press(card.id, "✅")
    await bot.shown(person)
    assert await bot.credits(person) == 7


async def test_an_old_face_of_the_card_orders_only_for_the_price_that_it_shows(bot: World) -> None:
    """Another device still shows two credits, and eight are chosen."""
    person = bot.person()
    card = await bot.card(person)
    cheap = next(button["callback_data"] for button in card.buttons if button["text"].startswith("✅"))
    await person.press(card.id, "🤖 GPT Image 2")
    await person.press(card.id, "Высокое")
    await _says(bot, person, card, "Цена: 8 кредитов")
    await person.press(card.id, cheap)
    assert "теперь 8 кредитов" in bot.telegram.answers[-1]["text"]
    assert await bot.credits(person) == 10


async def test_a_card_of_the_version_before_still_orders(bot: World) -> None:
    """Its «✅» named no price: everything cost two credits then."""
    person = bot.person()
    card = await bot.card(person)
    data = next(button["callback_data"] for button in card.buttons if button["text"].startswith("✅"))
    await person.press(card.id, data.rpartition(":")[0] + ":")
    await bot.shown(person)
    assert await bot.credits(person) == 8


async def test_a_price_that_no_button_can_have_orders_nothing(bot: World) -> None:
    """Digits without end are no number; whoever presses gets a sentence, and no apology."""
    person = bot.person()
    card = await bot.card(person)
    data = next(button["callback_data"] for button in card.buttons if button["text"].startswith("✅"))
    for price in ("9" * 40, "9" * 5000):
        await person.press(card.id, f"{data.rpartition(':')[0]}:{price}")
        assert "теперь 2 кредита" in bot.telegram.answers[-1]["text"]
    assert await bot.credits(person) == 10


@pytest.mark.parametrize("value", ["model:flux-2-pro", "size:9x9", "quality:medium", "style:none", "model:"])
async def test_what_is_not_to_be_chosen_is_answered_and_changes_nothing(bot: World, value: str) -> None:
    """Button data that the card never had."""
    person = bot.person()
    card = await bot.card(person)
    key = card.buttons[0]["callback_data"].split(":")[1]
    await person.press(card.id, f"card:{key}:{value}")
    assert bot.telegram.answers[-1]["show_alert"]
    assert [message.text for message in _cards(person)] == [card.text]
