"""`POST /yookassa/webhook`: a notification says where to look, and is believed in nothing else."""

import asyncio
from typing import Any
from uuid import UUID

import structlog
from aiohttp import web

from app import keys
from app.faults import INFRASTRUCTURE
from app.gateways.port import Unavailable

log = structlog.get_logger()

_PATIENCE_S = 15
_LATER: tuple[type[Exception], ...] = (Unavailable, *INFRASTRUCTURE)


async def handle(request: web.Request) -> web.Response:
    """200: dealt with, known, untrue or not ours; 400: no notification; 503: not read, verified or stored now."""
    parsed = _parse(await request.app[keys.UNPROVEN].json_object(request))
    if parsed is None:
        return web.json_response({"ok": False, "error": "not a notification"}, status=400)
    provider_id, claimed_id = parsed
    try:
        async with asyncio.timeout(_PATIENCE_S):
            ours = await request.app[keys.PURCHASES].notified.of(provider_id, claimed_id)
    except _LATER as error:
        log.warning("yookassa_webhook.not_verified", provider_id=provider_id, error=repr(error))
        return web.json_response({"ok": False}, status=503, headers={"Retry-After": "5"})
    return web.json_response({"ok": ours})


def _parse(body: dict[str, Any] | None) -> tuple[str, UUID | None] | None:
    """The payment's id at YooKassa, and the id that the body claims to be ours; None for no notification."""
    if body is None or body.get("type") != "notification":
        return None
    event, thing = body.get("event"), body.get("object")
    if not isinstance(event, str) or not isinstance(thing, dict):
        return None
    provider_id = thing.get("payment_id" if event.startswith("refund.") else "id")
    if not isinstance(provider_id, str) or not _is_id(provider_id):
        return None
    metadata = thing.get("metadata")
    claimed = metadata.get("payment_id") if isinstance(metadata, dict) else None
    try:
        return provider_id, UUID(claimed) if isinstance(claimed, str) else None
    except ValueError:
        return provider_id, None


def _is_id(text: str) -> bool:
    """Whether it can stand in a URL's path: YooKassa's ids are letters, digits and hyphens."""
    return 0 < len(text) <= 64 and text.isascii() and all(char.isalnum() or char in "-_" for char in text)
