"""Results are fetched from public https or from gen-api's own host, whatever an address pretends."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from app.clients.results import LITTLE_BYTES, MAX_BYTES, MAX_REDIRECTS, Crowded, LinkDead, Results, Unreachable

type Fetch = Callable[[str], Awaitable[bytes]]


async def answer(request: web.Request) -> web.StreamResponse:
    asked = request.query
    if "to" in asked:
        return web.Response(status=302, headers={"Location": asked["to"]})
    if "drip" in asked:
        begun = web.StreamResponse(headers={"Content-Length": asked["drip"]})
        await begun.prepare(request)
        await begun.write(b"picture")
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
        "ftp://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:100.64.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
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


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In place of the internet: one name, and what was dialled, where nobody answers."""
    numbers: list[str] = []

    def look_up(host: str, port: int, *_: object, **__: object) -> list[object]:
        found = ["192.168.0.1", "93.184.215.14"] if host == "pictures.example" else [host]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    async def dial(addr_infos: Any, **_: object) -> None:
        numbers.extend(info[4][0] for info in addr_infos)
        raise OSError("nobody answers")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", dial)
    return numbers


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("pictures.example", "93.184.215.14"),
        ("93.184.215.14", "93.184.215.14"),
        ("[2606:4700::7f00:1]", "2606:4700::7f00:1"),
        ("[::ffff:93.184.215.14]", "::ffff:5db8:d70e"),
        ("[64:ff9b::5db8:d70e]", "64:ff9b::5db8:d70e"),
        ("[2002:5db8:d70e::]", "2002:5db8:d70e::"),
    ],
)
async def test_any_public_host_is_asked_by_https(results: Fetch, dialled: list[str], host: str, address: str) -> None:
    """At its public addresses alone, however they are written."""
    with pytest.raises(Unreachable):
        await results(f"https://{host}/1.png")
    assert dialled == [address]


async def test_the_host_of_gen_api_may_be_a_name_of_this_machine(server: TestServer) -> None:
    """By http and by https; a client that has fetched nothing closes as well."""
    client = Results("http://localhost:1/api/v1")
    async with AsyncExitStack() as held:
        assert await client.fetch(f"http://localhost:{server.port}/", held) == b"picture"
        with pytest.raises(Unreachable):
            await client.fetch(f"https://localhost:{server.port}/", held)
    await client.close()
    await Results("http://localhost:1/api/v1").close()


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
            await results(str(server.make_url("/").with_query(drip="9")))


@pytest.mark.parametrize("said", [{"chunks": "60"}, {"times": str(8 * 2**20)}])
async def test_a_body_without_end_is_not_read_to_it(results: Fetch, server: TestServer, said: dict[str, str]) -> None:
    """56 and 60 MB, announced or not."""
    with pytest.raises(LinkDead, match="50 MB"):
        await results(str(server.make_url("/").with_query(said)))


async def test_a_body_that_says_it_is_too_large_is_not_waited_for(results: Fetch, server: TestServer) -> None:
    """Its first bytes say enough."""
    async with asyncio.timeout(2):
        with pytest.raises(LinkDead, match="50 MB"):
            await results(str(server.make_url("/").with_query(drip=str(MAX_BYTES + 1))))


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


async def test_the_largest_picture_is_fetched_and_the_largest_usual_one_waits_for_nobody(
    client: Results, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last byte."""
    picture = str(server.make_url("/"))
    monkeypatch.setattr("app.clients.results.MAX_BYTES", len(b"picture"))
    monkeypatch.setattr("app.clients.results.LITTLE_BYTES", len(b"picture"))
    async with AsyncExitStack() as held:
        for _ in range(2):
            assert await client.fetch(picture, held) == b"picture"
