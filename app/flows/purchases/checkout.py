"""A press on a plan: the link to pay, the same one while it is payable."""

import asyncio
from dataclasses import dataclass
from enum import Enum
from uuid import uuid4

import structlog

from app import words
from app.catalog import PLANS, Plan
from app.db import transaction
from app.flows.purchases.ask import Asking
from app.flows.purchases.settle import Source
from app.gateways.port import AddressRefused, Gateway, Order, Refused, Status, Unavailable
from app.metrics import Metrics
from app.notices import EmailRefused
from app.repo import outbox, payments, users
from app.repo.payments import NewPurchase, Purchase
from app.repo.records import Connection, Pool

log = structlog.get_logger()

LINK_TRUSTED_S = 50 * 60
"""A link lives for about an hour; an older one is read back before it is shown again."""

_RUSSIAN = words.of("ru")
"""What a payment is for stands on a receipt of a Russian till."""

PATIENCE_S = 12.0
"""A press is answered within 15 s, even where a link is read back and a new one made."""


class Outcome(Enum):
    """What became of choosing a plan."""

    LINK = "link"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Offer:
    """The outcome, and the link where there is one."""

    outcome: Outcome
    url: str | None = None


class Checkout:
    """Offers links to pay."""

    def __init__(self, pool: Pool, metrics: Metrics, gateway: Gateway, asking: Asking) -> None:
        self._pool = pool
        self._metrics = metrics
        self._gateway = gateway
        self._asking = asking

    async def offer(self, user_id: int, plan_key: str, return_url: str, waited_s: float = 0) -> Offer:
        """The link to pay for a plan. Raises KeyError for no such plan.

        `waited_s`: how many seconds the press has waited already.
        """
        plan = PLANS[plan_key]
        # Not a part of the patience: who is told to wait for a link has a purchase, which the worker goes on with
        purchase = await self._open(user_id, plan, return_url)
        if purchase is None:
            return Offer(Outcome.REFUSED)
        structlog.contextvars.bind_contextvars(payment_id=str(purchase.id))
        try:
            async with asyncio.timeout(PATIENCE_S - waited_s) as patience:
                if purchase.link_age_s >= LINK_TRUSTED_S:
                    await self._asking.read(purchase, Source.CHECKOUT)
                    purchase = await self._open(user_id, plan, return_url)
                if purchase is None:
                    return Offer(Outcome.REFUSED)
                if purchase.status == "pending":
                    return Offer(Outcome.LINK, purchase.confirmation_url)
                try:
                    return await self._create(purchase)
                except AddressRefused:
                    return await self._without_address(purchase, plan, return_url)
        except Refused:
            return Offer(Outcome.REFUSED)
        except Unavailable:
            return Offer(Outcome.LATER)
        except TimeoutError:
            if not patience.expired():
                raise
            return Offer(Outcome.LATER)

    async def _open(self, user_id: int, plan: Plan, return_url: str, *, own_address: bool = True) -> Purchase | None:
        """The open purchase of this plan, or a new one, stored before its gateway hears of it; None while no new charge
        may be made. Its receipt goes to the person's own address, where they named one, or not (`own_address`)."""
        till = self._gateway
        async with transaction(self._pool) as conn:
            await users.lock(conn, user_id)
            found = await payments.open_of_plan(conn, user_id, plan.key, till.name, till.shop_id, till.test)
            if found is not None and found.status == "pending":
                return found
            if not await self._asking.may_create(conn):
                return None
            if found is not None and await payments.begin_attempt(conn, found.id, self._asking.retry_after_s):
                return found
            email = await users.email(conn, user_id) if own_address else None
            stored = await self._insert(conn, user_id, plan, return_url, email)
        log.info(
            "payment.created",
            payment_id=str(stored.id),
            user_id=user_id,
            plan=plan.key,
            amount=stored.amount,
            currency=stored.currency,
        )
        self._metrics.payments.labels("created").inc()
        return stored

    async def _insert(self, conn: Connection, user_id: int, plan: Plan, return_url: str, email: str | None) -> Purchase:
        till, payment_id = self._gateway, uuid4()
        amount, purpose = plan.price(till.currency), _RUSSIAN.payment_purpose(plan.credits)
        request = till.request(Order(payment_id, user_id, amount, purpose, return_url, email))
        new = NewPurchase(
            payment_id,
            user_id,
            plan.key,
            plan.credits,
            amount,
            till.currency,
            till.name,
            till.shop_id,
            till.test,
            request,
        )
        return await payments.insert(conn, new, self._asking.retry_after_s)

    async def _create(self, purchase: Purchase) -> Offer:
        charge = await self._asking.create(purchase, Source.CHECKOUT, owed=False)
        if charge.status is Status.PENDING and charge.url:
            return Offer(Outcome.LINK, charge.url)
        return Offer(Outcome.LATER)

    async def _without_address(self, refused: Purchase, plan: Plan, return_url: str) -> Offer:
        """The same with the shop's own address. Where that is taken, the person's was at fault: it is dropped, and they
        are told; where it is not, it stays."""
        purchase = await self._open(refused.user_id, plan, return_url, own_address=False)
        if purchase is None:
            return Offer(Outcome.REFUSED)
        offer = await self._create(purchase)
        address = self._gateway.address_in(refused.request)
        async with transaction(self._pool) as conn:
            await users.lock(conn, refused.user_id)
            if address and await users.drop_email(conn, refused.user_id, address):
                await outbox.put(conn, refused.user_id, EmailRefused(str(purchase.id)))
        log.warning("payment.address_refused", payment_id=str(refused.id), user_id=refused.user_id)
        return offer
