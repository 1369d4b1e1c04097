"""Refunds that were told of: a gateway may tell of one before the payment shows it, and never again."""

from collections.abc import Callable, Collection
from uuid import UUID

import structlog

from app.db import connection, transaction
from app.flows import alerts
from app.flows.purchases.ask import LANES
from app.flows.purchases.settle import Source
from app.gateways.port import Charge, Gateway, Unavailable
from app.metrics import Metrics
from app.notices import RefundNotShown
from app.repo import refunds
from app.repo.payments import Purchase
from app.repo.records import Pool
from app.settings import Settings

log = structlog.get_logger()


class Refunds:
    """Keeps refunds in mind until their payments show them. What a refund takes is settled by what its payment says."""

    def __init__(
        self, pool: Pool, settings: Settings, metrics: Metrics, gateway: Gateway, wake_delivery: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._gateway = gateway
        self._wake_delivery = wake_delivery

    async def announce(self, purchase: Purchase, told: Collection[str]) -> None:
        """Notes refunds that could not be looked at when somebody told of them."""
        async with connection(self._pool) as conn:
            for refund_id in told:
                await refunds.announce(conn, refund_id, purchase.id, self._settings.payment_poll_after_s)

    async def look(self, purchase: Purchase, charge: Charge, told: Collection[str], source: Source) -> frozenset[str]:
        """Reads the refunds that were told of; those that the charge, just read, does not show."""
        for refund_id in told:
            await self._read(purchase, charge, refund_id, source)
        async with connection(self._pool) as conn:
            return await refunds.missing(conn, purchase.id, charge.refunded)

    async def _read(self, purchase: Purchase, charge: Charge, refund_id: str, source: Source) -> None:
        async with connection(self._pool) as conn:
            if await refunds.amount(conn, refund_id) is not None:
                return
        try:
            with self._metrics.outside_call(self._gateway.name, "get_refund"):
                refund = await self._gateway.read_refund(refund_id, LANES[source])
        except Unavailable as error:
            log.warning("payment.refund_not_read", payment_id=str(purchase.id), refund_id=refund_id, error=str(error))
            await self.announce(purchase, [refund_id])
            return
        if refund is None or refund.charge_id != charge.id:
            log.warning("payment.refund_untrue", payment_id=str(purchase.id), refund_id=refund_id)
            async with connection(self._pool) as conn:
                await refunds.untrue(conn, refund_id)
            return
        await self.announce(purchase, [refund_id])
        if refund.done:
            async with connection(self._pool) as conn:
                await refunds.noted(conn, refund_id, refund.amount)

    async def reconcile(self, purchase: Purchase, charge: Charge) -> None:
        """The worker's turn, a while after a refund was told of: whether the charge, just read, shows it by now.

        One that was shown when it was told of is looked at once more as well: the sum may have been that of another
        refund, of which nobody told.
        """
        async with connection(self._pool) as conn:
            unread = await refunds.unread(conn, purchase.id)
        for refund_id in unread:
            await self._read(purchase, charge, refund_id, Source.POLL)
        async with connection(self._pool) as conn:
            await refunds.shown(conn, purchase.id, charge.refunded)

    async def give_up(self, payment_id: UUID) -> None:
        """Stops looking for refunds that no payment has shown for days, and tells the operators."""
        async with transaction(self._pool) as conn:
            lost = await refunds.lose(conn, payment_id)
            for refund_id in lost:
                alert = RefundNotShown(refund_id, str(payment_id), refund_id)
                await alerts.owe(conn, self._settings.admin_ids, alert)
        for refund_id in lost:
            log.error("payment.refund_not_shown", payment_id=str(payment_id), refund_id=refund_id)
            self._wake_delivery()
