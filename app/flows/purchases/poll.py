"""Purchases that are asked about: by the worker, as notifications may be lost, and when a person comes back."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from app.db import connection
from app.flows.purchases.ask import Asking
from app.flows.purchases.refunds import Refunds
from app.flows.purchases.settle import Source
from app.gateways.port import Gateway, Refused, Unavailable
from app.metrics import Metrics
from app.repo import payments, refunds
from app.repo.records import Pool
from app.settings import Settings

log = structlog.get_logger()


class Poll:
    """Goes on with open purchases."""

    def __init__(
        self, pool: Pool, settings: Settings, metrics: Metrics, gateway: Gateway, asking: Asking, told: Refunds
    ) -> None:
        self._pool = pool
        self._metrics = metrics
        self._gateway = gateway
        self._asking = asking
        self._refunds = told
        self._poll_after_s = settings.payment_poll_after_s

    async def claim(self, limit: int) -> Sequence[UUID]:
        """Purchases whose turn it is to be asked about: open ones, and those that a refund was told of."""
        till, after_s = self._gateway, self._poll_after_s
        async with connection(self._pool) as conn:
            due = await payments.claim(conn, limit, after_s, till.name, till.shop_id, till.test)
            due += await refunds.claim(conn, limit - len(due), after_s, till.name, till.shop_id, till.test)
        return list(dict.fromkeys(due))

    async def reconcile(self, payment_id: UUID) -> None:
        """Repeats an unanswered create call, or asks how a payment and its refunds stand."""
        structlog.contextvars.bind_contextvars(payment_id=str(payment_id))
        async with connection(self._pool) as conn:
            if await payments.abandon(conn, payment_id):
                log.error("payment.abandoned", payment_id=str(payment_id))
                self._metrics.payments.labels("abandoned").inc()
                return
            purchase = await payments.by_id(conn, payment_id)
            if purchase is None:
                return
            if purchase.status == "new":
                if not await self._asking.may_create(conn):
                    return
                if not await payments.begin_attempt(conn, payment_id, self._asking.retry_after_s):
                    return
        structlog.contextvars.bind_contextvars(user_id=purchase.user_id)
        try:
            if purchase.status == "new":
                await self._asking.create(purchase, Source.POLL, owed=True)
                return
            await self._refunds.give_up(purchase.id)
            charge = await self._asking.read(purchase, Source.POLL)
            if charge is not None:
                await self._refunds.reconcile(purchase, charge)
        except (Refused, Unavailable) as error:
            log.warning("payment.poll_failed", error=str(error))

    async def look_up(self, user_id: int) -> str | None:
        """Asks at once how the person's newest purchase stands; its status, None where there is none."""
        async with connection(self._pool) as conn:
            purchase = await payments.newest(conn, user_id, self._gateway.name)
        if purchase is None:
            return None
        structlog.contextvars.bind_contextvars(payment_id=str(purchase.id))
        if purchase.status == "pending":
            try:
                await self._asking.read(purchase, Source.RETURN)
            except Unavailable as error:
                log.warning("payment.look_up_failed", error=str(error))
            async with connection(self._pool) as conn:
                purchase = await payments.by_id(conn, purchase.id) or purchase
        return purchase.status
