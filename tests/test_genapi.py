"""The gen-api client tells what was refused, what was not accepted and what nobody can know."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from app.clients import genapi
from app.clients.genapi import GenApi, Outcome, Request, parse_outcome, parse_request_id
from app.pictures import Picture

PICTURE = Picture(b"jpeg bytes", "image/jpeg", "picture.jpg")


class Provider:
    """Answers every call with `status` and `body`, and remembers the last one."""

    def __init__(self) -> None:
        self.status = 200
        self.body = "{}"
        self.form: dict[str, Any] = {}
        self.json: Any = None
        self.request: web.Request | None = None

    async def answer(self, request: web.Request) -> web.Response:
        self.request = request
        if request.content_type == "application/json":
            self.json = await request.json()
        elif request.method == "POST":
            for name, value in (await request.post()).items():
                if isinstance(value, web.FileField):
                    self.form[name] = (value.content_type, value.filename, value.file.read())
                else:
                    self.form[name] = value
        return web.Response(status=self.status, text=self.body)


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
async def client(provider: Provider) -> AsyncIterator[GenApi]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", provider.answer)
    async with TestServer(app) as server:
        client = GenApi(str(server.make_url("/api/v1")), "key")
        yield client
        await client.close()


async def test_an_order_is_a_form_with_the_picture_under_its_true_type(client: GenApi, provider: Provider) -> None:
    provider.status, provider.body = 201, '{"request_id": "28104643", "status": "starting"}'
    assert await client.create(Request("gpt-image-1", {"prompt": "кот"}, "image[]", (PICTURE,))) == 28104643
    assert provider.request is not None
    assert provider.request.path == "/api/v1/networks/gpt-image-1"
    assert provider.request.headers["Authorization"] == "Bearer key"
    assert provider.form["prompt"] == "кот"
    assert provider.form["image[]"] == ("image/jpeg", "picture.jpg", b"jpeg bytes")


@pytest.mark.parametrize(
    ("addresses", "sources"), [((), {}), (("https://bot.example/1",), {"image_urls": ["https://bot.example/1"]})]
)
async def test_an_order_with_addresses_is_json_and_names_those_that_there_are(
    client: GenApi, provider: Provider, addresses: tuple[str, ...], sources: dict[str, list[str]]
) -> None:
    """A network that draws without a picture may refuse an empty list of them."""
    provider.body = '{"request_id": 7}'
    assert await client.create(Request("flux-2-pro", {"prompt": "кот"}, "image_urls", addresses=addresses)) == 7
    assert provider.json == {"prompt": "кот"} | sources


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, genapi.Refused),
        (401, genapi.Refused),
        (402, genapi.Refused),
        (422, genapi.Refused),
        (419, genapi.NotAccepted),
        (429, genapi.NotAccepted),
        (503, genapi.NotAccepted),
        (408, genapi.Unknown),
        (409, genapi.Unknown),
        (500, genapi.Unknown),
        (302, genapi.Unknown),
        (200, genapi.Unknown),
    ],
)
async def test_an_answer_without_an_id_is_told_by_its_status(
    client: GenApi, provider: Provider, status: int, error: type[Exception]
) -> None:
    provider.status, provider.body = status, "<html>"
    with pytest.raises(error):
        await client.create(Request("gpt-image-1", {}, "image[]", (PICTURE,)))


async def test_a_connection_that_was_never_made_ordered_nothing() -> None:
    client = GenApi(f"http://127.0.0.1:{unused_port()}", "key")
    with pytest.raises(genapi.NotAccepted):
        await client.create(Request("gpt-image-1", {}, "image[]", (PICTURE,)))
    await client.close()


async def test_asking_gives_the_outcome_or_says_why_not(client: GenApi, provider: Provider) -> None:
    provider.body = '{"id": 1, "status": "processing"}'
    assert await client.ask(1) == Outcome(False)
    provider.status = 404
    with pytest.raises(genapi.NotFound):
        await client.ask(1)
    provider.status = 502
    with pytest.raises(genapi.Unavailable):
        await client.ask(1)


async def test_the_balance_is_a_number_or_text(client: GenApi, provider: Provider) -> None:
    provider.body = '{"balance": "12.50"}'
    assert await client.balance() == Decimal("12.50")
    provider.body = "[]"
    with pytest.raises(genapi.Unavailable):
        await client.balance()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"request_id": 7}, 7),
        ({"id": "7"}, 7),
        ({"request_id": True}, None),
        ({"request_id": 7.0}, None),
        ({"request_id": "٧"}, None),
        ({"request_id": 2**63}, None),
        ({"request_id": 0}, None),
        ({"request_id": [7]}, None),
        ({}, None),
    ],
)
def test_a_request_id_is_one_type(body: dict[str, Any], expected: int | None) -> None:
    assert parse_request_id(body) == expected


URL = "https://images.gen-api.ru/1.png"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": "success", "result": [URL]}, Outcome(True, url=URL)),
        ({"status": "success", "result": [{"url": URL}]}, Outcome(True, url=URL)),
        ({"status": "success", "result": URL}, Outcome(True, url=URL)),
        ({"status": "success", "full_response": [{"url": URL}]}, Outcome(True, url=URL)),
        ({"status": "success", "result": ["ftp://x"]}, Outcome(True, reason="no picture")),
        ({"status": "success", "result": [f"{URL}\0", f"{URL}\ud800", URL]}, Outcome(True, url=URL)),
        ({"status": "error", "result": [URL]}, Outcome(True, reason=URL)),
        ({"status": "failed", "result": []}, Outcome(True, reason="failed")),
        ({"status": "starting"}, Outcome(False)),
        ({"status": ["success"]}, Outcome(False)),
    ],
)
def test_the_status_is_read_before_the_result(body: dict[str, Any], expected: Outcome) -> None:
    assert parse_outcome(body) == expected


@pytest.mark.parametrize("cost", ["1e999999", "1e400000", "Infinity", "NaN", "-1", 1e300, [], {}])
def test_a_cost_beyond_numbers_is_none_and_keeps_no_picture_from_anybody(cost: object) -> None:
    """What gen-api says of roubles is a note in our books: the order goes on without it."""
    body = {"status": "success", "result": ["https://pictures.example/1.png"], "cost": cost}
    assert parse_outcome(body) == Outcome(True, url="https://pictures.example/1.png")
