"""The body of a webhook: bytes that anybody may send, read as one JSON object or as nothing."""

import asyncio
import json
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

BODY_LIMIT = 1024 * 1024

READ_S = 10.0
"""A body has this long to arrive; one that drips for longer is given up."""

SMALL = 64 * 1024
"""A true notification is a few kilobytes."""

_SMALL_AT_ONCE, _LARGE_AT_ONCE = 64, 4


class Unproven:
    """Room for bodies that nothing proves genuine: 64 at once of those that say to be small, and four others.

    What is sent by thousands of strangers at once is not kept in memory (8 MiB at most), and a true notification, which
    is small and comes in one piece, nearly always finds room. It is sent again if not.
    """

    def __init__(self) -> None:
        self._small = asyncio.Semaphore(_SMALL_AT_ONCE)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def json_object(self, request: web.Request) -> dict[str, Any] | None:
        """As `json_object` below; raises HTTPServiceUnavailable (503) where too many are being read."""
        length = request.content_length
        room = self._small if length is not None and length <= SMALL else self._large
        if room.locked():
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"})
        async with room:
            return await json_object(request)


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
