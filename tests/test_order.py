"""An order, from the tap to the picture, over real HTTP."""

import asyncio
import io
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.world import World, photograph


async def test_a_new_person_is_greeted_with_ten_credits_once(bot: World) -> None:
    """Twenty /start at once make one person and one welcome."""
    person = bot.person()
    start = {"text": "/start", "entities": [{"type": "bot_command", "offset": 0, "length": 6}]}
    await asyncio.gather(*(person.send_raw(dict(start)) for _ in range(20)))
    await bot.told(person, "10 кредитов")
    assert await bot.credits(person) == 10
    assert await bot.db.fetchval("SELECT count(*) FROM ledger") == 1


@pytest.mark.parametrize("size", ["512x512", "1024x1024"])
async def test_an_order_becomes_a_picture_of_the_chosen_size_for_two_credits(bot: World, size: str) -> None:
    """The whole way: card, size, «✅», progress, callback, picture; /status says 8."""
    person = bot.person()
    card = await bot.card(person)
    await person.press(card.id, next(b["callback_data"] for b in card.buttons if size in b["text"]))
    await person.press(card.id, "✅")
    result = await bot.shown(person)
    assert result.photo is not None
    assert f"{Image.open(io.BytesIO(result.photo)).width}" == size.split("x", maxsplit=1)[0]
    await bot.told(person, "✅ Готово")
    await person.send_text("/status")
    await bot.told(person, "8 кредитов")
    fields = bot.gen_api.orders[min(bot.gen_api.orders)].fields
    assert fields["prompt"] == "Кот в космосе"
    assert fields["size"] == "1024x1024"


async def test_twenty_presses_are_one_order(bot: World) -> None:
    """Each press is answered, one of them debits."""
    person = bot.person()
    card = await bot.card(person)
    presses = [await person.press(card.id, "✅", wait=False, at_once=True) for _ in range(20)]
    await bot.shown(person)
    assert len(bot.gen_api.called("create")) == 1
    assert await bot.credits(person) == 8
    assert len(presses) == 20


async def test_a_failed_order_gives_the_credits_back_once(bot: World) -> None:
    """gen-api's failure is told with a sentence, and the callback twenty times over refunds once."""
    bot.gen_api.failure = "moderation"
    person = bot.person()
    await bot.order(person)
    await bot.told(person, "возвращ")
    order_id = min(bot.gen_api.orders)
    await asyncio.gather(*(bot.gen_api.call_back(order_id) for _ in range(20)))
    assert await bot.credits(person) == 10
    assert await bot.db.fetchval("SELECT count(*) FROM ledger WHERE reason = 'order_refund'") == 1


@pytest.mark.settings(generation_poll_after_s=0.2)
async def test_a_lost_callback_is_asked_after(bot: World) -> None:
    """The poll finds what the callback did not bring."""
    bot.gen_api.misdeliver("lost")
    person = bot.person()
    await bot.order(person)
    await bot.shown(person, within_s=20)
    assert await bot.credits(person) == 8


@pytest.mark.settings(generation_deadline_s=1.5)
async def test_an_unanswered_create_is_never_sent_again_and_refunded_at_the_deadline(bot: World) -> None:
    """Nobody knows whether gen-api took it: the deadline gives the credits back."""
    bot.gen_api.fault("create", drop=True)
    person = bot.person()
    await bot.order(person)
    await bot.refunded(person)
    assert len(bot.gen_api.called("create")) == 1


async def test_a_create_that_was_accepted_without_an_answer_is_found_by_its_callback(bot: World) -> None:
    """The proof in the callback's URL brings the request number."""
    bot.gen_api.fault("create", drop=True, handled=True)
    person = bot.person()
    await bot.order(person)
    await bot.shown(person)
    assert len(bot.gen_api.called("create")) == 1


async def test_a_create_that_was_not_accepted_is_sent_again(bot: World) -> None:
    """429 and 503 are certain; the second try brings the picture, for one price."""
    bot.gen_api.fault("create", status=429, body={"message": "Too Many Attempts."})
    person = bot.person()
    await bot.order(person)
    await bot.shown(person, within_s=15)
    assert await bot.credits(person) == 8


async def test_three_refusals_for_money_stop_new_orders_without_a_debit(bot: World) -> None:
    """402 three times in a row opens the circuit."""
    bot.gen_api.fault("create", times=3, status=402, body={"message": "Payment Required"})
    person = bot.person()
    for number in range(3):
        card = await bot.order(person, f"Кот {number}")
        await bot.refunded(person, after=card.id)
    card = await bot.order(person, "Кот 4")
    await bot.told(person, "недоступно")
    assert await bot.credits(person) == 10


