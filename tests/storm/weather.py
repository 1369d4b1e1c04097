"""What may go wrong around the bot, by name; each call makes the next one or two of their kind go wrong."""

import asyncio
from collections.abc import Callable, Mapping

from sandbox.yookassa import FakeYooKassa
from tests.faults.harness import Stage

_HTML = "<html><body>Bad Gateway</body></html>"


async def forge(yookassa: FakeYooKassa) -> None:
    """Whoever knows the newest payment's id claims at once, a hundred times, that it was paid and given back."""
    if yookassa.payments:
        payment = next(reversed(yookassa.payments))
        claims = [
            ("payment.succeeded", {"id": payment}),
            ("refund.succeeded", {"id": "3e-forged", "payment_id": payment}),
        ]
        await asyncio.gather(*(yookassa.send(event, thing) for event, thing in claims * 50))


FAULTS: Mapping[str, Callable[[Stage], object]] = {
    "callback lost": lambda stage: stage.gen_api.misdeliver("lost"),
    "callback doubled": lambda stage: stage.gen_api.misdeliver("doubled"),
    "callback late": lambda stage: stage.gen_api.misdeliver("delayed", delay=4),
    "callback forged": lambda stage: stage.gen_api.misdeliver("forged"),
    "create without an answer, accepted": lambda stage: stage.gen_api.fault("create", drop=True, handled=True),
    "create without an answer, not accepted": lambda stage: stage.gen_api.fault("create", drop=True),
    "create 429": lambda stage: stage.gen_api.fault("create", status=429),
    "create 500": lambda stage: stage.gen_api.fault("create", status=500, body=_HTML),
    "create 402": lambda stage: stage.gen_api.fault("create", status=402),
    "question 500": lambda stage: stage.gen_api.fault("get", status=500),
    "result 404": lambda stage: stage.gen_api.fault("result", status=404),
    "result 500": lambda stage: stage.gen_api.fault("result", status=500),
    "file 500": lambda stage: stage.telegram.fault("file", status=500),
    "sendPhoto 500": lambda stage: stage.telegram.fault("sendPhoto", status=500),
    "sendPhoto without an answer, sent": lambda stage: stage.telegram.fault("sendPhoto", drop=True, handled=True),
    "sendPhoto without an answer, not sent": lambda stage: stage.telegram.fault("sendPhoto", drop=True),
    "sendPhoto 429": lambda stage: stage.telegram.too_many("sendPhoto", 1),
    "sendMessage 429": lambda stage: stage.telegram.too_many("sendMessage", 1),
    "sendMessage without an answer": lambda stage: stage.telegram.fault("sendMessage", drop=True),
    "editMessageText 500": lambda stage: stage.telegram.fault("editMessageText", status=500),
    "notification lost": lambda stage: stage.yookassa.misdeliver("lost"),
    "notification doubled": lambda stage: stage.yookassa.misdeliver("doubled"),
    "notification late": lambda stage: stage.yookassa.misdeliver("delayed", delay=3),
    "notification forged": lambda stage: stage.yookassa.misdeliver("forged"),
    "notifications forged at once": lambda stage: stage.yookassa.spawn(forge(stage.yookassa)),
    "refunds shown late": lambda stage: stage.yookassa.lag(4),
    "payment without an answer, made": lambda stage: stage.yookassa.fault("payments.create", drop=True, handled=True),
    "payment without an answer, not made": lambda stage: stage.yookassa.fault("payments.create", drop=True),
    "payment 500": lambda stage: stage.yookassa.fault("payments.create", status=500, body=_HTML),
    "charge lost": lambda stage: stage.telegram.misdeliver("lost"),
    "charge doubled": lambda stage: stage.telegram.misdeliver("doubled"),
    "charge late": lambda stage: stage.telegram.misdeliver("delayed", delay=3),
    "sendInvoice 500": lambda stage: stage.telegram.fault("sendInvoice", status=500),
    "list of Stars 500": lambda stage: stage.telegram.fault("getStarTransactions", status=500),
    "payment question 500": lambda stage: stage.yookassa.fault("payments.get", status=500),
}
