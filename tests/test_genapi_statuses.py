"""What each HTTP status of gen-api's means for an order, a question and the balance."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from app.clients.genapi import GenApi, NotAccepted, NotFound, Outcome, Refused, Request, Unavailable, Unknown

REQUEST = Request("network", {"prompt": "a cat"}, addresses=())


@dataclass
class Service:
    """gen-api, which answers everything alike; `client` asks it."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    address: str = ""

    @property
    def client(self) -> GenApi:
        return GenApi(self.address, "a-key-of-the-tests")

    async def creates(self) -> int:
        client = self.client
        try:
            return await client.create(REQUEST)
        finally:
            await client.close()

    async def put_off_by(self, value: str) -> float:
        """The seconds that an order is put off by which is answered 429 with that Retry-After."""
        self.status, self.headers = 429, {"Retry-After": value}
        with pytest.raises(NotAccepted) as put_off:
            await self.creates()
        return put_off.value.retry_after_s

    async def asked(self) -> Outcome:
        client = self.client
        try:
            return await client.ask(7)
        finally:
            await client.close()

    async def balance(self) -> Decimal:
        client = self.client
        try:
            return await client.balance()
        finally:
            await client.close()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    held = Service()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=held.status, text=held.body, headers=held.headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    held.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield held
    await runner.cleanup()


@pytest.mark.parametrize("status", [200, 201])
async def test_an_order_is_accepted_with_its_number(service: Service, status: int) -> None:
    service.status, service.body = status, '{"request_id": 77}'
    assert await service.creates() == 77


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, "{}", Unknown),
        (302, '{"request_id": 77}', Unknown),
        (500, '{"request_id": 77}', Unknown),
        (400, "", Refused),
        (401, "", Refused),
        (402, "", Refused),
        (404, "", Refused),
        (422, "", Refused),
        (419, "", NotAccepted),
        (429, "", NotAccepted),
        (503, "", NotAccepted),
    ],
)
async def test_an_order_is_refused_put_off_or_of_unknown_outcome(
    service: Service, status: int, body: str, error: type[Exception]
) -> None:
    service.status, service.body = status, body
    with pytest.raises(error):
        await service.creates()


async def test_a_refusal_is_one_though_its_text_is_too_long_and_an_acceptance_is_none(service: Service) -> None:
    """The status says the first; of the second the number is lost, and the log is to say why."""
    service.body = "x" * (2 << 20)
    for status, error, said in ((422, Refused, "422"), (200, Unknown, "more than 1 MiB")):
        service.status = status
        with pytest.raises(error, match=said):
            await service.creates()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("12345678901234", 123456789),
        ("²", 0),
        ("soon", 0),
    ],
)
async def test_what_is_put_off_says_for_how_long(service: Service, value: str, seconds: float) -> None:
    assert await service.put_off_by(value) == seconds


async def test_what_is_put_off_says_until_when(service: Service) -> None:
    """With a zone, another's too, or without one; never less than not at all."""
    hour = datetime.now(UTC) + timedelta(hours=1)
    moscow = format_datetime(hour.astimezone(timezone(timedelta(hours=3))))
    for value in (format_datetime(hour, usegmt=True), moscow, f"{hour:%a, %d %b %Y %H:%M:%S} -0000"):
        assert await service.put_off_by(value) == pytest.approx(3600, abs=60)
    assert await service.put_off_by(format_datetime(hour - timedelta(hours=2), usegmt=True)) == 0


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("9" * 20, None),
        ("9" * 5000, None),
        ("٧", None),
        ("seven", None),
        (0, None),
        (True, None),
    ],
)
async def test_a_number_is_one_that_a_row_can_hold(service: Service, value: object, number: int | None) -> None:
    service.body = json.dumps({"request_id": value})
    if number is not None:
        assert await service.creates() == number
        return
    with pytest.raises(Unknown):
        await service.creates()


async def test_an_answer_may_be_of_a_mebibyte(service: Service) -> None:
    answer = '{"status": "processing"}'
    service.body = answer.ljust(1 << 20)
    assert await service.asked() == Outcome(False)
    service.body = answer.ljust((1 << 20) + 1)
    with pytest.raises(Unavailable):
        await service.asked()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, "", NotFound),
        (404, "", NotFound),
        (200, "", Unavailable),
        (200, "{}", Unavailable),
        (500, '{"status": "success"}', Unavailable),
    ],
)
async def test_a_question_about_nothing_or_without_an_answer(
    service: Service, status: int, body: str, error: type[Exception]
) -> None:
    service.status, service.body = status, body
    with pytest.raises(error):
        await service.asked()


async def test_a_question_is_answered(service: Service) -> None:
    service.body = '{"status": "processing"}'
    assert await service.asked() == Outcome(False)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, '{"balance": "12.5"}', Decimal("12.5")),
        (200, '{"balance": "NaN"}', Unavailable),
        (200, '{"balance": "much"}', Unavailable),
        (200, "{}", Unavailable),
        (500, '{"balance": "12.5"}', Unavailable),
        (401, "", Refused),
        (403, "", Refused),
    ],
)
async def test_a_balance_is_a_number_that_the_service_says(
    service: Service, status: int, body: str, expected: Any
) -> None:
    service.status, service.body = status, body
    if isinstance(expected, Decimal):
        assert await service.balance() == expected
        return
    with pytest.raises(expected):
        await service.balance()
