"""One person's updates come one after another, in the order of their arrival; what waits holds up nobody else.

Behind aiogram's own interfaces: whoever asks the state's context reads and writes what was taken at the turn's begin.
"""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

from aiogram.fsm.state import State
from aiogram.fsm.storage.base import BaseEventIsolation, BaseStorage, StateType, StorageKey

from app.flood import Verdict
from app.shelf import Kept, Shelf

FEW = 4
"""So many of one person's updates may wait as long as it takes. The rest let go of Telegram's connections soon."""

LONGEST_LINE = 64
"""So many of one person's updates may be here; more than the flood limit lets through at once."""

_HERE_AT_MOST = 1000
_PATIENCE_S = 25.0
_SHORT_PATIENCE_S = 0.5
_LOOK_AGAIN_S = 0.05
_LOOK_AGAIN_AT_MOST_S = 0.4


class NoPlace(Exception):
    """More than can be handled or may wait now: to be sent again."""


class _Line:
    """The updates of one person that are here now, in the order of their arrival; it is the first one's turn."""

    def __init__(self) -> None:
        self._here: deque[asyncio.Event] = deque()

    def __len__(self) -> int:
        return len(self._here)

    def enter(self) -> asyncio.Event:
        """A place at the end; the event is set once it is the first."""
        turn = asyncio.Event()
        self._here.append(turn)
        self._here[0].set()
        return turn

    def leave(self, turn: asyncio.Event) -> None:
        """From wherever in the line."""
        self._here.remove(turn)
        if self._here:
            self._here[0].set()


class _Opened:
    """A conversation during a turn."""

    def __init__(self, key: StorageKey, kept: Kept) -> None:
        self.key, self._kept = key, kept
        self.restore()

    def restore(self) -> None:
        """Forgets what was changed."""
        self.state: str | None = self._kept.state or None
        self.data: dict[str, Any] = json.loads(self._kept.data) if self._kept.data else {}

    def changed(self) -> Kept | None:
        """What is to be stored; None where that stands there already."""
        now = Kept(self.state or "", json.dumps(self.data) if self.data else "")
        return None if now == self._kept else now


_ASIDE = StorageKey(bot_id=0, chat_id=0, user_id=0)
_opened: ContextVar[_Opened | None] = ContextVar("conversation", default=None)


class Turns(BaseStorage, BaseEventIsolation):
    """The conversations of all persons.

    A turn costs two round trips: one takes the conversation (and counts against the flood limit), one stores what
    changed and gives it back. Only where others of the same person wait, in this process or in another, does it cost
    more.
    """

    def __init__(self, shelf: Shelf, max_updates: int, patience_s: float = _PATIENCE_S) -> None:
        self._shelf = shelf
        self._places = max_updates
        self._patience_s = patience_s
        self._lines: dict[int, _Line] = {}
        self._here = 0

    @asynccontextmanager
    async def turn(self, key: StorageKey, counted: bool = True) -> AsyncIterator[Verdict]:
        """The person's turn, with the conversation opened, where the verdict is TAKE; else nothing was waited for.

        Not `counted` is what no flood limit may refuse. Raises NoPlace; TimeoutError where the turn did not come
        within `patience_s` seconds, or took longer than the lease: nothing of the conversation is stored then.
        """
        if self._here >= _HERE_AT_MOST or len(self._lines.get(key.user_id, ())) >= LONGEST_LINE:
            raise NoPlace
        line = self._lines.setdefault(key.user_id, _Line())
        few = len(line) < FEW
        turn = line.enter()
        self._here += 1
        try:
            if counted and not turn.is_set():
                # Told at once: what is too much is not to stand in the line
                if (verdict := await self._shelf.count(key.user_id)) is not Verdict.TAKE:
                    yield verdict
                    return
                counted = False
            await self._wait(turn, few)
            with self._place():
                async with self._taken(key, counted) as verdict:
                    yield verdict
        finally:
            self._here -= 1
            line.leave(turn)
            if not line:
                del self._lines[key.user_id]

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[None]:
        """Past every line: with an empty conversation, of which nothing is stored."""
        token = _opened.set(_Opened(_ASIDE, Kept()))
        try:
            yield
        finally:
            _opened.reset(token)

    async def _wait(self, turn: asyncio.Event, few: bool) -> None:
        """Telegram opens so many connections and no more: whoever waits on one keeps it from somebody else's update."""
        if turn.is_set():
            return
        try:
            async with asyncio.timeout(self._patience_s if few else _SHORT_PATIENCE_S):
                await turn.wait()
        except TimeoutError:
            if few:
                raise
            raise NoPlace from None

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places of all persons; whoever has one waits for nobody of this process."""
        if self._places <= 0:
            raise NoPlace
        self._places -= 1
        try:
            yield
        finally:
            self._places += 1

    @asynccontextmanager
    async def _taken(self, key: StorageKey, counted: bool) -> AsyncIterator[Verdict]:
        holder = secrets.token_hex(16)
        taken = await self._shelf.take(key, holder, counted)
        if taken.verdict is not Verdict.TAKE:
            yield taken.verdict
            return
        kept = taken.kept if taken.kept is not None else await self._wait_for_another_process(key, holder)
        opened = _Opened(key, kept)
        token = _opened.set(opened)
        changed: Kept | None = None
        try:
            yield Verdict.TAKE
            changed = opened.changed()
        finally:
            _opened.reset(token)
            if not await self._shelf.give_back(key, holder, changed):
                raise TimeoutError("the conversation was held for too long")

    async def _wait_for_another_process(self, key: StorageKey, holder: str) -> Kept:
        """Nobody tells when another replica is done, so it is looked; of one person only one looks in each process."""
        pause_s = _LOOK_AGAIN_S
        async with asyncio.timeout(self._patience_s):
            while True:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LOOK_AGAIN_AT_MOST_S)
                taken = await self._shelf.take(key, holder, counted=False)
                if taken.kept is not None:
                    return taken.kept

    # aiogram's interfaces

    @asynccontextmanager
    async def lock(self, key: StorageKey) -> AsyncIterator[None]:
        """The turn that the route has begun, or one of its own; of a handler that fails nothing is stored."""
        async with self._session(key) as opened:
            try:
                yield
            except BaseException:
                opened.restore()
                raise

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:
        async with self._session(key) as opened:
            opened.state = state.state if isinstance(state, State) else state

    async def get_state(self, key: StorageKey) -> str | None:
        async with self._session(key) as opened:
            return opened.state

    async def set_data(self, key: StorageKey, data: Mapping[str, Any]) -> None:
        async with self._session(key) as opened:
            opened.data = dict(data)

    async def get_data(self, key: StorageKey) -> dict[str, Any]:
        async with self._session(key) as opened:
            return dict(opened.data)

    async def close(self) -> None:
        """Nothing is held between turns."""

    def _session(self, key: StorageKey) -> AbstractAsyncContextManager[_Opened]:
        opened = _opened.get()
        if opened is not None and opened.key in (key, _ASIDE):
            return nullcontext(opened)
        return self._turn_of_its_own(key)

    @asynccontextmanager
    async def _turn_of_its_own(self, key: StorageKey) -> AsyncIterator[_Opened]:
        async with self.turn(key, counted=False):
            opened = _opened.get()
            assert opened is not None
            yield opened
