"""The access log: one line a request. The address is logged as its route: as it came it may bear a proof."""

import asyncio
import time

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

log = structlog.get_logger()

_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""What platforms and monitors ask all day: logged at DEBUG, however it ends. What is missing has lines of its own."""


@web.middleware
async def access_log(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Logs how a request ended and how long it took; the ids that were bound while it was answered are on the line."""
    # The requests of one connection share a context
    structlog.contextvars.clear_contextvars()
    started = time.perf_counter()
    status, size = 500, None
    try:
        response = await handler(request)
        status, size = response.status, response.content_length
        return response
    except web.HTTPException as error:
        status, size = error.status, error.content_length
        raise
    except asyncio.CancelledError:
        status = 499  # as nginx says it: the client has gone
        raise
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "unknown"
        write = log.debug if route in _QUIET else log.info
        write(
            "http.request",
            route=route,
            method=request.method,
            status=status,
            ms=round((time.perf_counter() - started) * 1000, 1),
            bytes=size,
        )
