"""Where a person wants the receipts of what they buy through a shop that sends receipts."""

import structlog

from app.db import connection, transaction
from app.repo import payments, users
from app.repo.records import Pool

log = structlog.get_logger()

_AT_ONCE = 1000


async def current(pool: Pool, user_id: int) -> str | None:
    """The person's address, None where they gave none."""
    async with connection(pool) as conn:
        return await users.email(conn, user_id)


async def choose(pool: Pool, user_id: int, email: str) -> None:
    """Receipts go there from the next new payment on: what is being paid keeps the body that it was stored with."""
    async with connection(pool) as conn:
        await users.set_email(conn, user_id, email)


async def forget(pool: Pool, user_id: int) -> None:
    """The person's address is gone, from the requests of payments as well; from one whose link is not there yet it goes
    once it is, or with `wipe`, as the same text may have to be sent again."""
    async with transaction(pool) as conn:
        await users.lock(conn, user_id)
        await users.set_email(conn, user_id, None)
        await payments.wipe_addresses(conn, user_id)


async def wipe(pool: Pool) -> None:
    """Removes what `forget` had to leave, as soon as it is not needed any more."""
    async with connection(pool) as conn:
        people = await payments.with_forgotten_addresses(conn, _AT_ONCE)
    for user_id in people:
        async with transaction(pool) as conn:
            await users.lock(conn, user_id)
            await payments.wipe_addresses(conn, user_id)
