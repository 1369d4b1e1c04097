"""YooKassa's client against a raw server that says anything, or nothing: typed errors, deadlines, and no secrets."""

import asyncio
import base64
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from app.gateways.port import Lane, Refused, Unavailable
from app.gateways.yookassa import YooKassa
from local.ports import free_port
from tests.flows import flow_settings

SHOP, KEY = "100500", "test_key_of_the_tests"
PAYMENT = b'{"id": "2e1", "status": "pending", "amount": {"value": "200.00", "currency": "RUB"}, "test": true}'

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def client(port: int) -> AsyncIterator[YooKassa]:
    """A client of whatever listens on this port."""
    settings = flow_settings(
        "postgresql://127.0.0.1",
        yookassa_shop_id=SHOP,
        yookassa_secret_key=KEY,
        yookassa_api_url=f"http://127.0.0.1:{port}/v3",
    )
    kassa = YooKassa(settings)
    try:
        yield kassa
    finally:
        await kassa.close()


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    """A raw server: reads a request's head, does `answer`, closes; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


def says(status: str, body: bytes, *headers: str) -> Answer:
    """One whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head + body)
        await writer.drain()

    return answer


async def reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of an answer."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def close_without_a_word(_: asyncio.StreamWriter) -> None:
    """The connection ends where an answer should begin."""


async def half(writer: asyncio.StreamWriter) -> None:
    """The body breaks off."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + PAYMENT)
    await writer.drain()


UNUSABLE: dict[str, Answer] = {
    "reset": reset,
    "closed": close_without_a_word,
    "cut short": half,
    "no HTTP": says("nonsense", b""),
    "HTML 502": says("502 Bad Gateway", b"<html>bad gateway</html>", "Content-Type: text/html"),
    "HTML 200": says("200 OK", b"<html>maintenance</html>", "Content-Type: text/html"),
    "empty 200": says("200 OK", b""),
    "a list": says("200 OK", b"[]"),
    "no payment": says("200 OK", b"{}"),
    "no amount": says("200 OK", PAYMENT.replace(b"200.00", b"many")),
    "endless amount": says("200 OK", PAYMENT.replace(b"200.00", b"Infinity")),
    # As a whole number it takes a minute of the whole process
    "amount of a million digits": says("200 OK", PAYMENT.replace(b"200.00", b"1e999990")),
    "amount beyond numbers": says("200 OK", PAYMENT.replace(b"200.00", b"1e999999")),
    "500": says("500 Internal Server Error", b'{"type": "error"}'),
    "202": says("202 Accepted", b'{"type": "processing", "retry_after": 1800}'),
    "408": says("408 Request Timeout", b"{}"),
    "409": says("409 Conflict", b"{}"),
    # What it came to is not said, whatever else is
    "500 with a payment": says("500 Internal Server Error", PAYMENT),
    "202 with a payment": says("202 Accepted", PAYMENT),
    "429": says("429 Too Many Requests", b'{"type": "error"}', "Retry-After: 5"),
    "5 MB": says("200 OK", PAYMENT[:-1] + b', "x": "' + b"x" * 5_000_000 + b'"}'),
}


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_whatever_is_no_answer_is_one_typed_error(answer: Answer) -> None:
    """The outcome is unknown, of a create call as of a look: both may be repeated."""
    async with server(answer) as port, client(port) as kassa:
        with pytest.raises(Unavailable):
            await kassa.create('{"amount": {"value": "200.00", "currency": "RUB"}}', "a-key", Lane.PRESS)
        with pytest.raises(Unavailable):
            await kassa.read("2e1", Lane.POLL)


async def test_nobody_listening_is_the_same_typed_error() -> None:
    """A refused connection."""
    async with client(free_port()) as kassa:
        with pytest.raises(Unavailable):
            await kassa.create("{}", "a-key", Lane.PRESS)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
async def test_a_4xx_to_a_create_call_is_a_refusal_with_its_status(status: int) -> None:
    """What was asked did not happen; the body's words are kept for the operator."""
    async with server(says(f"{status} No", b'{"description": "vat_code"}')) as port, client(port) as kassa:
        with pytest.raises(Refused, match="vat_code") as refused:
            await kassa.create("{}", "a-key", Lane.PRESS)
    assert refused.value.status == status


async def test_a_payment_that_is_not_there_is_none_and_wrong_keys_are_no_news_of_it() -> None:
    """404 to a look says that there is none, of a refund as well; a 401 says nothing about the payment."""
    async with server(says("404 Not Found", b"{}")) as port, client(port) as kassa:
        assert await kassa.read("2e1", Lane.POLL) is None
        assert await kassa.read_refund("3e1", Lane.POLL) is None
    async with server(says("401 Unauthorized", b"{}")) as port, client(port) as kassa:
        with pytest.raises(Unavailable):
            await kassa.read("2e1", Lane.POLL)


