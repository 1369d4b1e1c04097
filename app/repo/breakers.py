"""The circuit breaker of a provider that refuses us as customers: no money, or a wrong key."""

from uuid import UUID

from app.repo.queries import query
from app.repo.records import Connection

THRESHOLD = 3
"""Refusals in a row that open the circuit."""

TRIAL_EVERY_S = 30
"""An open circuit lets one order through in this many seconds."""

_STATE = query("breakers.state")
_TRY_TRIAL = query("breakers.try_trial")
_REFUSED = query("breakers.refused")
_ACCEPTED = query("breakers.accepted")
_ACCEPTED_SINCE = query("breakers.accepted_since")


async def is_closed(conn: Connection, provider: str) -> bool:
    """Whether everybody's orders are taken."""
    return not await conn.fetchval(_STATE, provider)


async def try_trial(conn: Connection, provider: str) -> bool:
    """Whether this order may be the trial of an open circuit; only one is in `TRIAL_EVERY_S` seconds."""
    return await conn.fetchval(_TRY_TRIAL, provider, float(TRIAL_EVERY_S)) is not None


async def refused(conn: Connection, provider: str) -> str | None:
    """Counts a refusal; the instant of opening for the one that opened the circuit, else None."""
    row = await conn.fetchrow(_REFUSED, provider, THRESHOLD, float(TRIAL_EVERY_S))
    return row["since"] if row and row["opened"] else None


async def accepted(conn: Connection, provider: str) -> bool:
    """Ends a row of refusals; whether that closed an open circuit."""
    return bool(await conn.fetchval(_ACCEPTED, provider))


async def accepted_since(conn: Connection, provider: str, generation_id: UUID) -> bool:
    """Closes an open circuit where this order, whose picture came, was sent after it had opened; whether it did."""
    return await conn.fetchval(_ACCEPTED_SINCE, provider, generation_id) is not None
