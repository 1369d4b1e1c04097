"""Messages owed to people."""

from collections.abc import Collection

from app.notices import Notice, Priority
from app.repo.queries import query
from app.repo.records import Connection, Message

_PUT = query("outbox.put")
_OWES = query("outbox.owes")
_CLAIM = query("outbox.claim")
_PAUSE = query("outbox.pause")
_BEGIN_SEND = query("outbox.begin_send")
_NOT_SENT = query("outbox.not_sent")
_MARK_SENT = query("outbox.mark_sent")
_DROP = query("outbox.drop")
_POSTPONE = query("outbox.postpone")
_PARK = query("outbox.park")
_PURGE = query("outbox.purge")
_PURGE_PAUSES = query("outbox.purge_pauses")

_KILL = 4
"""Failures that a try counts as whose process was killed: what kills is given up sooner than what fails."""


async def put(conn: Connection, chat_id: int, notice: Notice) -> bool:
    """Owes a message; False when its kind and ref are owed or were sent already."""
    ref, payload = notice.ref_for(chat_id), notice.payload()
    return await conn.fetchval(_PUT, chat_id, notice.kind, ref, payload, notice.priority) is not None


async def owes(conn: Connection, chat_id: int, kind: str, order: str) -> bool:
    """Whether a message of this kind about an order waits for a chat, which is not parked."""
    waiting: bool = await conn.fetchval(_OWES, chat_id, kind, order)
    return waiting


async def claim(
    conn: Connection,
    limit: int,
    lease_s: float,
    resting: Collection[int],
    kinds: Collection[str],
    failed: Collection[bool] = (False, True),
    last: Priority = Priority.BROADCAST,
) -> list[Message]:
    """Leases up to `limit` due messages of these kinds for `lease_s` seconds: one a chat, no chat of `resting`.

    `failed`: whether those that have failed before, those that have not, or both. `last`: the lowest priority that is
    looked at, so that a lane of results does not read past a hundred thousand broadcasts.
    """
    rows = await conn.fetch(_CLAIM, limit, lease_s, resting, list(kinds), list(failed), _KILL, last)
    return [Message(**row) for row in rows]


async def pause(conn: Connection, chat_id: int, pause_s: float) -> bool:
    """Lets nobody write to a chat for `pause_s` seconds; whether the whole bot pauses, as several were told to."""
    return await conn.fetchval(_PAUSE, chat_id, pause_s) is not None


async def begin_send(conn: Connection, message: Message, lease_s: float) -> int | None:
    """Notes a send before it is made, and leases the message for it; how many outcomes are unknown, with this one.

    None for a worker that has lost its lease.
    """
    sends: int | None = await conn.fetchval(_BEGIN_SEND, message.id, message.attempt, lease_s)
    return sends


async def not_sent(conn: Connection, message: Message) -> bool:
    """Notes that the send came to nothing for certain; False for a worker that has lost its lease."""
    return await conn.fetchval(_NOT_SENT, message.id, message.attempt) is not None


async def mark_sent(conn: Connection, message_id: int) -> bool:
    """Ends a message that was sent, by whomever; False when it has ended before."""
    return await conn.fetchval(_MARK_SENT, message_id) is not None


async def drop(conn: Connection, message: Message) -> bool:
    """Gives a claimed message up; False for a worker that has lost its lease."""
    return await conn.fetchval(_DROP, message.id, message.attempt) is not None


async def postpone(conn: Connection, message: Message, delay_s: float, failures: int) -> bool:
    """Puts a claimed message off, `failures` more counted; False for a worker that has lost its lease."""
    return await conn.fetchval(_POSTPONE, message.id, message.attempt, delay_s, failures, _KILL) is not None


async def park(conn: Connection, message: Message) -> None:
    """Puts a claimed message and what else waits for its chat off until `users.visit` sees the person again."""
    await conn.execute(_PARK, message.id, message.attempt, message.chat_id, _KILL)


async def purge(conn: Connection, days: int, limit: int) -> int:
    """Removes at most `limit` messages that ended more than `days` days ago; how many these were."""
    return len(await conn.fetch(_PURGE, days, limit))


async def purge_pauses(conn: Connection, _days: int, limit: int) -> int:
    """Removes at most `limit` pauses of chats that are long over; how many these were."""
    return len(await conn.fetch(_PURGE_PAUSES, limit))
