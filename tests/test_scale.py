"""A quarter of a million orders: what is asked often reads what it needs, and nothing else."""

import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import psycopg
import pytest

from app.flows import audit as auditor
from app.repo import audit, queries, stuck
from app.repo.records import Connection
from local.postgres import Postgres

_PEOPLE = 250_000


@pytest.fixture(scope="module")
def _large(postgres: Postgres, _template: str) -> Iterator[str]:
    """Everybody has a welcome and a delivered order, every tenth a payment; nothing is under way."""
    url = postgres.create_database("large", template=_template)
    for statement in (
        f"INSERT INTO users (id, credits) SELECT 1000 + 7 * n, 8 FROM generate_series(1, {_PEOPLE}) AS n",
        "INSERT INTO generations (user_id, order_key, status, model, size, price, prompt, source_file_id, result_url, "
        "deadline_at, ready_at, finished_at, created_at) SELECT id, id::text, 'delivered', 'm', 's', 2, 'p', 'f', "
        "'https://x', now() - interval '1 day', now() - interval '1 day', now() - interval '1 day', "
        "now() - interval '1 day' FROM users",
        "INSERT INTO ledger (user_id, delta, balance, reason, ref, created_at) SELECT id, 10, 10, 'welcome', id::text, "
        "now() - interval '2 days' FROM users",
        "INSERT INTO ledger (user_id, delta, balance, reason, ref, created_at) SELECT user_id, -2, 8, 'order', "
        "id::text, now() - interval '1 day' FROM generations",
        "INSERT INTO payments (id, user_id, plan, credits, amount, shop_id, test, status, request, reason) SELECT "
        "gen_random_uuid(), id, 'p', 10, 20000, '1', true, 'canceled', '{}', 'expired' FROM users WHERE id % 10 = 0",
        "INSERT INTO outbox (chat_id, kind, ref, status, closed_at) SELECT user_id, 'picture', id::text, 'sent', now() "
        "FROM generations",
        "UPDATE users SET forget_before = now() - interval '2 days' WHERE id % 5000 = 0",
        "UPDATE users SET forget_before = now() WHERE id % 5000 = 1",
        "UPDATE generations SET prompt = NULL, source_file_id = NULL, result_url = NULL "
        "WHERE user_id IN (SELECT id FROM users WHERE forget_before < now() - interval '1 day')",
        "VACUUM ANALYZE",
    ):
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(statement.encode())
    yield url
    postgres.drop_database("large")


@pytest.fixture
async def conn(_large: str) -> AsyncIterator[Connection]:
    """A connection whose changes are rolled back."""
    connection = await asyncpg.connect(_large)
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


def _read_whole(plan: dict[str, Any]) -> list[str]:
    """The tables that a plan reads from one end to the other."""
    own = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" and plan["Actual Loops"] else []
    return own + [table for inner in plan.get("Plans", ()) for table in _read_whole(inner)]


async def _explained(conn: Connection, statement: str, *arguments: Any) -> tuple[list[str], int]:
    """The tables that a statement reads whole, and how many pages it touches."""
    (found,) = json.loads(await conn.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *arguments))
    plan = found["Plan"]
    return _read_whole(plan), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


async def test_looking_for_stuck_work_reads_what_is_under_way(conn: Connection) -> None:
    """Nothing of the quarter of a million that are delivered."""
    tables, pages = await _explained(conn, queries.query("stuck.overdue"), "shop", True)
    assert not {"generations", "outbox", "payments"} & set(tables)
    assert pages < 50
    await conn.execute("UPDATE generations SET status = 'ready', finished_at = NULL WHERE user_id = 1007")
    assert [(one.name, one.rows) for one in await stuck.overdue(conn, "shop", True)] == [
        ("pictures without a message", 1)
    ]


async def test_looking_for_work_reads_what_is_under_way(conn: Connection) -> None:
    """Every replica does it all day."""
    tables, pages = await _explained(conn, queries.query("wakes.due"), [0, 1, 2])
    assert not {"generations", "outbox", "payments"} & set(tables)
    assert pages < 50


async def test_a_pass_of_the_retention_reads_what_is_to_be_wiped(conn: Connection) -> None:
    """Not what was wiped before, nor what is kept; and a wish that is fulfilled is looked after no longer."""
    wipe = queries.query("generations.wipe")
    tables, _ = await _explained(conn, wipe, 90, 1000)
    assert "generations" not in tables
    settled = await conn.fetch(queries.query("users.settle_forgotten"))
    assert len(settled) == await conn.fetchval("SELECT count(*) FROM users WHERE id % 5000 = 0")
    tables, pages = await _explained(conn, wipe, 90, 1000)
    assert "generations" not in tables
    assert pages < 1000


async def test_a_slice_of_the_audit_takes_less_than_a_second(conn: Connection) -> None:
    """However large the ledger is: rows are found by their person."""
    people = await audit.next_people(conn, 900_000, auditor.SLICE)
    assert len(people) == auditor.SLICE
    slowest = 0.0
    for _ in range(3):
        began = time.monotonic()
        assert await audit.differences_of(conn, people, 10) == []
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 1
    began = time.monotonic()
    assert (await audit.new_entries(conn, 100_000, auditor.SLICE)).taken == auditor.SLICE
    assert time.monotonic() - began < 0.5
