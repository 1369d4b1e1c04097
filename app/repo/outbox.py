"""Messages owed to people."""

from collections.abc import Collection

from app.notices import Notice
from app.repo.queries import query
from app.repo.records import Connection, Message

_PUT = query("outbox.put")
_CLAIM = query("outbox.claim")
_PAUSE = query("outbox.pause")
_MARK_SENT = query("outbox.mark_sent")
_DROP = query("outbox.drop")
_POSTPONE = query("outbox.postpone")
_PARK = query("outbox.park")
_PURGE = query("outbox.purge")


async def put(conn: Connection, chat_id: int, notice: Notice) -> bool:
    """Owes a message; False when its kind and ref are owed or were sent already."""
    ref, payload = notice.ref_for(chat_id), notice.payload()
    return await conn.fetchval(_PUT, chat_id, notice.kind, ref, payload, notice.priority) is not None


async def claim(
    conn: Connection, limit: int, lease_s: float, resting: Collection[int], kinds: Collection[str]
) -> list[Message]:
    """Leases up to `limit` due messages of these kinds for `lease_s` seconds: one a chat, no chat of `resting`."""
    return [Message(**row) for row in await conn.fetch(_CLAIM, limit, lease_s, resting, list(kinds))]


async def pause(conn: Connection, pause_s: float) -> None:
    """Lets nobody claim anything for `pause_s` seconds."""
    await conn.execute(_PAUSE, pause_s)


async def mark_sent(conn: Connection, message_id: int) -> bool:
    """Ends a message that was sent, by whomever; False when it has ended before."""
    return await conn.fetchval(_MARK_SENT, message_id) is not None


async def drop(conn: Connection, message: Message) -> bool:
    """Gives a claimed message up; False for a worker that has lost its lease."""
    return await conn.fetchval(_DROP, message.id, message.attempt) is not None


async def postpone(conn: Connection, message: Message, delay_s: float) -> bool:
    """Puts a claimed message off; False for a worker that has lost its lease."""
    return await conn.fetchval(_POSTPONE, message.id, message.attempt, delay_s) is not None


async def park(conn: Connection, chat_id: int) -> None:
    """Puts everything owed to a chat off until `users.touch` sees the person again."""
    await conn.execute(_PARK, chat_id)


async def purge(conn: Connection, days: int, limit: int) -> int:
    """Removes at most `limit` messages that ended more than `days` days ago; how many these were."""
    return len(await conn.fetch(_PURGE, days, limit))
