"""The bench at its smallest, and what it makes of its figures."""

import pytest

from tests.bench.__main__ import bench
from tests.bench.contention import PER_S, contention
from tests.bench.contention import Sizes as ContestSizes
from tests.bench.load import Measure
from tests.bench.report import DOCUMENT, SCENARIOS, Ratio, documented, ratio, ratios, regressions
from tests.bench.stage import Sizes, stage


@pytest.mark.timeout(400)
def test_every_contender_does_what_it_is_asked_in_every_scenario() -> None:
    """`measure` compares the answers with the database, so a contender that only says so raises."""
    with stage() as servers:
        measured = bench(servers, list(SCENARIOS), Sizes(seconds=0.2, connections=4, people=50), rounds=1)
    for by_contender in measured.values():
        assert all(one.units > 0 for rounds in by_contender.values() for one in rounds)


@pytest.mark.timeout(400)
def test_few_want_the_same_at_once_and_nobody_waits_for_long() -> None:
    """Each contest ends with the audit."""
    few = ContestSizes(orders=10, people=20, callbacks=20, messages=100, seconds=1)
    contests = contention(few)
    assert [(one.name, one.waits) for one in contests if one.waits.deadlocks or one.waits.gave_up] == []
    assert [len(one.leaves_ms) for one in contests[-2:]] == [PER_S * few.seconds] * 2


def test_a_ratio_is_of_contenders_that_met_the_same_machine() -> None:
    """The machine was busy in the second round, for all three alike."""
    measured = {"floor": [_cost(100), _cost(200)], "usual": [_cost(1000), _cost(2000)], "bot": [_cost(250), _cost(500)]}
    assert ratio(measured) == Ratio(usual=4, floor=0.4)


def test_what_is_printed_is_what_is_compared_later() -> None:
    found = {scenario: Ratio(2.5 + number, 0.25) for number, scenario in enumerate(SCENARIOS)}
    assert documented(f"Some text.\n\n{ratios(found)}\n\nMore of it.") == found


def test_below_nine_tenths_is_a_regression() -> None:
    before = {"/status": Ratio(5, 0.3), "press": Ratio(4, 0.3)}
    assert regressions({"/status": Ratio(4.5, 0.27)}, before) == []
    worse = regressions({"/status": Ratio(4.4, 0.27), "press": Ratio(4, 0.26), "order": Ratio(9, 9)}, before)
    assert worse == [
        "`/status`: 4.40 times the usual stack, was 5.00",
        "a press that orders: 0.26 of the floor, was 0.30",
        "a whole order, three updates: docs/performance.md has no ratio",
    ]


def test_every_scenario_is_documented() -> None:
    assert documented(DOCUMENT.read_text(encoding="utf-8")).keys() == SCENARIOS.keys()


def _cost(cpu_us: float) -> Measure:
    return Measure(units=1, per_s=1, cpu_us=cpu_us, p50_ms=1, p99_ms=1, load=0)
