"""Every statement in sql/ is valid against the migrated schema, and somebody uses it."""

import importlib
import pkgutil
import re
from pathlib import Path

import asyncpg
import pytest

import app.repo
from app.repo import queries
from sandbox.books import STATEMENTS

_SQL = Path(__file__).parents[1] / "sql"


def _names() -> list[str]:
    return [f"{path.stem}.{verb}" for path in sorted(_SQL.glob("*.sql")) for verb in queries.statements(path.stem)]


async def test_every_statement_prepares_against_the_schema(database_url: str) -> None:
    """PostgreSQL parses and plans each one, so a typo or a lost column is found here."""
    names = _names()
    assert len(names) > 30
    connection = await asyncpg.connect(database_url)
    try:
        for name in names:
            stem, _, verb = name.partition(".")
            await connection.prepare(queries.statements(stem)[verb])
    finally:
        await connection.close()


@pytest.mark.parametrize("name", STATEMENTS)
async def test_what_the_machine_room_reads_is_there(database_url: str, name: str) -> None:
    """The sandbox's own statements are planned against the same schema."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.prepare(STATEMENTS[name])
    finally:
        await connection.close()


def test_no_statement_is_unused() -> None:
    """What no repository asks for is deleted."""
    for module in pkgutil.iter_modules(app.repo.__path__):
        importlib.import_module(f"app.repo.{module.name}")
    assert set(_names()) == queries.used


def test_what_is_taken_a_few_at_a_time_is_looked_for_once() -> None:
    """`IN (SELECT … SKIP LOCKED)` may be asked for each row and take more than its LIMIT; an ARRAY is once made."""
    asked_anew = re.compile(r" IN \(\s+SELECT (?:(?!\n\)).)*SKIP LOCKED", re.DOTALL)
    for name in _names():
        stem, _, verb = name.partition(".")
        assert not asked_anew.search(queries.statements(stem)[verb]), name
