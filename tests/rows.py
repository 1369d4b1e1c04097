"""Rows in every state at once, to see which of them a statement changes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from app.repo.records import Connection


class Sql(str):
    """An expression in place of a value."""

    __slots__ = ()


def ago(what: str) -> Sql:
    """An instant before now()."""
    return Sql(f"now() - interval '{what}'")


def ahead(what: str) -> Sql:
    """An instant after now()."""
    return Sql(f"now() + interval '{what}'")


NOW = Sql("now()")

AN_ORDER: Mapping[str, Any] = {
    "model": "m",
    "size": "s",
    "price": 2,
    "prompt": "кот",
    "sources": ["one"],
    "deadline_at": ahead("1 hour"),
}
A_PURCHASE: Mapping[str, Any] = {
    "plan": "p",
    "credits": 10,
    "amount": 20_000,
    "gateway": "yookassa",
    "shop_id": "1",
    "test": True,
    "request": "{}",
}
"""Usual values of `generations` and `payments`, where a test asks for no others."""


@dataclass
class Rows:
    """Rows of one table by name. `conn` is in a transaction, so that now() stands still.

    `usual` are the values of columns that a row does not say.
    """

    conn: Connection
    table: str
    usual: Mapping[str, Any]
    ids: dict[str, Any] = field(default_factory=dict)

    async def add(self, name: str, **columns: Any) -> Any:
        """A row of that name; its id."""
        given = {"id": uuid4()} | dict(self.usual) | columns
        given = {key: value for key, value in given.items() if value is not ...}
        values = [value for value in given.values() if not isinstance(value, Sql)]
        numbers = iter(range(1, len(values) + 1))
        places = ", ".join(value if isinstance(value, Sql) else f"${next(numbers)}" for value in given.values())
        insert = f"INSERT INTO {self.table} ({', '.join(given)}) VALUES ({places}) RETURNING id"
        self.ids[name] = await self.conn.fetchval(insert, *values)
        return self.ids[name]

    async def of(self, name: str, columns: str) -> Any:
        """One expression, or several as a tuple, of the row of that name; spans of time are seconds."""
        row = await self.conn.fetchrow(f"SELECT {columns} FROM {self.table} WHERE id = $1", self.ids[name])
        assert row is not None
        found = tuple(value.total_seconds() if isinstance(value, timedelta) else value for value in row)
        return found if len(found) > 1 else found[0]

    async def changes(self, call: Callable[[], Awaitable[object]]) -> set[str]:
        """The names of the rows that the call changes; it is taken back."""
        transaction = self.conn.transaction()
        await transaction.start()
        before = await self._look()
        await call()
        after = await self._look()
        await transaction.rollback()
        return {name for name in self.ids if before.get(self.ids[name]) != after.get(self.ids[name])}

    async def let_through(self, call: Callable[[Any], Awaitable[object]]) -> set[str]:
        """The names of the rows that the call, made for one row after the other, changes: that one or none."""
        through = set()
        for name, row_id in self.ids.items():
            said: list[object] = []

            async def once(row_id: Any = row_id, said: list[object] = said) -> None:
                said.append(await call(row_id))

            changed = await self.changes(once)
            assert changed in (set(), {name})
            assert bool(changed) == (said[0] not in (None, False)) or said[0] is None
            through |= changed
        return through

    async def _look(self) -> dict[Any, str]:
        # xmin: a row that is written again as it was counts as changed
        rows = await self.conn.fetch(f"SELECT id, xmin::text || {self.table}::text AS whole FROM {self.table}")
        return {row["id"]: row["whole"] for row in rows}
