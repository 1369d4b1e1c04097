"""What becomes of a press on «✅»: each reason to decline one, and what an order is made of."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.catalog import MODELS
from app.db import open_pool
from app.flows.orders.place import LAST_CALL_S, Card, Ordering, Placed
from app.metrics import Metrics
from app.repo import audit, breakers, users
from app.repo.records import Pool
from app.settings import Settings
from tests.flows import PERSON, flow_settings, outcomes
from tests.rows import Rows, ahead

OLD = "gpt-image-1"
CARD = Card("card", OLD, "512x512", "a cat", ("one",), 7)
PRICE = MODELS[OLD].quality(None).price


@dataclass
class Counter:
    """Where orders are placed; `woken` counts how often the submitter was."""

    pool: Pool
    orders: Rows
    settings: Settings
    metrics: Metrics = field(default_factory=Metrics)
    woken: int = 0

    @property
    def ordering(self) -> Ordering:
        return Ordering(self.pool, self.settings, self.metrics, self.wake)

    def wake(self) -> None:
        self.woken += 1

    async def place(self, **changes: Any) -> Placed:
        placement = await self.ordering.place(PERSON, replace(CARD, **changes))
        if placement.generation_id:
            self.orders.ids["last"] = placement.generation_id
        return placement.outcome

    async def last(self, columns: str) -> Any:
        return await self.orders.of("last", columns)

    async def credits(self) -> int:
        balance: int = await self.orders.conn.fetchval("SELECT credits FROM users WHERE id = $1", PERSON)
        return balance


@pytest.fixture
async def counter(database_url: str) -> AsyncIterator[Counter]:
    settings = flow_settings(database_url)
    pool = await open_pool(settings, 2)
    async with pool.acquire() as conn:
        await users.visit(conn, PERSON)
        await users.visit(conn, 2)
        usual = {"user_id": 2, "model": OLD, "size": "s", "price": 2, "deadline_at": ahead("1 hour")}
        yield Counter(pool, Rows(conn, "generations", usual), settings)
        await conn.execute("DELETE FROM generations WHERE user_id = 2")
        assert await audit.differences(conn) == []
    await pool.close()


async def test_an_order_is_debited_and_placed_once_a_card(counter: Counter) -> None:
    assert not await counter.ordering.placed(PERSON, "card")
    assert await counter.place() is Placed.ORDERED
    assert await counter.ordering.placed(PERSON, "card")
    assert await counter.place() is Placed.ALREADY
    assert (await counter.credits(), counter.woken) == (10 - PRICE, 1)
    assert outcomes(counter.metrics.orders) == {"ordered": 1, "already": 1}
    # Another's card: the key alone is no proof, and makes no second order
    await counter.orders.add("another's", order_key="theirs", status="delivered", finished_at=ahead("0 s"))
    assert await counter.place(key="theirs") is Placed.ALREADY
    assert await counter.credits() == 10 - PRICE


async def test_a_second_press_is_one_whatever_has_changed_meanwhile(counter: Counter) -> None:
    """A price, a balance: it is not told that it cannot order. Nor is it written down as a refusal."""
    assert await counter.place() is Placed.ORDERED
    with capture_logs() as log:
        assert await counter.place(price=PRICE + 1) is Placed.ALREADY
    assert log == []
    with capture_logs() as log:
        assert await counter.place(key="other", price=PRICE + 1) is Placed.PRICE_CHANGED
    assert [line["event"] for line in log] == ["order.declined"]


@pytest.mark.parametrize("changes", [{"model": "unknown"}, {"size": "1x1"}])
async def test_what_is_not_sold_is_declined_with_what_is(counter: Counter, changes: dict[str, Any]) -> None:
    placement = await counter.ordering.place(PERSON, replace(CARD, **changes))
    assert (placement.outcome, placement.offer) == (Placed.MODEL_OFF, counter.ordering.models)
    assert (await counter.credits(), counter.woken) == (10, 0)


async def test_a_model_that_is_known_and_not_sold_is_declined(counter: Counter) -> None:
    counter.settings = counter.settings.model_copy(update={"models": (OLD,)})
    other = next(key for key in MODELS if key != OLD)
    assert await counter.place(model=other, size=next(iter(MODELS[other].sizes))) is Placed.MODEL_OFF


async def test_an_order_costs_what_its_button_said_and_no_more_than_there_is(counter: Counter) -> None:
    """To the last credit; a button that says nothing agrees to any price."""
    assert await counter.place(price=PRICE + 1) is Placed.PRICE_CHANGED
    await counter.orders.conn.execute("UPDATE users SET credits = $1 WHERE id = $2", PRICE - 1, PERSON)
    assert await counter.place(price=PRICE) is Placed.TOO_FEW
    await counter.orders.conn.execute("UPDATE users SET credits = 10 WHERE id = $1", PERSON)
    for number in range(10 // PRICE):
        assert await counter.place(key=f"card {number}", price=(PRICE, None)[number % 2]) is Placed.ORDERED
    assert await counter.credits() == 0


async def test_a_queue_takes_as_many_orders_as_it_may(counter: Counter) -> None:
    """Whoever is behind others is told the place, and is looked at for it; the first is not."""
    counter.settings = counter.settings.model_copy(update={"max_waiting_orders": 2})
    assert await counter.place(key="first") is Placed.ORDERED
    assert await counter.last("told_place, tell_at - created_at") == (None, 120)
    second = await counter.ordering.place(PERSON, replace(CARD, key="second"))
    assert (second.outcome, second.ahead) == (Placed.ORDERED, 1)
    counter.orders.ids["last"] = second.generation_id
    assert await counter.last("told_place, tell_at - created_at") == (2, 30)
    assert await counter.place(key="third") is Placed.BUSY


async def test_an_open_circuit_declines_what_goes_through_it(counter: Counter) -> None:
    """The provider's everything, a model's its own: offered is what is on."""
    conn, other = counter.orders.conn, next(key for key in counter.ordering.models if key != OLD)
    for _ in range(breakers.THRESHOLD):
        await breakers.refused(conn, breakers.of_model(OLD), 3600)
    placement = await counter.ordering.place(PERSON, CARD)
    assert placement.outcome is Placed.MODEL_OFF
    assert placement.offer == await counter.ordering.models_on()
    assert set(placement.offer) == set(counter.ordering.models) - {OLD}
    sold = MODELS[other]
    assert await counter.place(key="other", model=other, size=next(iter(sold.sizes))) is Placed.ORDERED
    for _ in range(breakers.THRESHOLD):
        await breakers.refused(conn, breakers.PROVIDER, 30)
    assert await counter.place(key="another", model=other, size=next(iter(sold.sizes))) is Placed.PROVIDER_DOWN


async def test_the_model_that_a_card_starts_with_comes_first_and_once(counter: Counter) -> None:
    last = counter.settings.models[-1]
    counter.settings = counter.settings.model_copy(update={"default_model": last})
    assert counter.ordering.models[0] == last
    assert sorted(counter.ordering.models) == sorted(counter.settings.models)


@pytest.mark.parametrize(("deadline_s", "kept_s"), [(100, 10), (899, 89.9), (1000, LAST_CALL_S)])
async def test_an_order_is_submitted_while_a_picture_could_come_in_time(
    counter: Counter, deadline_s: int, kept_s: float
) -> None:
    counter.settings = counter.settings.model_copy(update={"generation_deadline_s": deadline_s})
    await counter.place()
    assert await counter.last("deadline_at - created_at, deadline_at - submit_by") == (deadline_s, kept_s)


@pytest.mark.parametrize(
    ("changes", "hidden"),
    [
        ({}, False),
        ({"size": "1024x1024"}, False),
        ({"size": "1024x1536"}, True),
        ({"style": "anime"}, True),
        ({"sources": ()}, True),
        ({"sources": ("one", "two")}, True),
    ],
)
async def test_what_the_version_before_cannot_build_is_hidden_from_it(
    counter: Counter, changes: dict[str, Any], hidden: bool
) -> None:
    assert await counter.place(**changes) is Placed.ORDERED
    assert await counter.last("claimable_at = 'infinity', due_at IS NOT NULL") == (hidden, hidden)


async def test_another_model_is_hidden_from_the_version_before(counter: Counter) -> None:
    other = next(key for key in counter.ordering.models if key != OLD)
    assert await counter.place(model=other) is Placed.ORDERED
    assert await counter.last("claimable_at = 'infinity'")


async def test_sources_beyond_what_a_model_takes_are_left_out(counter: Counter) -> None:
    most = MODELS[OLD].most_sources
    await counter.place(sources=tuple(map(str, range(most + 2))))
    assert await counter.last("cardinality(sources)") == most
