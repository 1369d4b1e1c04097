"""Every credit passes by here: what refunds could not take goes out of what comes later."""

from app.notices import DebtTaken
from app.repo import credits, outbox, payments
from app.repo.credits import Reason
from app.repo.records import Connection


async def credit(conn: Connection, user_id: int, amount: int, reason: Reason, ref: str) -> int | None:
    """Adds credits, and takes of them what the person's refunds are short of: oldest purchase first, a notice each.

    The balance after both, or None when this (reason, ref) was booked before. The caller holds the lock on the
    person's row.
    """
    balance = await credits.credit(conn, user_id, amount, reason, ref)
    if balance is None:
        return None
    for debt in await payments.debts(conn, user_id):
        taken = min(debt.short, balance)
        if taken == 0:
            break
        # Named by what is taken for this payment altogether: no sum is taken twice
        name = f"{debt.payment_id}:{debt.refunded}:{debt.taken + taken}"
        await payments.settle_debt(conn, debt.payment_id, taken)
        _, balance = await credits.take(conn, user_id, taken, Reason.PURCHASE_REFUND, name)
        await outbox.put(conn, user_id, DebtTaken(name, taken, debt.short - taken, balance))
    return balance
