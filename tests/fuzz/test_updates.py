"""Updates that are nearly right, proven callbacks that are not: 200, and the next one is served as ever."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.proofs import callback_proof
from tests.fuzz.conftest import GEN_API, PERSON, SECRET, TELEGRAM, Target

_USER = {"id": PERSON, "is_bot": False, "first_name": "Аня", "language_code": "ru"}
_MESSAGE = {"message_id": 7, "date": 1_700_000_000, "chat": {"id": PERSON, "type": "private"}, "from": _USER}
_COMMAND = [{"type": "bot_command", "offset": 0, "length": 6}]
_PHOTO = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1, "file_size": 1}]
_FILE = {"file_id": "f", "file_unique_id": "u", "file_name": "a.png", "mime_type": "image/png", "file_size": 5}


def _press(data: str) -> dict[str, Any]:
    query = {"id": "1", "from": _USER, "chat_instance": "1", "data": data, "message": {**_MESSAGE, "text": "x"}}
    return {"update_id": 2, "callback_query": query}


_UPDATES: list[dict[str, Any]] = [
    {"update_id": 1, "message": {**_MESSAGE, "text": "/start", "entities": _COMMAND}},
    {"update_id": 1, "message": {**_MESSAGE, "text": "/photo", "entities": _COMMAND}},
    {"update_id": 1, "message": {**_MESSAGE, "text": "/start success", "entities": _COMMAND}},
    {"update_id": 1, "message": {**_MESSAGE, "text": "Кот", "reply_to_message": {**_MESSAGE, "text": "Кот"}}},
    {"update_id": 1, "message": {**_MESSAGE, "photo": _PHOTO, "caption": "/photo Кот", "caption_entities": _COMMAND}},
    {"update_id": 1, "message": {**_MESSAGE, "document": _FILE, "media_group_id": "1"}},
    {"update_id": 1, "edited_message": {**_MESSAGE, "text": "Кот", "edit_date": 1_700_000_001}},
    _press("card:abc:order"),
    _press("card:abc:size:512x512"),
    _press("plan:p200"),
    _press("buy"),
]
_ODD_VALUES: list[Any] = [
    *(
        None,
        True,
        0,
        -1,
        1.5,
        2**31,
        2**53,
        2**63 - 1,
        2**63,
        -(2**63) - 1,
        2**200,
        "",
        "x",
        "\0",
        "\ud800",
        "a\0b",
    ),
    *("/photo \0", "/photo \ud800", "/forget", "card:\0:order", "card:\ud800:order", "card::order", "card:a:b:c:d"),
    *("card:" + "x" * 5000 + ":order", "plan:\0", "plan:", "group", "channel", "1e400", "<b>", "&lt;", "%s"),
    *("💥" * 99, [], [[]], [None], {}, {"a": 1}, {"id": PERSON}),
]
_ODD = st.sampled_from(_ODD_VALUES)


def _places(tree: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything inside."""
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield (*so_far, key)
        yield from _places(tree[key], (*so_far, key))


@st.composite
def _mutated(draw: st.DrawFn) -> dict[str, Any]:
    """An update with one or two places changed, or gone."""
    update: dict[str, Any] = deepcopy(draw(st.sampled_from(_UPDATES)))
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(sorted(_places(update), key=str)))
        inside: Any = update
        for key in way:
            inside = inside[key]
        if draw(st.booleans()) or not isinstance(inside, dict):
            inside[last] = deepcopy(draw(_ODD))
        else:
            del inside[last]
    return update


@settings(derandomize=True, max_examples=500, deadline=None, database=None)
@given(_mutated())
def test_an_update_with_odd_fields_is_200(bot: Target, update: dict[str, Any]) -> None:
    """It means nothing, or as much as can be made of it; it is never redelivered."""
    assert bot.post(TELEGRAM, json.dumps(update).encode()).status == 200


@pytest.mark.parametrize("data", ["card:\0:order", "card:\ud800:order", "card::order", "plan:\0", "plan:p9", "\0", ""])
def test_a_press_on_a_button_that_never_was_gets_a_sentence(bot: Target, data: str) -> None:
    """The answer to the press, without anything being asked of the database in vain."""
    before = _failed(bot)
    answer = bot.post(TELEGRAM, json.dumps(_press(data)).encode()).json()
    assert answer["method"] == "answerCallbackQuery"
    assert answer["text"]
    assert _failed(bot) == before


def _failed(bot: Target) -> int:
    """How many updates raised something. What earlier tests' messages come to, by and by, is logged elsewhere."""
    return sum('"event": "update.failed"' in line for line in bot.errors())


def test_after_all_that_the_next_person_is_served_as_ever(bot: Target) -> None:
    """Nothing that came before is in the way."""
    update = deepcopy(_UPDATES[0])
    # Somebody new: of those before nobody knows in which language they were met first
    update["message"]["from"]["id"] = update["message"]["chat"]["id"] = 987_654
    update["message"]["from"]["language_code"] = "ru"
    answer = bot.post(TELEGRAM, json.dumps(update).encode()).json()
    assert answer["method"] == "sendMessage"
    assert "10 кредитов" in answer["text"]


@pytest.mark.parametrize(
    "body",
    [
        {"status": "success", "result": ["http://gen-api/\0"]},
        {"status": "success", "result": ["http://gen-api/\ud800"]},
        {"status": "success", "result": {"url": []}},
        {"status": "success", "result": 5, "full_response": "x"},
        {"status": "error", "result": ["no\0thing"]},
        {"status": "error", "result": ["\ud800"]},
        {"status": "failed", "result": {"a": 1}},
    ],
)
def test_a_proven_callback_with_an_impossible_result_ends_in_a_refund(bot: Target, body: dict[str, Any]) -> None:
    """gen-api itself said so: the final word is taken, and there is no picture in it."""
    generation_id, request_id = _order(bot)
    query = f"generation={generation_id}&proof={callback_proof(SECRET, generation_id)}"
    answer = bot.post(f"{GEN_API}?{query}", json.dumps({"request_id": request_id, **body}).encode())
    assert (answer.status, answer.json()) == (200, {"ok": True})
    with psycopg.connect(bot.database_url) as connection:
        found = connection.execute(
            "SELECT status, credits FROM generations JOIN users ON users.id = user_id WHERE generations.id = %s",
            (generation_id,),
        ).fetchone()
    assert found == ("failed", 10)


def _order(bot: Target) -> tuple[UUID, int]:
    """An order of a new person that gen-api works on."""
    generation_id = uuid4()
    person = request_id = generation_id.int % 2**62 + 1
    with psycopg.connect(bot.database_url) as connection:
        connection.execute("INSERT INTO users (id, credits) VALUES (%s, 8)", (person,))
        connection.execute(
            "INSERT INTO ledger (user_id, delta, balance, reason, ref) VALUES "
            "(%s, 10, 10, 'welcome', %s), (%s, -2, 8, 'order', %s)",
            (person, str(person), person, str(generation_id)),
        )
        connection.execute(
            "INSERT INTO generations (id, user_id, order_key, status, model, size, price, prompt, source_file_id, "
            "attempt, request_id, poll_at, deadline_at) VALUES (%s, %s, %s, 'processing', 'gpt-image-1', '512x512', "
            "2, 'Кот', 'f', 1, %s, now() + interval '1 hour', now() + interval '1 hour')",
            (generation_id, person, str(generation_id), request_id),
        )
    return generation_id, request_id
