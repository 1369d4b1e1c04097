"""A long list by pages: each begins beside an entry that was seen, and costs the same wherever it is."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Turn(StrEnum):
    """Which page is looked at."""

    NEWEST = "newest"
    OLDER = "older"
    NEWER = "newer"


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Some entries, newest first, and whether there are newer and older ones."""

    entries: Sequence[T]
    newer: bool
    older: bool


async def look[T, K](
    newest: Callable[[int], Awaitable[list[T]]],
    older: Callable[[int, K], Awaitable[list[T]]],
    newer: Callable[[int, K], Awaitable[list[T]]],
    size: int,
    turn: Turn,
    than: K | None,
) -> Page[T]:
    """The page of `size` entries before or after the entry `than`; the first page where that is none.

    `newest` and `older` give at most so many entries newest first, `newer` the next one first.
    """
    if than is not None and turn is Turn.OLDER:
        found = await older(size + 1, than)
        if found:
            return Page(found[:size], newer=True, older=len(found) > size)
    if than is not None and turn is Turn.NEWER:
        found = await newer(size + 1, than)
        if len(found) > size:
            return Page(found[size - 1 :: -1], newer=True, older=True)
    found = await newest(size + 1)
    return Page(found[:size], newer=False, older=len(found) > size)
