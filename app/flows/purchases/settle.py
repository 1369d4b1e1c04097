"""What a gateway says of a charge is brought into our books: one transaction, and the one way into `succeeded`."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import structlog

from app.catalog import MOSCOW, SUBSCRIPTION_DAYS
from app.db import transaction
from app.flows import alerts, debts
from app.gateways.port import Charge, Status
from app.metrics import Metrics
from app.notices import (
    Difference,
    PaymentCanceled,
    PaymentInReview,
    PaymentLate,
    PaymentLink,
    PaymentRefunded,
    PaymentSucceeded,
    ReceiptOffer,
)
from app.repo import credits, outbox, payments, subscriptions, users
from app.repo.credits import Reason
from app.repo.payments import Purchase
from app.repo.records import Connection, Pool
from app.settings import Settings

log = structlog.get_logger()


class Source(StrEnum):
    """What made the bot look at a charge."""

    CHECKOUT = "checkout"
    NOTIFICATION = "notification"
    POLL = "poll"
    RETURN = "return"
    UPDATE = "update"
    """An update of Telegram's tells of the charge."""
    LIST = "list"
    """Telegram's list of charges shows it."""


@dataclass(frozen=True, slots=True)
class _Refund:
    """What was refunded so far, in minor units; what this refund took of the credits, and could not take."""

    refunded: int
    taken: int
    short: int
    full: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What the gateway's word changed about a purchase; told once it is committed."""

    outcome: str | None = None
    reason: str | None = None
    refund: _Refund | None = None


NOTHING = Change()


