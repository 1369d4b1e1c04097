"""Some of the instants of each way, others each time; all of them, in pairs too, are `./run_local.sh crashes`."""

import random
from collections.abc import Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.notices import PaymentStray
from app.repo import outbox
from tests.crashes.lines import Line, Mortality, lines, through
from tests.crashes.mortal import Lives, lives
from tests.crashes.walk import every_death, theatre
from tests.crashes.ways import WAYS, Way
from tests.faults.harness import stage

STEP = 4


@pytest.fixture(scope="module")
def forked() -> Iterator[Lives]:
    """What forks the bot has it loaded once for all ways."""
    with lives() as forking:
        yield forking


# A form whose sender died in the midst of it leaves the fake services a file that nobody closes
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_death_at_any_boundary_loses_nothing(
    database_url: str, redis_url: str, forked: Lives, way: type[Way]
) -> None:
    """Every fourth message that changes something, from a random one: settled, told, and the books in order then."""
    async with theatre(database_url, redis_url, forked) as around:
        report = await every_death(around, way, first=random.randint(1, STEP), step=STEP, changes_only=True)
    print(report)
    assert report.differences == []


async def test_a_message_counts_where_it_can_change_something(database_url: str) -> None:
    """What is read, prepared or rolled back does not; a statement on its own does, and the COMMIT after others."""
    parts, mortality = urlsplit(database_url), Mortality(changes_only=True)
    line = Line("database", parts.hostname or "", parts.port or 0, mortality)
    mortality.begin(counting=True)
    async with lines(line):
        conn = await asyncpg.connect(through(database_url, line))
        insert = "INSERT INTO users (id, credits) VALUES ($1, 0)"
        counted = []
        await conn.fetch("SELECT id, status FROM payments WHERE request IS NOT NULL")
        counted.append(mortality.crossed)
        async with conn.transaction():
            await conn.fetch("SELECT FROM users WHERE id = $1 FOR UPDATE", 1)
        counted.append(mortality.crossed)
        back = conn.transaction()
        await back.start()
        await conn.execute(insert, 1)
        await back.rollback()
        counted.append(mortality.crossed)
        await conn.execute(insert, 2)
        counted.append(mortality.crossed)
        async with conn.transaction():
            await conn.execute(insert, 3)
            await conn.execute(insert, 4)
        counted.append(mortality.crossed)
        await conn.close()
    assert counted == [0, 0, 0, 1, 2]


async def test_what_came_last_is_waited_for_until_it_is_told(database_url: str, redis_url: str) -> None:
    """A charge that is booked while the end of a way is looked for owes a message: it is not the end."""

    class Late(Way):
        async def came(self) -> bool:
            async with self.stage.pool.acquire() as conn, conn.transaction():
                await conn.execute("INSERT INTO users (id, credits) VALUES ($1, 0)", self.person.id)
                await outbox.put(conn, self.person.id, PaymentStray("a-charge", 100, "XTR"))
            return True

    async with stage(database_url, redis_url) as play:
        way = Late(play, play.person(5000))
        assert not await way.ends()
        assert await way.open() == ["message payment_stray"]
