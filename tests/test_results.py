"""Results are fetched from public https or from gen-api's own host, whatever an address pretends."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from app.clients.results import LinkDead, Results, Unreachable


async def answer(request: web.Request) -> web.Response:
    if "to" in request.query:
        return web.Response(status=302, headers={"Location": request.query["to"]})
    return web.Response(status=int(request.query.get("status", "200")), body=b"picture")


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_get("/", answer)
    server = TestServer(app)
    async with server:
        yield server


@pytest.fixture
async def results() -> AsyncIterator[Results]:
    results = Results("http://127.0.0.1:1/api/v1")
    yield results
    await results.close()


async def test_the_host_of_gen_api_is_trusted_on_any_port(results: Results, server: TestServer) -> None:
    assert await results.fetch(str(server.make_url("/"))) == b"picture"


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
async def test_an_address_that_is_not_public_https_is_refused(results: Results, server: TestServer, url: str) -> None:
    with pytest.raises(LinkDead):
        await results.fetch(url)
    with pytest.raises(LinkDead):
        await results.fetch(str(server.make_url("/").with_query(to=url)))


async def test_a_redirect_is_followed_but_not_for_ever(results: Results, server: TestServer) -> None:
    assert await results.fetch(str(server.make_url("/").with_query(to="/"))) == b"picture"
    with pytest.raises(LinkDead):
        await results.fetch(str(server.make_url("/").with_query(to="/?to=/?to=/?to=/?to=/")))


@pytest.mark.parametrize(("status", "error"), [(404, LinkDead), (410, LinkDead), (403, LinkDead), (500, Unreachable)])
async def test_gone_is_told_from_away(
    results: Results, server: TestServer, status: int, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await results.fetch(str(server.make_url("/").with_query(status=str(status))))


async def test_a_host_that_is_down_may_come_back(results: Results) -> None:
    with pytest.raises(Unreachable):
        await results.fetch(f"http://127.0.0.1:{unused_port()}/")
