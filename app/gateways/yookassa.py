"""YooKassa as a gateway: its JSON, its statuses, its shop and test flag, and what it is told to notify."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from app.gateways.port import Charge, Lane, Order, Refund, Refused, Status, Unavailable
from app.gateways.yookassa_client import Client
from app.settings import Settings

EVENTS = ("payment.succeeded", "payment.canceled", "payment.waiting_for_capture", "refund.succeeded")
"""What the bot is to be told of."""

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_STATUSES = {"pending": Status.PENDING, "succeeded": Status.PAID, "canceled": Status.CANCELED}


@dataclass(frozen=True, slots=True)
class Webhook:
    """A registered notification: `event` goes to `url`."""

    id: str
    event: str
    url: str


class YooKassa:
    """A shop at YooKassa."""

    name = "yookassa"
    currency = "RUB"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.shop_id, self.test = settings.yookassa_shop_id, settings.yookassa_test
        self._client = Client(
            settings.yookassa_api_url,
            settings.yookassa_shop_id,
            settings.yookassa_secret_key.get_secret_value(),
        )
        self._partner = Client(settings.yookassa_api_url, token=settings.yookassa_oauth_token.get_secret_value())

    def request(self, order: Order) -> str:
        """The body of `POST /payments`, with a receipt where the shop sends them (54-FZ)."""
        amount = {"value": f"{order.amount // 100}.{order.amount % 100:02d}", "currency": self.currency}
        body: dict[str, Any] = {
            "amount": amount,
            "capture": True,
            "confirmation": {"type": "redirect", "return_url": order.return_url},
            "description": order.description,
            "metadata": {"payment_id": str(order.payment_id), "user_id": str(order.user_id)},
        }
        if self._settings.yookassa_receipt_email:
            item = {
                "description": order.description,
                "quantity": "1.00",
                "amount": amount,
                "vat_code": self._settings.yookassa_vat_code,
                "payment_mode": "full_payment",
                "payment_subject": "service",
            }
            body["receipt"] = {
                "customer": {"email": order.email or self._settings.yookassa_receipt_email},
                "items": [item],
            }
            if self._settings.yookassa_tax_system_code is not None:
                body["receipt"]["tax_system_code"] = self._settings.yookassa_tax_system_code
        return json.dumps(body, ensure_ascii=False)

    def address_in(self, request: str) -> str | None:
        """The address for the receipt where it is not the shop's own."""
        customer = json.loads(request).get("receipt", {}).get("customer", {})
        email: str | None = customer.get("email")
        return None if email == self._settings.yookassa_receipt_email else email

    async def create(self, request: str, key: str, lane: Lane) -> Charge:
        """`POST /payments` with this very body and Idempotence-Key. Raises Refused or Unavailable."""
        headers = {"Idempotence-Key": key}
        body = await self._client.call(lane, "POST", "/payments", headers, json.loads(request))
        return self._charge(body)

    async def read(self, charge_id: str, lane: Lane) -> Charge | None:
        """`GET /payments/{id}`; None where there is no such payment. Raises Unavailable."""
        body = await self._get(f"/payments/{charge_id}", lane)
        return None if body is None else self._charge(body)

    async def read_refund(self, refund_id: str, lane: Lane) -> Refund | None:
        """`GET /refunds/{id}`; None where there is no such refund, or it was canceled. Raises Unavailable."""
        body = await self._get(f"/refunds/{refund_id}", lane)
        return None if body is None else _refund(body)

    async def webhooks(self) -> list[Webhook]:
        """`GET /webhooks` with YOOKASSA_OAUTH_TOKEN. Raises Refused or Unavailable."""
        body = await self._partner.call(Lane.POLL, "GET", "/webhooks")
        try:
            return [Webhook(str(item["id"]), str(item["event"]), str(item["url"])) for item in body["items"]]
        except (KeyError, TypeError) as error:
            raise Unavailable(f"an answer that is no list: {error!r}") from error

    async def add_webhook(self, event: str, url: str) -> None:
        """`POST /webhooks`. Raises Refused or Unavailable."""
        headers, body = {"Idempotence-Key": str(uuid4())}, {"event": event, "url": url}
        await self._partner.call(Lane.POLL, "POST", "/webhooks", headers, body)

    async def remove_webhook(self, webhook_id: str) -> None:
        """`DELETE /webhooks/{id}`. Raises Refused or Unavailable."""
        await self._partner.call(Lane.POLL, "DELETE", f"/webhooks/{webhook_id}")

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()
        await self._partner.close()

    async def _get(self, path: str, lane: Lane) -> Any:
        """What is there; None for a 404. Any other refusal says nothing about it: Unavailable."""
        try:
            return await self._client.call(lane, "GET", path)
        except Refused as error:
            if error.status == 404:
                return None
            raise Unavailable(str(error)) from error

    def _charge(self, body: Any) -> Charge:
        """A charge out of YooKassa's JSON; raises Unavailable for anything that is no payment.

        A payment without `recipient` is our shop's: the keys that it was read with are.
        """
        try:
            metadata, confirmation = body.get("metadata") or {}, body.get("confirmation") or {}
            refunded = body.get("refunded_amount") or {"value": "0"}
            recipient, details = body.get("recipient") or {}, body.get("cancellation_details") or {}
            return Charge(
                id=str(body["id"]),
                status=_STATUSES.get(str(body["status"]), Status.ODD),
                amount=_kopecks(body["amount"]["value"]),
                currency=str(body["amount"]["currency"]),
                shop_id=str(recipient.get("account_id") or self.shop_id),
                test=body.get("test") is True,
                payment_id=_uuid(metadata.get("payment_id")),
                user_id=_integer(metadata.get("user_id")),
                url=_text(confirmation.get("confirmation_url")),
                refunded=_kopecks(refunded["value"]),
                cancel_reason=_text(details.get("reason")),
                created_at=_instant(body.get("created_at")),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"an answer that is no payment: {error!r}") from error


def _refund(body: Any) -> Refund | None:
    """A refund out of YooKassa's JSON; raises Unavailable for anything that is none."""
    try:
        if body["status"] == "canceled":
            return None
        amount = _kopecks(body["amount"]["value"])
        return Refund(str(body["id"]), str(body["payment_id"]), amount, body["status"] == "succeeded")
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"an answer that is no refund: {error!r}") from error


def _kopecks(value: object) -> int:
    text = str(value)
    if not _AMOUNT.fullmatch(text):
        # An exponent in a few letters is a number of a million digits: a minute of everybody's
        raise ValueError("no amount")
    amount = Decimal(text) * 100
    if amount != amount.to_integral_value():
        raise ValueError("a fraction of a kopeck")
    return int(amount)


def _text(value: object) -> str | None:
    """What PostgreSQL keeps as a text: no NUL, and no half of a surrogate pair."""
    return value if isinstance(value, str) and value.isprintable() else None


def _instant(value: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return instant if instant.tzinfo else None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _integer(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
