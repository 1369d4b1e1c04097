"""A notification says where to look, and is believed in nothing else."""

from uuid import UUID

import structlog

from app.db import connection
from app.flows.purchases.ask import Asking
from app.flows.purchases.settle import Source
from app.flows.purchases.turns import Turns
from app.gateways.port import Gateway
from app.repo import payments
from app.repo.records import Pool

log = structlog.get_logger()


class Notified:
    """Takes notifications of a gateway."""

    def __init__(self, pool: Pool, gateway: Gateway, asking: Asking) -> None:
        self._pool = pool
        self._gateway = gateway
        self._asking = asking
        self._turns = Turns[bool]()

    async def of(self, provider_id: str, claimed_id: UUID | None) -> bool:
        """Looks at the payment that a notification names; False where it is about nothing of ours.

        `claimed_id`: our id, as the notification claims it. However many notifications come of one payment, it is read
        by one at a time. Raises Unavailable when it cannot be verified now.
        """
        async with connection(self._pool) as conn:
            purchase = await payments.by_provider(conn, self._gateway.name, provider_id)
            if purchase is None and claimed_id is not None:
                purchase = await payments.by_id(conn, claimed_id)
        if purchase is None or purchase.provider_id not in (None, provider_id):
            log.warning("payment.unknown", provider_id=provider_id)
            return False
        structlog.contextvars.bind_contextvars(payment_id=str(purchase.id), user_id=purchase.user_id)
        known = purchase
        return await self._turns.join(
            provider_id, lambda: self._asking.read(known, Source.NOTIFICATION, claimed=provider_id)
        )

    async def close(self) -> None:
        """Cuts short what is being looked at."""
        await self._turns.close()
