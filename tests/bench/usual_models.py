"""The tables as the usual stack maps them: SQLAlchemy's declarative classes over the same schema."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import JSON, BigInteger, ForeignKey, Identity, String
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What every table shares."""

    type_annotation_map = {  # noqa: RUF012 - this is how SQLAlchemy is told
        datetime: TIMESTAMP(timezone=True),
        int: BigInteger,
        list[str]: ARRAY(String),
        dict[str, Any]: JSONB,
    }


class User(Base):
    """A person."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    credits: Mapped[int]
    language: Mapped[str | None]


class LedgerEntry(Base):
    """Why a balance changed."""

    __tablename__ = "ledger"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    delta: Mapped[int]
    balance: Mapped[int]
    reason: Mapped[str]
    ref: Mapped[str]


class Generation(Base):
    """An order."""

    __tablename__ = "generations"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    order_key: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    model: Mapped[str]
    size: Mapped[str]
    price: Mapped[int]
    prompt: Mapped[str | None]
    sources: Mapped[list[str] | None]
    source_file_id: Mapped[str | None]
    request: Mapped[Any] = mapped_column(JSON)
    request_id: Mapped[int | None]
    result_url: Mapped[str | None]
    deadline_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]
    poll_at: Mapped[datetime | None]


class Payment(Base):
    """A purchase."""

    __tablename__ = "payments"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    plan: Mapped[str]
    credits: Mapped[int]
    amount: Mapped[int]
    status: Mapped[str]
    provider_id: Mapped[str | None]
    poll_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]


class Subscription(Base):
    """Thirty days that were bought."""

    __tablename__ = "subscriptions"
    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    plan: Mapped[str]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class OutboxMessage(Base):
    """A message that is owed."""

    __tablename__ = "outbox"
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    chat_id: Mapped[int]
    kind: Mapped[str]
    ref: Mapped[str]
    payload: Mapped[dict[str, Any]]
