"""Rows as the rest of the program sees them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    type Pool = asyncpg.Pool[asyncpg.Record]
    type Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Pool = Connection = Any


@dataclass(frozen=True, slots=True)
class Order:
    """A generation as its owner sees it."""

    id: UUID
    status: str


@dataclass(frozen=True, slots=True)
class Submission:
    """A queued generation claimed by a worker; `attempt` is its lease.

    `request`: JSON, the fields that the order was made of; None, as `quality`, in a row of the version before.
    """

    id: UUID
    user_id: int
    attempt: int
    model: str
    size: str
    quality: str | None
    style: str | None
    prompt: str
    sources: list[str]
    request: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """A processing generation whose turn it is to be asked about."""

    id: UUID
    request_id: int
    expired: bool


@dataclass(frozen=True, slots=True)
class Result:
    """A ready generation, on its way to the person."""

    id: UUID
    user_id: int
    size: str
    status: str
    request_id: int | None
    result_url: str
    result_refreshed: bool
    card_message_id: int | None


@dataclass(frozen=True, slots=True)
class Message:
    """An outbox row claimed by a worker; `attempt` is its lease.

    `failures` are those of the tries before, `sends` the sends of unknown outcome; `language` is the person's now.
    """

    id: int
    chat_id: int
    kind: str
    ref: str
    payload: str
    attempt: int
    failures: int
    sends: int
    language: str | None
