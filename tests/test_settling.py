"""How an order ends: each word of gen-api's, each refusal, each guard, against the database alone."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from app.catalog import MODELS
from app.clients import genapi
from app.clients.genapi import GenApi, Outcome
from app.db import open_pool
from app.flows.orders.settle import Settling
from app.metrics import Metrics
from app.repo import audit, breakers, credits, users
from app.repo.credits import Reason
from app.repo.generations import Failure
from app.repo.records import Message, Pool, Question, Submission
from app.settings import Settings
from tests.flows import flow_settings, outcomes
from tests.rows import NOW, Rows, ago, ahead

PERSON, OPERATOR = 1, 3
NUMBER = 77
MODEL = next(iter(MODELS))
PICTURE = Outcome(True, "https://example.com/a.png", cost=5)
FAILED = Outcome(True, reason="no")
OPEN = Outcome(final=False)


class Asked(GenApi):
    """gen-api, of which one answer is known; None: it does not answer."""

    def __init__(self) -> None:
        self.answer: Outcome | None = OPEN

    async def ask(self, request_id: int) -> Outcome:
        assert request_id == NUMBER
        if self.answer is None:
            raise genapi.Unavailable("away")
        return self.answer


@dataclass
class Desk:
    """Orders of one person who had ten credits, and the flow that ends them; `woken` counts how often delivery was."""

    pool: Pool
    orders: Rows
    settings: Settings
    gen_api: Asked = field(default_factory=Asked)
    metrics: Metrics = field(default_factory=Metrics)
    woken: int = 0

    @property
    def settling(self) -> Settling:
        return Settling(self.pool, self.settings, self.metrics, self.gen_api, self.wake)

    def wake(self) -> None:
        self.woken += 1

    async def order(self, status: str = "processing", **columns: Any) -> UUID:
        """An order in that state, paid with two credits."""
        order = uuid4()
        usual = {"id": order, "order_key": str(order), "status": status, "attempt": 1}
        usual |= {"request_id": NUMBER, "poll_at": ahead("1 minute")} if status == "processing" else {}
        await self.orders.add(str(order), **usual | columns)
        await credits.debit(self.orders.conn, PERSON, 2, Reason.ORDER, str(order))
        return order

    async def stands(self, order: UUID, columns: str = "status, failure") -> Any:
        return await self.orders.of(str(order), columns)

    async def owed(self, kind: str = "") -> list[dict[str, Any]]:
        """The payloads of the messages of that kind, or of all."""
        rows = await self.orders.conn.fetch("SELECT payload FROM outbox WHERE $1 IN ('', kind) ORDER BY id", kind)
        return [json.loads(row["payload"]) for row in rows]

    async def credits(self) -> int:
        balance: int = await self.orders.conn.fetchval("SELECT credits FROM users WHERE id = $1", PERSON)
        return balance

    async def refused(self, status: int) -> UUID:
        """gen-api refuses an order that was just submitted."""
        order = await self.order("submitting")
        claimed = Submission(order, PERSON, 1, MODEL, "s", "low", None, "кот", ["one"], None)
        await self.settling.refused(claimed, status)
        return order


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    """Its books are audited at the end."""
    settings = flow_settings(database_url, admin_ids=(OPERATOR,))
    pool = await open_pool(settings, 2)
    async with pool.acquire() as conn:
        await users.visit(conn, PERSON)
        usual = {"user_id": PERSON, "model": MODEL, "size": "s", "price": 2, "prompt": "кот", "sources": ["one"]}
        orders = Rows(conn, "generations", usual | {"deadline_at": ahead("1 hour"), "submitted_at": NOW})
        yield Desk(pool, orders, settings)
        assert await audit.differences(conn) == []
    await pool.close()


async def test_a_hint_is_taken_for_a_number_that_is_known(desk: Desk) -> None:
    order = await desk.order()
    assert not await desk.settling.hint(78)
    assert await desk.stands(order, "poll_at > now()")
    assert await desk.settling.hint(NUMBER)
    assert await desk.stands(order, "poll_at <= now()")


async def test_a_callback_belongs_to_the_order_and_its_number(desk: Desk) -> None:
    """One that has another number, and an order that there is not, are refused; so is another order's number."""
    settling, order = desk.settling, await desk.order()
    other = await desk.order("submitting")
    assert not await settling.callback(uuid4(), NUMBER, PICTURE)
    assert not await settling.callback(order, 78, PICTURE)
    assert not await settling.callback(other, NUMBER, OPEN)
    assert await desk.stands(order) == ("processing", None)
    assert await settling.callback(other, 78, OPEN)
    assert await desk.stands(other, "status, request_id") == ("processing", 78)
    assert await settling.callback(order, NUMBER, PICTURE)
    assert await settling.callback(other, 78, FAILED)
    assert await desk.stands(order, "status, cost") == ("ready", 5)
    assert (await desk.stands(other), await desk.credits()) == (("failed", "provider"), 8)


