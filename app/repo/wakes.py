"""What workers are woken for: whoever writes work that is due tells all replicas in the same transaction (NOTIFY)."""

from collections.abc import Mapping
from enum import StrEnum

from app.notices import Priority
from app.repo.queries import query
from app.repo.records import Connection

_DUE = query("wakes.due")

CHANNEL = "work"
"""Where `outbox.put` and `generations.insert` tell of it; the payload is the work's name."""


class Work(StrEnum):
    """What there is to do: orders to submit or ask about, sentences to say, results to bring for the first time or
    again, cards to edit, payments to ask about."""

    ORDERS = "orders"
    QUESTIONS = "questions"
    MESSAGES = "messages"
    RESULTS = "results"
    RETRIES = "retries"
    CARDS = "cards"
    PURCHASES = "purchases"


async def due(conn: Connection) -> Mapping[Work, float]:
    """In how many seconds the next piece of each kind is due, zero or less for what waits; no entry for none."""
    row = await conn.fetchrow(_DUE, list(Priority))
    assert row is not None
    return {Work(name): seconds for name, seconds in row.items() if seconds is not None}
