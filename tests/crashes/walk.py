"""Walks a way again and again, the bot dying one boundary later each time, until it is walked to its end."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app.repo import audit
from app.settings import Settings
from tests.crashes.lines import Line, Mortality, lines, through
from tests.crashes.mortal import Lives
from tests.crashes.ways import Way
from tests.faults.harness import Stage, stage

SETTINGS: dict[str, Any] = {
    "generation_poll_after_s": 0.5,
    "payment_poll_after_s": 0.5,
    "worker_tick_s": 0.2,
    "flood_burst": 10_000,
    "db_pool_size": 3,
    "payments": "yookassa,stars",
}
_FIRST_PERSON = 5000
_SETTLE_S = 30
_GRACE_S = 1.0


@dataclass
class Report:
    """What became of one way: boundaries counted, deaths survived, and what must not be."""

    way: str
    boundaries: int = 0
    deaths: int = 0
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines_ = [f"{self.way}: {self.deaths - len(self.differences)} of {self.deaths} deaths survived"]
        lines_[0] += f", {self.boundaries} boundaries on the whole way"
        return "\n".join([*lines_, *(f"DIFFERENCE: {text}" for text in self.differences)])


class Theatre:
    """The stage, the lines in front of everything on it, and one bot after another behind them."""

    def __init__(self, play: Stage, mortality: Mortality, settings: Settings, lives: Lives) -> None:
        self.stage, self.mortality = play, mortality
        self._settings = settings
        self._lives = lives
        self._people = _FIRST_PERSON
        self.first_died = False
        """Whether the last walk's first death came, or the way was at its end before."""

    async def start(self, *, die_at: int = 0, hurried: bool) -> None:
        """A life of the bot, as far as its start comes in it.

        Unhurried, its workers do only what they are woken for: fewer boundaries, and the same. Those of a start are
        counted in a hurried life alone, which has somebody's work to find.
        """
        # Nobody lives: what the dead held is free
        await self.stage.let_leases_run_out(3600)
        await self.stage.let_locks_run_out()
        self.mortality.begin(die_at, counting=hurried)
        tick = SETTINGS["worker_tick_s"] if hurried else 3600.0
        telegram = self.stage.telegram
        registered = len(telegram.called("setMyCommands"))
        await self._lives.begin(self._settings.model_copy(update={"worker_tick_s": tick}))
        await self._till_death(telegram.wait_for(lambda: len(telegram.called("setMyCommands")) > registered, 20))

    async def kill(self) -> None:
        """The end of the present life."""
        self.mortality.end()
        await self._lives.end()

    async def walk(self, way_of: type[Way], deaths: tuple[int, ...]) -> tuple[bool, int]:
        """The way once, dying at `deaths[0]`; the recovery dies at `deaths[1]`, and so on.

        Whether the last of these deaths came, and how many boundaries were crossed in that life.
        """
        self._people += 1
        self.mortality.places.clear()
        way = way_of(self.stage, self.stage.person(self._people))
        await self.start(die_at=deaths[0], hurried=False)
        async with aclosing(way.walk()) as steps:  # type: ignore[type-var] # an async generator is one
            await anext(steps)
            await self.mortality.quiet()
            self.mortality.counting = True
            died = await self._till_death(anext(steps, None))
        crossed = self.mortality.crossed
        self.first_died = died
        await self.kill()
        for die_at in deaths[1:]:
            if not died:
                break
            await self.start(die_at=die_at, hurried=True)
            died = await self._till_death(self._settle(way))
            crossed = self.mortality.crossed
            await self.kill()
        await self.start(hurried=True)
        await self._settle(way)
        assert await way.ends(), f"not settled: {await way.open()}"
        await way.holds()
        async with self.stage.pool.acquire() as conn:
            assert await audit.differences(conn) == []
        await self.kill()
        return died, crossed

    async def _till_death(self, doing: Awaitable[Any]) -> bool:
        """Waits for that, or for the bot's death, which ends it; whether that came."""
        going: asyncio.Future[Any] = asyncio.ensure_future(doing)
        dying = asyncio.ensure_future(self.mortality.died.wait())
        await asyncio.wait({going, dying}, return_when=asyncio.FIRST_COMPLETED)
        died = dying.done()
        going.cancel()
        dying.cancel()
        outcomes = await asyncio.gather(going, dying, return_exceptions=True)
        if not died and isinstance(outcomes[0], Exception):
            raise outcomes[0]
        return died

    async def _settle(self, way: Way) -> None:
        """Waits until everything that the way began is over; leases and deadlines end sooner than by themselves."""
        begun = time.monotonic()
        # Nothing outside the bot tells of its quiet
        while not await way.ends():
            waited = time.monotonic() - begun
            if waited > _SETTLE_S:
                return
            if waited > _GRACE_S:
                await self.stage.let_leases_run_out(3600)
                await self.stage.pool.execute(
                    "UPDATE generations SET deadline_at = now() WHERE status IN ('queued', 'submitting', 'processing') "
                    "AND user_id = $1 AND deadline_at > now()",
                    way.person.id,
                )
            await asyncio.sleep(0.05)


