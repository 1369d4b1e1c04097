"""Who may speak to the sandbox's servers: this machine, and no page of somebody else's that is open on it."""

from aiohttp import web
from aiohttp.typedefs import Handler

_NAMES = ("127.0.0.1", "localhost", "[::1]")


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """403 unless the address asked for is this very port of this machine, and the asking page, if any, is of it too.

    A page on the web reaches a port of this machine in two ways: by asking it as what it is, and a browser then says
    whose page that is (`Origin`); or by a name of its own that it leads to 127.0.0.1 (`Host`).
    """
    port = request.get_extra_info("sockname")[1]
    ours = {f"{name}:{port}" for name in _NAMES}
    if request.headers.get("Host") not in ours:
        raise web.HTTPForbidden(text="Only as 127.0.0.1, localhost or [::1], with the port")
    origin = request.headers.get("Origin")
    if origin is not None and origin.removeprefix("http://") not in ours:
        raise web.HTTPForbidden(text="Not for pages from elsewhere")
    return await handler(request)
