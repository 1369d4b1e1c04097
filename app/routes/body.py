"""The body of a webhook: bytes that anybody may send, read as one JSON object or as nothing."""

import asyncio
import json
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

READ_S = 10.0
"""A body has this long to arrive; one that drips for longer is given up."""


async def json_object(request: web.Request) -> dict[str, Any] | None:
    """The JSON object that the body is; None where it is none, or broke off.

    Raises HTTPRequestTimeout (408) for one that takes too long, HTTPRequestEntityTooLarge (413) for one over the limit.
    """
    try:
        async with asyncio.timeout(READ_S):
            raw = await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (web.RequestPayloadError, HttpProcessingError, OSError):
        return None
    try:
        body = json.loads(raw.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):  # also: a number of more digits than Python converts
        return None
    return body if isinstance(body, dict) else None


def _refuse(constant: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(constant)
