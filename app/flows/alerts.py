"""What the operators are told in Telegram."""

from collections.abc import Sequence
from datetime import UTC, datetime

from app.notices import Alert
from app.repo import outbox
from app.repo.records import Connection


async def owe(conn: Connection, admin_ids: Sequence[int], alert: Alert) -> None:
    """Owes every operator one message, however often it is put."""
    for admin_id in admin_ids:
        await outbox.put(conn, admin_id, alert)


def this_hour() -> str:
    """The hour (UTC), for the `ref` of what is to be told once in it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H}"
