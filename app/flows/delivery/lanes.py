"""The lanes of what is owed: short messages, pictures, and pictures that have failed before, each with own slots.

An untouched file that somebody asked for goes with the pictures: one a chat, so nobody's files fill a lane.
"""

import asyncio
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiogram.exceptions import TelegramForbiddenError, TelegramRetryAfter

from app.clients import genapi
from app.clients.results import Unreachable
from app.db import connection
from app.faults import TELEGRAM
from app.flows.delivery.chats import Chats
from app.flows.delivery.pace import Pace
from app.notices import KINDS, Original, Picture, Priority
from app.repo import outbox
from app.repo.records import Message, Pool
from app.repo.wakes import Work

log = structlog.get_logger()

LAST_FAILURE = 20
"""A message is given up after so many failures: about an hour of the back-off (2, 4, … 256, then 300 s each). The time
that a person blocks the bot does not count, nor do Telegram's 429 and what the end of the process cuts short."""

_LONGEST_PAUSE_S = 300

_FORESEEN: tuple[type[Exception], ...] = (*TELEGRAM, Unreachable, genapi.Unavailable)


class Busy(Exception):
    """Somebody else's turn: to be tried again in a second, and no failure."""


class Letters(Protocol):
    """What a lane carries: how one is sent, and how it ends that cannot be."""

    async def send(self, message: Message) -> None:
        """Sends it and ends it; whatever it raises is a failure, unless it is Busy, a 429 or a 403."""

    async def give_up(self, message: Message, error: Exception | None) -> None:
        """Ends it undelivered; `error` is the last failure, None where that killed the process."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A lane's name, its slots, its lease in seconds, and what it claims.

    `failed`: whether what has failed before, what has not, or both; `last`: the lowest priority; `per_s`: so many a
    second at most. `work` is what wakes it.
    """

    name: str
    work: Work
    slots: int
    lease_s: float
    kinds: Collection[str]
    failed: Collection[bool]
    last: Priority
    per_s: float = math.inf


_FETCHED = (Picture.kind, Original.kind)
TEXTS = Kind("deliver", Work.MESSAGES, 8, 40, KINDS.keys() - set(_FETCHED), (False, True), Priority.BROADCAST, 20)
"""Telegram takes about 30 messages a second of a bot, results among them; and what is said for an hour is to leave the
process to them as well."""

PICTURES = Kind("deliver_pictures", Work.RESULTS, 8, 60, _FETCHED, (False,), Picture.priority)
RETRIES = Kind("deliver_again", Work.RETRIES, 4, 85, _FETCHED, (True,), Picture.priority)
"""What hangs for as long as it may takes nobody's first try a slot."""

LANES = (TEXTS, PICTURES, RETRIES)


class Lane:
    """Claims messages of its kind and sends each, or puts it off, parks it, or gives it up."""

    def __init__(
        self, pool: Pool, kind: Kind, letters: Mapping[str, Letters], chats: Chats, wake: Callable[[], None]
    ) -> None:
        self.kind = kind
        self._pace = Pace(kind.per_s, wake)
        self._pool = pool
        self._letters = letters
        self._chats = chats

    async def claim(self, limit: int) -> Sequence[Message]:
        """Leases messages that are due, one a chat; none while Telegram has told the bot to wait."""
        kind = self.kind
        if not (limit := self._pace.of(limit)):
            return ()
        async with connection(self._pool) as conn:
            resting = self._chats.resting(kind.name)
            messages = await outbox.claim(conn, limit, kind.lease_s, resting, kind.kinds, kind.failed, kind.last)
        self._pace.take(len(messages))
        self._chats.take(kind.name, [message.chat_id for message in messages])
        return messages

    async def deliver(self, message: Message) -> None:
        """Deals with one message."""
        structlog.contextvars.bind_contextvars(outbox_id=message.id, user_id=message.chat_id)
        letters = self._letters[message.kind]
        try:
            if message.failures < LAST_FAILURE:
                await letters.send(message)
            else:
                await letters.give_up(message, None)
        except TelegramRetryAfter as error:
            async with connection(self._pool) as conn:
                if await outbox.pause(conn, message.chat_id, error.retry_after):
                    log.warning("delivery.bot_paused", retry_after=error.retry_after)
            await self._postpone(message, error.retry_after, error, failures=0)
        except TelegramForbiddenError as error:
            log.info("delivery.parked", error=error.message)
            async with connection(self._pool) as conn:
                await outbox.park(conn, message)
        except Busy as error:
            await self._postpone(message, 1, error, failures=0)
        except asyncio.CancelledError:
            await self._postpone(message, 0, None, failures=0)
            raise
        except Exception as error:
            await self._failed(message, error)
        finally:
            self._chats.release(self.kind.name, message.chat_id)

    async def _failed(self, message: Message, error: Exception) -> None:
        failures = message.failures + 1
        if not isinstance(error, _FORESEEN):
            log.error("delivery.broken", exc_info=error)
        if failures < LAST_FAILURE:
            await self._postpone(message, min(_LONGEST_PAUSE_S, 2**failures), error, failures=1)
        else:
            await self._letters[message.kind].give_up(message, error)

    async def _postpone(self, message: Message, delay_s: float, error: Exception | None, failures: int) -> None:
        if not isinstance(error, Busy):
            log.warning("delivery.postponed", kind=message.kind, delay_s=delay_s, error=repr(error))
        async with connection(self._pool) as conn:
            await outbox.postpone(conn, message, float(delay_s), failures)


def lanes(pool: Pool, letters: Mapping[str, Letters], wake: Callable[[], None]) -> Sequence[Lane]:
    """All of them; `letters` by the kind of what is owed. `wake` makes them look for work, as a chat that rested may be
    written to again."""
    chats = Chats(wake)
    return [Lane(pool, kind, letters, chats, wake) for kind in LANES]
