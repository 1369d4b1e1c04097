"""`POST /gen/callback`: believed where its address proves it, a hint to ask gen-api where it does not."""

import asyncio

import structlog
from aiohttp import web

from app import keys
from app.clients.genapi import parse_outcome, parse_request_id
from app.faults import INFRASTRUCTURE
from app.proofs import proof_holds
from app.routes.body import json_object

log = structlog.get_logger()

_PATIENCE_S = 15


async def handle(request: web.Request) -> web.Response:
    """200 {"ok": bool}; 400 for no JSON object with a usable request id; 503: could not be read or stored now."""
    secret = request.app[keys.SETTINGS].webhook_secret.get_secret_value()
    proven = proof_holds(secret, request.query.get("generation", ""), request.query.get("proof", ""))
    read = request.app[keys.UNPROVEN].json_object if proven is None else json_object
    body = await read(request) or {}
    request_id = parse_request_id(body)
    if request_id is None:
        return web.json_response({"ok": False, "error": "no usable request_id"}, status=400)
    settling = request.app[keys.SETTLING]
    try:
        async with asyncio.timeout(_PATIENCE_S):
            if proven is None:
                known = await settling.hint(request_id)
            else:
                known = await settling.callback(proven, request_id, parse_outcome(body))
    except INFRASTRUCTURE as error:
        log.warning("gen_callback.not_stored", request_id=request_id, error=repr(error))
        return web.json_response({"ok": False}, status=503, headers={"Retry-After": "1"})
    return web.json_response({"ok": known})