async def test_each_question_goes_to_its_own_address() -> None:
    """Below the address of the settings: anything else would be read as something that it is not."""
    asked = list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n")).rpartition(b" ")[0])
        await says("200 OK", PAYMENT[:-1] + b', "payment_id": "2e1", "items": []}')(writer)
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening, client(listening.sockets[0].getsockname()[1]) as kassa:
        await kassa.create("{}", "a-key", Lane.PRESS)
        await kassa.read("2e1", Lane.POLL)
        await kassa.read_refund("3e1", Lane.POLL)
        await kassa.webhooks()
    assert asked == [b"POST /v3/payments", b"GET /v3/payments/2e1", b"GET /v3/refunds/3e1", b"GET /v3/webhooks"]


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
async def test_an_answer_may_be_a_mebibyte_long(more: int, fits: bool) -> None:
    whole = PAYMENT[:-1] + b', "x": "'
    body = whole + b"x" * (1024 * 1024 + more - len(whole) - 2) + b'"}'
    async with server(says("200 OK", body)) as port, client(port) as kassa:
        if fits:
            assert await kassa.read("2e1", Lane.POLL) is not None
        else:
            with pytest.raises(Unavailable, match="too long"):
                await kassa.read("2e1", Lane.POLL)


async def test_a_redirect_is_not_followed() -> None:
    """The keys go nowhere but to the configured address."""
    asked = 0

    async def answer(writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        moved = says("302 Found", b"", "Location: /v3/payments/2e2")
        await (moved if asked == 1 else says("200 OK", PAYMENT))(writer)

    async with server(answer) as port, client(port) as kassa:
        with pytest.raises(Unavailable):
            await kassa.read("2e1", Lane.POLL)
    assert asked == 1


@asynccontextmanager
async def forgetful(lose: Answer) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers the first request of each connection, keeps it, and does `lose` at the second; its port,
    and what it was asked."""
    asked = list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in (1, 2):
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"POST"):
                await reader.readexactly(2)
            asked.append(head)
            if number == 2:
                await lose(writer)
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAYMENT) + PAYMENT)
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1], asked


@pytest.mark.parametrize("lose", [reset, close_without_a_word])
async def test_a_kept_connection_that_is_no_more_one_costs_a_person_nothing(lose: Answer) -> None:
    """A create call is sent again at once with its key, on a new connection: the link comes, and one payment is made.
    Many kept ones may be gone at the same time."""
    async with forgetful(lose) as (port, asked), client(port) as kassa:
        await asyncio.gather(*(kassa.read("2e1", lane) for lane in (Lane.POLL, Lane.PRESS, Lane.NOTIFICATION)))
        payment = await kassa.create("{}", "a-key", Lane.PRESS)
    assert payment.amount == 20_000
    created = [head for head in asked if head.startswith(b"POST")]
    assert 2 <= len(created) <= 4
    assert all(b"Idempotence-Key: a-key\r\n" in head for head in created)


@pytest.mark.parametrize("lose", [reset, close_without_a_word])
async def test_what_a_new_connection_loses_is_not_asked_again_at_once(lose: Answer) -> None:
    """YooKassa is in trouble then: it is asked a minute later."""
    asked = 0

    async def answer(writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await lose(writer)

    async with server(answer) as port, client(port) as kassa:
        with pytest.raises(Unavailable):
            await kassa.create("{}", "a-key", Lane.PRESS)
    assert asked == 1


async def test_more_hung_calls_than_places_end_by_their_deadline_and_the_next_one_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nineteen reads into silence end with the typed error, and leave their places while the silence lasts."""
    monkeypatch.setattr("app.gateways.yookassa_client.DEADLINE_S", 1.0)
    healed, over = False, asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        if healed:
            await says("200 OK", PAYMENT)(writer)
        else:
            await over.wait()

    async with server(hang) as port, client(port) as kassa:
        async with asyncio.timeout(8):
            calls = (kassa.read("2e1", Lane.POLL) for _ in range(19))
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        healed = True
        payment = await kassa.read("2e1", Lane.POLL)
        over.set()
    assert payment is not None
    assert payment.amount == 20_000


async def test_so_many_calls_wait_for_a_place_and_one_more_fails_at_once() -> None:
    """Polls have two places and 32 calls that wait for one. Those that wait are answered in their turn."""
    over = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        await over.wait()
        await says("200 OK", PAYMENT)(writer)

    async with server(hang) as port, client(port) as kassa:
        calls = [asyncio.create_task(kassa.read("2e1", Lane.POLL)) for _ in range(35)]
        failed, waiting = await asyncio.wait(calls, timeout=2, return_when=asyncio.FIRST_COMPLETED)
        over.set()
        assert failed == {calls[-1]}
        with pytest.raises(Unavailable, match="too many"):
            await calls[-1]
        payments = await asyncio.gather(*waiting)
    assert {payment and payment.amount for payment in payments} == {20_000}


async def test_neither_the_key_nor_the_authorization_header_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, of every logger, for an answer as for a refusal; the request itself carried the key."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        await says("401 Unauthorized" if len(seen) == 1 else "200 OK", PAYMENT)(writer)
        writer.close()

    pair = base64.b64encode(f"{SHOP}:{KEY}".encode()).decode()
    caplog.set_level(logging.DEBUG)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with client(port) as kassa:
            with pytest.raises(Refused) as refused:
                await kassa.create("{}", "a-key", Lane.PRESS)
            await kassa.read("2e1", Lane.POLL)
    async with client(port) as kassa:
        with pytest.raises(Unavailable) as unavailable:
            await kassa.read("2e1", Lane.POLL)
    assert all(f"Basic {pair}".encode() in head for head in seen)
    assert len(seen) == 2
    for text in (caplog.text, str(refused.value), str(unavailable.value)):
        assert KEY not in text
        assert pair not in text
        assert "Authorization" not in text
