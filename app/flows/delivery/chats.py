"""Which chats are not written to at present."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

CHAT_PACE_S = 1.0
"""A chat is written to no more often (Telegram's FAQ: one message a second and chat)."""


class Chats:
    """Those written to within a second rest for every lane, and those that a lane is busy with rest for that lane.

    So a picture that is fetched for half a minute keeps no other message of its person waiting.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._written: set[int] = set()
        self._busy: defaultdict[str, set[int]] = defaultdict(set)

    def resting(self, lane: str) -> Collection[int]:
        """Whom a lane may not write to now."""
        return self._written | self._busy[lane]

    def take(self, lane: str, chat_ids: Iterable[int]) -> None:
        """A lane begins with these."""
        self._busy[lane].update(chat_ids)

    def release(self, lane: str, chat_id: int) -> None:
        """A lane has written to this one."""
        self._busy[lane].discard(chat_id)
        self._written.add(chat_id)
        asyncio.get_running_loop().call_later(CHAT_PACE_S, self._rested, chat_id)

    def _rested(self, chat_id: int) -> None:
        self._written.discard(chat_id)
        self._wake()