@pytest.mark.parametrize("back", ["unblocks", "writes"])
async def test_a_blocked_bot_keeps_the_result_until_the_person_is_back(bot: World, back: str) -> None:
    """403 parks the picture; Telegram's word that the bot is unblocked brings it, or the next word of the person."""
    person = bot.person()
    card = await bot.card(person)
    person.block()
    await person.press(card.id, "✅")
    await bot.until("SELECT count(*) FROM outbox WHERE due_at = 'infinity'")
    if back == "unblocks":
        person.unblock()
    else:
        person.blocked = False
        await person.send_text("/status")
    await bot.shown(person)
    assert len(bot.telegram.called("sendPhoto")) == 2
    assert await bot.credits(person) == 8


async def test_a_person_sees_that_a_picture_is_on_its_way(bot: World) -> None:
    """«отправляет фото…» while the result is fetched; the picture ends it."""
    person = bot.person()
    card = await bot.card(person)
    seen: list[str] = []

    async def look() -> None:
        seen.append(person.action)

    bot.gen_api.fault("result", before=look)
    await person.press(card.id, "✅")
    await bot.shown(person)
    assert seen == ["upload_photo"]
    assert person.action == ""


@pytest.mark.parametrize(
    "fault",
    [{"hang": True}, {"drop": True}, {"status": 403}, {"status": 502, "body": "Bad Gateway"}],
    ids=["hangs", "drops", "403", "502"],
)
async def test_a_picture_does_not_depend_on_its_announcement(bot: World, fault: dict[str, Any]) -> None:
    """Whatever Telegram says to sendChatAction, the picture is sent at the first try, a second later at most."""
    person = bot.person()
    card = await bot.card(person)
    if fault.get("status") == 403:
        fault = {**fault, "body": {"ok": False, "error_code": 403, "description": "Forbidden"}}
    bot.telegram.fault("sendChatAction", **fault)
    await person.press(card.id, "✅")
    await bot.shown(person)
    assert len(bot.telegram.called("sendPhoto")) == 1
    assert bot.telegram.called("sendPhoto")[0].at - bot.telegram.called("sendChatAction")[0].at < 5


async def test_a_429_on_the_announcement_is_waited_out(bot: World) -> None:
    """Telegram does not say whether it means the method, the chat or the bot: nothing is sent meanwhile."""
    person = bot.person()
    card = await bot.card(person)
    bot.telegram.too_many("sendChatAction", 2)
    await person.press(card.id, "✅")
    await bot.shown(person)
    refused, taken = bot.telegram.called("sendChatAction")
    assert taken.at - refused.at >= 2
    assert len(bot.telegram.called("sendPhoto")) == 1


async def test_a_file_that_is_no_picture_fails_with_a_sentence_and_costs_nothing(bot: World) -> None:
    """Only the bytes show it: the order fails and is refunded."""
    person = bot.person()
    await person.send_text("/photo")
    await person.send_document(b"not a picture at all", "cat.jpg", "image/jpeg", caption="Кот")
    card = await bot.offered(person, "✅")
    await person.press(card.id, "✅")
    failed = await bot.refunded(person)
    assert "не картинка" in (failed.text or "")
    assert bot.gen_api.called("create") == []


async def test_a_replaced_or_cancelled_card_orders_nothing(bot: World) -> None:
    """Buttons of old cards say so."""
    person = bot.person()
    old = await bot.card(person, "Старое")
    new = await bot.card(person, "Новое")
    await person.press(old.id, "✅")
    await person.press(new.id, "❌")
    await person.press(new.id, "✅")
    assert await bot.credits(person) == 10
    assert bot.gen_api.called("create") == []


async def test_odd_callbacks_write_nothing(bot: World) -> None:
    """Broken, unknown and forged callbacks get the statuses of the contract."""
    url = f"{bot.settings.public_url}/gen/callback"
    async with aiohttp.ClientSession() as client:
        for body, status, ok in (
            (b"{", 400, None),
            (b"[]", 400, None),
            (b'{"status": "success"}', 400, None),
            (b'{"request_id": 1.5}', 400, None),
            (b'{"request_id": "77", "status": "success", "result": ["https://a.example/x.png"]}', 200, False),
        ):
            async with client.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                assert answer.status == status
                if ok is not None:
                    assert await answer.json() == {"ok": ok}
        async with client.post(url, data=io.BytesIO(b"[" + b"0," * 600_000 + b"0]")) as answer:
            assert answer.status == 413


async def test_exif_rotation_reaches_gen_api(bot: World) -> None:
    """A file that lies on its side is turned upright before it is ordered."""
    assert Image.open(io.BytesIO(photograph())).size == (300, 451)
    person = bot.person()
    await person.send_text("/photo")
    await person.send_document(photograph(), "cat.jpg", "image/jpeg", caption="Кот")
    card = await bot.offered(person, "✅")
    await person.press(card.id, "✅")
    await bot.shown(person)
    sent = Image.open(io.BytesIO(bot.gen_api.orders[min(bot.gen_api.orders)].image))
    assert sent.size == (451, 300)
