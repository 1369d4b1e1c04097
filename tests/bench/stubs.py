"""The services around the contenders: a Bot API, a gen-api, a store of results, a YooKassa: they answer at once.

What a bot's workers do after the request that is measured waits here for longer than any round takes, for a bot with
the token that is told so: what is measured is then the request alone. With any other token the workers' calls are
answered like the rest, gen-api calls back as soon as it has answered, and `/sent` says when whose picture came here.
"""

import asyncio
import itertools
import re
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from aiohttp import web

HELD_TOKEN, TOKEN = "4242:what-workers-send-is-held", "4242:everything-is-answered"
CHARGE = re.compile(r"charge-(\d+)-([0-9a-f]{32})")
"""A payment's id here names the person and our payment."""

_HELD_S = 45
_HELD_METHODS = frozenset({"getFile", "sendMessage", "sendPhoto"})
_MESSAGE = {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "text": "."}
_TRUE = frozenset({"answerCallbackQuery", "sendChatAction", "setWebhook", "setMyCommands", "deleteMyCommands"})


_PHOTO = Path(__file__).parents[1] / "data" / "cat.jpg"
_RESULT = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c636000000002000148afa4710000000049454e44ae426082"
)
_SENT: web.AppKey[dict[str, float]] = web.AppKey("sent")
_CALLS: web.AppKey[set[asyncio.Task[None]]] = web.AppKey("calls")
_HTTP: web.AppKey[aiohttp.ClientSession] = web.AppKey("http", aiohttp.ClientSession)

_numbers = itertools.count(1)


async def _bot_api(request: web.Request) -> web.Response:
    came_at, method = time.monotonic(), request.match_info["method"]
    if request.match_info["token"] == HELD_TOKEN and method in _HELD_METHODS:
        await asyncio.sleep(_HELD_S)
    result: object = True if method in _TRUE else _MESSAGE
    if method == "getMe":
        result = {"id": 4242, "is_bot": True, "first_name": "Bot", "username": "bench_bot"}
    elif method == "getWebhookInfo":
        result = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
    elif method == "getFile":
        result = {"file_id": "f", "file_unique_id": "u", "file_size": _PHOTO.stat().st_size, "file_path": "cat.jpg"}
    elif method == "sendPhoto":
        form = await request.post()
        request.app[_SENT].setdefault(str(form["chat_id"]), came_at)
    return web.json_response({"ok": True, "result": result})


async def _file(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(_PHOTO)


async def _create(request: web.Request) -> web.Response:
    form, number = await request.post(), next(_numbers)
    told = {"request_id": number, "status": "success", "cost": 2.5}
    result = f"http://{request.host}/now/{number}.png"
    call = request.app[_HTTP].post(str(form["callback_url"]), json={**told, "result": [result]})
    request.app[_CALLS].add(task := asyncio.create_task(_call_back(call)))
    task.add_done_callback(request.app[_CALLS].discard)
    return web.json_response({"request_id": number, "status": "starting"})


async def _call_back(call: Any) -> None:
    async with call:
        pass


async def _sent(request: web.Request) -> web.Response:
    return web.json_response(request.app[_SENT])


async def _forget(request: web.Request) -> web.Response:
    request.app[_SENT].clear()
    return web.json_response({})


async def _now(_request: web.Request) -> web.Response:
    return web.Response(body=_RESULT, content_type="image/png")


async def _result(_request: web.Request) -> web.Response:
    await asyncio.sleep(_HELD_S)
    return web.Response(status=404)


async def _payment(request: web.Request) -> web.Response:
    charge = CHARGE.fullmatch(request.match_info["charge"])
    if charge is None:
        return web.json_response({"type": "error", "code": "not_found"}, status=404)
    return web.json_response(
        {
            "id": charge[0],
            "status": "succeeded",
            "paid": True,
            "amount": {"value": "200.00", "currency": "RUB"},
            "recipient": {"account_id": "100500", "gateway_id": "1"},
            "metadata": {"payment_id": str(UUID(charge[2])), "user_id": charge[1]},
            "refundable": True,
            "test": True,
        }
    )


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as app[_HTTP]:
        yield


def main(port: int) -> None:
    """Serves until SIGTERM."""
    app = web.Application()
    app[_SENT], app[_CALLS] = {}, set()
    app.cleanup_ctx.append(_client)
    app.router.add_route("*", "/bot{token}/{method}", _bot_api)
    app.router.add_get("/file/bot{token}/{name}", _file)
    app.router.add_post("/v1/networks/{network}", _create)
    app.router.add_get("/now/{name}", _now)
    app.router.add_get("/sent", _sent)
    app.router.add_delete("/sent", _forget)
    app.router.add_get("/result/{name}", _result)
    app.router.add_get("/v3/payments/{charge}", _payment)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None, handle_signals=True, shutdown_timeout=0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
