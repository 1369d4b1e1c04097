"""Subscriptions: one row a payment."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.repo.queries import query
from app.repo.records import Connection

_EXTEND = query("subscriptions.extend")
_REVOKE = query("subscriptions.revoke")
_ACTIVE = query("subscriptions.active")


@dataclass(frozen=True, slots=True)
class Active:
    """The plan bought last, the currency it was paid in, and the end of all subscriptions (UTC)."""

    plan: str
    currency: str
    ends_at: datetime


async def extend(conn: Connection, payment_id: UUID, user_id: int, plan: str, days: int) -> datetime:
    """Adds a payment's days after the latest subscription; when it now ends (UTC)."""
    ends_at: datetime = await conn.fetchval(_EXTEND, payment_id, user_id, plan, days)
    return ends_at


async def revoke(conn: Connection, payment_id: UUID) -> None:
    """Takes a payment's days back."""
    await conn.execute(_REVOKE, payment_id)


async def active(conn: Connection, user_id: int) -> Active | None:
    """The person's running subscription."""
    row = await conn.fetchrow(_ACTIVE, user_id)
    return Active(**row) if row else None
