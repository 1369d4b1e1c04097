"""HTTP as strangers and the net make it: sizes, bombs, drips, broken requests, and more sockets than anybody needs."""

import gzip
import http.client
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from app.proofs import callback_url, telegram_secret
from tests.fuzz.conftest import GEN_API, PATIENCE_S, ROUTES, SECRET, TELEGRAM, YOOKASSA, Target

_HEAD = f"Host: bot\r\nX-Telegram-Bot-Api-Secret-Token: {telegram_secret(SECRET)}\r\n"


@pytest.mark.parametrize("route", ROUTES)
def test_a_body_over_1_mib_is_413_whether_or_not_it_says_its_length(bot: Target, route: str) -> None:
    """One byte less is read, and is no JSON."""
    assert bot.post(route, b" " * 2**20).status == 400
    assert bot.post(route, b" " * (2**20 + 1)).status == 413
    chunked = f"POST {route} HTTP/1.1\r\n{_HEAD}Transfer-Encoding: chunked\r\n\r\n".encode()
    assert bot.raw(chunked + b"10000\r\n" + (b" " * 65536 + b"\r\n10000\r\n") * 17).startswith(b"HTTP/1.1 413")


def test_memory_stays_bounded_under_bombs_and_large_bodies(bot: Target) -> None:
    """A gzip bomb of 200 MB, and 100 MiB of bodies on each route, leave less than 64 MiB behind."""
    bomb = gzip.compress(b" " * 200_000_000)
    before = bot.resident_mib()
    for _ in range(10):
        for route in ROUTES:
            assert bot.post(route, bomb, {"Content-Encoding": "gzip"}).status in (400, 413)
            for body in (b"[" * 2**20, b'{"a":' * 200_000, b'"' + b"\\u0000" * 150_000 + b'"'):
                assert bot.post(route, body).status == 400
    assert bot.resident_mib() - before < 64


def test_headers_without_an_end_are_kept_in_little_memory(bot: Target) -> None:
    """200 connections that send as many headers as they are let, as long as they are let, and never the last."""
    line = b"X-%d: " + b"a" * 2000 + b"\r\n"
    headers = b"".join(line % number for number in range(120))
    before = bot.resident_mib()
    with ExitStack() as opened:
        for _ in range(200):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", bot.port), timeout=PATIENCE_S))
            with suppress(ConnectionError):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: bot\r\n" + headers)
        assert bot.post(GEN_API, b'{"request_id": 5}').status == 200
        assert bot.resident_mib() - before < 64


def test_a_body_that_drips_is_given_up_and_holds_nobody_else_up(bot: Target) -> None:
    """A byte every half second: answered with 408 within seconds, other requests at once."""
    with ExitStack() as opened:
        drips = [opened.enter_context(_drip(bot, route)) for route in ROUTES]
        begun = time.monotonic()
        open_drips = list(drips)
        while open_drips:
            assert time.monotonic() - begun < PATIENCE_S
            assert bot.post(GEN_API, b'{"request_id": 5}').status == 200
            time.sleep(0.5)
            open_drips = [drip for drip in open_drips if _still_open(drip)]


@contextmanager
def _drip(bot: Target, route: str) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", bot.port), timeout=PATIENCE_S) as connection:
        connection.sendall(f"POST {route} HTTP/1.1\r\n{_HEAD}Content-Length: 1000\r\n\r\n{{".encode())
        connection.setblocking(False)
        yield connection


def _still_open(drip: socket.socket) -> bool:
    try:
        answer = drip.recv(65536)
    except BlockingIOError:
        drip.send(b" ")
        return True
    assert answer.startswith(b"HTTP/1.1 408"), answer
    return False


