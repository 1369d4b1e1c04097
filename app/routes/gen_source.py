"""`GET /gen/source/…`: the checked bytes of a person's picture, for a model that takes pictures by address."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import structlog
from aiohttp import web

from app import keys
from app.faults import INFRASTRUCTURE, TELEGRAM
from app.flows.orders.sources import Unusable
from app.pictures import Picture
from app.proofs import source_proof_holds

log = structlog.get_logger()

_PATIENCE_S = 25
"""For having the picture, and as long again for having it read."""

_PIECE = 64 * 1024


async def handle(request: web.Request) -> web.StreamResponse:
    """200 with the picture while the order is open, else 404; 503 when it could not be had now."""
    number = request.match_info["number"]
    try:
        generation_id = UUID(request.match_info["generation"])
    except ValueError:
        raise web.HTTPNotFound from None
    secret = request.app[keys.SETTINGS].webhook_secret.get_secret_value()
    if not source_proof_holds(secret, generation_id, int(number), request.query.get("proof", "")):
        raise web.HTTPNotFound
    async with AsyncExitStack() as held:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                picture = await request.app[keys.SOURCES].of_order(generation_id, int(number), held)
        except Unusable:
            raise web.HTTPNotFound from None
        except (*INFRASTRUCTURE, *TELEGRAM) as error:
            log.warning("gen_source.not_served", generation_id=str(generation_id), error=repr(error))
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"}) from None
        if picture is None:
            raise web.HTTPNotFound
        return await _send(request, picture)


async def _send(request: web.Request, picture: Picture) -> web.StreamResponse:
    """A piece at a time, as fast as it is read: whoever reads slowly keeps room from others, and not for long."""
    response = web.StreamResponse(headers={"Cache-Control": "no-store"})
    response.content_type, response.content_length = picture.mime, len(picture.data)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await response.prepare(request)
            for start in range(0, len(picture.data), _PIECE):
                await response.write(picture.data[start : start + _PIECE])
            await response.write_eof()
    except TimeoutError:
        log.warning("gen_source.not_read", bytes=len(picture.data))
        # The rest lies in the connection's own buffer
        if request.transport is not None:
            request.transport.abort()
    return response
