"""Some of the instants of each way, others each time; all of them, in pairs too, are `./run_local.sh crashes`."""

import random

import pytest

from tests.crashes.walk import every_death, theatre
from tests.crashes.ways import WAYS, Way

STEP = 12


# A form whose sender died in the midst of it leaves the fake services a file that nobody closes
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_death_at_any_boundary_loses_nothing(database_url: str, redis_url: str, way: type[Way]) -> None:
    """Every twelfth boundary from a random one: settled, told, and the books in order after each death."""
    async with theatre(database_url, redis_url) as around:
        report = await every_death(around, way, first=random.randint(1, STEP), step=STEP)
    print(report)
    assert report.differences == []
