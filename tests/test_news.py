"""What there is to be told of an order, and when it is looked at again: for every state, edit and time."""

from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import pytest

from app import words
from app.catalog import MODELS
from app.flows.orders.waiting import (
    FRESH_S,
    LOOK_S,
    MOST_EDITS,
    News,
    Waiting,
    first_look_s,
    first_text,
    late_after_s,
    news,
)
from app.repo.waits import Wait
from tests.flows import Till, open_till
from tests.rows import NOW, Rows, ago, ahead

SAID = words.of("en")
MODEL = next(iter(MODELS))
DRAWN = Wait(uuid4(), 1, 7, "processing", "m", "low", "s", 2, "a cat", 1, None, "en", 8, 0, 10.0, 600.0)
QUEUED = replace(DRAWN, status="queued", told_place=3, ahead=1)


def whole(stands: str, prompt: str | None = "a cat", balance: int = 8) -> str:
    return SAID.ordered(stands, prompt, "s", 2, balance)


@pytest.mark.parametrize(("usual", "late"), [(None, 120), (20.0, 40), (0.5, 3), (0.0, 120), (1.5, 3), (1.6, 3.2)])
def test_a_picture_is_late_after_twice_the_usual_time(usual: float | None, late: float) -> None:
    assert late_after_s(usual) == late


def test_an_order_behind_others_is_looked_at_for_its_place_and_any_other_when_it_is_late() -> None:
    assert (first_look_s(1, 20.0), first_look_s(0, 20.0)) == (LOOK_S, 40)
    assert first_text(SAID, 2, 20.0) == SAID.order_queued(3, 20.0, None)
    assert first_text(SAID, 0, 20.0) == SAID.order_drawing(20.0)


def test_a_failure_is_told_as_long_as_an_edit_is_left() -> None:
    failed = replace(DRAWN, status="failed")
    assert news(SAID, replace(failed, told=MOST_EDITS - 1), None) == News(SAID.order_not_drawn, None, None)
    assert news(SAID, replace(failed, told=MOST_EDITS), None) == News(None, None, None)


def test_of_what_is_on_its_way_to_the_person_nothing_is_told() -> None:
    assert news(SAID, replace(DRAWN, status="ready", since_s=999.0), 20.0) == News(None, None, None)


def test_what_is_drawn_is_told_of_once_it_is_late() -> None:
    """Till then it is looked at when it will be; with the last edit kept back for the end."""
    assert news(SAID, DRAWN, 20.0) == News(None, None, 30.0)
    late = replace(DRAWN, since_s=40.0)
    assert news(SAID, late, 20.0) == News(whole(SAID.order_late(20.0, 600.0)), None, None)
    assert news(SAID, replace(late, told=MOST_EDITS - 2), 20.0).text
    for wait in (late, DRAWN):
        assert news(SAID, replace(wait, told=MOST_EDITS - 1), 20.0) == News(None, None, None)


def test_who_was_told_a_place_is_told_that_it_has_come() -> None:
    """And looked at when it will be late, in a second at the earliest; with two edits kept back."""
    come = replace(DRAWN, told_place=3)
    assert news(SAID, come, 20.0) == News(whole(SAID.order_drawing(20.0)), None, 30.0)
    assert news(SAID, replace(come, since_s=50.0), 20.0).look_again_s == 1
    assert news(SAID, replace(come, told=MOST_EDITS - 3), 20.0).text
    assert news(SAID, replace(come, told=MOST_EDITS - 2), 20.0) == News(None, None, 30.0)


def test_who_waits_is_told_a_place_that_has_changed() -> None:
    """With what becomes of a late one; the same place is looked at ever later, and three edits are kept back."""
    assert news(SAID, QUEUED, 20.0) == News(whole(SAID.order_queued(2, 20.0, None)), 2, None)
    late = news(SAID, replace(QUEUED, since_s=40.0), 20.0)
    assert late == News(whole(SAID.order_queued(2, 20.0, 600.0)), 2, None)
    same = replace(QUEUED, told_place=2)
    assert news(SAID, same, 20.0) == News(None, 2, LOOK_S)
    assert news(SAID, replace(same, since_s=90.0), 20.0) == News(None, 2, 90.0)
    assert news(SAID, replace(QUEUED, told=MOST_EDITS - 4), 20.0).text
    assert news(SAID, replace(QUEUED, told=MOST_EDITS - 3), 20.0) == News(None, 2, None)


def test_what_is_not_known_any_more_is_left_out() -> None:
    late = replace(DRAWN, since_s=40.0, prompt=None, balance=None)
    assert news(SAID, late, 20.0).text == whole(SAID.order_late(20.0, 600.0), None, 0)


async def test_the_usual_time_is_measured_once_in_a_while_from_the_first_picture_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model and quality, the lowest where none was chosen; of a model that is gone, by the quality of the row."""
    now = began = 1000.0
    monkeypatch.setattr("app.flows.orders.waiting.time", SimpleNamespace(monotonic=lambda: now))
    async with open_till(database_url) as till:
        waiting = Waiting(till.pool)
        assert await waiting.usual_s("gone", "low") is None
        drawn = {"model": "gone", "quality": "low", "submitted_at": ago("20 s")}
        orders = await _pictures(till)
        await orders.add("first", order_key="1", ready_at=NOW, **drawn)
        assert await waiting.usual_s("gone", "low") == pytest.approx(20)
        await orders.add("second", order_key="2", ready_at=ahead("40 s"), **drawn)
        now = began + FRESH_S - 0.1
        assert await waiting.usual_s("gone", "low") == pytest.approx(20)
        now = began + FRESH_S
        assert await waiting.usual_s("gone", "low") == pytest.approx(40)
        assert await waiting.usual_s("gone", None) is None
        lowest = {"model": MODEL, "quality": MODELS[MODEL].quality(None).key}
        await orders.add("of a model that there is", order_key="3", ready_at=NOW, **drawn | lowest)
        assert await waiting.usual_s(MODEL, None) == pytest.approx(20)
        await orders.conn.execute("DELETE FROM generations")


async def _pictures(till: Till) -> Rows:
    usual = {"user_id": 1, "size": "s", "price": 2, "status": "ready", "result_url": "u"}
    return Rows(till.rows.conn, "generations", usual | {"deadline_at": ahead("1 hour")})
