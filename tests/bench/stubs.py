"""The services around the contenders: a Bot API, a store of results and a YooKassa that answer at once, and little.

What a bot's workers do after the request that is measured waits here for longer than any round takes: the bot's own
calls by a token that is told so. What is measured is then the request alone, for each contender.
"""

import asyncio
import re
import sys
from uuid import UUID

from aiohttp import web

HELD_TOKEN, TOKEN = "4242:what-workers-send-is-held", "4242:everything-is-answered"
CHARGE = re.compile(r"charge-(\d+)-([0-9a-f]{32})")
"""A payment's id here names the person and our payment."""

_HELD_S = 45
_HELD_METHODS = frozenset({"getFile", "sendMessage", "sendPhoto"})
_MESSAGE = {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "text": "."}
_TRUE = frozenset({"answerCallbackQuery", "setWebhook", "setMyCommands", "deleteMyCommands"})


async def _bot_api(request: web.Request) -> web.Response:
    method = request.match_info["method"]
    if request.match_info["token"] == HELD_TOKEN and method in _HELD_METHODS:
        await asyncio.sleep(_HELD_S)
    result: object = True if method in _TRUE else _MESSAGE
    if method == "getMe":
        result = {"id": 4242, "is_bot": True, "first_name": "Bot", "username": "bench_bot"}
    elif method == "getWebhookInfo":
        result = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}
    return web.json_response({"ok": True, "result": result})


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


def main(port: int) -> None:
    """Serves until SIGTERM."""
    app = web.Application()
    app.router.add_route("*", "/bot{token}/{method}", _bot_api)
    app.router.add_get("/result/{name}", _result)
    app.router.add_get("/v3/payments/{charge}", _payment)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None, handle_signals=True, shutdown_timeout=0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
