"""Any bytes as the body of the three webhooks: each has its answer, and none is an error of ours."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.conftest import GEN_API, ROUTES, TELEGRAM, YOOKASSA, Target

_STEADY = settings(derandomize=True, max_examples=120, deadline=None, database=None)

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.text(st.characters(categories=["Cs", "Cc", "Cn", "Lo"]), max_size=5),
    st.sampled_from(
        ["\0", "\ud800", "success", "error", "payment.succeeded", "refund.succeeded", "notification", "12"]
    ),
)
_NAMES = st.sampled_from(
    [
        "request_id",
        "id",
        "status",
        "result",
        "full_response",
        "url",
        "type",
        "event",
        "object",
        "payment_id",
        "metadata",
        "update_id",
        "message",
    ]
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES | st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


@_STEADY
@given(st.binary(max_size=200))
def test_bytes_that_are_no_json_object_are_400_everywhere(bot: Target, body: bytes) -> None:
    """Random bytes, which only by a miracle are an object."""
    for route in ROUTES:
        assert bot.post(route, body).status == 400


@_STEADY
@given(_JSON)
def test_telegram_gets_200_for_any_object_and_400_for_anything_else(bot: Target, body: Any) -> None:
    """An update that means nothing is not to be redelivered."""
    assert bot.post(TELEGRAM, _encoded(body)).status == (200 if isinstance(body, dict) else 400)


@_STEADY
@given(_JSON)
def test_gen_api_gets_400_without_a_usable_request_id_and_ok_false_for_a_strangers(bot: Target, body: Any) -> None:
    """Nothing here is proven, and no number is known."""
    answer = bot.post(GEN_API, _encoded(body))
    if _request_id(body) is None:
        assert answer.status == 400
    else:
        assert (answer.status, answer.json()) == (200, {"ok": False})


def _request_id(body: Any) -> int | None:
    """Usable is a positive BIGINT, as a number or as a string of digits."""
    if not isinstance(body, dict):
        return None
    given_id = body.get("id") if body.get("request_id") is None else body["request_id"]
    if isinstance(given_id, str) and given_id.isascii() and given_id.isdigit() and len(given_id) < 20:
        given_id = int(given_id)
    return given_id if type(given_id) is int and 0 < given_id < 2**63 else None


@_STEADY
@given(_JSON, _JSON, st.sampled_from(["payment.succeeded", "payment.canceled", "refund.succeeded"]) | _SCALARS)
def test_yookassa_gets_400_for_no_notification_and_ok_false_for_a_strangers(
    bot: Target, body: Any, thing: Any, event: Any
) -> None:
    """Whatever a notification claims, it creates nothing."""
    assert bot.post(YOOKASSA, _encoded(body)).status == 400 or body["type"] == "notification"
    answer = bot.post(YOOKASSA, _encoded({"type": "notification", "event": event, "object": thing}))
    assert answer.status == 400 or (answer.status, answer.json()) == (200, {"ok": False})


_OBJECT = b'{"update_id": 1, "request_id": 5, "x": %s}'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'\xef\xbb\xbf{"request_id": 5}', id="a byte order mark"),
        pytest.param('{"request_id": 5}'.encode("utf-16"), id="UTF-16"),
        pytest.param('{"request_id": 5, "x": "é"}'.encode("latin-1"), id="Latin-1"),
        pytest.param(_OBJECT % b"NaN", id="NaN"),
        pytest.param(_OBJECT % b"-Infinity", id="minus infinity"),
        pytest.param(_OBJECT % (b"9" * 5000), id="more digits than Python converts"),
        pytest.param(_OBJECT % (b"[" * 100_000 + b"]" * 100_000), id="a hundred thousand lists deep"),
        pytest.param(_OBJECT % (b'{"a":' * 100_000 + b"1" + b"}" * 100_000), id="a hundred thousand objects deep"),
        pytest.param(gzip.compress(b'{"request_id": 5}', mtime=0), id="gzip"),
    ],
)
def test_what_is_no_json_or_none_that_can_be_read_is_400(bot: Target, body: bytes) -> None:
    """Encodings, constants and sizes at which parsers trip."""
    for route in ROUTES:
        assert bot.post(route, body).status == 400


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "nonsense"])
@pytest.mark.parametrize("body", [b"{}", b"", zlib.compress(b"{}" * 99)[:9], gzip.compress(b"{}" * 99, mtime=0)[:12]])
def test_a_broken_compressed_body_is_no_500_and_no_wait_without_end(bot: Target, encoding: str, body: bytes) -> None:
    """The header may promise what it likes."""
    for route in ROUTES:
        assert bot.post(route, body, {"Content-Encoding": encoding}).status in (200, 400)


@pytest.mark.parametrize("depth", [*range(1440, 1520, 4)])
def test_nesting_just_within_what_the_parser_takes_is_no_500_either(bot: Target, depth: int) -> None:
    """What could be read can still be too deep to be validated or printed."""
    lists = b"[" * depth + b"]" * depth
    for body in (_OBJECT % lists, b'{"update_id": %s, "request_id": %s}' % (lists, lists)):
        for route in ROUTES:
            assert bot.post(route, body).status in (200, 400)


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data", "application/json; charset=utf-16"])
def test_the_content_type_does_not_matter(bot: Target, content_type: str) -> None:
    """Only the bytes do."""
    assert bot.post(TELEGRAM, b"{}", {"Content-Type": content_type}).status == 200
    assert bot.post(GEN_API, b'{"request_id": 5}', {"Content-Type": content_type}).json() == {"ok": False}


def test_nothing_of_all_that_was_written_down_or_woke_an_operator(bot: Target) -> None:
    """Strangers' bodies leave no row, and no error in the log."""
    assert [bot.rows(table) for table in ("generations", "payments", "outbox", "ledger")] == [0, 0, 0, 0]
    assert bot.errors() == []
