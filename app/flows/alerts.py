"""What the operators are told in Telegram."""

from collections.abc import Sequence

from app.repo import outbox
from app.repo.records import Connection


async def alert(conn: Connection, admin_ids: Sequence[int], ref: str, text: str) -> None:
    """Owes every operator one message about `ref`, however often it happens."""
    for admin_id in admin_ids:
        await outbox.put(conn, admin_id, "alert", f"{ref}:{admin_id}", {"text": text})
