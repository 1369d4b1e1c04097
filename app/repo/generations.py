"""Orders, from the card to the picture."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from app.repo.queries import query
from app.repo.records import Connection, Order, Question, Result, Submission

_FIND_ORDER = query("generations.find_order")
_INSERT = query("generations.insert")
_WAITING = query("generations.waiting")
_CLAIM_QUEUED = query("generations.claim_queued")
_START_SUBMITTING = query("generations.start_submitting")
_REQUEUE = query("generations.requeue")
_RELEASE = query("generations.release")
_ACCEPT = query("generations.accept")
_BY_REQUEST = query("generations.by_request")
_OWNER = query("generations.owner")
_HINT = query("generations.hint")
_CLAIM_POLLS = query("generations.claim_polls")
_OVERDUE = query("generations.overdue")
_COMPLETE = query("generations.complete")
_FAIL = query("generations.fail")
_FAIL_CLAIMED = query("generations.fail_claimed")
_FAIL_OVERDUE = query("generations.fail_overdue")
_FAIL_READY = query("generations.fail_ready")
_RESULT = query("generations.result")
_REFRESH_RESULT = query("generations.refresh_result")
_DELIVERED = query("generations.delivered")
_SOURCE = query("generations.source")
_WIPE = query("generations.wipe")
_WIPE_OF = query("generations.wipe_of")


class Failure(StrEnum):
    """Why an order failed."""

    NOT_A_PICTURE = "not_a_picture"
    TOO_LARGE = "too_large"
    FILE_GONE = "file_gone"
    REFUSED = "refused"
    MODEL_GONE = "model_gone"
    PROVIDER = "provider"
    DEADLINE = "deadline"
    NO_PICTURE = "no_picture"
    UNDELIVERABLE = "undeliverable"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a person ordered with a card: `price` in credits, `sources` as file ids, `request` as JSON.

    `deadline_s` and `submit_by_s` are seconds from now. `hidden`: the version before could not build its request, and
    must not claim it. `told_place`: the place in the queue that the person is just told; `look_s`: when to look whether
    there is something new to be told.
    """

    user_id: int
    order_key: str
    model: str
    size: str
    price: int
    prompt: str
    sources: Sequence[str]
    card_message_id: int | None
    deadline_s: float
    submit_by_s: float
    quality: str
    style: str | None
    request: str
    hidden: bool
    told_place: int | None = None
    look_s: float | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose generation it is, and how far it has come."""

    user_id: int
    request_id: int | None
    status: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Failed:
    """An order that has just failed: whom to give `price` credits back."""

    user_id: int
    price: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many seconds an order took that has just been delivered.

    `being_told`: its message is just being edited, by somebody who will look at the order once more.
    """

    since_order_s: float
    since_ready_s: float
    being_told: bool


async def find_order(conn: Connection, order_key: str, user_id: int) -> Order | None:
    """The person's order made from a card."""
    row = await conn.fetchrow(_FIND_ORDER, order_key, user_id)
    return Order(**row) if row else None


async def insert(conn: Connection, order: NewOrder) -> UUID | None:
    """Writes a queued order; None when its card was used before."""
    generation_id: UUID | None = await conn.fetchval(
        _INSERT,
        order.user_id,
        order.order_key,
        order.model,
        order.size,
        order.price,
        order.prompt,
        order.sources,
        order.card_message_id,
        order.deadline_s,
        order.submit_by_s,
        order.quality,
        order.style,
        order.request,
        order.hidden,
        order.told_place,
        order.look_s,
    )
    return generation_id


async def waiting(conn: Connection, at_most: int) -> int:
    """How many orders are queued, counted up to `at_most`."""
    count: int = await conn.fetchval(_WAITING, at_most)
    return count


async def claim_queued(
    conn: Connection,
    limit: int,
    lease_s: float,
    models: Sequence[str],
    busy: Collection[int] = (),
    of_each: int | None = None,
) -> list[Submission]:
    """Leases up to `limit` queued orders of these models for `lease_s` seconds.

    `of_each` person no more than so many, with those whose person is among `busy`, once for each.
    """
    rows = await conn.fetch(_CLAIM_QUEUED, limit, lease_s, models, list(busy), of_each or limit)
    return [Submission(**row) for row in rows]


async def start_submitting(conn: Connection, claimed: Submission) -> bool:
    """queued → submitting; False for a worker that has lost its lease, or where it is too late for a picture."""
    return await conn.fetchval(_START_SUBMITTING, claimed.id, claimed.attempt) is not None


async def requeue(conn: Connection, claimed: Submission, delay_s: float) -> bool | None:
    """submitting → queued, for what was certainly not accepted; whether there is time for another try after the delay.

    None: it was moved on by a callback or the deadline.
    """
    in_time: bool | None = await conn.fetchval(_REQUEUE, claimed.id, claimed.attempt, delay_s)
    return in_time


