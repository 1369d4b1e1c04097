"""What is asked of a gateway about a purchase, and brought into our books at once."""

from collections.abc import Callable

import structlog

from app.db import transaction
from app.flows import alerts
from app.flows.purchases.settle import Settlement, Source
from app.gateways.port import Charge, Gateway, Lane, Refused, Unavailable
from app.metrics import Metrics
from app.notices import CheckoutRefused
from app.repo import payments, users
from app.repo.payments import Purchase
from app.repo.records import Pool
from app.settings import Settings

log = structlog.get_logger()

_LANES = {
    Source.CHECKOUT: Lane.PRESS,
    Source.RETURN: Lane.PRESS,
    Source.POLL: Lane.POLL,
    Source.NOTIFICATION: Lane.NOTIFICATION,
}


class Asking:
    """Makes and reads the charges of purchases."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        metrics: Metrics,
        gateway: Gateway,
        settlement: Settlement,
        wake_delivery: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._gateway = gateway
        self._settlement = settlement
        self._wake_delivery = wake_delivery

    async def create(self, purchase: Purchase, source: Source, *, owed: bool) -> Charge:
        """Sends the stored request under the purchase's own key: however often, it is one charge.

        `owed`: nobody waits for the link. Raises Refused where this ended the purchase, else Unavailable.
        """
        try:
            with self._metrics.outside_call(self._gateway.name, "create_payment"):
                charge = await self._gateway.create(purchase.request, str(purchase.id), _LANES[source])
        except Unavailable as error:
            log.warning("payment.create_unknown", payment_id=str(purchase.id), error=str(error))
            raise
        except Refused as error:
            log.error("payment.create_refused", payment_id=str(purchase.id), status=error.status, detail=str(error))
            if await self._refused(purchase, error.status):
                raise
            raise Unavailable("refused, but an earlier call may not have been") from error
        await self._settlement.settle(purchase.id, charge, source, owed=owed)
        return charge

    async def _refused(self, purchase: Purchase, status: int) -> bool:
        """Ends a purchase whose first create call was refused, and tells the operators; whether it ended."""
        async with transaction(self._pool) as conn:
            await users.lock(conn, purchase.user_id)
            ended = await payments.refuse(conn, purchase.id, f"refused:{status}")
            await alerts.owe(conn, self._settings.admin_ids, CheckoutRefused(str(purchase.id), status))
        if ended:
            self._metrics.payments.labels("refused").inc()
        self._wake_delivery()
        return ended

    async def read(self, purchase: Purchase, source: Source) -> None:
        """Asks how the charge of a purchase stands. Raises Unavailable when nobody can say."""
        if purchase.provider_id is None:
            return
        charge = await self.charge(purchase.provider_id, source)
        if charge is None:
            raise Unavailable("a payment of ours is unknown")
        await self._settlement.settle(purchase.id, charge, source)

    async def charge(self, provider_id: str, source: Source) -> Charge | None:
        """A charge by its gateway's id; None where there is none. Raises Unavailable."""
        with self._metrics.outside_call(self._gateway.name, "get_payment"):
            return await self._gateway.read(provider_id, _LANES[source])