class Settlement:
    """Takes charges of any gateway, however they were come by."""

    def __init__(self, pool: Pool, settings: Settings, metrics: Metrics, wake_delivery: Callable[[], None]) -> None:
        self._pool = pool
        self._settings = settings
        self._metrics = metrics
        self._wake_delivery = wake_delivery

    async def settle(self, payment_id: UUID, charge: Charge, source: Source, *, owed: bool = True) -> None:
        """Brings our row to what the gateway says; anything that was there before stays.

        `owed`: nobody waits for the link, so it goes to the person through the outbox.
        """
        async with transaction(self._pool) as conn:
            purchase = await payments.by_id(conn, payment_id)
            if purchase is None:
                return
            await users.lock(conn, purchase.user_id)
            purchase = await payments.by_id(conn, payment_id)
            if purchase is None or (charge.payment_id, charge.user_id) != (purchase.id, purchase.user_id):
                log.warning("payment.foreign", payment_id=str(payment_id), provider_id=charge.id)
                return
            change = await self.bring(conn, purchase, charge, owed=owed)
        self.tell(purchase, change, source)

    async def bring(self, conn: Connection, purchase: Purchase, charge: Charge, *, owed: bool = True) -> Change:
        """What `settle` does, within the transaction of a caller who has locked the person and then read the row;
        `tell` belongs after it."""
        match charge.status:
            case Status.PAID:
                return await self._paid(conn, purchase, charge)
            case Status.CANCELED:
                return await self._canceled(conn, purchase, charge)
            case Status.PENDING:
                return await self._linked(conn, purchase, charge, owed)
            case Status.ODD:
                log.warning("payment.odd_status", payment_id=str(purchase.id))
                return NOTHING

    async def _linked(self, conn: Connection, purchase: Purchase, charge: Charge, owed: bool) -> Change:
        poll_after = self._settings.payment_poll_after_s
        if not await payments.link(conn, purchase.id, charge.id, charge.url, poll_after, charge.created_at):
            return NOTHING
        if purchase.attempts > 1 and await users.email(conn, purchase.user_id) is None:
            # It may have been removed while the same text might have had to be sent again
            await payments.wipe_addresses(conn, purchase.user_id)
        if owed and charge.url:
            await outbox.put(conn, purchase.user_id, PaymentLink(str(purchase.id), purchase.plan, charge.url))
        return Change("linked")

    async def _canceled(self, conn: Connection, purchase: Purchase, charge: Charge) -> Change:
        reason = charge.cancel_reason or "unknown"
        if not await payments.cancel(conn, purchase.id, charge.id, reason):
            return NOTHING
        await outbox.put(conn, purchase.user_id, PaymentCanceled(str(purchase.id), purchase.plan, reason))
        return Change("canceled", reason)

    async def _paid(self, conn: Connection, purchase: Purchase, charge: Charge) -> Change:
        ref = str(purchase.id)
        if difference := _difference(purchase, charge):
            if not await payments.review(conn, purchase.id, charge.id, difference):
                return NOTHING
            review = PaymentInReview(ref, ref, difference, charge.amount, charge.currency)
            await alerts.owe(conn, self._settings.admin_ids, review)
            return Change("review", difference)
        outcome = None
        if await payments.succeed(conn, purchase.id, charge.id):
            await self._succeeded(conn, purchase)
            outcome = "succeeded"
        elif purchase.status not in ("succeeded", "refunded"):
            await alerts.owe(conn, self._settings.admin_ids, PaymentLate(ref, ref, purchase.status))
            return Change("late", purchase.status)
        refund = await self._refunded(conn, purchase, charge) if charge.refunded > purchase.refunded else None
        return Change(outcome, refund=refund)

    async def _succeeded(self, conn: Connection, purchase: Purchase) -> None:
        ref = str(purchase.id)
        balance = await debts.credit(conn, purchase.user_id, purchase.credits, Reason.PURCHASE, ref)
        if balance is None:
            raise RuntimeError("a payment was credited without having succeeded")
        until = await subscriptions.extend(conn, purchase.id, purchase.user_id, purchase.plan, SUBSCRIPTION_DAYS)
        last_day = until.astimezone(MOSCOW).date()
        await outbox.put(conn, purchase.user_id, PaymentSucceeded(ref, purchase.credits, balance, last_day))
        await self._offer_receipts(conn, purchase)

    async def _offer_receipts(self, conn: Connection, purchase: Purchase) -> None:
        """Once, after the first purchase that a receipt belongs to, where the person has named no address."""
        if not self._settings.sends_receipts or purchase.gateway != "yookassa":
            return
        if await users.email(conn, purchase.user_id) is not None:
            return
        if await payments.first_through(conn, purchase.user_id, purchase.id, purchase.gateway):
            await outbox.put(conn, purchase.user_id, ReceiptOffer(str(purchase.user_id)))

    async def _refunded(self, conn: Connection, purchase: Purchase, charge: Charge) -> _Refund | None:
        """Takes the refunded share of the credits back, rounded down, as far as the balance goes."""
        refunded = min(charge.refunded, purchase.amount)
        due = purchase.credits * refunded // purchase.amount - purchase.credits_taken - purchase.credits_short
        ref = f"{purchase.id}:{refunded}"
        taken, balance = await credits.take(conn, purchase.user_id, due, Reason.PURCHASE_REFUND, ref)
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

    def tell(self, purchase: Purchase, change: Change, source: Source) -> None:
        """Logs and counts what was committed, and wakes the delivery of its messages."""
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
                    amount=purchase.amount,
                    currency=purchase.currency,
                    source=source.value,
                )
                self._metrics.payments_confirmed.labels(source.value).inc()
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
                refunded=change.refund.refunded,
                taken=change.refund.taken,
                short=change.refund.short,
            )
            self._metrics.payments.labels("refunded" if change.refund.full else "refunded_in_part").inc()
        self._wake_delivery()


def _difference(purchase: Purchase, charge: Charge) -> Difference | None:
    """What keeps a paid charge from being the one that was ordered."""
    if (charge.amount, charge.currency) != (purchase.amount, purchase.currency):
        return Difference.AMOUNT
    if charge.shop_id != purchase.shop_id:
        return Difference.SHOP
    if charge.test != purchase.test:
        return Difference.TEST if charge.test else Difference.NOT_TEST
    return None
