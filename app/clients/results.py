"""Fetches results from addresses somebody else names: public https, or the host of GEN_API_URL, nothing else."""

import asyncio
import ipaddress
import socket
from contextlib import AsyncExitStack
from io import BytesIO
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

FETCH_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 5
SILENCE_S = 10
"""A host that sends nothing for so long is taken for one that hangs."""

MAX_BYTES = 50 * 1024 * 1024
"""What a bot can send as a document."""

LITTLE_BYTES = 8 * 1024 * 1024
"""More than any size of the catalogue weighs. What is larger waits for room, so that a few of them fit into memory."""

MAX_REDIRECTS = 3
LOOKUPS = 8
"""Names looked up at once: each takes a thread, and may hang in it."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_REDIRECTS = {301, 302, 303, 307, 308}


class LinkDead(Exception):
    """Nothing will ever be fetched from this address: gone, forbidden, or refused here."""


class Unreachable(Exception):
    """Nothing could be fetched now."""


class Crowded(Exception):
    """There is no room for so large a picture now; nothing is wrong with it or its host."""


class Results:
    """A client without credentials that connects to public addresses and to one trusted host."""

    def __init__(self, gen_api_url: str) -> None:
        self._trusted = URL(gen_api_url).host
        self._opened: aiohttp.ClientSession | None = None
        self._large = asyncio.Semaphore(1)

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_PublicResolver(self._trusted)),
                # No cookies: what one host sets is nothing another should see
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_S),
                # Pictures are compressed as they are, and a bomb is none that way
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
            )
        return self._opened

    async def fetch(self, url: str, held: AsyncExitStack) -> bytes:
        """The bytes behind `url`, at most 50 MB, within 30 s. Raises LinkDead, Unreachable, or Crowded.

        `held` gives the room of a large picture back: it is closed when the caller has no more use for the bytes.
        """
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                return await self._follow(URL(url), held)
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _NotPublic):
                raise LinkDead(str(error.os_error)) from error
            raise Unreachable(repr(error)) from error
        except (aiohttp.InvalidURL, ValueError) as error:
            raise LinkDead(f"not an address: {error}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(repr(error)) from error

    async def _follow(self, url: URL, held: AsyncExitStack) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            self._check(url)
            async with self._session().get(url, allow_redirects=False) as response:
                if response.status in _REDIRECTS and "Location" in response.headers:
                    url = url.join(URL(response.headers["Location"]))
                    continue
                if response.status in {403, 404, 410}:
                    raise LinkDead(f"status {response.status}")
                if response.status != 200:
                    raise Unreachable(f"status {response.status}")
                return await self._read(response, held)
        raise LinkDead("too many redirects")

    def _check(self, url: URL) -> None:
        """Refuses what the resolver never sees: other schemes, and addresses written as numbers."""
        if not url.host or url.scheme not in {"http", "https"}:
            raise LinkDead("not an http address")
        if url.host == self._trusted:
            return
        if url.scheme != "https":
            raise LinkDead("not https")
        try:
            literal = ipaddress.ip_address(url.host)
        except ValueError:
            return
        if not _is_public(literal):
            raise LinkDead(f"{url.host} is not public")

    async def _read(self, response: aiohttp.ClientResponse, held: AsyncExitStack) -> bytes:
        expected, alone = response.content_length or 0, False
        body = BytesIO()
        async for chunk in response.content.iter_chunked(65536):
            body.write(chunk)
            length = max(expected, body.tell())
            if length > MAX_BYTES:
                raise LinkDead("more than 50 MB")
            if length > LITTLE_BYTES and not alone:
                if self._large.locked():
                    raise Crowded(f"{length} bytes, and another large picture is under way")
                await held.enter_async_context(self._large)
                alone = True
        return body.getvalue()

    async def close(self) -> None:
        """Closes what was opened."""
        if self._opened is not None:
            await self._opened.close()


class _NotPublic(OSError):
    """A name that leads to no public address."""


class _PublicResolver(AbstractResolver):
    """Resolves to public addresses only, so that the address checked is the one connected to."""

    def __init__(self, trusted: str | None) -> None:
        self._trusted = trusted
        self._inner = aiohttp.ThreadedResolver()
        self._places = asyncio.Semaphore(LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        # aiohttp lets a look-up that nobody waits for any more run on, and so it keeps its place
        async with self._places:
            found = await self._inner.resolve(host, port, family)
        if host == self._trusted:
            return found
        public = [one for one in found if _is_public(ipaddress.ip_address(one["host"].partition("%")[0]))]
        if not public:
            raise _NotPublic(f"{host} leads to no public address")
        return public

    async def close(self) -> None:
        await self._inner.close()


def _is_public(address: Any) -> bool:
    """Whether an IPv4 or IPv6 address is anybody's to reach; one wrapped in another is judged by the inner."""
    if address.version == 6:
        if inner := address.ipv4_mapped or address.sixtofour:
            return _is_public(inner)
        if address in _NAT64:
            return _is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return bool(address.is_global and not address.is_multicast)
