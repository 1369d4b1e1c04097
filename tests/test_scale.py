"""The books of twenty-five thousand people: what is asked reads what it needs, and nothing else.

How much longer it takes among a million is measured by `./run_local.sh bench --scale`.
"""

import json
import math
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from app.flows import audit as auditor
from app.flows.delivery import lanes
from app.repo import audit, outbox, queries, stuck
from app.repo.records import Connection
from local.postgres import Postgres
from tests.bench import fill
from tests.bench.cases import CASES
from tests.bench.plans import LARGE, Explained

_PEOPLE = 25_000


@pytest.fixture(scope="module")
def _large(postgres: Postgres, _template: str) -> Iterator[str]:
    """A hundred and twenty-five thousand orders, a quarter of a million entries; nothing is under way."""
    url = postgres.create_database("large", template=_template)
    fill.fill(url, _PEOPLE)
    yield url
    postgres.drop_database("large")


@pytest.fixture(scope="module")
def busy(postgres: Postgres, _large: str) -> Iterator[str]:
    """The same, with what is open, due, parked, or to be wiped."""
    url = postgres.create_database("busy", template="large")
    fill.add_open_work(url, _PEOPLE)
    yield url
    postgres.drop_database("busy")


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
    """Nothing of the hundred thousand that are over."""
    tables, pages = await _explained(conn, queries.query("stuck.overdue"), fill.SHOP, True)
    assert not {"generations", "outbox", "payments"} & set(tables)
    assert pages < 50
    await conn.execute("UPDATE generations SET status = 'ready', finished_at = NULL WHERE id = $1", fill.order(1, 5))
    assert [(one.name, one.rows) for one in await stuck.overdue(conn, fill.SHOP, True)] == [
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
    for wish in (
        "UPDATE users SET forget_before = now() - interval '2 days' WHERE id % 500 = 0",
        "UPDATE users SET forget_before = now() WHERE id % 500 = 1",
        "UPDATE generations SET prompt = NULL, source_file_id = NULL, sources = NULL, result_url = NULL "
        "WHERE user_id IN (SELECT id FROM users WHERE forget_before < now() - interval '1 day')",
    ):
        await conn.execute(wish)
    tables, _ = await _explained(conn, wipe, 90, 1000)
    assert "generations" not in tables
    settled = await conn.fetch(queries.query("users.settle_forgotten"))
    assert len(settled) == await conn.fetchval("SELECT count(*) FROM users WHERE id % 500 = 0")
    tables, pages = await _explained(conn, wipe, 90, 1000)
    assert "generations" not in tables
    assert pages < 1000


async def test_a_slice_of_the_audit_takes_less_than_a_second(conn: Connection) -> None:
    """However large the ledger is: rows are found by their person."""
    people = await audit.next_people(conn, fill.person(10_000), auditor.SLICE)
    assert len(people) == auditor.SLICE
    fastest = math.inf
    for _ in range(3):
        began = time.monotonic()
        assert await audit.differences_of(conn, people, 10) == []
        fastest = min(fastest, time.monotonic() - began)
    assert fastest < 1
    began = time.monotonic()
    assert (await audit.new_entries(conn, 100_000, auditor.SLICE)).taken == auditor.SLICE
    assert time.monotonic() - began < 0.5


def test_every_statement_is_measured() -> None:
    """One that is new is added to tests/bench/cases.py."""
    sql = Path(__file__).parents[1] / "sql"
    names = {f"{path.stem}.{verb}" for path in sql.glob("*.sql") for verb in queries.statements(path.stem)}
    assert {case.name for case in CASES} == names


def test_no_statement_reads_a_table_that_grows_with_the_people(busy: str) -> None:
    """Those that read thousands of rows by nature have a bound of their own, which a million people are needed for."""
    with psycopg.connect(busy, autocommit=True) as connection:
        plain = [case for case in CASES if case.bound_ms is None and not case.alone]
        whole = {f"{case.name}, {case.of}": Explained(connection, case).run().whole & LARGE for case in plain}
    assert {name: tables for name, tables in whole.items() if tables} == {}


async def test_a_result_is_found_at_once_behind_any_number_of_sentences(conn: Connection) -> None:
    await conn.execute(
        "INSERT INTO outbox (chat_id, kind, ref) SELECT n, 'order_failed', n::text FROM generate_series(1, 20000) AS n"
    )
    await conn.execute("INSERT INTO outbox (chat_id, kind, ref, due_at) VALUES (1, 'picture', 'late', now())")
    await conn.execute("ANALYZE outbox")
    assert [one.ref for one in await outbox.claim(conn, 8, 60, [], lanes.PICTURES.kinds, (False,))] == ["late"]
    for lane in (lanes.PICTURES, lanes.RETRIES):
        asked: tuple[Any, ...] = 8, lane.lease_s, [], list(lane.kinds), list(lane.failed), 4, lane.last
        _, pages = await _explained(conn, queries.query("outbox.claim"), *asked)
        assert pages < 50