@asynccontextmanager
async def theatre(database_url: str, redis_url: str, lives: Lives) -> AsyncIterator[Theatre]:
    """Everything for a walk."""
    async with AsyncExitStack() as stack:
        play = await stack.enter_async_context(stage(database_url, redis_url, **SETTINGS))
        mortality = Mortality()
        settings = play.settings
        outward = {
            name: _line(name, getattr(settings, name), mortality)
            for name in ("database_url", "redis_url", "telegram_api_url", "gen_api_url", "yookassa_api_url")
        }
        inward = Line("webhook", "127.0.0.1", lives.port, mortality, inward=True, here=settings.port)
        await stack.enter_async_context(lines(*outward.values(), inward))
        changes: dict[str, Any] = {name: through(getattr(settings, name), line) for name, line in outward.items()}
        made = Theatre(play, mortality, settings.model_copy(update=changes), lives)
        try:
            yield made
        finally:
            await made.kill()


def _line(name: str, url: str, mortality: Mortality) -> Line:
    parts = urlsplit(url)
    return Line(name.removesuffix("_url"), parts.hostname or "", parts.port or 0, mortality)


async def every_death(
    around: Theatre, way_of: type[Way], *, first: int = 1, step: int = 1, changes_only: bool = False
) -> Report:
    """The way once for each boundary `first`, `first + step`, …, until one is walked without a death.

    `changes_only`: for each message that can change something outside the bot; the others leave the world as it is.
    """
    around.mortality.changes_only = changes_only
    report = Report(way_of.__name__)
    for die_at in itertools.count(first, step):
        if not await _survive(around, way_of, (die_at,), report):
            return report
    raise AssertionError


async def every_pair(around: Theatre, way_of: type[Way], *, step: int = 1) -> Report:
    """For each message of the way that can change something, once for each such message of the recovery after it."""
    around.mortality.changes_only = True
    report = Report(f"{way_of.__name__}, in pairs")
    for die_at in itertools.count(1, step):
        for again_at in itertools.count(1, step):
            if not await _survive(around, way_of, (die_at, again_at), report):
                if again_at == 1 and not around.first_died:
                    return report
                break
    raise AssertionError


async def _survive(around: Theatre, way_of: type[Way], deaths: tuple[int, ...], report: Report) -> bool:
    """Walks the way with these deaths; whether the last of them came. What differs is in the report."""
    try:
        died, crossed = await around.walk(way_of, deaths)
    except Exception as error:
        report.differences.append(f"dead at {deaths}, {around.mortality.places}: {error!r}")
        await around.kill()
        died, crossed = True, deaths[0]
    report.boundaries = max(report.boundaries, crossed)
    report.deaths += died
    return died
