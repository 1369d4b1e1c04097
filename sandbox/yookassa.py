"""YooKassa's API v3 as far as the bot uses it, with a page to pay on."""

import asyncio
import base64
import json
import uuid
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from sandbox.server import Server

_PAGE = Path(__file__).parent / "page" / "pay.html"
EVENTS = {"succeeded": "payment.succeeded", "canceled": "payment.canceled"}


@dataclass
class FakeYooKassa(Server):
    """One shop; a secret key that begins with `test_` makes it a test shop.

    Notifications go to `notify_url` ("" = nobody pasted it), once each: `notify` sends one again. With `retry_s`
    one that was not answered 200 is redelivered, after that many seconds and then ever more rarely.
    `chat_url` is where the payment page sends the person back to; `recipient=False` leaves it out of payments.
    `partner_token` is the OAuth token that may register webhooks ("" = nobody may).
    """

    shop_id: str = "100500"
    secret: str = "test_sandbox"
    notify_url: str = ""
    partner_token: str = ""
    retry_s: float = 0
    chat_url: str = ""
    recipient: bool = True
    service = "yookassa"
    base_path = "/v3"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.payments: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.webhooks: dict[str, dict[str, str]] = {}
        self._keys: dict[str, tuple[str, dict[str, Any]]] = {}
        self._shown: dict[str, dict[str, Any]] | None = None

    # What a test and the payment page do

    async def pay(self, payment_id: str) -> int:
        """The person pays; the notification's status (0: no answer, or no `notify_url`)."""
        self._succeed(self.payments[payment_id])
        return await self.notify(payment_id)

    async def cancel(self, payment_id: str, reason: str = "expired_on_confirmation") -> int:
        """The payment dies unpaid; the notification's status."""
        self._cancel(self.payments[payment_id], reason)
        return await self.notify(payment_id)

    async def refund(self, payment_id: str, amount: str | None = None) -> int:
        """The shop gives `amount` ("50.00") or all that is left back; the notification's status."""
        return await self.send("refund.succeeded", self.give_back(payment_id, amount))

    def give_back(self, payment_id: str, amount: str | None = None) -> dict[str, Any]:
        """The refund that `refund` makes, before anybody is told; ValueError where it cannot be."""
        payment = self.payments[payment_id]
        left = _value(payment) - Decimal(payment.get("refunded_amount", {}).get("value", "0"))
        try:
            return self._refund(payment, Decimal(amount) if amount else left)
        except InvalidOperation:
            raise ValueError(f"{amount}: not an amount") from None

    def lag(self, for_s: float = 0) -> None:
        """From now on payments show no further refund, for so many seconds, or until `catch_up` or `heal`."""
        if for_s:
            asyncio.get_running_loop().call_later(for_s, self.catch_up)
        amounts = {key: payment.get("refunded_amount") for key, payment in self.payments.items()}
        self._shown = {key: {"refunded_amount": amount} for key, amount in amounts.items() if amount}

    def catch_up(self) -> None:
        """Payments show every refund."""
        self._shown = None

    def heal(self) -> None:
        super().heal()
        self.catch_up()

    async def notify(self, payment_id: str) -> int:
        """Send the notification of the payment's status (again)."""
        payment = self.payments[payment_id]
        return await self.send(EVENTS[payment["status"]], payment)

    async def repeat(self, payment_id: str) -> None:
        """Send the notifications of the payment and of its refunds again."""
        await self.notify(payment_id)
        for refund in list(self.refunds.values()):
            if refund["payment_id"] == payment_id:
                await self.send("refund.succeeded", refund)

    async def send(self, event: str, thing: dict[str, Any]) -> int:
        """Send any notification once, true or not; its status."""
        if not self.notify_url:
            return 0
        body = {"type": "notification", "event": event, "object": deepcopy(thing)}
        status = await self.deliver(self.notify_url, body, lambda: (self.notify_url, _forged(body)))
        if status != 200 and self.retry_s:
            self.spawn(self._redeliver(body))
        return status

    async def _redeliver(self, body: dict[str, Any]) -> None:
        status, pause = 0, self.retry_s
        while status != 200:
            await asyncio.sleep(pause)
            pause = min(pause * 2, 3600)
            status = await self.deliver(self.notify_url, body, lambda: (self.notify_url, _forged(body)))

    def _succeed(self, payment: dict[str, Any]) -> None:
        if payment["status"] != "pending":
            raise ValueError(f"{payment['status']}: cannot be paid")
        payment.update(status="succeeded", paid=True, refundable=True, captured_at=_now())
        self.changed()

    def _cancel(self, payment: dict[str, Any], reason: str = "expired_on_confirmation") -> None:
        if payment["status"] != "pending":
            raise ValueError(f"{payment['status']}: cannot be canceled")
        party = "yoo_money" if reason.startswith("expired") else "payment_network"
        payment.update(status="canceled", cancellation_details={"party": party, "reason": reason})
        self.changed()

    # The HTTP side

    def routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v3/payments", self._create, name="payments.create")
        router.add_get("/v3/payments", self._list, name="payments.list")
        router.add_get("/v3/payments/{id}", self._get, name="payments.get")
        router.add_post("/v3/refunds", self._create_refund, name="refunds.create")
        router.add_get("/v3/refunds/{id}", self._get_refund, name="refunds.get")
        router.add_get("/v3/webhooks", self._list_webhooks, name="webhooks.list")
        router.add_post("/v3/webhooks", self._add_webhook, name="webhooks.add")
        router.add_delete("/v3/webhooks/{id}", self._remove_webhook, name="webhooks.remove")
        router.add_get("/v3/me", self._me, name="me")
        router.add_get("/pay/{id}", self._page, name="page")
        router.add_post("/pay/{id}/{action}", self._act, name="page.act")

    def error(self, status: int, description: str) -> web.Response:
        code = {401: "invalid_credentials", 404: "not_found"}.get(status, "invalid_request")
        body = {"type": "error", "id": str(uuid.uuid4()), "code": code, "description": description}
        return web.json_response(body, status=status)

    def _refused(self, request: web.Request) -> web.Response | None:
        pair = base64.b64encode(f"{self.shop_id}:{self.secret}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {pair}":
            return self.error(401, "Basic authentication failed")
        return None

    async def _create(self, request: web.Request) -> web.StreamResponse:
        return await self._once(request, self._new_payment)

    async def _create_refund(self, request: web.Request) -> web.StreamResponse:
        return await self._once(request, self._new_refund)

    async def _once(self, request: web.Request, make: Callable[[dict[str, Any]], dict[str, Any]]) -> web.StreamResponse:
        """The same key and body: the same thing; the same key and another body: 400."""
        if refused := self._refused(request):
            return refused
        key = request.headers.get("Idempotence-Key", "")
        if not 1 <= len(key) <= 64:
            return self.error(400, "Idempotence-Key is missing or too long")
        body = await request.json()
        text = request.path + json.dumps(body, sort_keys=True)
        if key in self._keys:
            known, thing = self._keys[key]
            if known != text:
                return self.error(400, "Idempotence key duplicated")
            return web.json_response(self._told(thing))
        try:
            thing = make(body)
        except (ValueError, KeyError, TypeError, InvalidOperation) as error:
            return self.error(400, f"Invalid request: {error}")
        self._keys[key] = (text, thing)
        self.changed()
        return web.json_response(self._told(thing))

    def _told(self, thing: dict[str, Any]) -> dict[str, Any]:
        """A payment or a refund as it is answered."""
        told = {name: value for name, value in thing.items() if self.recipient or name != "recipient"}
        if self._shown is not None and "refunded_amount" in told:
            told.pop("refunded_amount")
            told |= self._shown.get(thing["id"], {})
        return told

    def _new_payment(self, body: dict[str, Any]) -> dict[str, Any]:
        amount, confirmation = body["amount"], body["confirmation"]
        if amount["currency"] != "RUB" or not Decimal("1") <= Decimal(amount["value"]) <= 1_000_000:
            raise ValueError("amount")
        if confirmation.get("type") != "redirect" or not confirmation.get("return_url"):
            raise ValueError("confirmation")
        if body.get("capture") is not True:
            raise ValueError("capture: the sandbox knows one-stage payments only")
        if len(body.get("description", "")) > 128:
            raise ValueError("description")
        metadata = body.get("metadata") or {}
        if len(metadata) > 16 or any(len(k) > 32 or len(str(v)) > 512 for k, v in metadata.items()):
            raise ValueError("metadata")
        payment_id = f"{uuid.uuid4().hex[:8]}-000f-5000-8000-{uuid.uuid4().hex[:12]}"
        url = f"{self.origin}/pay/{payment_id}"
        self.payments[payment_id] = {
            "id": payment_id,
            "status": "pending",
            "paid": False,
            "amount": {"value": f"{Decimal(amount['value']):.2f}", "currency": "RUB"},
            "confirmation": {
                "type": "redirect",
                "return_url": confirmation["return_url"],
                "confirmation_url": url,
            },
            "created_at": _now(),
            "description": body.get("description", ""),
            "metadata": {name: str(value) for name, value in metadata.items()},
            "recipient": {"account_id": self.shop_id, "gateway_id": "1"},
            "refundable": False,
            "test": self.secret.startswith("test_"),
        }
        return self.payments[payment_id]

    def _new_refund(self, body: dict[str, Any]) -> dict[str, Any]:
        refund = self._refund(self.payments[body["payment_id"]], Decimal(body["amount"]["value"]))
        self.spawn(self.send("refund.succeeded", refund))
        return refund

    def _refund(self, payment: dict[str, Any], amount: Decimal) -> dict[str, Any]:
        before = Decimal(payment.get("refunded_amount", {}).get("value", "0"))
        if payment["status"] != "succeeded" or not 0 < amount <= _value(payment) - before:
            raise ValueError("the payment cannot be refunded by that much")
        payment["refunded_amount"] = {"value": f"{before + amount:.2f}", "currency": "RUB"}
        payment["refundable"] = before + amount < _value(payment)
        refund = {
            "id": str(uuid.uuid4()),
            "status": "succeeded",
            "payment_id": payment["id"],
            "amount": {"value": f"{amount:.2f}", "currency": "RUB"},
            "created_at": _now(),
        }
        self.refunds[refund["id"]] = refund
        self.changed()
        return refund

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refused(request):
            return refused
        payment = self.payments.get(request.match_info["id"])
        return web.json_response(self._told(payment)) if payment else self.error(404, "Payment doesn't exist")

    async def _get_refund(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refused(request):
            return refused
        refund = self.refunds.get(request.match_info["id"])
        return web.json_response(refund) if refund else self.error(404, "Refund doesn't exist")

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refused(request):
            return refused
        status = request.query.get("status")
        items = [self._told(p) for p in reversed(self.payments.values()) if status in (None, p["status"])]
        limit = int(request.query.get("limit", 10))
        return web.json_response({"type": "list", "items": items[:limit]})

    async def _list_webhooks(self, request: web.Request) -> web.StreamResponse:
        items = list(self.webhooks.values())
        return self._not_a_partner(request) or web.json_response({"type": "list", "items": items})

    async def _add_webhook(self, request: web.Request) -> web.StreamResponse:
        if refused := self._not_a_partner(request):
            return refused
        body = await request.json()
        webhook = {"id": f"wh-{uuid.uuid4()}", "event": str(body["event"]), "url": str(body["url"])}
        self.webhooks[webhook["id"]] = webhook
        self.changed()
        return web.json_response(webhook)

    async def _remove_webhook(self, request: web.Request) -> web.StreamResponse:
        if refused := self._not_a_partner(request):
            return refused
        removed = self.webhooks.pop(request.match_info["id"], None)
        self.changed()
        return web.json_response({}) if removed else self.error(404, "Webhook doesn't exist")

    def _not_a_partner(self, request: web.Request) -> web.Response | None:
        if not self.partner_token or request.headers.get("Authorization") != f"Bearer {self.partner_token}":
            return self.error(401, "An OAuth token of a partner is required")
        return None

    async def _me(self, request: web.Request) -> web.StreamResponse:
        test = self.secret.startswith("test_")
        body = {"account_id": self.shop_id, "status": "enabled", "test": test, "fiscalization_enabled": False}
        return self._refused(request) or web.json_response(body)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        payment = self.payments.get(request.match_info["id"])
        if payment is None:
            return self.error(404, "Payment doesn't exist")
        return web.Response(text=_filled(payment, self.chat_url), content_type="text/html")

    async def _act(self, request: web.Request) -> web.StreamResponse:
        payment = self.payments.get(request.match_info["id"])
        action = request.match_info["action"]
        if payment is None or action not in ("pay", "cancel"):
            return self.error(404, "Payment doesn't exist")
        if payment["status"] == "pending":
            if action == "pay":
                self._succeed(payment)
            else:
                self._cancel(payment)
            # The person sees the outcome at once, however long the notification takes.
            self.spawn(self.notify(payment["id"]))
        raise web.HTTPSeeOther(f"/pay/{payment['id']}")


def _value(payment: dict[str, Any]) -> Decimal:
    return Decimal(payment["amount"]["value"])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _forged(body: dict[str, Any]) -> dict[str, Any]:
    """The same words about a payment that nobody made."""
    return {**body, "object": {**body["object"], "id": str(uuid.uuid4()), "payment_id": str(uuid.uuid4())}}


def _filled(payment: dict[str, Any], chat_url: str) -> str:
    person = str(payment["metadata"].get("user_id", ""))
    back = f"{chat_url}/?{urlencode({'person': person, 'start': 'success'})}"
    return Template(_PAGE.read_text()).substitute(
        id=payment["id"],
        status=payment["status"],
        description=escape(payment["description"] or "Покупка"),
        amount=f"{_value(payment):,.2f}".replace(",", " ").replace(".", ",").removesuffix(",00"),
        shop=escape(payment["recipient"]["account_id"]),
        back=escape(back),
    )
