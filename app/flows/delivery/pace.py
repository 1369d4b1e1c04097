"""How fast a lane goes where much waits."""

import asyncio
from collections.abc import Callable

STRETCH_S = 0.5
"""A lane is held up no longer."""


class Pace:
    """So many a second at most, counted over STRETCH_S seconds; `wake`: a lane that was held up may go on."""

    def __init__(self, per_s: float, wake: Callable[[], None]) -> None:
        self._many = per_s * STRETCH_S
        self._wake = wake
        self._left = 0.0
        self._ends_at = 0.0

    def of(self, wanted: int) -> int:
        """How many of those may follow now; where it is none, the lane is woken once there are."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._ends_at:
            self._left, self._ends_at = self._many, loop.time() + STRETCH_S
        if self._left < 1:
            loop.call_at(self._ends_at, self._wake)
        return int(min(wanted, self._left))

    def take(self, many: int) -> None:
        """So many follow now."""
        self._left -= many