def test_two_thousand_idle_connections_leave_the_bot_answering(bot: Target) -> None:
    """Half of them say nothing at all, half stop within their headers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard < 10_000 else max(soft, 10_000), hard))
    before = bot.resident_mib()
    try:
        with ExitStack() as opened:
            for number in range(2000):
                connection = socket.create_connection(("127.0.0.1", bot.port), timeout=PATIENCE_S)
                opened.enter_context(connection)
                if number % 2:
                    connection.sendall(b"POST /gen/callback HTTP/1.1\r\nHost: bot\r\nX-Half")
            assert bot.post("/healthz", b"", method="GET").status == 200
            assert bot.post(TELEGRAM, b"{}").status == 200
            assert bot.resident_mib() - before < 128
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST /gen/callback\r\n\r\n",
        b"POST /gen/callback HTTP/9.9\r\nHost: bot\r\n\r\n",
        b"POST /gen/callback HTTP/1.1\nHost: bot\n\n",
        b"POST /gen/callback HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /gen/callback HTTP/1.1\r\nHost: bot\r\nContent-Length: -5\r\n\r\n{}",
        b"POST /gen/callback HTTP/1.1\r\nHost: bot\r\nContent-Length: 99999999999999999999999\r\n\r\n{}",
        b"POST /gen/callback HTTP/1.1\r\nHost: bot\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /gen/callback HTTP/1.1\r\nHost: bot\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        b"POST /gen/callback HTTP/1.1\r\nHost: bot\r\nX: \0\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /gen/callback HTTP/1.1\r\nHost: bot\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /gen/callback HTTP/1.1\r\nHost: bot\r\n" + b"X: a\r\n" * 5000 + b"\r\n",
        b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: bot\r\n\r\n",
        b"FROB /gen/callback HTTP/1.1\r\nHost: bot\r\n\r\n",
    ],
)
def test_a_request_that_is_no_http_is_400_and_nobodys_alarm(bot: Target, request_bytes: bytes) -> None:
    """What scanners send all day is answered, and is no error in the log."""
    assert b" 400 " in bot.raw(request_bytes).partition(b"\r\n")[0]
    assert bot.errors() == []


@pytest.mark.parametrize("route", ROUTES)
def test_a_sender_who_hangs_up_in_mid_body_is_nobodys_alarm(bot: Target, route: str) -> None:
    """The connection breaks before the body is whole."""
    with socket.create_connection(("127.0.0.1", bot.port), timeout=PATIENCE_S) as connection:
        connection.sendall(f"POST {route} HTTP/1.1\r\n{_HEAD}Content-Length: 1000\r\n\r\n{{".encode())
    assert bot.post(route, b"[]").status == 400
    assert bot.errors() == []


@pytest.mark.parametrize("secret", ["", "wrong", "\xff\xfe", "é" * 64, telegram_secret(SECRET)[:-1], " "])
def test_a_wrong_secret_of_any_bytes_is_401(bot: Target, secret: str) -> None:
    """Before anything else is looked at."""
    for body in (b"{}", b"[", b" " * 2**21):
        assert bot.post(TELEGRAM, body, {"X-Telegram-Bot-Api-Secret-Token": secret}).status == 401


@pytest.mark.parametrize("query", ["generation=%ff&proof=%ff", "generation=%00", "proof=%ed%a0%80", "&" * 3000, "%"])
def test_an_odd_query_proves_nothing(bot: Target, query: str) -> None:
    """The callback is then a stranger's."""
    assert bot.post(f"{GEN_API}?{query}", b'{"request_id": 5}').json() == {"ok": False}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
def test_another_method_is_405(bot: Target, method: str) -> None:
    """Webhooks are posted to."""
    for route in ROUTES:
        assert bot.post(route, b"", method=method).status == 405


@pytest.mark.parametrize(
    "path", ["/", "/telegram", f"{YOOKASSA}/", "/%00/%ff", "/../bot.py", "/telegram/webhook/../.."]
)
def test_an_unknown_path_is_404(bot: Target, path: str) -> None:
    """And shows nothing of what is there."""
    assert bot.post(path, b"{}").status == 404


@pytest.mark.parametrize("route", [GEN_API, YOOKASSA])
def test_bodies_that_nothing_proves_are_read_a_few_at_a_time(bot: Target, route: str) -> None:
    """Two hundred of a mebibyte each at once: 503 for most, little memory, and a small one still finds room."""
    before = bot.resident_mib()
    head = f"POST {route} HTTP/1.1\r\nHost: bot\r\nContent-Length: {2**20}\r\n\r\n".encode()
    most = 0.0
    with ExitStack() as opened:
        senders = [
            opened.enter_context(socket.create_connection(("127.0.0.1", bot.port), timeout=PATIENCE_S))
            for _ in range(200)
        ]
        for sender in senders:
            sender.sendall(head + b" " * 2**16)
        for sender in senders:
            sender.setblocking(False)
            with suppress(BlockingIOError, ConnectionError):
                sender.send(b" " * (2**20 - 2**16 - 1))
        answers = list[bytes]()
        give_up_at = time.monotonic() + 5
        while len(answers) < 196 and time.monotonic() < give_up_at:
            most = max(most, bot.resident_mib())
            for sender in list(senders):
                with suppress(BlockingIOError):
                    answers.append(sender.recv(100)[:12])
                    senders.remove(sender)
        assert answers.count(b"HTTP/1.1 503") >= 196
        assert bot.post(route, b"{}").status == 400
    assert most - before < 64
    assert bot.resident_mib() - before < 64


def test_a_body_that_its_address_proves_is_read_whoever_else_sends(bot: Target) -> None:
    """gen-api's callback and Telegram's update do not wait for strangers' bodies."""
    with ExitStack() as opened:
        for _ in range(10):
            sender = opened.enter_context(socket.create_connection(("127.0.0.1", bot.port), timeout=PATIENCE_S))
            sender.sendall(f"POST {GEN_API} HTTP/1.1\r\nHost: bot\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        url = urlsplit(callback_url("http://bot", SECRET, uuid4()))
        proven = f"{url.path}?{url.query}"
        deadline = time.monotonic() + 5
        while _status(bot, GEN_API) != 503:
            assert time.monotonic() < deadline
        assert bot.post(proven, b'{"request_id": 1}' + b" " * 2**19).status == 200
        assert bot.post(TELEGRAM, b"[]" + b" " * 2**19).status == 400


def _status(bot: Target, route: str) -> int:
    """Of a body of a mebibyte, which needs more room than is left."""
    connection = http.client.HTTPConnection("127.0.0.1", bot.port, timeout=PATIENCE_S)
    try:
        connection.request("POST", route, b" " * 2**20)
        return connection.getresponse().status
    finally:
        connection.close()
