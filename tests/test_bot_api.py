"""The fake Bot API refuses what Telegram refuses, and speaks in Telegram's types."""

import json
from typing import Any

import pytest
from aiogram.types import File, Message, Update, User, WebhookInfo

from sandbox.formatting import parse_html
from sandbox.params import BotApiError
from sandbox.telegram import FakeTelegram
from tests.test_sandbox import Hook, call, hook, picture, telegram

__all__ = ["hook", "telegram"]


def button(**fields: str) -> str:
    return json.dumps({"inline_keyboard": [[fields]]})


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        ("sendMessage", {"chat_id": ""}, "chat_id is empty"),
        ("sendMessage", {"text": " "}, "message text is empty"),
        ("sendMessage", {"text": "😀" * 2049}, "message is too long"),
        ("sendMessage", {"text": "<b>x", "parse_mode": "HTML"}, "Can't find end tag"),
        ("sendMessage", {"text": "x", "reply_markup": button(text="x")}, "Text buttons are unallowed"),
        ("sendMessage", {"text": "x", "reply_markup": button(text="x", callback_data="д" * 33)}, "BUTTON_DATA_INVALID"),
        ("sendMessage", {"text": "x", "reply_markup": button(text="x", url="http://shop")}, "Wrong HTTP URL"),
        ("sendPhoto", {"photo": "nothing"}, "wrong file identifier"),
        ("sendChatAction", {"action": "dancing"}, "wrong parameter action"),
        ("deleteMessage", {"message_id": 999}, "message to delete not found"),
        ("answerCallbackQuery", {"callback_query_id": "9"}, "query is too old"),
        ("setWebhook", {"url": "http://example.com/x"}, "An HTTPS URL must be provided"),
        ("setWebhook", {"url": "https://example.com/x", "secret_token": "a b"}, "unallowed characters"),
        ("setWebhook", {"url": "https://example.com/x", "secret_token": "a" * 257}, "secret token is too long"),
        ("setMyCommands", {"commands": [{"command": "Big", "description": "x"}]}, "BOT_COMMAND_INVALID"),
        ("setMyCommands", {"commands": [{"command": "x", "description": "x" * 257}]}, "must not exceed 256"),
        ("setMyCommands", {"commands": [{"command": "x", "description": "x"}] * 101}, "BOT_COMMANDS_TOO_MUCH"),
        ("setMyCommands", {"commands": [], "language_code": "english"}, "invalid language code"),
        ("setMyCommands", {"commands": [], "scope": {"type": "none"}}, "can't parse BotCommandScope"),
    ],
)
async def test_what_telegram_refuses_is_refused(
    telegram: FakeTelegram, method: str, params: dict[str, Any], said: str
) -> None:
    """In Telegram's words, with the code in the body."""
    telegram.person(1)
    answer = await call(telegram, method, **{"chat_id": 1, **params})
    assert (answer["ok"], answer["error_code"]) == (False, 400)
    assert said in answer["description"]


async def test_answers_and_updates_are_telegrams_types(hook: Hook, telegram: FakeTelegram) -> None:
    """aiogram reads every object that the fake gives."""
    anna = telegram.person(1)
    text = "<b>Привет</b> 😀 <i>мир</i> /start"
    keyboard = button(text="Да", callback_data="yes")
    sent = await call(telegram, "sendMessage", chat_id=1, text=text, parse_mode="HTML", reply_markup=keyboard)
    message = Message.model_validate(sent["result"])
    assert [entity.type for entity in message.entities or []] == ["bold", "italic", "bot_command"]
    assert message.html_text == text
    await anna.press(message.message_id, "Да")
    await anna.send_album([picture(), picture()], "Два")
    await anna.send_document(picture("PNG"), "a.png", "image/png")
    anna.block()
    await hook.wait_for(lambda: len(hook.got) == 5)
    for update in telegram.updates:
        assert Update.model_validate(update).event
    assert (
        len({got["message"]["media_group_id"] for got in hook.got if "media_group_id" in got.get("message", {})}) == 1
    )
    file_id = telegram.chat(1)[-1].file_id
    File.model_validate((await call(telegram, "getFile", file_id=file_id))["result"])
    User.model_validate((await call(telegram, "getMe"))["result"])
    WebhookInfo.model_validate((await call(telegram, "getWebhookInfo"))["result"])


async def test_an_update_that_was_not_asked_for_does_not_come(hook: Hook, telegram: FakeTelegram) -> None:
    """allowed_updates holds until another list is given."""
    await call(telegram, "setWebhook", url=hook.origin + "/hook", allowed_updates=["callback_query"])
    await call(telegram, "setWebhook", url=hook.origin + "/hook")
    await telegram.person(1).send_text("/start")
    assert hook.got == []


async def test_a_failed_delivery_is_told_and_a_press_is_dropped_in_time(hook: Hook) -> None:
    """getWebhookInfo names the error; what waited too long is neither brought nor answered."""
    server = FakeTelegram("7:t", retry_s=0.01, query_life_s=0.1)
    await server.start()
    await call(server, "setWebhook", url=hook.origin + "/hook")
    hook.fault("hook", times=1, status=503, headers={"Retry-After": "1"})
    query = await server.person(1).press(1, "yes")
    info = WebhookInfo.model_validate((await call(server, "getWebhookInfo"))["result"])
    assert (hook.got, info.pending_update_count) == ([], 0)
    assert "503" in (info.last_error_message or "")
    server.presses[0].life_s = 0
    assert "too old" in (await call(server, "answerCallbackQuery", callback_query_id=query))["description"]
    await server.stop()


async def test_a_flood_holds_back_a_chat_or_the_whole_bot(telegram: FakeTelegram) -> None:
    """429 says for how long; healed, everything goes again."""
    telegram.person(1)
    telegram.person(2)
    telegram.flood(30, chat_id=1)
    held = await call(telegram, "sendMessage", chat_id=1, text="x")
    assert (held["error_code"], held["parameters"]) == (429, {"retry_after": 30})
    assert (await call(telegram, "sendMessage", chat_id=2, text="x"))["ok"]
    telegram.flood(30)
    assert (await call(telegram, "sendMessage", chat_id=2, text="x"))["error_code"] == 429
    telegram.heal()
    assert (await call(telegram, "sendMessage", chat_id=1, text="x"))["ok"]


async def test_a_fault_of_a_method_meets_it_in_the_webhooks_answer_too(hook: Hook, telegram: FakeTelegram) -> None:
    """Nobody tells the bot; the journal shows it."""
    hook.reply = {"method": "sendMessage", "chat_id": 1, "text": "да"}
    telegram.too_many("sendMessage", 1)
    await telegram.person(1).send_text("/start")
    assert [message.text for message in telegram.chat(1)] == ["/start"]
    assert [made.status for made in telegram.called("sendMessage")] == [429]


@pytest.mark.parametrize("source", ["<br>", "<b>x</i>", "</b>", "<b", '<span class="x">y</span>', "<a href='x"])
def test_broken_html_is_refused(source: str) -> None:
    """As Telegram's own parser does."""
    with pytest.raises(BotApiError, match="can't parse entities"):
        parse_html(source)


async def test_typing_is_seen_until_the_message(telegram: FakeTelegram) -> None:
    """sendChatAction lasts five seconds at most."""
    anna = telegram.person(1)
    await call(telegram, "sendChatAction", chat_id=1, action="upload_photo")
    assert anna.action == "upload_photo"
    await call(telegram, "sendMessage", chat_id=1, text="x")
    assert anna.action == ""