async def release(conn: Connection, claimed: Submission, delay_s: float) -> bool:
    """Gives a lease on a queued order back, to be claimed again after `delay_s` seconds."""
    return await conn.fetchval(_RELEASE, claimed.id, claimed.attempt, delay_s) is not None


async def accept(conn: Connection, generation_id: UUID, request_id: int, poll_after_s: float) -> str | None:
    """Stores gen-api's number; the status it has now, or None when it had a number already.

    Raises asyncpg.UniqueViolationError when the number is another generation's.
    """
    status: str | None = await conn.fetchval(_ACCEPT, generation_id, request_id, poll_after_s)
    return status


async def by_request(conn: Connection, request_id: int) -> UUID | None:
    """The generation that has this request number."""
    generation_id: UUID | None = await conn.fetchval(_BY_REQUEST, request_id)
    return generation_id


async def owner(conn: Connection, generation_id: UUID) -> Owner | None:
    """Whose generation it is; takes no lock."""
    row = await conn.fetchrow(_OWNER, generation_id)
    return Owner(**row) if row else None


async def hint(conn: Connection, request_id: int) -> None:
    """Brings the next question about this request forward, at most once in ten seconds."""
    await conn.execute(_HINT, request_id)


async def claim_polls(conn: Connection, limit: int, poll_after_s: float) -> list[Question]:
    """Takes up to `limit` requests whose turn it is to be asked about."""
    return [Question(**row) for row in await conn.fetch(_CLAIM_POLLS, limit, poll_after_s)]


async def overdue(conn: Connection, limit: int) -> list[UUID]:
    """Orders that nobody can be asked about: past their deadline, or queued when it is too late to submit them."""
    return [row["id"] for row in await conn.fetch(_OVERDUE, limit)]


async def complete(conn: Connection, generation_id: UUID, url: str, request_id: int, cost: int | None) -> bool:
    """→ ready, with what gen-api took in kopecks; False when a final word was there before."""
    return await conn.fetchval(_COMPLETE, generation_id, url, request_id, cost) is not None


async def fail(conn: Connection, generation_id: UUID, failure: Failure, cost: int | None = None) -> Failed | None:
    """queued | submitting | processing → failed; None when something final was there before."""
    return _failed(await conn.fetchrow(_FAIL, generation_id, failure, cost))


async def fail_claimed(conn: Connection, generation_id: UUID, failure: Failure, attempt: int) -> Failed | None:
    """queued → failed by the worker that holds the lease; None for one that has lost it."""
    return _failed(await conn.fetchrow(_FAIL_CLAIMED, generation_id, failure, attempt))


async def fail_overdue(conn: Connection, generation_id: UUID, failure: Failure) -> Failed | None:
    """queued | submitting | processing → failed, past the deadline only, or queued when it is too late to submit it."""
    return _failed(await conn.fetchrow(_FAIL_OVERDUE, generation_id, failure))


async def fail_ready(conn: Connection, generation_id: UUID, failure: Failure) -> Failed | None:
    """ready → failed: what the deliverer cannot deliver."""
    return _failed(await conn.fetchrow(_FAIL_READY, generation_id, failure))


async def result(conn: Connection, generation_id: UUID) -> Result | None:
    """The generation as the deliverer needs it."""
    row = await conn.fetchrow(_RESULT, generation_id)
    return Result(**row) if row else None


async def refresh_result(conn: Connection, generation_id: UUID, url: str) -> bool:
    """Notes a fresh link to the result; False when that was done before."""
    return await conn.fetchval(_REFRESH_RESULT, generation_id, url) is not None


async def delivered(conn: Connection, generation_id: UUID, file_id: str | None) -> Delivered | None:
    """ready → delivered; None when something final was there before."""
    row = await conn.fetchrow(_DELIVERED, generation_id, file_id)
    return Delivered(**row) if row else None


async def source(conn: Connection, generation_id: UUID, number: int) -> tuple[str, str] | None:
    """The file id of an open order's source, the first being number 1, and the model that it is for."""
    row = await conn.fetchrow(_SOURCE, generation_id, number)
    return (row["file_id"], row["model"]) if row and row["file_id"] is not None else None


async def wipe(conn: Connection, days: int, limit: int) -> int:
    """Removes prompts, file ids and links of orders that ended or have waited for the person for more than `days` days,
    or are forgotten by wish: at most `limit` of each. How many these were; there may be more."""
    return len(await conn.fetch(_WIPE, days, limit))


async def wipe_of(conn: Connection, user_id: int) -> None:
    """Removes prompts, file ids and links of one person's orders that ended or wait for the person."""
    await conn.execute(_WIPE_OF, user_id)


def _failed(row: object) -> Failed | None:
    return Failed(**row) if row else None  # type: ignore[arg-type]  # a record is a mapping, its keys are the fields
