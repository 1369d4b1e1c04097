"""What a platform and a monitor ask: alive, ready, and how much of what."""

import hmac

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app import keys


async def healthz(request: web.Request) -> web.Response:
    """200 while the process serves."""
    return web.json_response({"ok": True})


async def readyz(request: web.Request) -> web.Response:
    """200 when everything the bot needs answers, else 503; the object says which does."""
    checks = await request.app[keys.READINESS]()
    return web.json_response(checks, status=200 if all(checks.values()) else 503)


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text for whoever bears METRICS_TOKEN; 404 where that is unset, 401 for anybody else."""
    token = request.app[keys.SETTINGS].metrics_token.get_secret_value()
    if not token:
        raise web.HTTPNotFound
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, f"Bearer {token}".encode()):
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
    await request.app[keys.GAUGES].refresh()
    body = generate_latest(request.app[keys.METRICS].registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
