"""Where a conversation lies between two updates, and who holds it: one round trip to take it, one to give it back."""

import time
from dataclasses import dataclass
from typing import Protocol

from aiogram.fsm.storage.base import DefaultKeyBuilder, StorageKey
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from app.flood import COUNT, Flood, RedisFlood, Verdict

LEASE_S = 35.0
"""Whoever was killed holds a conversation no longer; more than an update may take."""

KEPT_S = 7 * 24 * 3600
"""A conversation that nobody went on with is forgotten after a week."""

_WAIT_S = 5
_ASK_AGAIN_S = 0.1

_MEMORY_LIMIT = 10_000

_TOLD_AGAIN_MS = 60_000

_TAKE = f"""{COUNT}
if redis.call('GET', KEYS[3]) ~= ARGV[5] then
    if ARGV[4] == '1' then
        local verdict = count(KEYS[1], KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3])
        if verdict ~= 0 then return {{verdict, 0, false, false}} end
    end
    if not redis.call('SET', KEYS[3], ARGV[5], 'NX', 'PX', ARGV[6]) then return {{0, 0, false, false}} end
end
return {{0, 1, redis.call('GET', KEYS[4]), redis.call('GET', KEYS[5])}}
"""
"""Run again by the same holder, it finds what it took: the answer may be lost on its way."""

_GIVE_BACK = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return redis.call('GET', KEYS[4]) == ARGV[1] and 1 or 0 end
if ARGV[2] == '1' then
    for at = 2, 3 do
        if ARGV[at + 1] == '' then redis.call('DEL', KEYS[at])
        else redis.call('SET', KEYS[at], ARGV[at + 1], 'EX', ARGV[5]) end
    end
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[4], ARGV[1], 'PX', ARGV[6])
return 1
"""
"""Run again by the same holder, it says once more that it was in time."""


def open_redis(url: str) -> Redis:
    """A client that asks once more where a connection breaks or says nothing for five seconds.

    Whether Redis did what it was asked nobody knows then, so what is asked must be such that twice is once; a bare
    count of the flood limit alone may count twice.
    """
    retry = Retry(ConstantBackoff(_ASK_AGAIN_S), 1)
    return Redis.from_url(url, socket_timeout=_WAIT_S, socket_connect_timeout=_WAIT_S, retry=retry)


@dataclass(frozen=True, slots=True)
class Kept:
    """A conversation: aiogram's name of the state, "" for none; the data as JSON, "" for none."""

    state: str = ""
    data: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of taking: with the verdict TAKE and nothing kept, somebody else holds the conversation."""

    verdict: Verdict
    kept: Kept | None = None


class Shelf(Protocol):
    """Raises redis.RedisError where it cannot be reached. What a holder does twice counts once."""

    async def count(self, user_id: int) -> Verdict:
        """Counts one thing that a person did."""

    async def take(self, key: StorageKey, holder: str, counted: bool) -> Taken:
        """Takes the conversation for LEASE_S seconds at most, where nobody holds it; with `counted` counts that too."""

    async def give_back(self, key: StorageKey, holder: str, changed: Kept | None) -> bool:
        """Stores what changed and lets the next one take it; False, and nothing is stored, where the lease is over."""


class RedisShelf:
    """In Redis, for all replicas, under the names of aiogram's own RedisStorage and RedisEventIsolation.

    Those are what the version before wrote and what a replica of it may be reading now.
    """

    def __init__(self, redis: Redis, flood: RedisFlood, lease_s: float = LEASE_S) -> None:
        self._flood = flood
        self._take, self._give_back = redis.register_script(_TAKE), redis.register_script(_GIVE_BACK)
        self._names = DefaultKeyBuilder(with_bot_id=True)
        self._lease_ms = int(lease_s * 1000)

    async def count(self, user_id: int) -> Verdict:
        return await self._flood.check(user_id)

    async def take(self, key: StorageKey, holder: str, counted: bool) -> Taken:
        verdict, taken, state, data = await self._take(
            keys=(*self._flood.keys(key.user_id), *self._parts(key)),
            args=(*self._flood.arguments, int(counted), holder, self._lease_ms),
        )
        return Taken(Verdict(verdict), Kept(_text(state), _text(data)) if taken else None)

    async def give_back(self, key: StorageKey, holder: str, changed: Kept | None) -> bool:
        kept = changed or Kept()
        done = await self._give_back(
            keys=(*self._parts(key), self._names.build(key, "lock") + ":given"),
            args=(holder, int(changed is not None), kept.state, kept.data, KEPT_S, _TOLD_AGAIN_MS),
        )
        return bool(done)

    def _parts(self, key: StorageKey) -> tuple[str, str, str]:
        return (
            self._names.build(key, "lock"),
            self._names.build(key, "state"),
            self._names.build(key, "data"),
        )


class MemoryShelf:
    """In this process, for a bot on a desk: gone with it."""

    def __init__(self, flood: Flood, lease_s: float = LEASE_S) -> None:
        self._flood = flood
        self._lease_s = lease_s
        self._kept: dict[StorageKey, tuple[Kept, float]] = {}
        self._held: dict[StorageKey, tuple[str, float]] = {}

    async def count(self, user_id: int) -> Verdict:
        return await self._flood.check(user_id)

    async def take(self, key: StorageKey, holder: str, counted: bool) -> Taken:
        if counted and (verdict := await self._flood.check(key.user_id)) is not Verdict.TAKE:
            return Taken(verdict)
        now = time.monotonic()
        if self._holder(key, now) is not None:
            return Taken(Verdict.TAKE)
        self._held[key] = holder, now + self._lease_s
        kept, until = self._kept.get(key, (Kept(), now))
        return Taken(Verdict.TAKE, kept if until > now else Kept())

    async def give_back(self, key: StorageKey, holder: str, changed: Kept | None) -> bool:
        now = time.monotonic()
        if self._holder(key, now) != holder:
            return False
        del self._held[key]
        if changed is not None:
            self._kept[key] = changed, now + KEPT_S
            if len(self._kept) > _MEMORY_LIMIT:
                self._kept = {key: entry for key, entry in self._kept.items() if entry[0] != Kept() and entry[1] > now}
        return True

    def _holder(self, key: StorageKey, now: float) -> str | None:
        holder, until = self._held.get(key, (None, now))
        return holder if until > now else None


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
