"""The invoice of a plan in Stars, and the question before it is charged, against the database alone."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast
from uuid import uuid4

import pytest
from aiogram import Bot
from structlog.testing import capture_logs

from app import words
from app.catalog import PLANS
from app.flows.purchases.invoices import Invoices, Objection
from app.gateways.stars import Stars, Told
from app.repo.records import Pool
from tests.flows import OTHER, PERSON, Till, open_till

ENGLISH, RUSSIAN = words.of("en"), words.of("ru")
STARS: dict[str, Any] = {"gateway": "stars", "currency": "XTR", "shop_id": "4242", "test": False, "amount": 185}


@dataclass
class Desk:
    """Invoices; `complaints` are what the loop was told of that nobody looked at."""

    till: Till
    pool: Pool
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: self.complaints.append(told["message"]))

    def invoices(self, *, sold: bool = True) -> Invoices:
        stars = Stars(Bot("4242:a-token-of-the-tests"))
        return Invoices(self.till.pool, self.pool, self.till.metrics, stars, sold)

    async def asked(self, payload: object, sold: bool = True, **changes: Any) -> Objection | None:
        told = replace(Told("", PERSON, 185, "XTR", str(payload), refunded=False), **changes)
        return (await self.invoices(sold=sold).check(told, "ru")).objection


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with open_till(database_url) as till:
        yield Desk(till, till.pool)


async def test_a_plan_has_one_invoice_until_its_price_changes(desk: Desk) -> None:
    """Who chooses again sees the same; one of another price is for nobody any more."""
    invoices, plan = desk.invoices(), PLANS["p200"]
    first = await invoices.open(PERSON, plan, RUSSIAN)
    assert (await invoices.open(PERSON, plan, ENGLISH)).id == first.id
    await desk.till.rows.conn.execute("UPDATE payments SET amount = 1")
    second = await invoices.open(PERSON, plan, RUSSIAN)
    assert (second.id != first.id, second.amount, second.gateway) == (True, 185, "stars")
    assert desk.till.counted() == {"created": 2}


async def test_only_the_buyers_own_open_invoice_of_that_amount_at_this_till_may_be_charged(desk: Desk) -> None:
    """Whatever differs; one that was given up may still be paid, and what is paid or not sold any more may not."""
    payment = await desk.till.bought(**STARS)
    assert await desk.asked(payment) is None
    for changes in ({"user_id": OTHER}, {"amount": 7}, {"currency": "RUB"}):
        assert await desk.asked(payment, **changes) is Objection.UNKNOWN
    for payload in (uuid4(), "another program's", ""):
        assert await desk.asked(payload) is Objection.UNKNOWN
    assert await desk.asked(await desk.till.bought(**STARS | {"shop_id": "7"})) is Objection.UNKNOWN
    assert await desk.asked(payment, sold=False) is Objection.CLOSED
    for status, objection in (("abandoned", None), ("review", Objection.PAID)):
        changed = await desk.till.bought(**STARS | {"status": status, "poll_at": None})
        assert await desk.asked(changed) is objection


async def test_an_objection_is_logged_and_a_yes_is_not(desk: Desk) -> None:
    payment = await desk.till.bought(**STARS)
    for amount, lines in ((185, []), (7, [("payment.charge_declined", "unknown")])):
        with capture_logs() as log:
            await desk.asked(payment, amount=amount)
        assert [(line["event"], line["objection"]) for line in log] == lines


async def test_the_question_is_answered_in_the_persons_words(desk: Desk) -> None:
    """Those that they chose, or else those of their Telegram."""
    told = Told("", PERSON, 185, "XTR", "?", refunded=False)
    for chosen, spoken, said in ((None, "en", ENGLISH), (None, "ru", RUSSIAN), ("ru", "en", RUSSIAN)):
        await desk.till.rows.conn.execute("UPDATE users SET language = $1", chosen)
        assert (await desk.invoices().check(told, spoken)).words is said


async def test_a_question_that_no_connection_was_free_for_is_answered_with_not_now(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time, in the words of the person's Telegram, and nothing of the look is left behind."""
    monkeypatch.setattr("app.flows.purchases.invoices._PATIENCE_S", 0.05)
    payment = await desk.till.bought(**STARS)
    async with AsyncExitStack() as stack, asyncio.timeout(2):
        await stack.enter_async_context(desk.till.pool.acquire())
        verdict = await desk.invoices().check(Told("", PERSON, 185, "XTR", str(payment), refunded=False), "en")
    assert (verdict.objection, verdict.words) == (Objection.LATER, ENGLISH)
    await asyncio.sleep(0)
    assert desk.complaints == []


class BreakingOff:
    """The pool of a server that says nothing, and breaks off as what waits for it is let go."""

    @asynccontextmanager
    async def acquire(self, **_timeout: float) -> AsyncIterator[None]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionResetError from None
        yield


async def test_a_look_that_fails_when_its_asker_has_gone_is_nobodys_complaint(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer was given before; no error is left behind that asyncio would log as never looked at."""
    monkeypatch.setattr("app.flows.purchases.invoices._PATIENCE_S", 0.01)
    desk.pool = cast("Pool", BreakingOff())
    assert await desk.asked("?") is Objection.LATER
    await asyncio.sleep(0.01)
    gc.collect()
    assert desk.complaints == []
