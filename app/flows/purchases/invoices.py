"""A plan paid with Stars: its invoice, and the question that Telegram asks before it charges."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid4

import structlog

from app import words
from app.catalog import PLANS, Plan
from app.db import connection, transaction
from app.faults import POSTGRES
from app.gateways.port import Order
from app.gateways.stars import Stars, Told
from app.metrics import Metrics
from app.repo import payments, users
from app.repo.payments import NewPurchase, Purchase
from app.repo.records import Pool
from app.words import Words

log = structlog.get_logger()

_PAYABLE_S = 23 * 3600.0
"""So long an invoice is shown again to whoever chooses its plan again. It may be paid later all the same."""

_PATIENCE_S = 4.0
"""Telegram waits ten seconds for an answer; less than half of them are spent here."""


class Objection(StrEnum):
    """Why a charge must not be made."""

    UNKNOWN = "unknown"
    """There is no such purchase of this person, or it is of another amount."""
    PAID = "paid"
    CLOSED = "closed"
    """Stars are not taken any more."""
    LATER = "later"
    """Nobody can say now."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to the question, and the words that it is given in; no objection: yes."""

    objection: Objection | None
    words: Words


class Invoices:
    """Sends invoices, and lets them be paid once.

    `desk`: connections of its own. Whatever fills the pool of everybody, the question is answered.
    """

    def __init__(self, pool: Pool, desk: Pool, metrics: Metrics, stars: Stars, sold: bool) -> None:
        self._pool = pool
        self._desk = desk
        self._metrics = metrics
        self._stars = stars
        self._sold = sold
        self._looks: set[asyncio.Task[tuple[str | None, Purchase | None]]] = set()

    async def send(self, user_id: int, plan_key: str, said: Words) -> None:
        """The invoice of a plan; the same one while it is not paid. Raises KeyError for no such plan, and what aiogram
        raises."""
        purchase = await self.open(user_id, PLANS[plan_key], said)
        structlog.contextvars.bind_contextvars(payment_id=str(purchase.id))
        await self._stars.send_invoice(user_id, purchase.request)

    async def open(self, user_id: int, plan: Plan, said: Words) -> Purchase:
        """The purchase that a plan's invoice is for: the one that is not paid yet, or a new one."""
        till, amount, payment_id = self._stars, plan.price(self._stars.currency), uuid4()
        title, description = said.credits_title(plan.credits), said.invoice_description(plan.credits)
        async with transaction(self._pool) as conn:
            await users.lock(conn, user_id)
            found = await payments.open_of_plan(conn, user_id, plan.key, till.name, till.shop_id, till.test)
            if found is not None and found.amount == amount:
                return found
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
                till.request(Order(payment_id, user_id, amount, description, return_url=""), title),
            )
            stored = await payments.insert(conn, new, _PAYABLE_S)
        log.info(
            "payment.created",
            payment_id=str(payment_id),
            user_id=user_id,
            plan=plan.key,
            amount=amount,
            currency=till.currency,
        )
        self._metrics.payments.labels("created").inc()
        return stored

    async def check(self, told: Told, language_code: str | None) -> Verdict:
        """Whether a person may be charged this. Takes no lock, and raises nothing for a database that is away."""
        language: str | None = words.language_of(language_code)
        look = asyncio.create_task(self._look(told))
        self._looks.add(look)
        look.add_done_callback(self._looked)
        try:
            # Not ended with a timeout of its own: a connection whose server is silent takes seconds to be let go
            done, _ = await asyncio.wait({look}, timeout=_PATIENCE_S)
            if not done:
                raise TimeoutError
            chosen, purchase = look.result()
        except POSTGRES as error:
            log.warning("payment.not_checked", payload=told.payload, error=repr(error))
            return Verdict(Objection.LATER, words.of(language))
        finally:
            look.cancel()
        language = chosen or language
        objection = self._objection(purchase, told)
        if objection is not None:
            log.warning("payment.charge_declined", payload=told.payload, objection=objection.value)
        return Verdict(objection, words.of(language))

    async def _look(self, told: Told) -> tuple[str | None, Purchase | None]:
        """The person's language, where it is decided, and the purchase, where there is one."""
        async with connection(self._desk) as conn:
            language = await users.language(conn, told.user_id)
            return language, await payments.by_id(conn, told.payment_id) if told.payment_id else None

    def _looked(self, look: asyncio.Task[tuple[str | None, Purchase | None]]) -> None:
        """Whoever asked may have gone: what a look ended in is theirs to log, or nobody's."""
        self._looks.discard(look)
        if not look.cancelled():
            look.exception()

    def _objection(self, purchase: Purchase | None, told: Told) -> Objection | None:
        till = self._stars
        if purchase is None or (purchase.gateway, purchase.shop_id) != (till.name, till.shop_id):
            return Objection.UNKNOWN
        if (purchase.user_id, purchase.amount, purchase.currency) != (told.user_id, told.amount, told.currency):
            return Objection.UNKNOWN
        if purchase.status not in ("new", "abandoned"):
            return Objection.PAID
        return None if self._sold else Objection.CLOSED
