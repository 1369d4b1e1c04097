"""What a person who waits for a picture can be told: the place in the queue, and how long such pictures take."""

import time
from dataclasses import dataclass
from uuid import UUID

from app.db import connection
from app.repo import waits
from app.repo.records import Connection, Pool

LAST = 21
"""The median is taken of so many pictures."""

FRESH_S = 30.0
"""However many wait, the median of a model and quality is measured once in this time."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """`place` in the queue, 1 being next, or None when it is drawn already; the rest in seconds.

    `usual_s`: what such a picture takes at present, None where none was drawn yet; `since_s`: how long it was queued or
    drawn so far; `left_s`: until the credits come back.
    """

    place: int | None
    usual_s: float | None
    since_s: float
    left_s: float


class Waiting:
    """Measures what orders take."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._measured: dict[tuple[str, str], tuple[float, float | None]] = {}

    async def expect(self, generation_id: UUID) -> Expectation | None:
        """How an order stands; None where it is no longer waited for."""
        async with connection(self._pool) as conn:
            wait = await waits.stands(conn, generation_id)
            if wait is None or wait.status not in ("queued", "submitting", "processing"):
                return None
            usual_s = await self._usual(conn, wait.model, wait.quality or "")
        return Expectation(wait.ahead + 1 if wait.status == "queued" else None, usual_s, wait.since_s, wait.left_s)

    async def _usual(self, conn: Connection, model: str, quality: str) -> float | None:
        measured_at, seconds = self._measured.get((model, quality), (-FRESH_S, None))
        if time.monotonic() - measured_at >= FRESH_S:
            seconds = await waits.drawn_in(conn, model, quality, LAST)
            self._measured[model, quality] = (time.monotonic(), seconds)
        return seconds
