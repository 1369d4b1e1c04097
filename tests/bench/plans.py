"""What PostgreSQL does for a statement: its time, the pages that it touches, the tables that it reads whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal

from tests.bench.cases import Case, Sql

LARGE = frozenset({"users", "ledger", "generations", "payments", "subscriptions", "outbox", "refunds"})
"""The tables that grow with the people."""

WARM_UP = 6
"""From the sixth execution on PostgreSQL may keep a plan that knows no arguments: that is what a bot runs with."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution. `descents`: how often an index was searched from its root on; `whole`: tables read whole."""

    ms: float
    pages: int
    descents: int
    rows: int
    whole: frozenset[str]


class Explained:
    """A case in one database, PREPAREd there as the bot does; whatever it writes is rolled back."""

    def __init__(self, connection: psycopg.Connection, case: Case) -> None:
        self._connection = connection
        self._indexes = _indexes(connection)
        name = Identifier(f"of {case.name}, {case.of}"[:60])
        connection.execute(SQL("DEALLOCATE ALL"))
        connection.execute(f"PREPARE {name.as_string(connection)} AS {case.statement}".encode())
        self._execute = SQL("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE {}").format(name)
        if case.arguments:
            values = SQL(", ").join([Literal(_looked_up(connection, one)) for one in case.arguments])
            self._execute = Composed([self._execute, SQL(" ("), values, SQL(")")])

    def run(self) -> Run:
        """Executes it once."""
        with self._connection.transaction(force_rollback=True):
            row = self._connection.execute(self._execute).fetchone()
        assert row is not None
        (found,) = row[0]
        plan, nodes = found["Plan"], list(_nodes(found["Plan"]))
        return Run(
            found["Execution Time"],
            plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
            round(sum(_descents(node, self._indexes) for node in nodes)),
            round(plan["Actual Rows"]),
            frozenset(one["Relation Name"] for one in nodes if one["Node Type"] == "Seq Scan" and one["Actual Loops"]),
        )


def summed_up(runs: Sequence[Run]) -> Run:
    """The shortest time, as whatever else the machine does only adds to it; every table that was read whole once."""
    return Run(
        min(run.ms for run in runs),
        round(median(run.pages for run in runs)),
        max(run.descents for run in runs),
        runs[-1].rows,
        frozenset().union(*(run.whole for run in runs)),
    )


def _looked_up(connection: psycopg.Connection, argument: Any) -> Any:
    if not isinstance(argument, Sql):
        return argument
    row = connection.execute(argument.encode()).fetchone()
    assert row is not None, argument
    return row[0]


def _indexes(connection: psycopg.Connection) -> dict[str, int]:
    """How many indexes a row of each table is entered in."""
    return dict(connection.execute("SELECT tablename, count(*)::integer FROM pg_indexes GROUP BY tablename").fetchall())


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _descents(node: dict[str, Any], indexes: dict[str, int]) -> float:
    if "Index Searches" in node:
        return float(node["Index Searches"])
    if node["Node Type"] == "ModifyTable" and node["Operation"] != "Delete":
        written = sum(inner["Actual Rows"] * inner["Actual Loops"] for inner in node["Plans"][:1])
        return float(written * indexes[node["Relation Name"]])
    return 0
