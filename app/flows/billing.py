"""Purchases: a link to pay, a credit for every rouble, once, and what a refund takes back.

YooKassa's word is read from YooKassa by id; what a notification claims only says where to look.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

import structlog

from app import words
from app.catalog import MOSCOW, PLANS, SUBSCRIPTION_DAYS, Plan
from app.clients.yookassa import DEADLINE_S, Payment, YooKassa, YooKassaRefused, YooKassaUnavailable
from app.db import connection, transaction
from app.flows import alerts
from app.metrics import Metrics
from app.notices import (
    CheckoutRefused,
    Difference,
    PaymentCanceled,
    PaymentInReview,
    PaymentLate,
    PaymentLink,
    PaymentRefunded,
    PaymentSucceeded,
)
from app.repo import credits, outbox, payments, subscriptions, users
from app.repo.payments import NewPurchase, Purchase
from app.repo.records import Connection, Pool
from app.settings import Settings

log = structlog.get_logger()

LINK_TRUSTED_S = 50 * 60
"""A link lives for about an hour; an older one is read back before it is shown again."""

_RUSSIAN = words.of("ru")
"""What a payment is for stands on a receipt of a Russian till."""

CHECKOUT_PATIENCE_S = 12.0
"""A press is answered within 15 s (CONTRACT), even where a link is read back and a new one made."""


class Checkout(Enum):
    """What became of choosing a plan."""

    LINK = "link"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Offer:
    """The outcome, and the link where there is one."""

    outcome: Checkout
    url: str | None = None


@dataclass(frozen=True, slots=True)
class _Refund:
    """Kopecks refunded so far, and what this refund took of the credits and could not take."""

    kopecks: int
    taken: int
    short: int
    full: bool


@dataclass(frozen=True, slots=True)
class _Change:
    """What YooKassa's word changed about a purchase; told once it is committed."""

    outcome: str | None = None
    reason: str | None = None
    refund: _Refund | None = None


_NOTHING = _Change()


