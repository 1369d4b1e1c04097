"""How fast a lane goes where much waits."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from app.flows.delivery.pace import Pace


@dataclass
class Clock:
    """In place of the event loop: `now`, and the instants at which somebody is to be woken."""

    now: float = 100.0
    wakes: list[float] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, _wake: Callable[[], None]) -> None:
        self.wakes.append(when)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    return clock


def test_a_lane_sends_so_many_in_a_stretch_and_is_woken_for_the_next(clock: Clock) -> None:
    """20 a second are ten in half a second: as many as are asked for, until none is left."""
    lane = Pace(20, lambda: None)
    given = []
    for now in (100.0, 100.0, 100.25, 100.49, 100.5, 100.5):
        clock.now = now
        given.append(lane.of(8))
        lane.take(given[-1])
    assert given == [8, 2, 0, 0, 8, 2]
    assert clock.wakes == [100.5, 100.5]


def test_what_was_not_taken_is_left(clock: Clock) -> None:
    """A lane asks for its free slots and finds fewer messages; with one left it goes on without being woken."""
    lane = Pace(20, lambda: None)
    assert lane.of(8) == 8
    lane.take(3)
    assert lane.of(99) == 7
    lane.take(6)
    assert (lane.of(8), clock.wakes) == (1, [])


def test_a_lane_that_may_go_as_fast_as_it_can_is_never_held_up(clock: Clock) -> None:
    lane = Pace(float("inf"), lambda: None)
    for _ in range(3):
        assert lane.of(8) == 8
        lane.take(8)
    assert clock.wakes == []