async def test_of_a_queued_order_only_a_picture_is_believed_and_only_once_it_was_sent(desk: Desk) -> None:
    fresh, tried = await desk.order("queued", attempt=0), await desk.order("queued")
    for order, outcome, taken in (
        (fresh, PICTURE, False),
        (fresh, FAILED, False),
        (tried, FAILED, False),
        (tried, OPEN, False),
        (tried, PICTURE, True),
    ):
        assert await desk.settling.callback(order, NUMBER, outcome) == taken
    assert await desk.stands(fresh, "status") == "queued"
    assert await desk.stands(tried, "status") == "ready"


async def test_a_picture_is_owed_once_and_wakes_the_deliverer(desk: Desk) -> None:
    """A second word, whichever, changes nothing and wakes nobody."""
    order = await desk.order()
    for outcome in (PICTURE, PICTURE, FAILED):
        assert await desk.settling.callback(order, NUMBER, outcome)
        assert (len(await desk.owed("picture")), desk.woken) == (1, 1)
    assert await desk.credits() == 8


async def test_a_turn_takes_what_is_overdue_and_as_many_questions_as_there_is_room_for(desk: Desk) -> None:
    late = await desk.order("submitting", deadline_at=NOW)
    for number in (1, 2):
        await desk.order(request_id=number, poll_at=ago("1 second"))
    first = await desk.settling.claim(2)
    assert (first[0], len(first)) == (late, 2)


@pytest.mark.parametrize(
    ("answer", "expired", "status"),
    [
        (PICTURE, False, "ready"),
        (PICTURE, True, "ready"),
        (FAILED, False, "failed"),
        (OPEN, False, "processing"),
        (None, False, "processing"),
        (OPEN, True, "failed"),
        (None, True, "failed"),
    ],
)
async def test_a_question_ends_what_is_final_or_past_its_deadline(
    desk: Desk, answer: Outcome | None, expired: bool, status: str
) -> None:
    order = await desk.order(deadline_at=NOW if expired else ahead("1 hour"))
    desk.gen_api.answer = answer
    await desk.settling.reconcile(Question(order, NUMBER, expired))
    assert await desk.stands(order, "status") == status


async def test_what_is_gone_meanwhile_is_passed_over(desk: Desk) -> None:
    """An order that was removed by hand: its question, and its deadline."""
    desk.gen_api.answer = PICTURE
    await desk.settling.reconcile(Question(uuid4(), NUMBER, False))
    await desk.settling.reconcile(uuid4())
    assert (await desk.owed(), desk.woken) == ([], 0)


async def test_a_deadline_gives_the_credits_back_once_and_says_so(desk: Desk) -> None:
    order = await desk.order("submitting", deadline_at=NOW)
    for _ in range(2):
        await desk.settling.reconcile(order)
        assert (await desk.credits(), desk.woken) == (10, 1)
    [failed] = await desk.owed()
    assert (failed["reason"], failed["price"], failed["balance"]) == ("deadline", 2, 10)
    assert outcomes(desk.metrics.generations) == {"failed": 1}
    assert outcomes(desk.metrics.generation_failures) == {"deadline": 1}


