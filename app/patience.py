"""Trying again, mostly for as long as it takes: what the bot cannot do without.

Not `stamina`: its way is to give up after some tries, and it brings a second dependency, counters in Prometheus's
global registry and one event name for everything, where ours are one a thing that is waited for.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

_FIRST_PAUSE_S = 0.5


async def until_it_works[T](
    attempt: Callable[[], Awaitable[T]],
    passing: tuple[type[Exception], ...],
    event: str,
    longest_pause_s: float,
    tries: int | None = None,
) -> T:
    """What `attempt` returns, tried again while it raises one of `passing`; any other error is raised.

    Each failure is logged as `event`; the pauses double up to `longest_pause_s` seconds. With `tries`, the last of so
    many failures is raised.
    """
    pause_s = _FIRST_PAUSE_S
    for tried in itertools.count(1):
        try:
            return await attempt()
        except passing as error:
            if tried == tries:
                raise
            log.warning(event, error=repr(error), next_try_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, longest_pause_s)
    raise AssertionError
