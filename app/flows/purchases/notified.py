"""A notification says where to look, and is believed in nothing else."""

from dataclasses import dataclass
from uuid import UUID

import structlog

from app.db import connection
from app.flows.purchases.ask import Asking
from app.flows.purchases.refunds import Refunds
from app.flows.purchases.settle import Source
from app.flows.purchases.turns import Turns
from app.gateways.port import Gateway, Unavailable
from app.repo import payments
from app.repo.payments import Purchase
from app.repo.records import Pool

log = structlog.get_logger()

_PAUSE_S = 2.0
"""Anybody may send notifications: of one payment they cause a read in so many seconds at most, the first at once."""

_TOLD_AT_ONCE = 4
"""So many refunds of one payment are read in one look; more are to be told of again."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What somebody claims: a charge by its gateway's id, that it is our payment `claimed_id`, and a refund of it."""

    charge_id: str
    claimed_id: UUID | None
    refund_id: str | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """Whether the charge is one, and the refunds that it does not show yet."""

    ours: bool
    missing: frozenset[str] = frozenset()


class Notified:
    """Takes notifications of a gateway."""

    def __init__(self, pool: Pool, gateway: Gateway, asking: Asking, refunds: Refunds) -> None:
        self._pool = pool
        self._gateway = gateway
        self._asking = asking
        self._refunds = refunds
        self._turns = Turns[_Seen](_PAUSE_S)
        self._told: dict[str, set[str]] = {}

    async def of(self, notification: Notification) -> bool:
        """Looks at the charge that a notification names; False where it is about nothing of ours.

        However many notifications come of one charge, it is read by one at a time, and not at all where nothing more
        can come of it. Raises Unavailable when it cannot be verified now, or does not show the refund yet.
        """
        charge_id, refund_id = notification.charge_id, notification.refund_id
        async with connection(self._pool) as conn:
            purchase = await payments.by_provider(conn, self._gateway.name, charge_id)
            if purchase is None and notification.claimed_id is not None:
                purchase = await payments.by_id(conn, notification.claimed_id)
        if purchase is None or purchase.provider_id not in (None, charge_id):
            log.warning("payment.unknown", provider_id=charge_id)
            return False
        structlog.contextvars.bind_contextvars(payment_id=str(purchase.id), user_id=purchase.user_id)
        if purchase.over:
            return True
        if refund_id is not None:
            told = self._told.setdefault(charge_id, set())
            if refund_id not in told and len(told) == _TOLD_AT_ONCE:
                raise Unavailable("too many refunds at once")
            told.add(refund_id)
        known = purchase
        seen = await self._turns.join(charge_id, lambda: self._look(known, charge_id))
        if refund_id in seen.missing:
            raise Unavailable("the payment does not show the refund yet")
        return seen.ours

    async def _look(self, purchase: Purchase, charge_id: str) -> _Seen:
        told = self._told.pop(charge_id, set())
        try:
            charge = await self._asking.read(purchase, Source.NOTIFICATION, claimed=charge_id)
        except Unavailable:
            await self._refunds.announce(purchase, told)
            raise
        if charge is None:
            return _Seen(ours=False)
        if not told:
            return _Seen(ours=True)
        return _Seen(True, await self._refunds.look(purchase, charge, told, Source.NOTIFICATION))

    async def close(self) -> None:
        """Cuts short what is being looked at."""
        await self._turns.close()
