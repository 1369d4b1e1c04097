"""`POST /yookassa/webhook`: a notification says where to look, and is believed in nothing else."""

import asyncio
from typing import Any
from uuid import UUID

import structlog
from aiohttp import web

from app import keys
from app.faults import INFRASTRUCTURE
from app.flows.purchases.notified import Notification
from app.gateways.port import Unavailable

log = structlog.get_logger()

_PATIENCE_S = 15
_LATER: tuple[type[Exception], ...] = (Unavailable, *INFRASTRUCTURE)


async def handle(request: web.Request) -> web.Response:
    """200: dealt with, known, untrue or not ours; 400: no notification; 503: not read, verified or stored now."""
    parsed = _parse(await request.app[keys.UNPROVEN].json_object(request))
    if parsed is None:
        return web.json_response({"ok": False, "error": "not a notification"}, status=400)
    links = request.app[keys.PURCHASES].links
    assert links is not None, "the route is there only where PAYMENTS names yookassa"
    try:
        async with asyncio.timeout(_PATIENCE_S):
            ours = await links.notified.of(parsed)
    except _LATER as error:
        log.warning("yookassa_webhook.not_verified", provider_id=parsed.charge_id, error=repr(error))
        return web.json_response({"ok": False}, status=503, headers={"Retry-After": "5"})
    return web.json_response({"ok": ours})


def _parse(body: dict[str, Any] | None) -> Notification | None:
    """What the body claims; None for no notification."""
    if body is None or body.get("type") != "notification":
        return None
    event, thing = body.get("event"), body.get("object")
    if not isinstance(event, str) or not isinstance(thing, dict):
        return None
    of_refund = event.startswith("refund.")
    charge_id = _id(thing.get("payment_id" if of_refund else "id"))
    if charge_id is None:
        return None
    return Notification(charge_id, _ours(thing.get("metadata")), _id(thing.get("id")) if of_refund else None)


def _id(value: object) -> str | None:
    """An id that can stand in a URL's path: YooKassa's are letters, digits and hyphens."""
    if not isinstance(value, str) or not 0 < len(value) <= 64 or not value.isascii():
        return None
    return value if all(char.isalnum() or char in "-_" for char in value) else None


def _ours(metadata: object) -> UUID | None:
    claimed = metadata.get("payment_id") if isinstance(metadata, dict) else None
    try:
        return UUID(claimed) if isinstance(claimed, str) else None
    except ValueError:
        return None
