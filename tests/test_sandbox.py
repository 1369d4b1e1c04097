"""The fakes keep the rules that the bot's tests lean on."""

import asyncio
import gc
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from PIL import Image

from sandbox import manners
from sandbox.genapi import FakeGenApi
from sandbox.server import Server
from sandbox.telegram import FakeTelegram
from sandbox.yookassa import FakeYooKassa


def picture(kind: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(out, kind)
    return out.getvalue()


class Hook(Server):
    """Where updates and callbacks go: keeps the bodies and the secrets."""

    service = "hook"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.got: list[dict[str, Any]] = []
        self.reply: dict[str, Any] = {}

    def routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/hook", self._take, name="hook")

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self.got.append({**await request.json(), "secret": request.headers.get("X-Telegram-Bot-Api-Secret-Token")})
        self.changed()
        return web.json_response(self.reply)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    server = Hook()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def telegram(hook: Hook) -> AsyncIterator[FakeTelegram]:
    server = FakeTelegram("7:t", retry_s=0.01)
    await server.start()
    await call(server, "setWebhook", url=hook.origin + "/hook", secret_token="s")
    yield server
    await server.stop()


@pytest.fixture
async def genapi() -> AsyncIterator[FakeGenApi]:
    server = FakeGenApi("k", delay=0)
    await server.start()
    yield server
    await server.stop()


async def call(telegram: FakeTelegram, method: str, **params: object) -> dict[str, Any]:
    async with telegram.http.post(f"{telegram.url}/bot7:t/{method}", json=params) as answer:
        body: dict[str, Any] = await answer.json()
        return body


async def test_updates_arrive_in_order_and_again_after_a_failure(hook: Hook, telegram: FakeTelegram) -> None:
    hook.fault("hook", times=2, status=500)
    anna = telegram.person(1)
    await anna.send_text("/start", wait=False)
    await anna.send_text("привет")
    assert [update["message"]["text"] for update in hook.got] == ["/start", "привет"]
    assert {update["secret"] for update in hook.got} == {"s"}
    assert len(hook.calls) == 4


async def test_a_method_in_the_webhooks_answer_is_carried_out(hook: Hook, telegram: FakeTelegram) -> None:
    hook.reply = {"method": "sendMessage", "chat_id": 1, "text": "<b>да</b>", "parse_mode": "HTML"}
    await telegram.person(1).send_text("/start")
    assert telegram.chat(1)[-1].text == "да"


async def test_a_press_is_answered_and_edits_are_seen(hook: Hook, telegram: FakeTelegram) -> None:
    anna = telegram.person(1)
    keyboard = {"inline_keyboard": [[{"text": "✅ Да", "callback_data": "yes"}]]}
    sent = await call(telegram, "sendMessage", chat_id=1, text="?", reply_markup=json.dumps(keyboard))
    query = await anna.press(sent["result"]["message_id"], "✅")
    assert hook.got[-1]["callback_query"]["data"] == "yes"
    await call(telegram, "answerCallbackQuery", callback_query_id=query, text="ок")
    edit = {"chat_id": 1, "message_id": sent["result"]["message_id"], "text": "!"}
    assert (await call(telegram, "editMessageText", **edit))["ok"]
    assert "not modified" in (await call(telegram, "editMessageText", **edit))["description"]
    assert telegram.answers[0]["text"] == "ок"
    assert (telegram.chat(1)[-1].text, telegram.chat(1)[-1].keyboard) == ("!", [])


async def test_limits_blocks_and_429_are_answered_as_telegram_does(telegram: FakeTelegram) -> None:
    anna = telegram.person(1)
    assert (await call(telegram, "sendMessage", chat_id=1, text="x" * 4097))["error_code"] == 400
    assert (await call(telegram, "sendMessage", chat_id=2, text="x"))["description"].endswith("chat not found")
    telegram.too_many("sendMessage", 3)
    assert (await call(telegram, "sendMessage", chat_id=1, text="x"))["parameters"] == {"retry_after": 3}
    anna.block()
    assert (await call(telegram, "sendMessage", chat_id=1, text="x"))["error_code"] == 403


async def test_a_picture_goes_up_and_comes_down_again(telegram: FakeTelegram) -> None:
    anna = telegram.person(1)
    await anna.send_document(picture("PNG"), "a.png", "image/png")
    found = await call(telegram, "getFile", file_id=telegram.chat(1)[-1].file_id)
    async with telegram.http.get(f"{telegram.url}/file/bot7:t/{found['result']['file_path']}") as answer:
        assert await answer.read() == picture("PNG")
    form = aiohttp.FormData({"chat_id": "1", "photo": "attach://p"})
    form.add_field("p", picture(), filename="p.jpg")
    async with telegram.http.post(f"{telegram.url}/bot7:t/sendPhoto", data=form) as answer:
        assert answer.status == 200
    sent = telegram.chat(1)[-1].photo
    assert sent is not None
    assert Image.open(io.BytesIO(sent)).size == (300, 200)


async def test_gen_api_paints_in_the_size_ordered_and_calls_back(hook: Hook, genapi: FakeGenApi) -> None:
    def form(size: str, content_type: str) -> aiohttp.FormData:
        data = aiohttp.FormData({"prompt": "кот", "size": size, "callback_url": hook.origin + "/hook?proof=1"})
        data.add_field("image[]", picture(), filename="a.jpg", content_type=content_type)
        return data

    url, headers = genapi.url + "/networks/gpt-image-1", {"Authorization": "Bearer k"}
    for size, mime in (("512x512", "image/jpeg"), ("1024x1024", "image/png")):
        async with genapi.http.post(url, data=form(size, mime), headers=headers) as answer:
            assert answer.status == 422
    async with genapi.http.post(url, data=form("1024x1536", "image/jpeg"), headers=headers) as answer:
        order_id = (await answer.json())["request_id"]
    await hook.wait_for(lambda: hook.got)
    assert (hook.got[0]["request_id"], hook.got[0]["status"]) == (order_id, "success")
    async with genapi.http.get(hook.got[0]["result"][0]) as answer:
        assert Image.open(io.BytesIO(await answer.read())).size == (1024, 1536)


async def test_a_handled_drop_takes_effect_and_loses_only_the_answer(telegram: FakeTelegram) -> None:
    telegram.person(1)
    telegram.fault("sendMessage", drop=True, handled=True)
    with pytest.raises(aiohttp.ClientError):
        await call(telegram, "sendMessage", chat_id=1, text="x")
    assert telegram.chat(1)[-1].text == "x"


async def test_a_payment_is_one_per_key_and_is_paid_on_its_page(hook: Hook) -> None:
    shop = FakeYooKassa("1", "test_x", hook.origin + "/hook")
    await shop.start()
    auth = aiohttp.encode_basic_auth("1", "test_x")
    body = {
        "amount": {"value": "200.00", "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "redirect", "return_url": "https://t.me/b"},
    }
    made = []
    for value, status in (("200.00", 200), ("200.00", 200), ("300.00", 400)):
        changed = {**body, "amount": {"value": value, "currency": "RUB"}}
        headers = {"Idempotence-Key": "k", "Authorization": auth}
        async with shop.http.post(shop.url + "/payments", json=changed, headers=headers) as answer:
            assert answer.status == status
            made.append((await answer.json())["id"])
    assert made[0] == made[1]
    async with shop.http.post(shop.payments[made[0]]["confirmation"]["confirmation_url"] + "/pay") as answer:
        assert 'data-status="succeeded"' in await answer.text()
    assert (await hook.wait_for(lambda: hook.got))[0]["event"] == "payment.succeeded"
    shop.misdeliver("doubled")
    await shop.refund(made[0], "50.00")
    assert [got["event"] for got in hook.got[1:]] == ["refund.succeeded"] * 2
    await shop.stop()


def order_form() -> aiohttp.FormData:
    form = aiohttp.FormData({"prompt": "кот"})
    form.add_field("image[]", b"x" * 500_000, filename="a.jpg", content_type="image/jpeg")
    return form


async def test_a_hung_call_ends_when_its_caller_has_gone(genapi: FakeGenApi) -> None:
    """The journal says how long it hung, what was in it and what did that."""
    genapi.fault("create", hang=True, name="завис")
    url, timeout = genapi.url + "/networks/gpt-image-1", aiohttp.ClientTimeout(total=0.5)
    with pytest.raises(TimeoutError):
        await genapi.http.post(url, data=order_form(), timeout=timeout)
    await genapi.wait_for(lambda: genapi.calls[0].ms)
    assert (genapi.calls[0].mishap, genapi.calls[0].status) == ("завис", 499)
    assert '"image[]": "<a.jpg, 500 kB>"' in genapi.calls[0].body


async def test_a_service_that_stops_with_a_hung_call_closes_the_picture_in_it() -> None:
    """It lies in a temporary file, and one that nobody closed is a warning."""
    server = FakeGenApi("k")
    await server.start()
    server.fault("create", hang=True)
    calls = server.calls
    async with aiohttp.ClientSession() as client:
        post = asyncio.create_task(client.post(server.url + "/networks/gpt-image-1", data=order_form()))
        await server.wait_for(lambda: calls and calls[0].mishap)
        await server.stop()
        with pytest.raises(aiohttp.ClientError):
            await post
    del server
    gc.collect()


async def test_a_notification_that_was_not_taken_comes_again(hook: Hook) -> None:
    """Anything but 200 is redelivered; a lost one is not."""
    shop = FakeYooKassa("1", "test_x", hook.origin + "/hook", retry_s=0.01)
    await shop.start()
    hook.fault("hook", times=2, status=503)
    assert await shop.send("payment.succeeded", {"id": "1"}) == 503
    await shop.wait_for(lambda: [call.status for call in shop.called("outgoing")] == [503, 503, 200])
    shop.misdeliver("lost")
    await shop.send("payment.canceled", {"id": "1"})
    assert shop.called("lost")
    await shop.stop()
    assert len(hook.got) == 1


async def test_a_callback_nobody_took_comes_again_only_where_that_was_chosen(hook: Hook, genapi: FakeGenApi) -> None:
    """Whether gen-api repeats it is not known."""

    async def order() -> None:
        hook.fault("hook", status=503)
        form = aiohttp.FormData({"prompt": "кот", "callback_url": hook.origin + "/hook"})
        form.add_field("image[]", picture(), filename="a.jpg", content_type="image/jpeg")
        url, headers = genapi.url + "/networks/gpt-image-1", {"Authorization": "Bearer k"}
        async with genapi.http.post(url, data=form, headers=headers) as answer:
            assert answer.status == 200

    def statuses() -> list[int]:
        return [call.status for call in genapi.called("outgoing")]

    await order()
    await genapi.wait_for(lambda: statuses() == [503])
    manners.choose(genapi, FakeYooKassa(), "missed_callback", "repeated")
    await order()
    await genapi.wait_for(lambda: statuses() == [503, 503, 200])
