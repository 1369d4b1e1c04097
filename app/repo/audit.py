"""The proof that no credit was made or lost, and nobody forgotten; how far it has come, and what it found."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Literal

from app.repo.queries import query
from app.repo.records import Connection

type Part = Literal["entries", "people"]
"""What is new in the ledger, every few minutes; everybody, a slice at a time, again and again."""

FIRST = -(2**63)
"""The position before the first person."""

_DIFFERENCES = query("audit.differences")
_EVERYBODY = "SELECT id FROM users)"
DIFFERENCES_OF = _DIFFERENCES.replace(_EVERYBODY, "SELECT unnest($1::bigint[]) AS id)", 1)
"""The statement in the books of the people $1 alone."""

_CLAIM = query("audits.claim")
_NEW_ENTRIES = query("audits.new_entries")
_NEXT_PEOPLE = query("audits.next_people")
_SUSPECTS = query("audits.suspects")
_FORGET_MENDED = query("audits.forget_mended")
_KEEP = query("audits.keep")
_ADVANCE = query("audits.advance")
_STANDING = query("audits.standing")


@dataclass(frozen=True, slots=True)
class Difference:
    """A contradiction in one person's books: what is wrong, and with which order, payment or entry."""

    user_id: int
    what: str
    ref: str


@dataclass(frozen=True, slots=True)
class Entries:
    """New entries of the ledger: the number of the last, whose they are, and how many."""

    last: int
    people: list[int]
    taken: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A part of the audit: whether it ever came to its end, and how many seconds ago it last did."""

    part: Part
    proven: bool
    age_s: float


async def differences(conn: Connection) -> list[Difference]:
    """Everything that contradicts itself (sql/audit.sql lists what is looked at), read at once: must be nothing."""
    return [Difference(**row) for row in await conn.fetch(_DIFFERENCES)]


async def differences_of(conn: Connection, people: Sequence[int], patience_s: float) -> list[Difference]:
    """The same in the books of some people alone, within `patience_s` seconds."""
    return [Difference(**row) for row in await conn.fetch(DIFFERENCES_OF, people, timeout=patience_s)]


async def claim(conn: Connection, part: Part) -> int | None:
    """Where to go on with a part, held until the end of the transaction; None where it is another's or not due."""
    position: int | None = await conn.fetchval(_CLAIM, part)
    return position


async def new_entries(conn: Connection, after: int, limit: int) -> Entries:
    """The entries after number `after` that no transaction under way can come in between, at most `limit`."""
    row = await conn.fetchrow(_NEW_ENTRIES, after, limit)
    assert row is not None
    return Entries(**row)


async def next_people(conn: Connection, after: int, limit: int) -> list[int]:
    """The next people of a round."""
    return [row["id"] for row in await conn.fetch(_NEXT_PEOPLE, after, limit)]


async def suspects(conn: Connection, limit: int) -> list[int]:
    """In whose books a contradiction was found, at most `limit` people."""
    return [row["user_id"] for row in await conn.fetch(_SUSPECTS, limit)]


async def note(conn: Connection, people: Sequence[int], found: Sequence[Difference]) -> int:
    """Keeps what was found in the books of these people, and nothing else about them; how much of it is new."""
    columns = [list(column) for column in zip(*map(astuple, found), strict=True)] or [[], [], []]
    await conn.execute(_FORGET_MENDED, people, *columns)
    return len(await conn.fetch(_KEEP, *columns))


async def advance(conn: Connection, part: Part, position: int, pause_s: float, at_the_end: bool) -> None:
    """Notes how far a part has come, that it goes on in `pause_s` seconds, and whether it came to its end."""
    await conn.execute(_ADVANCE, part, position, pause_s, at_the_end)


async def standing(conn: Connection) -> dict[Part, Standing]:
    """How long ago each part came to its end."""
    return {row["part"]: Standing(**row) for row in await conn.fetch(_STANDING)}
