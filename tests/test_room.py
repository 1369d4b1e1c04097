"""The machine room's API: what it shows, what it hides, what it can break and mend; and the sandbox as a process."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from sandbox.books import Books
from sandbox.bot_process import BotProcess
from sandbox.genapi import FakeGenApi
from sandbox.page_server import PageServer
from sandbox.room import Room
from sandbox.telegram import FakeTelegram
from sandbox.yookassa import FakeYooKassa

_ROOT = Path(__file__).parents[1]


class Page:
    """A browser's side of the API: the newest board and every call told of so far."""

    def __init__(self, origin: str, http: aiohttp.ClientSession) -> None:
        self.origin, self.http = origin, http
        self.board: dict[str, Any] = {}
        self.calls: dict[int, dict[str, Any]] = {}

    async def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        async with self.http.post(f"{self.origin}/api/room/{path}", json=body or {}) as answer:
            assert answer.status == 200
            said: dict[str, Any] = await answer.json()
            return said

    async def look(self, found: Callable[[], object] = lambda: True) -> None:
        """Follow the stream until a board has come with which `found` is true; a new stream tells all again."""
        kind = ""
        async with asyncio.timeout(20), self.http.get(f"{self.origin}/api/room/events") as stream:
            async for raw in stream.content:
                line = raw.decode().strip()
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    data = json.loads(line.removeprefix("data: "))
                    if kind == "board":
                        self.board = data
                        if found():
                            return
                    self.calls |= {call["number"]: call for call in data}

    async def choose(self, manner: str, value: str) -> None:
        """Choose a manner, and wait until it is shown so."""
        await self.post(f"manners/{manner}/{value}")
        await self.look(lambda: self.manner(manner)["value"] == value)

    def manner(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in self.board["manners"] if one["key"] == key)
        return found

    def left(self, key: str) -> int:
        left: int = next(one["left"] for one in self.board["switches"] if one["key"] == key)
        return left


class World:
    """The services without a bot, a database, and the page."""

    def __init__(self) -> None:
        self.telegram = FakeTelegram("7:secret-token")
        self.gen_api = FakeGenApi("secret-key", delay=0)
        self.yookassa = FakeYooKassa("100500", "test_secret")
        self.page: Page


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    made = World()
    services = (made.telegram, made.gen_api, made.yookassa)
    for service in services:
        await service.start()
    room = Room(*services, BotProcess({}, "http://127.0.0.1:9"), Books(database_url))
    server = PageServer(made.telegram, services, [room])
    await room.start()
    await server.start(18000)
    async with aiohttp.ClientSession(read_bufsize=2**20) as http:
        made.page = Page(f"http://127.0.0.1:{server.port}", http)
        yield made
    await server.stop()
    await room.stop()
    for service in services:
        await service.stop()


async def test_no_secret_is_shown_in_full(world: World) -> None:
    """Not in a path, a header, a body or a query."""
    secret = "a-secret-of-the-webhook"
    url = f"{world.telegram.url}/bot7:secret-token"
    async with world.page.http.post(f"{url}/setWebhook", json={"url": "http://127.0.0.1:9/", "secret_token": secret}):
        pass
    authorization = {"Authorization": "Bearer secret-key"}
    form = aiohttp.FormData({"callback_url": "http://127.0.0.1:9/?proof=abcdefghijkl"}, default_to_multipart=True)
    async with world.page.http.post(f"{world.gen_api.url}/networks/gpt-image-1", data=form, headers=authorization):
        pass
    pair = {"Authorization": aiohttp.encode_basic_auth("100500", "test_secret")}
    async with world.page.http.get(f"{world.yookassa.url}/me", headers=pair):
        pass
    await world.page.look()
    shown = json.dumps(list(world.page.calls.values()))
    for number in world.page.calls:
        async with world.page.http.get(f"{world.page.origin}/api/room/calls/{number}") as answer:
            shown += await answer.text()
    assert "/bot7:secr…/setWebhook" in [call["path"] for call in world.page.calls.values()]
    assert "proof=abcd" in shown
    for hidden in ("secret-token", "secret-key", secret, "test_secret", "efghijkl", pair["Authorization"][6:]):
        assert hidden not in shown


async def test_a_switch_counts_down_and_is_taken_back(world: World) -> None:
    """Armed twice, used once, off; the call that was disturbed says by what."""
    for _ in range(2):
        await world.page.post("switches/create-429/on")
    await world.page.look(lambda: world.page.left("create-429") == 2)
    async with world.page.http.post(f"{world.gen_api.url}/networks/gpt-image-1") as answer:
        assert answer.status == 429
    await world.page.look(lambda: world.page.left("create-429") == 1)
    assert [(call["mishap"], call["failed"]) for call in world.page.calls.values()] == [("429: слишком часто", True)]
    await world.page.post("switches/create-429/off")
    async with world.page.http.post(f"{world.gen_api.url}/networks/gpt-image-1") as answer:
        assert answer.status == 401


async def test_every_switch_can_be_armed_and_all_are_healed_at_once(world: World) -> None:
    """«Починить всё» leaves none."""
    await world.page.look()
    for one in world.page.board["switches"]:
        await world.page.post(f"switches/{one['key']}/on")
    await world.page.look(lambda: {one["left"] for one in world.page.board["switches"]} == {1})
    await world.page.post("heal")
    await world.page.look(lambda: {one["left"] for one in world.page.board["switches"]} == {0})


