"""What is asked of a gateway about a purchase, and brought into our books at once."""

from collections.abc import Callable

import structlog

from app.db import connection, transaction
from app.flows import alerts
from app.flows.purchases.settle import Settlement, Source
from app.gateways.port import DEADLINE_S, AddressRefused, Charge, Gateway, Lane, Refused, Unavailable
from app.metrics import Metrics
from app.notices import Alert, CheckoutRefused, PaymentElsewhere, PaymentGone
from app.repo import breakers, payments, users
from app.repo.payments import Purchase
from app.repo.records import Connection, Pool
from app.settings import Settings

log = structlog.get_logger()

_BAD_REQUEST = 400
"""HTTP status of YooKassa's for a body that it cannot take."""

LANES = {
    Source.CHECKOUT: Lane.PRESS,
    Source.RETURN: Lane.PRESS,
    Source.POLL: Lane.POLL,
    Source.NOTIFICATION: Lane.NOTIFICATION,
}
"""Whose places a look takes."""


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
        self.retry_after_s = DEADLINE_S + settings.payment_poll_after_s
        """An unknown create call is repeated about once a minute, as YooKassa asks; never while the one before may
        still be answered."""

    async def may_create(self, conn: Connection) -> bool:
        """Whether a create call may be made: always, but while the gateway refuses us, when one trial in a while is."""
        return await breakers.refusing(conn, {self._gateway.name: breakers.TRIAL_EVERY_S}) is None

    async def create(self, purchase: Purchase, source: Source, *, owed: bool) -> Charge:
        """Sends the stored request under the purchase's own key: however often, it is one charge.

        `owed`: nobody waits for the link. Raises Refused where this ended the purchase, AddressRefused where the
        buyer's own address may be why, else Unavailable.
        """
        try:
            with self._metrics.outside_call(self._gateway.name, "create_payment"):
                charge = await self._gateway.create(purchase.request, str(purchase.id), LANES[source])
        except Unavailable as error:
            log.warning("payment.create_unknown", payment_id=str(purchase.id), error=str(error))
            raise
        except Refused as error:
            log.error("payment.create_refused", payment_id=str(purchase.id), status=error.status, detail=str(error))
            personal = error.status == _BAD_REQUEST and self._gateway.address_in(purchase.request) is not None
            if await self._refused(purchase, error.status, personal):
                if personal:
                    raise AddressRefused(error.status, str(error)) from error
                raise
            raise Unavailable("refused, but an earlier call may not have been") from error
        async with connection(self._pool) as conn:
            if await breakers.accepted(conn, [self._gateway.name]):
                log.info("breaker.closed", provider=self._gateway.name)
        await self._settlement.settle(purchase.id, charge, source, owed=owed)
        return charge

    async def _refused(self, purchase: Purchase, status: int, personal: bool) -> bool:
        """Ends a purchase whose first create call was refused, and puts any other off; whether it ended.

        The operators are told once an hour for each status. What may be one person's alone (`personal`) does not count
        for everybody, and is nothing that an operator could mend.
        """
        async with transaction(self._pool) as conn:
            await users.lock(conn, purchase.user_id)
            ended = await payments.refuse(conn, purchase.id, f"refused:{status}")
            if not ended:
                await payments.back_off(conn, purchase.id, self.retry_after_s)
            opened_at = None
            if not personal:
                opened_at = await breakers.refused(conn, self._gateway.name, breakers.TRIAL_EVERY_S)
                alert = CheckoutRefused(f"{status}:{alerts.this_hour()}", status)
                await alerts.owe(conn, self._settings.admin_ids, alert)
        if opened_at:
            log.error("breaker.opened", provider=self._gateway.name, status=status)
        if ended:
            self._metrics.payments.labels("refused").inc()
        self._wake_delivery()
        return ended

    async def read(self, purchase: Purchase, source: Source, claimed: str | None = None) -> Charge | None:
        """Asks how the charge of a purchase stands; None where an id that is only `claimed` is no charge's.

        Raises Unavailable when nobody can say, and tells the operators where that will not pass by itself: a purchase
        of another till, or a charge that its gateway gave us and no longer knows.
        """
        till, payment = self._gateway, str(purchase.id)
        provider_id = purchase.provider_id or claimed
        if provider_id is None:
            return None
        if (purchase.gateway, purchase.shop_id, purchase.test) != (till.name, till.shop_id, till.test):
            await self._tell(PaymentElsewhere(payment, payment, purchase.shop_id))
            raise Unavailable("a purchase of another till")
        with self._metrics.outside_call(till.name, "get_payment"):
            charge = await till.read(provider_id, LANES[source])
        if charge is None and purchase.provider_id is None:
            log.warning("payment.not_at_yookassa", provider_id=provider_id)
            return None
        if charge is None:
            await self._tell(PaymentGone(payment, payment, provider_id))
            raise Unavailable("a payment of ours is unknown")
        await self._settlement.settle(purchase.id, charge, source)
        return charge

    async def _tell(self, alert: Alert) -> None:
        async with transaction(self._pool) as conn:
            await alerts.owe(conn, self._settings.admin_ids, alert)
        self._wake_delivery()