@pytest.mark.parametrize(
    ("status", "failure", "circuit", "alert"),
    [
        (401, "refused", breakers.PROVIDER, "alert_provider_refuses"),
        (402, "refused", breakers.PROVIDER, "alert_provider_refuses"),
        (404, "model_gone", breakers.of_model(MODEL), "alert_model_off"),
        (422, "refused", None, "none"),
    ],
)
async def test_the_third_refusal_in_a_row_opens_the_circuit_that_it_speaks_of(
    desk: Desk, status: int, failure: str, circuit: str | None, alert: str
) -> None:
    """The operators are told of that one alone; what gen-api says of one order opens none."""
    opened = "SELECT array_agg(provider) FROM breakers WHERE opened_at IS NOT NULL"
    for third in (False, False, True):
        with capture_logs() as log:
            order = await desk.refused(status)
        assert await desk.stands(order) == ("failed", failure)
        assert ("breaker.opened" in [line["event"] for line in log]) == bool(circuit and third)
        assert await desk.orders.conn.fetchval(opened) == ([circuit] if circuit and third else None)
        alerts = {kind: len(await desk.owed(kind)) for kind in ("alert_provider_refuses", "alert_model_off")}
        assert {kind for kind, number in alerts.items() if number} == ({alert} if circuit and third else set())
    others = [MODELS[key].title for key in desk.settings.models if key != MODEL]
    assert (await desk.owed("order_failed"))[-1].get("offer", []) == (others if status == 404 else [])


async def test_a_refusal_of_one_order_shows_that_its_network_is_there(desk: Desk) -> None:
    """So two 404s before it do not count with one after it."""
    for status in (404, 404, 422, 404):
        await desk.refused(status)
    assert await desk.owed("alert_model_off") == []


async def test_what_is_off_is_not_offered_in_place_of_what_is_gone(desk: Desk) -> None:
    key = next(key for key in desk.settings.models if key != MODEL)
    for _ in range(3):
        await breakers.refused(desk.orders.conn, breakers.of_model(key), 3600)
    await desk.refused(404)
    [failed] = await desk.owed("order_failed")
    assert MODELS[key].title not in failed["offer"]


@pytest.mark.parametrize(
    ("status", "failure", "attempt", "ends", "alerts"),
    [
        ("ready", Failure.UNDELIVERABLE, 1, True, 1),
        ("ready", Failure.NO_PICTURE, 1, True, 0),
        ("ready", Failure.UNDELIVERABLE, 2, False, 0),
        ("delivered", Failure.UNDELIVERABLE, 1, False, 0),
    ],
)
async def test_what_cannot_be_delivered_is_refunded_by_who_holds_its_lease(
    desk: Desk, status: str, failure: Failure, attempt: int, ends: bool, alerts: int
) -> None:
    """The operator hears of what Telegram did not take, and of nothing else; what was delivered stays so."""
    over = {"finished_at": NOW} if status == "delivered" else {"ready_at": NOW}
    order = await desk.order(status, result_url="u", **over)
    outbox = Rows(desk.orders.conn, "outbox", {"id": ..., "chat_id": PERSON, "kind": "picture"})
    row = await outbox.add("picture", ref=str(order), attempt=1)
    picture = Message(row, PERSON, "picture", str(order), "{}", attempt, 0, 0, None)
    await desk.settling.undeliverable(picture, PERSON, failure)
    assert await desk.stands(order, "status") == ("failed" if ends else status)
    assert await outbox.of("picture", "status") == ("dropped" if attempt == 1 else "pending")
    assert (len(await desk.owed("alert_picture_refused")), await desk.credits()) == (alerts, 10 if ends else 8)
    assert desk.woken == ends


async def test_an_order_that_was_refunded_before_cannot_fail(desk: Desk) -> None:
    """The books would not say twice that it was: nothing of it is kept."""
    order = await desk.order("submitting", deadline_at=NOW)
    entry = "INSERT INTO ledger (user_id, delta, balance, reason, ref) VALUES ($1, 2, 10, 'order_refund', $2)"
    await desk.orders.conn.execute(entry, PERSON, str(order))
    with pytest.raises(RuntimeError, match="without having failed"):
        await desk.settling.reconcile(order)
    assert await desk.stands(order, "status") == "submitting"
    await desk.orders.conn.execute("DELETE FROM ledger WHERE reason = 'order_refund'")