class Billing:
    """Makes, confirms and refunds purchases."""

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        metrics: Metrics,
        yookassa: YooKassa,
        wake_delivery: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._yookassa = yookassa
        self._wake_delivery = wake_delivery
        # An unknown create call is repeated with the same key and body, about once a minute as YooKassa asks;
        # never while the one before may still be answered.
        self._retry_after_s = DEADLINE_S + settings.payment_poll_after_s

    async def checkout(self, user_id: int, plan_key: str, return_url: str, waited_s: float = 0) -> Offer:
        """The link to pay for a plan: the same one while it is payable. Raises KeyError for no such plan.

        `waited_s`: how many seconds the press has waited already.
        """
        plan = PLANS[plan_key]
        # Not a part of the patience: who is told to wait for a link has a purchase, which the worker goes on with
        purchase = await self._open(user_id, plan, return_url)
        structlog.contextvars.bind_contextvars(payment_id=str(purchase.id))
        try:
            async with asyncio.timeout(max(0, CHECKOUT_PATIENCE_S - waited_s)) as patience:
                return await self._checkout(purchase, plan, return_url)
        except TimeoutError:
            if not patience.expired():
                raise
            return Offer(Checkout.LATER)

    async def _checkout(self, purchase: Purchase, plan: Plan, return_url: str) -> Offer:
        if purchase.status == "pending":
            if purchase.link_age_s < LINK_TRUSTED_S:
                return Offer(Checkout.LINK, purchase.confirmation_url)
            try:
                await self._read_back(purchase, "checkout")
            except YooKassaUnavailable:
                return Offer(Checkout.LATER)
            purchase = await self._open(purchase.user_id, plan, return_url)
            if purchase.status == "pending":
                return Offer(Checkout.LINK, purchase.confirmation_url)
        return await self._create(purchase, owed=False)

    async def _open(self, user_id: int, plan: Plan, return_url: str) -> Purchase:
        """The open purchase of this plan, or a new one, stored before YooKassa hears of it."""
        shop_id, test = self._settings.yookassa_shop_id, self._settings.yookassa_test
        async with transaction(self._pool) as conn:
            await users.lock(conn, user_id)
            found = await payments.open_of_plan(conn, user_id, plan.key, shop_id, test)
            if found is not None:
                if found.status == "new":
                    await payments.begin_attempt(conn, found.id, self._retry_after_s)
                return found
            payment_id = uuid4()
            body = json.dumps(self._body(payment_id, user_id, plan, return_url), ensure_ascii=False)
            new = NewPurchase(payment_id, user_id, plan.key, plan.credits, plan.amount, shop_id, test, body)
            await payments.insert(conn, new, self._retry_after_s)
            stored = await payments.by_id(conn, payment_id)
        if stored is None:
            raise RuntimeError("a purchase vanished")
        log.info("payment.created", payment_id=str(payment_id), user_id=user_id, plan=plan.key, kopecks=plan.amount)
        self._metrics.payments.labels("created").inc()
        return stored

    def _body(self, payment_id: UUID, user_id: int, plan: Plan, return_url: str) -> dict[str, Any]:
        amount = {"value": f"{plan.amount // 100}.{plan.amount % 100:02d}", "currency": "RUB"}
        description = _RUSSIAN.payment_purpose(plan.credits)
        body: dict[str, Any] = {
            "amount": amount,
            "capture": True,
            "confirmation": {"type": "redirect", "return_url": return_url},
            "description": description,
            "metadata": {"payment_id": str(payment_id), "user_id": str(user_id)},
        }
        if self._settings.yookassa_receipt_email:
            item = {
                "description": description,
                "quantity": "1.00",
                "amount": amount,
                "vat_code": self._settings.yookassa_vat_code,
                "payment_mode": "full_payment",
                "payment_subject": "service",
            }
            body["receipt"] = {
                "customer": {"email": self._settings.yookassa_receipt_email},
                "items": [item],
            }
        return body

    async def _create(self, purchase: Purchase, *, owed: bool) -> Offer:
        """Sends the stored body under the purchase's own key: however often, it is one payment.

        `owed`: nobody waits for the link, so it goes to the person through the outbox.
        """
        try:
            with self._metrics.outside_call("yookassa", "create_payment"):
                payment = await self._yookassa.create_payment(json.loads(purchase.request), str(purchase.id))
        except YooKassaUnavailable as error:
            log.warning("payment.create_unknown", payment_id=str(purchase.id), error=str(error))
            return Offer(Checkout.LATER)
        except YooKassaRefused as error:
            log.error("payment.create_refused", payment_id=str(purchase.id), status=error.status, detail=str(error))
            async with transaction(self._pool) as conn:
                await users.lock(conn, purchase.user_id)
                refused = await payments.refuse(conn, purchase.id, f"refused:{error.status}")
                await alerts.owe(conn, self._settings.admin_ids, CheckoutRefused(str(purchase.id), error.status))
            if refused:
                self._metrics.payments.labels("refused").inc()
            self._wake_delivery()
            return Offer(Checkout.REFUSED if refused else Checkout.LATER)
        await self._apply(purchase.id, payment, "checkout", owed=owed)
        if payment.status == "pending" and payment.confirmation_url:
            return Offer(Checkout.LINK, payment.confirmation_url)
        return Offer(Checkout.LATER)

    async def _read_back(self, purchase: Purchase, source: str) -> None:
        if purchase.provider_id is None:
            return
        payment = await self._get(purchase.provider_id)
        if payment is None:
            raise YooKassaUnavailable("a payment of ours is unknown")
        await self._apply(purchase.id, payment, source)

    async def _get(self, provider_id: str) -> Payment | None:
        with self._metrics.outside_call("yookassa", "get_payment"):
            return await self._yookassa.get_payment(provider_id)

    async def notified(self, provider_id: str, claimed_id: UUID | None) -> bool:
        """Takes a notification as a place to look; False where it is about nothing of ours.

        Raises YooKassaUnavailable when it cannot be verified now.
        """
        async with connection(self._pool) as conn:
            purchase = await payments.by_provider(conn, provider_id)
            if purchase is None and claimed_id is not None:
                purchase = await payments.by_id(conn, claimed_id)
        if purchase is None or purchase.provider_id not in (None, provider_id):
            log.warning("payment.unknown", provider_id=provider_id)
            return False
        structlog.contextvars.bind_contextvars(payment_id=str(purchase.id), user_id=purchase.user_id)
        payment = await self._get(provider_id)
        if payment is None:
            log.warning("payment.not_at_yookassa", provider_id=provider_id)
            return False
        await self._apply(purchase.id, payment, "notification")
        return True

    async def _apply(self, payment_id: UUID, payment: Payment, source: str, *, owed: bool = True) -> None:
        """Brings our row to what YooKassa says, in one transaction; anything that was there before stays.

        `source`: what made the bot look.
        """
        change = _NOTHING
        async with transaction(self._pool) as conn:
            purchase = await payments.by_id(conn, payment_id)
            if purchase is None:
                return
            await users.lock(conn, purchase.user_id)
            purchase = await payments.by_id(conn, payment_id)
            if purchase is None or (payment.payment_id, payment.user_id) != (purchase.id, purchase.user_id):
                log.warning("payment.foreign", payment_id=str(payment_id), provider_id=payment.id)
                return
            if payment.status == "succeeded":
                change = await self._paid(conn, purchase, payment)
            elif payment.status == "canceled":
                change = await self._canceled(conn, purchase, payment)
            elif payment.status == "pending":
                change = await self._linked(conn, purchase, payment, owed)
            else:
                log.warning("payment.odd_status", payment_id=str(payment_id), status=payment.status)
        self._tell(purchase, change, source)

    async def _linked(self, conn: Connection, purchase: Purchase, payment: Payment, owed: bool) -> _Change:
        poll_after = self._settings.payment_poll_after_s
        url, made_at = payment.confirmation_url, payment.created_at
        if not await payments.link(conn, purchase.id, payment.id, url, poll_after, made_at):
            return _NOTHING
        if owed and payment.confirmation_url:
            notice = PaymentLink(str(purchase.id), purchase.plan, payment.confirmation_url)
            await outbox.put(conn, purchase.user_id, notice)
        return _Change("linked")

    async def _canceled(self, conn: Connection, purchase: Purchase, payment: Payment) -> _Change:
        reason = payment.cancel_reason or "unknown"
        if not await payments.cancel(conn, purchase.id, payment.id, reason):
            return _NOTHING
        await outbox.put(conn, purchase.user_id, PaymentCanceled(str(purchase.id), purchase.plan, reason))
        return _Change("canceled", reason)

    async def _paid(self, conn: Connection, purchase: Purchase, payment: Payment) -> _Change:
        if difference := self._difference(purchase, payment):
            if not await payments.review(conn, purchase.id, payment.id, difference):
                return _NOTHING
            ref = str(purchase.id)
            alert = PaymentInReview(ref, ref, difference, payment.amount, payment.currency)
            await alerts.owe(conn, self._settings.admin_ids, alert)
            return _Change("review", difference)
        outcome = None
        if await payments.succeed(conn, purchase.id, payment.id):
            ref = str(purchase.id)
            balance = await credits.credit(conn, purchase.user_id, purchase.credits, "purchase", ref)
            if balance is None:
                raise RuntimeError("a payment was credited without having succeeded")
            until = await subscriptions.extend(conn, purchase.id, purchase.user_id, purchase.plan, SUBSCRIPTION_DAYS)
            last_day = until.astimezone(MOSCOW).date()
            await outbox.put(conn, purchase.user_id, PaymentSucceeded(ref, purchase.credits, balance, last_day))
            outcome = "succeeded"
        elif purchase.status not in ("succeeded", "refunded"):
            ref = str(purchase.id)
            await alerts.owe(conn, self._settings.admin_ids, PaymentLate(ref, ref, purchase.status))
            return _Change("late", purchase.status)
        refund = await self._refunded(conn, purchase, payment) if payment.refunded > purchase.refunded else None
        return _Change(outcome, refund=refund)

    def _difference(self, purchase: Purchase, payment: Payment) -> Difference | None:
        """What keeps a paid payment from being the one that was ordered."""
        if payment.amount != purchase.amount or payment.currency != purchase.currency:
            return Difference.AMOUNT
        if payment.shop_id not in (None, purchase.shop_id):
            return Difference.SHOP
        if not payment.test == purchase.test == self._settings.yookassa_test:
            return Difference.TEST if payment.test else Difference.NOT_TEST
        return None

    async def _refunded(self, conn: Connection, purchase: Purchase, payment: Payment) -> _Refund | None:
        """Takes the refunded share of the credits back, rounded down, as far as the balance goes."""
        refunded = min(payment.refunded, purchase.amount)
        due = purchase.credits * refunded // purchase.amount - purchase.credits_taken - purchase.credits_short
        ref = f"{purchase.id}:{refunded}"
        taken, balance = await credits.take(conn, purchase.user_id, due, "purchase_refund", ref)
        short = due - taken
        if not await payments.refund(conn, purchase.id, refunded, taken, short):
            if taken:
                raise RuntimeError("credits were taken for a refund that is known already")
            return None
        full = refunded == purchase.amount
        if full:
            await subscriptions.revoke(conn, purchase.id)
        await outbox.put(conn, purchase.user_id, PaymentRefunded(ref, taken, short, balance, full))
        return _Refund(refunded, taken, short, full)

    def _tell(self, purchase: Purchase, change: _Change, source: str) -> None:
        payment_id, user_id = str(purchase.id), purchase.user_id
        match change.outcome:
            case "linked":
                log.info("payment.linked", payment_id=payment_id, user_id=user_id)
            case "canceled":
                log.info("payment.canceled", payment_id=payment_id, user_id=user_id, reason=change.reason)
            case "succeeded":
                log.info(
                    "payment.succeeded",
                    payment_id=payment_id,
                    user_id=user_id,
                    credits=purchase.credits,
                    kopecks=purchase.amount,
                    source=source,
                )
                self._metrics.payments_confirmed.labels(source).inc()
            case "review":
                log.error("payment.review", payment_id=payment_id, user_id=user_id, reason=change.reason)
            case "late":
                log.error("payment.late", payment_id=payment_id, user_id=user_id, status=change.reason)
        if change.outcome:
            self._metrics.payments.labels(change.outcome).inc()
        if change.refund:
            log.info(
                "payment.refunded",
                payment_id=payment_id,
                user_id=user_id,
                kopecks=change.refund.kopecks,
                taken=change.refund.taken,
                short=change.refund.short,
            )
            self._metrics.payments.labels("refunded" if change.refund.full else "refunded_in_part").inc()
        self._wake_delivery()

    async def claim(self, limit: int) -> Sequence[UUID]:
        """Open purchases whose turn it is to be asked about."""
        async with connection(self._pool) as conn:
            shop_id, test = self._settings.yookassa_shop_id, self._settings.yookassa_test
            return await payments.claim(conn, limit, self._settings.payment_poll_after_s, shop_id, test)

    async def reconcile(self, payment_id: UUID) -> None:
        """Repeats an unanswered create call, or asks how a payment stands."""
        structlog.contextvars.bind_contextvars(payment_id=str(payment_id))
        async with connection(self._pool) as conn:
            if await payments.abandon(conn, payment_id):
                log.error("payment.abandoned", payment_id=str(payment_id))
                self._metrics.payments.labels("abandoned").inc()
                return
            purchase = await payments.by_id(conn, payment_id)
            if purchase is None:
                return
            if purchase.status == "new" and not await payments.begin_attempt(conn, payment_id, self._retry_after_s):
                return
            purchase = await payments.by_id(conn, payment_id)
        if purchase is None:
            return
        structlog.contextvars.bind_contextvars(user_id=purchase.user_id)
        if purchase.status == "new":
            await self._create(purchase, owed=True)
        elif purchase.status == "pending":
            try:
                await self._read_back(purchase, "poll")
            except YooKassaUnavailable as error:
                log.warning("payment.poll_failed", error=str(error))

    async def look_up(self, user_id: int) -> str | None:
        """Asks at once how the person's newest purchase stands; its status, None where there is none."""
        async with connection(self._pool) as conn:
            purchase = await payments.newest(conn, user_id)
        if purchase is None:
            return None
        structlog.contextvars.bind_contextvars(payment_id=str(purchase.id))
        if purchase.status == "pending":
            try:
                await self._read_back(purchase, "return")
            except YooKassaUnavailable as error:
                log.warning("payment.look_up_failed", error=str(error))
            async with connection(self._pool) as conn:
                purchase = await payments.by_id(conn, purchase.id) or purchase
        return purchase.status
