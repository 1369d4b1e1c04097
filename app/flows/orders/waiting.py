"""What a person who waits for a picture is told: the place in the queue, and how long such pictures take."""

import time
from dataclasses import dataclass

from app.catalog import MODELS
from app.db import connection
from app.repo import waits
from app.repo.records import Pool
from app.repo.waits import Wait
from app.words import Words

LAST = 21
"""The median is taken of so many pictures."""

FRESH_S = 5.0
"""However many wait, the median of a model and quality is measured once in this time, from the first picture on."""

MOST_EDITS = 5
"""Of one message, from «✅» on: the first, three while the order is drawn, and the last, which says how it ended."""

LOOK_S = 30.0
"""The place in the queue is looked at after this, and then after ever longer."""

_UNMEASURED_S, _SHORTEST_S = 60.0, 1.5
"""What is taken for usual where nothing was measured, and where a picture is drawn in no time."""


@dataclass(frozen=True, slots=True)
class News:
    """What the message is to say (None: what it says is true), the place in that, and when to look again.

    `look_again_s`: None where something has to happen first.
    """

    text: str | None
    place: int | None
    look_again_s: float | None


class Waiting:
    """Measures what orders take."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._measured: dict[tuple[str, str], tuple[float, float | None]] = {}

    async def usual_s(self, model: str, quality: str | None) -> float | None:
        """The seconds that such a picture takes at present; None where none was drawn yet."""
        key = model, MODELS[model].quality(quality).key if model in MODELS else quality or ""
        measured_at, seconds = self._measured.get(key, (-FRESH_S, None))
        if seconds is None or time.monotonic() - measured_at >= FRESH_S:
            async with connection(self._pool) as conn:
                seconds = await waits.drawn_in(conn, *key, LAST)
            self._measured[key] = (time.monotonic(), seconds)
        return seconds


def late_after_s(usual_s: float | None) -> float:
    """A picture that takes so long is late: twice what is usual."""
    return 2 * max(usual_s or _UNMEASURED_S, _SHORTEST_S)


def first_look_s(ahead: int, usual_s: float | None) -> float:
    """When to look at an order for the first time that was queued behind `ahead` others."""
    return LOOK_S if ahead else late_after_s(usual_s)


def first_text(words: Words, ahead: int, usual_s: float | None) -> str:
    """How an order stands that was just queued behind `ahead` others: with none it is as good as begun."""
    return words.order_queued(ahead + 1, usual_s, None) if ahead else words.order_drawing(usual_s)


def news(words: Words, wait: Wait, usual_s: float | None) -> News:
    """What there is to be told of an order. An edit for each thing that is still to come is kept back."""
    late = wait.since_s >= late_after_s(usual_s)
    if wait.status == "failed":
        return News(words.order_not_drawn if wait.told < MOST_EDITS else None, None, None)
    if wait.status == "ready":
        return News(None, None, None)
    if wait.told_place is None:
        return _drawing(words, wait, usual_s, late=late)
    if wait.status == "queued":
        return _queued(words, wait, usual_s, late=late)
    told = words.order_drawing(usual_s) if wait.told < MOST_EDITS - 2 else None
    return News(_whole(words, wait, told), None, max(late_after_s(usual_s) - wait.since_s, 1))


def _queued(words: Words, wait: Wait, usual_s: float | None, *, late: bool) -> News:
    place = wait.ahead + 1
    if wait.told >= MOST_EDITS - 3:
        return News(None, place, None)
    if place == wait.told_place:
        return News(None, place, max(LOOK_S, wait.since_s))
    return News(_whole(words, wait, words.order_queued(place, usual_s, wait.left_s if late else None)), place, None)


def _drawing(words: Words, wait: Wait, usual_s: float | None, *, late: bool) -> News:
    if wait.told >= MOST_EDITS - 1:
        return News(None, None, None)
    if not late:
        return News(None, None, late_after_s(usual_s) - wait.since_s)
    return News(_whole(words, wait, words.order_late(usual_s, wait.left_s)), None, None)


def _whole(words: Words, wait: Wait, stands: str | None) -> str | None:
    if stands is None:
        return None
    return words.ordered(stands, wait.prompt, wait.size, wait.price, wait.balance or 0)