async def test_every_manner_can_be_chosen(world: World) -> None:
    """Each answers in the way that was chosen last."""
    await world.page.look()
    for manner in world.page.board["manners"]:
        for value in reversed(manner["options"]):
            await world.page.choose(manner["key"], value)


async def test_the_audits_verdict_is_that_of_the_database(world: World, database_url: str) -> None:
    """A balance without its ledger row is shown; a database that is gone is an error, not a crash."""
    await world.page.look()
    assert world.page.board["audit"] == []
    connection = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO users (id, credits) VALUES (5, 10)")
    await connection.close()
    await world.page.look(lambda: world.page.board["audit"])
    whats = [row["what"] for row in world.page.board["audit"] if row["user_id"] == 5]
    assert whats == ["the balance is not the sum of its ledger", "no welcome"]


async def test_a_refund_that_cannot_be_is_refused(world: World) -> None:
    """More than was paid, or no number at all."""
    body = {
        "amount": {"value": "200.00", "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "redirect", "return_url": "https://t.me/b"},
    }
    headers = {"Idempotence-Key": "k", "Authorization": aiohttp.encode_basic_auth("100500", "test_secret")}
    async with world.page.http.post(f"{world.yookassa.url}/payments", json=body, headers=headers) as answer:
        payment_id = (await answer.json())["id"]
    await world.yookassa.pay(payment_id)
    for amount in ("200.01", "много"):
        assert (await world.page.post(f"payments/{payment_id}/refund", {"amount": amount}))["refused"]
    assert await world.page.post(f"payments/{payment_id}/refund", {"amount": "50"}) == {}
    assert world.yookassa.payments[payment_id]["refunded_amount"]["value"] == "50.00"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9", "http://localhost.evil.example"]
)
async def test_a_page_from_elsewhere_can_press_no_switch(world: World, origin: str) -> None:
    """Not in the machine room, not at a service; a page of the very same port can."""
    payment = "/pay/a-payment/pay"
    for url, own in (
        (f"{world.page.origin}/api/room/switches/create-429/on", 200),
        (f"{world.page.origin}/api/room/bot/restart", 200),
        (f"{world.page.origin}/api/chat/101/send", 404),
        (f"{world.yookassa.origin}{payment}", 404),
    ):
        async with world.page.http.post(url, headers={"Origin": origin}) as answer:
            assert answer.status == 403
        if own == 404:
            async with world.page.http.post(
                url, headers={"Origin": url.partition("/api")[0].removesuffix(payment)}
            ) as answer:
                assert answer.status == own
    await world.page.look()
    assert world.page.left("create-429") == 0
    assert world.page.board["bot"]["starts"] == 0


async def test_a_name_that_leads_to_this_machine_gets_nothing(world: World) -> None:
    """A page on the web may have its own name lead here; our own names are known, with a port."""
    origins = [world.page.origin, world.telegram.origin, world.gen_api.origin, world.yookassa.origin]
    for origin in origins:
        port = origin.rpartition(":")[2]
        for host in (
            f"evil.example:{port}",
            "127.0.0.1",
            f"localhost.evil.example:{port}",
            f"@localhost:{port}",
            "",
        ):
            async with world.page.http.get(f"{origin}/api/room/events", headers={"Host": host}) as answer:
                assert answer.status == 403, host
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
            async with world.page.http.get(f"{origin}/nowhere", headers={"Host": host}) as answer:
                assert answer.status in (401, 404), host


async def test_the_page_is_shown_in_no_frame_of_another(world: World) -> None:
    """Else somebody's click could be led to a switch."""
    async with world.page.http.get(world.page.origin) as answer:
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


async def test_stars_are_paid_on_the_page_and_given_back_once(world: World) -> None:
    """The board shows the charge beside the payment that its payload names."""
    telegram, http = world.telegram, world.page.http
    telegram.person(101)
    invoice = {"chat_id": 101, "title": "t", "description": "d", "payload": "a-payment", "currency": "XTR"}
    url = f"{telegram.url}/bot{telegram.token}"
    async with http.post(f"{url}/sendInvoice", json={**invoice, "prices": [{"label": "l", "amount": 5}]}) as answer:
        message = (await answer.json())["result"]["message_id"]
    paying = asyncio.create_task(http.post(f"{world.page.origin}/api/chat/101/pay", json={"message": message}))
    await telegram.wait_for(lambda: telegram.updates)
    query = telegram.updates[-1]["pre_checkout_query"]
    async with http.post(f"{url}/answerPreCheckoutQuery", json={"pre_checkout_query_id": query["id"], "ok": True}):
        assert await (await paying).json() == {"refused": ""}
    (charge,) = telegram.charges
    assert await world.page.post(f"stars/{charge.id}/refund") == {}
    assert (await world.page.post(f"stars/{charge.id}/refund"))["refused"]
    await world.page.look(lambda: world.page.board["stars"])
    assert world.page.board["stars"] == [{"id": charge.id, "payment": "a-payment", "refunded": True}]


async def test_a_bot_that_does_not_come_up_at_first_ends_the_sandbox(redis_url: str) -> None:
    """With the bot's own code and not with a traceback."""
    environment = {**os.environ, "DATABASE_URL": "", "REDIS_URL": redis_url}
    sandbox = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", cwd=_ROOT, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await sandbox.communicate()
    assert sandbox.returncode is not None
    assert sandbox.returncode > 0
    assert b"The bot did not come up" in said
    assert b"Traceback" not in said
