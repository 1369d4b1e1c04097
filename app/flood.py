"""How much one person may do: a burst, and then so much a second (GCRA: one number a person, and no window to sweep).

The limit is for people's fingers and broken clients, not for money: orders and payments are guarded in SQL.
"""

import time
from enum import IntEnum
from typing import Protocol

from redis.asyncio import Redis

TOLD_EVERY_S = 5.0
"""A person who floods is told to slow down no more often."""

_MEMORY_LIMIT = 10_000

COUNT = """
local function count(busy_key, told_key, interval, burst, told_ms)
    local seconds, micros = unpack(redis.call('TIME'))
    local now = seconds * 1000 + micros / 1000
    local busy_until = math.max(now, tonumber(redis.call('GET', busy_key) or '0'))
    if busy_until - now > interval * (burst - 1) then
        return redis.call('SET', told_key, '1', 'NX', 'PX', told_ms) and 1 or 2
    end
    busy_until = busy_until + interval
    redis.call('SET', busy_key, string.format('%.3f', busy_until), 'PX', math.ceil(busy_until - now))
    return 0
end
"""
"""Lua: counts one thing that a person did, and returns the verdict. A script of somebody else's may begin with it."""

_SCRIPT = f"{COUNT} return count(KEYS[1], KEYS[2], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3])"


class Verdict(IntEnum):
    """What to do with what a person did: take it, refuse it and say so, or refuse it (they were told just now)."""

    TAKE = 0
    TELL = 1
    IGNORE = 2


class Flood(Protocol):
    """Counts what people do."""

    async def check(self, user_id: int) -> Verdict:
        """Counts one thing that a person did. Raises redis.RedisError when it cannot be counted."""


class RedisFlood:
    """Counted in Redis, by Redis's clock: one limit for all replicas, one round trip an update.

    `arguments` are COUNT's last three.
    """

    def __init__(self, redis: Redis, bot_id: int, burst: int, per_s: float) -> None:
        self._script = redis.register_script(_SCRIPT)
        self._prefix = f"flood:{bot_id}"
        self.arguments = (1000 / per_s, burst, int(TOLD_EVERY_S * 1000))

    def keys(self, user_id: int) -> tuple[str, str]:
        """COUNT's first two: what is counted, and when the person was told."""
        return f"{self._prefix}:{user_id}", f"{self._prefix}:{user_id}:told"

    async def check(self, user_id: int) -> Verdict:
        return Verdict(await self._script(keys=self.keys(user_id), args=self.arguments))


class MemoryFlood:
    """Counted in this process."""

    def __init__(self, burst: int, per_s: float) -> None:
        self._interval = 1 / per_s
        self._tolerance = self._interval * (burst - 1)
        self._busy_until: dict[int, float] = {}
        self._told_at: dict[int, float] = {}

    async def check(self, user_id: int) -> Verdict:
        now = time.monotonic()
        busy_until = max(now, self._busy_until.get(user_id, 0))
        if busy_until - now > self._tolerance:
            if now - self._told_at.get(user_id, 0) < TOLD_EVERY_S:
                return Verdict.IGNORE
            self._told_at[user_id] = now
            return Verdict.TELL
        self._busy_until[user_id] = busy_until + self._interval
        if len(self._busy_until) > _MEMORY_LIMIT:
            self._sweep(now)
        return Verdict.TAKE

    def _sweep(self, now: float) -> None:
        """Forgets everybody who is not busy."""
        self._busy_until = {user_id: until for user_id, until in self._busy_until.items() if until > now}
        self._told_at = {user_id: at for user_id, at in self._told_at.items() if user_id in self._busy_until}
