"""The audit beside the bot: what is new in the ledger within minutes, everybody again and again, in slices.

The whole ledger is never read at once: a slice takes half a second, however many people there are.
"""

import structlog

from app.db import slow_transaction
from app.repo import audit
from app.repo.audit import Part
from app.repo.records import Connection, Pool

log = structlog.get_logger()

PATIENCE_S = 30.0
"""For one slice; nobody waits for it."""

SLICE = 5000
"""People, or entries of the ledger."""

PARTS: tuple[Part, ...] = ("entries", "people")

_NEW_EVERY_S = 120.0
_SLICE_EVERY_S = 60.0
"""So seven million people are looked at in a day."""


async def prove(pool: Pool, part: Part) -> bool:
    """Looks at the next piece of a part, if it is due and no other replica is at it; whether there was one.

    What is found is kept in `audit_findings` and logged once; whom it is about is looked at again with what is new.
    """
    async with slow_transaction(pool, PATIENCE_S) as conn:
        position = await audit.claim(conn, part)
        if position is None:
            return False
        people = await (_new_entries if part == "entries" else _slice)(conn, position)
        found = await audit.differences_of(conn, people, PATIENCE_S)
        news = await audit.note(conn, people, found)
    if news:
        log.error("audit.differs", differences=len(found), user_id=found[0].user_id)
    return True


async def _new_entries(conn: Connection, position: int) -> list[int]:
    entries = await audit.new_entries(conn, position, SLICE)
    more = entries.taken == SLICE
    await audit.advance(conn, "entries", entries.last, 0 if more else _NEW_EVERY_S, not more)
    return sorted({*entries.people, *await audit.suspects(conn, SLICE)})


async def _slice(conn: Connection, position: int) -> list[int]:
    people = await audit.next_people(conn, position, SLICE)
    at_the_end = len(people) < SLICE
    await audit.advance(conn, "people", audit.FIRST if at_the_end else people[-1], _SLICE_EVERY_S, at_the_end)
    return people
