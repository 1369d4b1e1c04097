"""Circuit breakers: of the provider where it refuses us as customers, and of each model whose network is not there."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from app.repo.queries import query
from app.repo.records import Connection

PROVIDER = "gen-api"
"""Opened by refusals that say: no money, or a wrong key."""

THRESHOLD = 3
"""Refusals in a row that open a circuit."""

TRIAL_EVERY_S = 30.0
"""The provider's open circuit lets one order through in this many seconds."""

MODEL_TRIAL_EVERY_S = 3600.0
"""A model's open circuit lets one order through in this many seconds."""

_OFF = query("breakers.off")
_ANY_OPEN = query("breakers.any_open")
_TRY_TRIAL = query("breakers.try_trial")
_REFUSED = query("breakers.refused")
_ACCEPTED = query("breakers.accepted")
_ACCEPTED_SINCE = query("breakers.accepted_since")


def of_model(model: str) -> str:
    """The name of a model's circuit."""
    return f"{PROVIDER}/{model}"


async def off(conn: Connection, models: Sequence[str]) -> set[str]:
    """Which of these models' circuits let no order through at present."""
    names = {of_model(model): model for model in models}
    return {names[row["provider"]] for row in await conn.fetch(_OFF, list(names))}


async def refusing(conn: Connection, circuits: Mapping[str, float]) -> str | None:
    """The first of these circuits that lets no order through; None: this order may pass, as a trial of the open ones.

    `circuits`: seconds between two trials by name. No trial is used up unless every open one lets it through.
    """
    names = list(circuits)
    if not await conn.fetchval(_ANY_OPEN, names):
        return None
    refusing: str | None = await conn.fetchval(_TRY_TRIAL, names, list(circuits.values()))
    return refusing


async def refused(conn: Connection, circuit: str, trial_every_s: float) -> str | None:
    """Counts a refusal; the instant of opening for the one that opened the circuit, else None."""
    row = await conn.fetchrow(_REFUSED, circuit, THRESHOLD, trial_every_s)
    return row["since"] if row and row["opened"] else None


async def accepted(conn: Connection, circuits: Sequence[str]) -> list[str]:
    """Ends the row of refusals of each of these; those that this closed."""
    return [row["provider"] for row in await conn.fetch(_ACCEPTED, circuits) if row["closed"]]


async def accepted_since(conn: Connection, generation_id: UUID) -> list[str]:
    """Closes the open circuits that this order, whose picture came, was sent through after they had opened; which."""
    return [row["provider"] for row in await conn.fetch(_ACCEPTED_SINCE, PROVIDER, generation_id)]
