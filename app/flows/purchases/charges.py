"""Charges that their gateway tells of by itself, however it tells: each is credited once, and none is lost."""

from collections.abc import Callable
from uuid import uuid5

import structlog

from app.db import transaction
from app.flows import alerts
from app.flows.purchases.settle import Settlement, Source
from app.gateways.port import Charge, Status
from app.gateways.stars import Stars, Told
from app.notices import PaymentStray, SecondCharge, StrayCharge
from app.repo import charges, outbox, payments, users
from app.repo.payments import NewPurchase, Purchase
from app.repo.records import Connection, Pool
from app.settings import Settings

log = structlog.get_logger()


class Charges:
    """Takes what Telegram says of Stars: it proves its updates, and its list is asked for, so that it is believed.

    `wake_list`: where none was taken before, nobody has read the list so far.
    """

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        stars: Stars,
        settlement: Settlement,
        wake_delivery: Callable[[], None],
        wake_list: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._admin_ids = settings.admin_ids
        self._stars = stars
        self._settlement = settlement
        self._wake_delivery = wake_delivery
        self._wake_list = wake_list

    async def take(self, told: Told, source: Source) -> None:
        """Credits a charge, or takes back what was refunded; what was there before stays."""
        async with transaction(self._pool) as conn:
            await users.lock(conn, told.user_id)
            purchase = await self._purchase(conn, told)
            if purchase is None:
                await self._stray(conn, told, source)
            else:
                change = await self._settlement.bring(conn, purchase, self._charge(purchase, told))
        if purchase is None:
            self._wake_delivery()
        else:
            self._settlement.tell(purchase, change, source)
        self._wake_list()

    async def _purchase(self, conn: Connection, told: Told) -> Purchase | None:
        """The purchase that a charge is for; of a second charge for one invoice, a purchase of its own."""
        till = self._stars
        purchase = await payments.by_provider(conn, till.name, told.id)
        if purchase is None and told.payment_id is not None:
            purchase = await payments.by_id(conn, told.payment_id)
        if purchase is None or (purchase.gateway, purchase.shop_id) != (till.name, till.shop_id):
            return None
        if purchase.user_id != told.user_id:
            return None
        return purchase if purchase.provider_id in (None, told.id) else await self._second(conn, purchase, told)

    async def _second(self, conn: Connection, first: Purchase, told: Told) -> Purchase:
        """Telegram was told yes twice at once, or asked nobody: the person has paid twice, and gets it twice."""
        second_id = uuid5(first.id, told.id)
        new = NewPurchase(
            second_id,
            first.user_id,
            first.plan,
            first.credits,
            first.amount,
            first.currency,
            first.gateway,
            first.shop_id,
            first.test,
            first.request,
        )
        second = await payments.insert(conn, new, retry_after_s=0)
        await alerts.owe(conn, self._admin_ids, SecondCharge(told.id, str(first.id), told.id))
        log.error("payment.second_charge", payment_id=str(second_id), first=str(first.id), provider_id=told.id)
        return second

    def _charge(self, purchase: Purchase, told: Told) -> Charge:
        # A refund says what went back; that the charge itself was the right one is known from when it was credited
        credited = purchase.status == "succeeded"
        return Charge(
            id=told.id,
            status=Status.PAID,
            amount=purchase.amount if credited else told.amount,
            currency=told.currency,
            shop_id=self._stars.shop_id,
            test=self._stars.test,
            payment_id=purchase.id,
            user_id=told.user_id,
            url=None,
            refunded=told.amount if told.refunded else 0,
            cancel_reason=None,
            created_at=None,
        )

    async def _stray(self, conn: Connection, told: Told, source: Source) -> None:
        """Keeps a charge that nothing of ours stands for; tells the person and the operators, who have to look.

        What the list shows and could never have been ours is another program's, which sold through this bot before.
        """
        # PostgreSQL has no place for that letter, and one charge that cannot be noted would hold up the list
        payload = told.payload.replace("\0", "")
        new = await charges.stray(conn, told.id, told.user_id, payload, told.amount, told.currency, told.refunded)
        if not new:
            return
        log.error("payment.stray", provider_id=told.id, user_id=told.user_id, payload=told.payload)
        if told.refunded or (source is Source.LIST and told.payment_id is None):
            return
        alert = StrayCharge(told.id, told.id, told.user_id, told.amount, told.currency)
        await alerts.owe(conn, self._admin_ids, alert)
        await outbox.put(conn, told.user_id, PaymentStray(told.id, told.amount, told.currency))
