"""Results are fetched from public https or from gen-api's own host, whatever an address pretends."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from app.clients.results import LITTLE_BYTES, MAX_REDIRECTS, Crowded, LinkDead, Results, Unreachable

type Fetch = Callable[[str], Awaitable[bytes]]


async def answer(request: web.Request) -> web.StreamResponse:
    asked = request.query
    if "to" in asked:
        return web.Response(status=302, headers={"Location": asked["to"]})
    if "drip" in asked:
        await asyncio.Event().wait()
    if "zipped" in asked:
        return web.Response(body=gzip.compress(bytes(1000)), headers={"Content-Encoding": "gzip"})
    if "chunks" in asked:
        streamed = web.StreamResponse()
        await streamed.prepare(request)
        for _ in range(int(asked["chunks"])):
            await streamed.write(bytes(2**20))
        return streamed
    beside = {"Location": asked["beside"]} if "beside" in asked else {}
    times = int(asked.get("times", "1"))
    return web.Response(status=int(asked.get("status", "200")), body=b"picture" * times, headers=beside)


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_get("/", answer)
    server = TestServer(app)
    async with server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[Results]:
    client = Results("http://127.0.0.1:1/api/v1")
    yield client
    await client.close()


@pytest.fixture
async def results(client: Results) -> AsyncIterator[Fetch]:
    """Fetches, and keeps the room until the test ends."""
    async with AsyncExitStack() as held:
        yield lambda url: client.fetch(url, held)


async def test_the_host_of_gen_api_is_trusted_on_any_port(results: Fetch, server: TestServer) -> None:
    assert await results(str(server.make_url("/"))) == b"picture"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/1.png",
        "file:///etc/passwd",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://localhost/",
        "https://2130706433/",
        "https://224.0.0.1/",
        "https://",
        "nonsense",
        "https://[",
    ],
)
async def test_an_address_that_is_not_public_https_is_refused(results: Fetch, server: TestServer, url: str) -> None:
    with pytest.raises(LinkDead):
        await results(url)
    with pytest.raises(LinkDead):
        await results(str(server.make_url("/").with_query(to=url)))


async def test_a_redirect_is_followed_but_not_for_ever(results: Fetch, server: TestServer) -> None:
    """As often as is allowed, and not once more."""
    most = "/?to=" * (MAX_REDIRECTS - 1)
    assert await results(str(server.make_url("/").with_query(to=f"{most}/"))) == b"picture"
    with pytest.raises(LinkDead, match="redirects"):
        await results(str(server.make_url("/").with_query(to=f"{most}/?to=/")))


async def test_an_address_beside_a_picture_is_no_redirect(results: Fetch, server: TestServer) -> None:
    """The picture is what was asked for, whatever else its answer names."""
    assert await results(str(server.make_url("/").with_query(beside="/?status=404"))) == b"picture"


@pytest.mark.parametrize(
    ("status", "error"), [(404, LinkDead), (410, LinkDead), (403, LinkDead), (500, Unreachable), (302, Unreachable)]
)
async def test_gone_is_told_from_away(results: Fetch, server: TestServer, status: int, error: type[Exception]) -> None:
    """A redirect that leads nowhere is as good as no answer."""
    with pytest.raises(error):
        await results(str(server.make_url("/").with_query(status=str(status))))


async def test_a_host_that_is_down_may_come_back(results: Fetch) -> None:
    with pytest.raises(Unreachable):
        await results(f"http://127.0.0.1:{unused_port()}/")


async def test_a_host_that_says_nothing_is_given_up_soon(
    results: Fetch, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the end of the time for the whole fetch."""
    monkeypatch.setattr("app.clients.results.SILENCE_S", 0.2)
    async with asyncio.timeout(5):
        with pytest.raises(Unreachable):
            await results(str(server.make_url("/").with_query(drip="1")))


@pytest.mark.parametrize("said", [{"chunks": "60"}, {"times": str(8 * 2**20)}])
async def test_a_body_without_end_is_not_read_to_it(results: Fetch, server: TestServer, said: dict[str, str]) -> None:
    """56 and 60 MB, announced or not."""
    with pytest.raises(LinkDead, match="50 MB"):
        await results(str(server.make_url("/").with_query(said)))


async def test_nothing_is_unpacked(results: Fetch, server: TestServer) -> None:
    """A picture is compressed as it is; what is not one can be a bomb."""
    assert (await results(str(server.make_url("/").with_query(zipped="1"))))[:2] == b"\x1f\x8b"


async def test_one_large_picture_at_a_time_is_in_memory(client: Results, server: TestServer) -> None:
    """Until whoever had it fetched has no more use for it; what is of a usual size does not wait."""
    large, usual = (str(server.make_url("/").with_query(chunks=chunks)) for chunks in ("9", "7"))
    async with AsyncExitStack() as first:
        assert len(await client.fetch(large, first)) > LITTLE_BYTES
        async with AsyncExitStack() as second:
            with pytest.raises(Crowded):
                await client.fetch(large, second)
            assert len(await client.fetch(usual, second)) < LITTLE_BYTES
    async with AsyncExitStack() as third:
        assert len(await client.fetch(large, third)) > LITTLE_BYTES
