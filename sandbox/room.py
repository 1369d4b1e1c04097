"""The machine room beside the chat: every call, order, payment and ledger as it changes, and faults to switch on."""

import asyncio
import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from sandbox import manners
from sandbox.books import Books
from sandbox.bot_process import BotProcess
from sandbox.genapi import FakeGenApi
from sandbox.server import Call, Fault, Misdelivery, Server
from sandbox.switches import switches
from sandbox.telegram import FakeTelegram
from sandbox.yookassa import FakeYooKassa

JOURNAL = 300
CALM_S = 1.0
PACE_S = 0.3
PING_S = 5.0
NO_ANSWER = 499

_PROOFS = re.compile(r'((?:proof=|"secret_token": ?")[^&"\s]{4})[^&"\s]+')


class Room:
    """A part of the page (`routes`). `await start()` before it is used, `await stop()` at the end.

    The database is read only while somebody looks: at most every PACE_S seconds, every CALM_S when nothing calls.
    """

    def __init__(
        self, telegram: FakeTelegram, gen_api: FakeGenApi, yookassa: FakeYooKassa, bot: BotProcess, books: Books
    ) -> None:
        self._telegram, self._gen_api, self._yookassa = telegram, gen_api, yookassa
        self._services: tuple[Server, ...] = (telegram, gen_api, yookassa)
        self._bot, self._books = bot, books
        self._switches = {switch.key: switch for switch in switches(telegram, gen_api, yookassa, bot)}
        self._armed: dict[str, list[Fault | Misdelivery]] = {key: [] for key in self._switches}
        self._board: dict[str, Any] = {}
        self._lookers: set[asyncio.Event] = set()
        self._changed, self._looked_at = asyncio.Event(), asyncio.Event()
        self._work: set[asyncio.Task[Any]] = set()
        for service in self._services:
            service.watchers.append(self._changed.set)
        bot.watchers.append(self._changed.set)

    async def start(self) -> None:
        """Begin to watch."""
        self._spawn(self._watch())

    async def stop(self) -> None:
        """End what it does."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._books.close()

    def routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/api/room/events", self._events)
        router.add_get(r"/api/room/calls/{number:\d+}", self._call)
        router.add_post("/api/room/switches/{key}/{to:on|off}", self._switch)
        router.add_post("/api/room/heal", self._heal)
        router.add_post("/api/room/manners/{key}/{value}", self._manner)
        router.add_post("/api/room/bot/{action:kill|restart|pause|resume}", self._bot_action)
        router.add_post("/api/room/payments/{id}/refund", self._refund)
        router.add_post("/api/room/payments/{id}/notify", self._notify)
        router.add_post("/api/room/stars/{id}/refund", self._refund_stars)
        router.add_post(r"/api/room/generations/{number:\d+}/callback", self._callback)

    # Watching

    async def _watch(self) -> None:
        while True:
            await self._looked_at.wait()
            self._changed.clear()
            self._board = await self._look()
            for looker in self._lookers:
                looker.set()
            await asyncio.sleep(PACE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CALM_S - PACE_S):
                    await self._changed.wait()

    async def _look(self) -> dict[str, Any]:
        names = {person.id: person.name for person in self._telegram.people.values()}
        return {
            "bot": {
                "state": self._bot.state,
                "code": self._bot.code,
                "starts": self._bot.starts,
                "since": self._bot.since,
            },
            "switches": [
                {"key": key, "group": one.group, "title": one.title, "hint": one.hint, "left": self._left(key)}
                for key, one in self._switches.items()
            ],
            "manners": manners.shown(self._gen_api, self._yookassa),
            "names": names,
            "shop": {
                payment["id"]: {"status": payment["status"], "refundable": payment["refundable"]}
                for payment in self._yookassa.payments.values()
            },
            "stars": [
                {"id": charge.id, "payment": charge.invoice.payload, "refunded": charge.refunded}
                for charge in self._telegram.charges
            ],
            "orders": [order.id for order in self._gen_api.orders.values() if order.status != "processing"],
            **await self._books.read(),
        }

    def _left(self, key: str) -> int:
        return sum(fault.times for fault in self._armed[key])

    @contextlib.asynccontextmanager
    async def _looking(self) -> AsyncIterator[asyncio.Event]:
        looker = asyncio.Event()
        self._lookers.add(looker)
        self._looked_at.set()
        self._changed.set()
        try:
            yield looker
        finally:
            self._lookers.discard(looker)
            if not self._lookers:
                self._looked_at.clear()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: `calls` brings new and changed ones, `board` all the rest, when it has changed."""
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await stream.prepare(request)
        calls: dict[int, dict[str, Any]] = {}
        board = ""
        async with self._looking() as looker:
            with contextlib.suppress(ConnectionResetError):
                while True:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(PING_S):
                            await looker.wait()
                    looker.clear()
                    now = {call.number: self._brief(call) for call in self._journal()}
                    fresh = [call for number, call in now.items() if calls.get(number) != call]
                    calls = now
                    parts = [f"event: calls\ndata: {json.dumps(fresh)}\n\n"] if fresh else [": \n\n"]
                    text = json.dumps(self._board)
                    if text != board and self._board:
                        board = text
                        parts.append(f"event: board\ndata: {text}\n\n")
                    await stream.write("".join(parts).encode())
        return stream

    # The journal

    def _journal(self) -> list[Call]:
        """The newest calls of all the services, oldest first."""
        calls = [call for service in self._services for call in service.calls[-JOURNAL:]]
        return sorted(calls, key=lambda call: call.number)[-JOURNAL:]

    def _brief(self, call: Call) -> dict[str, Any]:
        answered = call.status if call.status != NO_ANSWER else 0
        return {
            "number": call.number,
            "at": call.at,
            "service": call.service,
            "outgoing": call.outgoing,
            "person": call.route.startswith("page"),
            "method": call.method,
            "route": "press" if call.route == "update" and '"callback_query"' in call.body[:60] else call.route,
            "path": self._hidden(urlsplit(call.path).path),
            "status": answered,
            "ms": call.ms,
            "mishap": call.mishap,
            "failed": call.ms is not None and not 200 <= answered < 400,
        }

    async def _call(self, request: web.Request) -> web.StreamResponse:
        number = int(request.match_info["number"])
        call = next((call for call in self._journal() if call.number == number), None)
        if call is None:
            raise web.HTTPNotFound
        texts = {"path": call.path, "body": call.body, "answer": call.answer, **call.headers}
        hidden = {name: self._hidden(text) for name, text in texts.items()}
        path, body, answer = hidden.pop("path"), hidden.pop("body"), hidden.pop("answer")
        return web.json_response({"path": path, "headers": hidden, "body": body, "answer": answer})

    def _hidden(self, text: str) -> str:
        """No secret is shown in full: of each its first four characters."""
        shop = f"{self._yookassa.shop_id}:{self._yookassa.secret}"
        secrets = (
            base64.b64encode(shop.encode()).decode(),
            self._yookassa.secret,
            self._gen_api.key,
            self._telegram.token.partition(":")[2],
            self._telegram.webhook.get("secret_token", ""),
        )
        for secret in secrets:
            if secret:
                text = text.replace(secret, f"{secret[:4]}…")
        return _PROOFS.sub(r"\1…", text)

    # What can be done

    async def _switch(self, request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        switch = self._switches.get(key)
        if switch is None:
            raise web.HTTPNotFound
        if request.match_info["to"] == "on":
            self._armed[key] = [*(fault for fault in self._armed[key] if fault.times), switch.arm(switch.title)]
        else:
            for fault in self._armed[key]:
                fault.times = 0
        return self._done()

    async def _heal(self, _request: web.Request) -> web.StreamResponse:
        for service in self._services:
            service.heal()
        self._bot.resume()
        if self._bot.state == "down" and self._bot.starts:
            self._spawn(self._bot.start())
        return self._done()

    async def _manner(self, request: web.Request) -> web.StreamResponse:
        try:
            manners.choose(self._gen_api, self._yookassa, request.match_info["key"], request.match_info["value"])
        except KeyError:
            raise web.HTTPNotFound from None
        return self._done()

    async def _bot_action(self, request: web.Request) -> web.StreamResponse:
        action = request.match_info["action"]
        if action == "kill":
            await self._bot.kill()
        elif action == "restart":
            self._spawn(self._bot.restart())
        elif action == "pause":
            self._bot.pause()
        else:
            self._bot.resume()
        return self._done()

    async def _refund(self, request: web.Request) -> web.StreamResponse:
        payment_id, body = request.match_info["id"], await request.json()
        try:
            refund = self._yookassa.give_back(payment_id, str(body.get("amount") or "") or None)
        except (KeyError, ValueError) as error:
            # Not a 4xx: the browser's console would call it an error of the page.
            return web.json_response({"refused": str(error)})
        self._spawn(self._yookassa.send("refund.succeeded", refund))
        return self._done()

    async def _notify(self, request: web.Request) -> web.StreamResponse:
        payment = self._yookassa.payments.get(request.match_info["id"])
        if payment is None or payment["status"] == "pending":
            raise web.HTTPNotFound
        self._spawn(self._yookassa.repeat(payment["id"]))
        return self._done()

    async def _refund_stars(self, request: web.Request) -> web.StreamResponse:
        charge = next((charge for charge in self._telegram.charges if charge.id == request.match_info["id"]), None)
        if charge is None:
            raise web.HTTPNotFound
        try:
            self._telegram.refund_stars(charge)
        except ValueError as error:
            return web.json_response({"refused": str(error)})
        return self._done()

    async def _callback(self, request: web.Request) -> web.StreamResponse:
        number = int(request.match_info["number"])
        if number not in self._gen_api.orders:
            raise web.HTTPNotFound
        self._spawn(self._gen_api.call_back(number))
        return self._done()

    def _done(self) -> web.StreamResponse:
        self._changed.set()
        return web.json_response({})

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
