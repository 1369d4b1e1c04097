"""The floor: aiohttp and asyncpg, the statements of the bot, and nothing else.

No secret is compared, no line is logged, no conversation is kept: below what is left no bot of this kind can go.
"""

import json
import os
import sys
from collections.abc import AsyncIterator
from uuid import UUID

import aiohttp
import asyncpg
import uvloop
from aiohttp import web

from app.catalog import MODELS, SUBSCRIPTION_DAYS
from app.notices import PaymentSucceeded, Picture
from app.proofs import proof_holds
from app.repo import breakers, credits, generations, outbox, payments, subscriptions, users
from app.repo.credits import Reason
from app.repo.generations import NewOrder
from app.repo.records import Pool

_POOL: web.AppKey[Pool] = web.AppKey("pool")
_KASSA: web.AppKey[aiohttp.ClientSession] = web.AppKey("kassa", aiohttp.ClientSession)
_MODELS = ("gpt-image-1", "gpt-image-2")
_CIRCUITS = {breakers.PROVIDER: breakers.TRIAL_EVERY_S, breakers.of_model("gpt-image-1"): breakers.MODEL_TRIAL_EVERY_S}
_SECRET = os.environ.get("WEBHOOK_SECRET", "")


async def _telegram(request: web.Request) -> web.Response:
    update = json.loads(await request.read())
    if "callback_query" in update:
        query = update["callback_query"]
        said = await _order(request.app[_POOL], query["from"]["id"], query["data"])
        return web.json_response({"method": "answerCallbackQuery", "callback_query_id": query["id"], "text": said})
    message = update["message"]
    person = message["from"]["id"]
    async with request.app[_POOL].acquire() as conn:
        visit = await users.visit(conn, person, "ru")
        text = f"{visit.credits} кредитов"
        if message.get("text") == "/status":
            active = await subscriptions.active(conn, person)
            text += f", {active.plan}" if active else ""
        elif "photo" in message:
            await breakers.off(conn, _MODELS)
    return web.json_response({"method": "sendMessage", "chat_id": person, "text": text})


async def _order(pool: Pool, person: int, key: str) -> str:
    model = MODELS["gpt-image-1"]
    request = json.dumps(model.request("1024x1024", model.qualities[0].key))
    order = NewOrder(
        person,
        key,
        model.key,
        "1024x1024",
        2,
        "Кот в космосе",
        ("file",),
        1,
        900,
        810,
        "low",
        None,
        request,
        hidden=False,
    )
    async with pool.acquire() as conn:
        await users.visit(conn, person, "ru")
        async with conn.transaction():
            await users.lock(conn, person)
            await generations.find_order(conn, key, person)
            await generations.waiting(conn, 500)
            await breakers.refusing(conn, _CIRCUITS)
            made = await generations.insert(conn, order)
            return f"{await credits.debit(conn, person, 2, Reason.ORDER, str(made))}"


async def _gen_callback(request: web.Request) -> web.Response:
    proven = proof_holds(_SECRET, request.query["generation"], request.query["proof"])
    body = json.loads(await request.read())
    if proven is None:
        return web.json_response({"ok": False})
    async with request.app[_POOL].acquire() as conn:
        owner = await generations.owner(conn, proven)
        assert owner is not None
        async with conn.transaction():
            await users.lock(conn, owner.user_id)
            await generations.complete(conn, proven, body["result"][0], body["request_id"], None)
            await outbox.put(conn, owner.user_id, Picture(str(proven)))
            await breakers.accepted_since(conn, proven)
    return web.json_response({"ok": True})


async def _yookassa(request: web.Request) -> web.Response:
    charge = json.loads(await request.read())["object"]["id"]
    async with request.app[_POOL].acquire() as conn:
        purchase = await payments.by_provider(conn, "yookassa", charge)
    assert purchase is not None
    async with request.app[_KASSA].get(f"{os.environ['YOOKASSA_API_URL']}/payments/{charge}") as answer:
        payment = json.loads(await answer.read())
    payment_id = UUID(payment["metadata"]["payment_id"])
    async with request.app[_POOL].acquire() as conn, conn.transaction():
        await payments.by_id(conn, payment_id)
        await users.lock(conn, purchase.user_id)
        await payments.by_id(conn, payment_id)
        await payments.succeed(conn, payment_id, charge)
        bought = purchase.credits
        balance = await credits.credit(conn, purchase.user_id, bought, Reason.PURCHASE, str(payment_id))
        await payments.debts(conn, purchase.user_id)
        ends_at = await subscriptions.extend(conn, payment_id, purchase.user_id, purchase.plan, SUBSCRIPTION_DAYS)
        said = PaymentSucceeded(str(payment_id), bought, balance or 0, ends_at.date())
        await outbox.put(conn, purchase.user_id, said)
    return web.json_response({"ok": True})


async def _healthz(_request: web.Request) -> web.Response:
    return web.Response()


async def _connect(app: web.Application) -> AsyncIterator[None]:
    login = aiohttp.encode_basic_auth("100500", "test_key")
    async with (
        asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=10) as app[_POOL],
        aiohttp.ClientSession(headers={"Authorization": login}) as app[_KASSA],
    ):
        yield


def main(port: int) -> None:
    """Serves until SIGTERM."""
    app = web.Application()
    app.cleanup_ctx.append(_connect)
    app.router.add_get("/readyz", _healthz)
    app.router.add_post("/telegram/webhook", _telegram)
    app.router.add_post("/gen/callback", _gen_callback)
    app.router.add_post("/yookassa/webhook", _yookassa)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main(int(sys.argv[1]))
