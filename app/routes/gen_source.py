"""`GET /gen/source/…`: the checked bytes of a person's picture, for a model that takes pictures by address."""

import asyncio
from uuid import UUID

import structlog
from aiohttp import web

from app import keys
from app.faults import INFRASTRUCTURE, TELEGRAM
from app.flows.orders.sources import Unusable
from app.proofs import source_proof_holds

log = structlog.get_logger()

_PATIENCE_S = 25


async def handle(request: web.Request) -> web.Response:
    """200 with the picture while the order is open, else 404; 503 when it could not be had now."""
    number = request.match_info["number"]
    try:
        generation_id = UUID(request.match_info["generation"])
    except ValueError:
        raise web.HTTPNotFound from None
    secret = request.app[keys.SETTINGS].webhook_secret.get_secret_value()
    if not source_proof_holds(secret, generation_id, int(number), request.query.get("proof", "")):
        raise web.HTTPNotFound
    try:
        async with asyncio.timeout(_PATIENCE_S):
            picture = await request.app[keys.SOURCES].of_order(generation_id, int(number))
    except Unusable:
        raise web.HTTPNotFound from None
    except (*INFRASTRUCTURE, *TELEGRAM) as error:
        log.warning("gen_source.not_served", generation_id=str(generation_id), error=repr(error))
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"}) from None
    if picture is None:
        raise web.HTTPNotFound
    return web.Response(body=picture.data, content_type=picture.mime, headers={"Cache-Control": "no-store"})
