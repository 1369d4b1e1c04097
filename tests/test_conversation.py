"""Bad input gets a clear sentence and costs nothing, and the conversation goes on after it."""

import asyncio
import io
import re
from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from PIL import Image
from redis.asyncio import Redis

from app.catalog import PROMPT_LIMIT
from app.proofs import telegram_secret
from tests.world import World, photograph, services, serving

PICTURE = "Здесь нужна картинка"
VIDEO = "Видео я не умею"
HEIC = "HEIC я не читаю"
LARGE = "20 МБ"
FILE = {"file_id": "a-file", "file_unique_id": "u"}


async def _goes_on(bot: World) -> None:
    """A good picture with a description still leads to a card, and nothing was ordered or debited."""
    person = bot.person()
    assert [message for message in person.messages if message.button("✅")] == []
    await person.send_photo(photograph(), caption="Кот")
    await bot.offered(person, "✅")
    assert await bot.credits(person) == 10
    assert bot.gen_api.called("create") == []


def _document(mime: str, name: str, size: int = 1000) -> dict[str, Any]:
    return {"document": {**FILE, "mime_type": mime, "file_name": name, "file_size": size}, "caption": "Кот"}


VIDEO_FILE = {**FILE, "width": 320, "height": 240, "duration": 3, "mime_type": "video/mp4"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "sticker": (
        {"sticker": {**FILE, "type": "regular", "width": 9, "height": 9, "is_animated": False, "is_video": False}},
        PICTURE,
    ),
    "voice": ({"voice": {**FILE, "duration": 3}}, PICTURE),
    "location": ({"location": {"latitude": 55.7, "longitude": 37.6}}, PICTURE),
    "link": (
        {"text": "https://a.example/x.jpg", "entities": [{"type": "url", "offset": 0, "length": 23}]},
        PICTURE,
    ),
    "text file": (_document("text/plain", "cat.txt"), PICTURE),
    "video": ({"video": VIDEO_FILE, "caption": "Кот"}, VIDEO),
    "video note": ({"video_note": {**FILE, "length": 240, "duration": 3}}, VIDEO),
    "video as a file": (_document("video/quicktime", "cat.mov"), VIDEO),
    "animation": ({"animation": VIDEO_FILE, "document": {**FILE, "mime_type": "video/mp4"}}, VIDEO),
    "HEIC by type": (_document("image/heic", "cat"), HEIC),
    "HEIC by name": (_document("application/octet-stream", "IMG_1.HEIC"), HEIC),
    "25 MB": (_document("image/jpeg", "cat.jpg", 25 * 1024 * 1024), LARGE),
    "blank text": ({"text": " \n\t "}, "Описание пустое"),
    "2,001 characters": ({"text": "к" * (PROMPT_LIMIT + 1)}, "слишком длинное"),
    "5,000 characters": ({"text": "к" * 5000}, "слишком длинное"),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_an_update_shows_to_be_unfit_is_refused_before_the_card(bot: World, what: str) -> None:
    """One sentence that says what to send instead, and the next good picture leads to a card."""
    message, sentence = REFUSED[what]
    await bot.person().send_text("/photo")
    await bot.person().send_raw(dict(message))
    await bot.told(bot.person(), sentence)
    await _goes_on(bot)


@pytest.mark.parametrize("length", [PROMPT_LIMIT + 1, 5000])
async def test_a_caption_that_is_too_long_keeps_its_picture(bot: World, length: int) -> None:
    """Only a shorter description is asked for; with it the card is there."""
    person = bot.person()
    await person.send_text("/photo")
    await person.send_photo(photograph(), caption="к" * length)
    await bot.told(bot.person(), "слишком длинное")
    await person.send_text("Кот")
    card = await bot.offered(person, "✅")
    assert "Кот" in (card.text or "")
    assert await bot.credits(person) == 10


async def test_a_blank_caption_is_as_good_as_none(bot: World) -> None:
    """The picture is kept, the description asked for."""
    person = bot.person()
    await person.send_text("/photo")
    await person.send_photo(photograph(), caption="  \n ")
    await bot.told(bot.person(), "опишите словами")
    await person.send_text("Кот")
    await bot.offered(person, "✅")


def _wide() -> bytes:
    """A PNG of a hundred million pixels in a few kilobytes."""
    out = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("what", ["broken", "HEIC", "huge"])
async def test_what_only_the_bytes_show_is_refunded_with_a_sentence(bot: World, what: str) -> None:
    """A truncated JPEG, a HEIC that calls itself JPEG, too many pixels: credits are back, nothing was ordered."""
    data, sentence = {
        "broken": (photograph()[:5000], "файл повреждён"),
        "HEIC": (b"\0\0\0\x18ftypheic" + bytes(500), "не картинка"),
        "huge": (_wide(), "слишком большая"),
    }[what]
    person = bot.person()
    await person.send_text("/photo")
    await person.send_document(data, "cat.jpg", "image/jpeg", caption="Кот")
    card = await bot.offered(person, "✅")
    await person.press(card.id, "✅")
    said = await bot.refunded(person)
    assert sentence in (said.text or "")
    assert bot.gen_api.called("create") == []
    await bot.card(person, "Другой кот")


@pytest.mark.parametrize("kind", ["photos", "files"])
async def test_an_album_is_one_card_of_all_its_pictures(bot: World, kind: str) -> None:
    """Whichever of its pictures bears the caption, as photos or as files."""
    person = bot.person()
    await person.send_text("/photo")
    pictures = [photograph(), photograph(), photograph()]
    if kind == "photos":
        await person.send_album(pictures, "Кот")
    else:
        await person.send_files([(data, "cat.jpg", "image/jpeg") for data in pictures], "Кот")
    card = await bot.says(person, lambda message: "Картинки: 3" in (message.text or ""))
    assert len([message for message in person.messages if message.button("✅")]) == 1
    await person.press(card.id, "✅")
    await bot.shown(person)
    assert len(bot.gen_api.orders[min(bot.gen_api.orders)].images) == 3


PROMPT = "<b>кот</b> &amp; *пёс* _и_ <script>alert(1)</script> `код` [a](b) & < >"


async def test_markup_in_a_description_is_shown_and_ordered_as_it_was_written(bot: World) -> None:
    """Card and progress message show every character, gen-api gets the same ones."""
    person = bot.person()
    card = await bot.card(person, PROMPT)
    assert PROMPT in (card.text or "")
    await person.press(card.id, "✅")
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    assert bot.gen_api.orders[min(bot.gen_api.orders)].fields["prompt"] == PROMPT
    await bot.shown(person)
    edits = [call.body for call in bot.telegram.called("editMessageText")]
    assert any("⏳" in body and "&lt;script&gt;" in body and "&amp;amp;" in body for body in edits)


async def test_photo_in_the_middle_of_photo_begins_anew(bot: World) -> None:
    """The picture of the first try is forgotten: the second asks for one again."""
    person = bot.person()
    await person.send_text("/photo")
    await person.send_photo(photograph())
    await person.send_text("/photo")
    await person.send_text("Кот")
    await bot.told(bot.person(), "Теперь пришлите картинку")
    await person.send_photo(photograph())
    await bot.offered(person, "✅")
    assert await bot.credits(person) == 10


@pytest.mark.parametrize("separator", [" ", "\n"])
async def test_photo_takes_what_comes_with_it(bot: World, separator: str) -> None:
    """As the caption of a picture, the command's rest is the description, on its line or on the next."""
    person = bot.person()
    await person.send_photo(photograph(), caption=f"/photo{separator}Кот в космосе")
    card = await bot.offered(person, "✅")
    assert "Кот в космосе" in (card.text or "")


@pytest.mark.parametrize("order", ["picture first", "text first", "file first"])
async def test_picture_and_description_come_in_any_order(bot: World, order: str) -> None:
    """Each asks for the other; then the card is there."""
    person = bot.person()
    await person.send_text("/photo")
    if order == "text first":
        await person.send_text("Кот")
        await bot.told(bot.person(), "Теперь пришлите картинку")
        await person.send_photo(photograph())
    else:
        if order == "file first":
            await person.send_document(photograph(), "cat.jpg", "image/jpeg")
        else:
            await person.send_photo(photograph())
        await bot.told(bot.person(), "опишите словами")
        await person.send_text("Кот")
    await bot.offered(person, "✅")


async def _answer(bot: World, press: str) -> str:
    return next(str(answer.get("text")) for answer in bot.telegram.answers if answer["id"] == press)


async def test_a_card_of_last_week_says_that_it_is_old(bot: World, redis_url: str) -> None:
    """Its conversation is gone from Redis; the press is answered and orders nothing."""
    person = bot.person()
    card = await bot.card(person)
    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()
    for button in ("✅", "❌", "512x512"):
        assert "устарела" in await _answer(bot, await person.press(card.id, button))
    assert await bot.credits(person) == 10
    assert bot.gen_api.called("create") == []
    await bot.card(person, "Новый кот")


async def test_somebody_elses_card_orders_nothing(bot: World) -> None:
    """A stranger's press is answered; the owner's card still works."""
    person, stranger = bot.person(), bot.person(78)
    card = await bot.card(person)
    assert "устарела" in await _answer(bot, await stranger.press(card.id, "✅"))
    assert (await bot.credits(person), await bot.credits(stranger)) == (10, 10)
    await person.press(card.id, "✅")
    await bot.shown(person)


@pytest.mark.parametrize("at_once", [False, True], ids=["one after the other", "on two devices at once"])
async def test_two_presses_are_one_order(bot: World, at_once: bool) -> None:
    """The second press is told that the order is made."""
    person = bot.person()
    card = await bot.card(person)
    if at_once:
        presses = await asyncio.gather(*(person.press(card.id, "✅", at_once=True) for _ in range(2)))
    else:
        presses = [await person.press(card.id, "✅") for _ in range(2)]
    told = sorted([await _answer(bot, press) for press in presses])
    assert told == ["Заказ принят", "По этой карточке заказ уже сделан. Ещё картинка — /photo"]
    await bot.shown(person)
    assert len(bot.gen_api.called("create")) == 1
    assert await bot.credits(person) == 8


async def test_too_few_credits_leave_the_card_usable(bot: World) -> None:
    """The sentence names /buy_subscription, nothing is debited; once credits are there the same card orders."""
    person = bot.person()
    bot.gen_api.auto = False
    for number in range(5):
        await person.press((await bot.card(person, f"Кот {number}")).id, "✅")
    assert await bot.credits(person) == 0
    card = await bot.order(person, "Шестой кот")
    await bot.told(bot.person(), "/buy_subscription", after=card.id)
    assert await bot.credits(person) == 0
    payment = await bot.choose(person)
    await bot.yookassa.pay(payment)
    await bot.told(person, "Оплата прошла")
    await person.press(card.id, "✅")
    await _ordered(bot, 6)
    assert await bot.credits(person) == 8


async def test_cancel_leaves_what_was_begun_and_says_when_nothing_was(bot: World) -> None:
    """A cancelled card orders nothing."""
    person = bot.person()
    await person.send_text("/cancel")
    await bot.told(bot.person(), "Отменять нечего")
    card = await bot.card(person)
    await person.send_text("/cancel")
    await bot.told(bot.person(), "Отменено", after=card.id)
    assert "устарела" in await _answer(bot, await person.press(card.id, "✅"))
    assert await bot.credits(person) == 10
    await bot.card(person, "Новый кот")


async def test_a_group_gets_a_link_to_the_private_chat(bot: World) -> None:
    """A command is answered with the link; other talk is not answered."""
    person = bot.person()
    group = {"id": -100, "type": "group", "title": "Друзья"}
    await person.send_raw({"chat": group, "text": "просто разговор"})
    before = len(bot.telegram.called("sendMessage"))
    assert before == 0
    await person.send_raw(
        {"chat": group, "text": "/photo", "entities": [{"type": "bot_command", "offset": 0, "length": 6}]}
    )
    await bot.telegram.wait_for(lambda: bot.telegram.called("sendMessage"))
    [call] = bot.telegram.called("sendMessage")
    assert re.search(r"https://t\.me/\w+", call.body)
    assert "-100" in call.body


async def test_a_groups_talk_before_the_bot_knows_its_name_is_passed_over(
    database_url: str, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """getMe is not answered yet: no error, no word into the group, no person made of it; the link comes once it is."""
    async with services(database_url, redis_url) as bot:
        bot.telegram.fault("getMe", times=1000, status=502)
        group = {"id": -100, "type": "supergroup", "title": "Друзья"}
        sender = {"id": 5, "is_bot": False, "first_name": "Б"}
        about = {"message_id": 1, "date": 0, "chat": group, "from": sender}
        async with serving(bot):
            await bot.telegram.wait_for(lambda: bot.telegram.called("getMe"))
            headers = {
                "X-Telegram-Bot-Api-Secret-Token": telegram_secret(bot.settings.webhook_secret.get_secret_value())
            }
            url = f"{bot.settings.public_url}/telegram/webhook"
            async with aiohttp.ClientSession(headers=headers) as client:

                async def post(text: str) -> tuple[int, str]:
                    async with client.post(url, json={"update_id": 1, "message": {**about, "text": text}}) as answer:
                        return answer.status, await answer.text()

                assert await post("просто разговор") == (200, "{}")
                assert (await post("/photo"))[0] == 503
                bot.telegram.heal()
                status, said = await post("/photo")
                assert (status, "https://t.me/" in said) == (200, True)
        assert bot.telegram.called("sendMessage") == []
        assert "update.failed" not in caplog.text
        assert await bot.db.fetchval("SELECT count(*) FROM users") == 0


async def test_a_bug_in_a_group_is_no_apology_into_it(bot: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other people's talk is not where the bot says that it is broken."""

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError("a bug of the tests")

    monkeypatch.setattr(Bot, "me", broken)
    group = {"id": -100, "type": "group", "title": "Друзья"}
    await bot.person().send_raw({"chat": group, "text": "/photo"})
    assert bot.telegram.called("sendMessage") == []


async def test_forget_wipes_what_was_ordered_and_keeps_the_ledger(bot: World) -> None:
    """Description and file ids are gone, the balance and its entries are not."""
    person = bot.person()
    await bot.order(person, "Тайна")
    await bot.told(person, "✅ Готово")
    await person.send_text("/forget")
    await bot.told(bot.person(), "удалены")
    row = await bot.db.fetchrow("SELECT prompt, source_file_id, result_url, result_file_id FROM generations")
    assert row is not None
    assert tuple(row) == (None,) * 4
    assert [r["delta"] for r in await bot.db.fetch("SELECT delta FROM ledger ORDER BY id")] == [10, -2]
    assert await bot.credits(person) == 8


async def _ordered(bot: World, number: int) -> None:
    await bot.gen_api.wait_for(lambda: len(bot.gen_api.orders) == number)


@pytest.mark.parametrize("failure", ["", "moderation"], ids=["success", "failure"])
async def test_an_order_and_the_completion_of_another_of_the_same_person_cross(bot: World, failure: str) -> None:
    """Ten times at the same instant: neither waits for the other for ever, and each has its whole effect."""
    bot.gen_api.auto = False
    for number in range(100, 110):
        person = bot.person(number)
        await person.press((await bot.card(person, "Первый")).id, "✅")
        await _ordered(bot, (number - 99) * 2 - 1)
        first = max(bot.gen_api.orders)
        card = await bot.card(person, "Второй")
        async with asyncio.timeout(10):
            status, _ = await asyncio.gather(bot.gen_api.finish(first, failure), person.press(card.id, "✅"))
        assert status == 200
        await _ordered(bot, (number - 99) * 2)
        assert await bot.credits(person) == (8 if failure else 6)
    assert [call for call in bot.telegram.called("update") if call.status != 200] == []
