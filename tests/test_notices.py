"""What is owed to people: one place says which kinds there are, and rows of other versions are understood or left."""

import ast
import re
from collections.abc import AsyncIterator
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any, get_type_hints

import asyncpg
import pytest

from app import notices, words
from app.flows.delivery.lanes import PICTURES
from app.notices import KINDS, Alert, Difference, Notice, Priority
from app.repo import outbox, stuck

_ROOT = Path(__file__).parents[1]
_SAMPLES: dict[Any, Any] = {str: "p200", int: 7, bool: True, date: date(2026, 12, 26), Difference: Difference.SHOP}
_SAMPLES |= {int | None: 2, tuple[str, ...]: ("gpt-image-1",)}


@pytest.fixture
async def db(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


def _sample(kind: type[Notice], ref: str = "1") -> Notice:
    hints = get_type_hints(kind)
    return kind(ref, **{field.name: _SAMPLES[hints[field.name]] for field in fields(kind) if field.name != "ref"})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_a_notice_comes_back_from_its_row_and_has_its_sentence(
    db: "asyncpg.Connection[asyncpg.Record]", kind: type[Notice]
) -> None:
    """Through PostgreSQL, claimed as a worker does; an alert is owed to each operator, the rest once."""
    notice = _sample(kind)
    assert [await outbox.put(db, chat_id, notice) for chat_id in (5, 6)] == [True, issubclass(kind, Alert)]
    claimed = await outbox.claim(db, 1, 60, [6], KINDS)
    read = [notices.read(message.kind, message.ref, message.payload) for message in claimed]
    assert [one.payload() for one in read] == [notice.payload()]
    assert [type(one) for one in read] == [kind]
    if kind not in (notices.Picture, notices.Original):
        assert notice.say(words.of("ru"))


@pytest.mark.parametrize(
    ("kind", "payload", "said"),
    [
        ("order_failed", '{"reason": "deadline", "price": 2, "balance": 10}', "возвращены (2), на балансе 10 кредитов"),
        ("payment_link", '{"payment_id": "1", "plan": "p200", "url": "https://x"}', "200 ₽ — 10 кредитов"),
        ("payment_succeeded", '{"credits": 10, "balance": 20, "until": "26.12.2026"}', "действует по 26.12.2026"),
        ("payment_canceled", '{"plan": "p200", "reason": "expired_on_confirmation"}', "Срок оплаты истёк"),
        ("payment_refunded", '{"taken": 5, "short": 0, "balance": 1, "full": true}', "Подписка по этому платежу"),
        ("alert", '{"text": "gen-api <402>"}', "⚠️ gen-api &lt;402&gt;"),
        ("picture", "{}", None),
    ],
)
def test_a_row_of_the_version_before_is_understood(kind: str, payload: str, said: str | None) -> None:
    """Word for word what that version wrote; a field that is not known here is passed over."""
    notice = notices.read(kind, "ref", payload)
    if said is not None:
        assert said in notice.say(words.of("ru"))


def test_the_version_before_understands_what_is_written_now() -> None:
    """The fields that its sentences read, a day in its own form."""
    assert _sample(notices.PaymentSucceeded).payload() == '{"credits": 7, "balance": 7, "until": "26.12.2026"}'
    assert _sample(notices.OrderFailed).payload() == (
        '{"reason": "p200", "price": 7, "balance": 7, "picture": 2, "offer": ["gpt-image-1"]}'
    )


async def test_a_claim_takes_only_kinds_that_this_version_knows(db: "asyncpg.Connection[asyncpg.Record]") -> None:
    """What a newer version beside it has put is left to that one."""
    await db.execute("INSERT INTO outbox (chat_id, kind, ref) VALUES (5, 'of_next_year', '1')")
    await outbox.put(db, 6, _sample(notices.OrderFailed))
    assert [message.chat_id for message in await outbox.claim(db, 8, 60, [], KINDS)] == [6]
    assert await db.fetchval("SELECT attempt FROM outbox WHERE chat_id = 5") == 0


async def test_results_and_money_go_before_alerts_and_alerts_before_broadcasts(
    db: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    """Whatever has waited longest."""
    await db.execute(
        "INSERT INTO outbox (chat_id, kind, ref, priority, due_at) "
        "VALUES (1, 'order_failed', 'a broadcast', $1, now() - interval '1 hour')",
        Priority.BROADCAST,
    )
    await outbox.put(db, 2, _sample(notices.ProviderRefuses))
    await outbox.put(db, 3, _sample(notices.PaymentSucceeded))
    assert [one.chat_id for one in await outbox.claim(db, 8, 0, [], KINDS, last=Priority.PERSON)] == [3]
    await db.execute("UPDATE outbox SET failures = 0")
    order = [(await outbox.claim(db, 1, 60, [], KINDS))[0].chat_id for _ in range(3)]
    assert order == [3, 2, 1]


async def test_what_waits_on_purpose_is_not_stuck(db: "asyncpg.Connection[asyncpg.Record]") -> None:
    """A broadcast waits for everything else, a chat for Telegram's 429; an alert as old is stuck."""
    for priority in (Priority.BROADCAST, Priority.ALERT):
        await db.execute(
            "INSERT INTO outbox (chat_id, kind, ref, priority, due_at) "
            "VALUES (1, 'order_failed', $2, $1, now() - interval '2 hours')",
            priority,
            str(priority),
        )
    await db.execute("INSERT INTO chat_pauses (chat_id, until) VALUES (2, now() + interval '1 h')")
    await db.execute(
        "INSERT INTO outbox (chat_id, kind, ref, due_at) VALUES (2, 'order_failed', 'of a chat that is left alone', "
        "now() - interval '2 hours')"
    )
    assert [(one.name, one.rows) for one in await stuck.overdue(db, "", False)] == [("messages", 1)]


def test_sql_names_the_kinds_of_the_dataclasses() -> None:
    """A kind that sql/ looks for is one that is put; `priority < 2` leaves broadcasts out."""
    named = {
        path.name: set(re.findall(r"kind = '(\w+)'", path.read_text()))
        for path in sorted((_ROOT / "sql").glob("*.sql"))
    }
    assert {name: kinds for name, kinds in named.items() if kinds} == {
        "audit.sql": {notices.Picture.kind, notices.OrderFailed.kind, notices.PaymentSucceeded.kind},
        "stuck.sql": {notices.Picture.kind},
    }
    assert int(Priority.BROADCAST) == 2


def test_sql_tells_apart_what_is_fetched_as_the_lanes_do() -> None:
    """What wakes a lane, what it claims, and the index that it is found by: a kind more is one more in each."""
    fetched = f"kind IN ({', '.join(f"'{kind}'" for kind in PICTURES.kinds)})"
    named = {
        path.name: set(re.findall(r"kind IN \(.*?\)", path.read_text()))
        for path in (*(_ROOT / "sql").glob("*.sql"), *(_ROOT / "migrations").glob("*.sql"))
    }
    places = ("outbox.sql", "wakes.sql", "0022-lanes.sql")
    assert {name: kinds for name, kinds in named.items() if kinds} == {name: {fetched} for name in places}


def test_no_kind_is_named_twice() -> None:
    """Each is a string of notices.py alone: whoever else needs it asks the dataclass."""
    named = [
        (path.name, node.value)
        for path in (_ROOT / "app").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in KINDS
    ]
    assert sorted(named) == sorted(("notices.py", kind) for kind in KINDS)
