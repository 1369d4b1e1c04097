"""A short storm; the long one is `./run_local.sh storm`."""

import random

import pytest

from tests.storm.__main__ import storm, surroundings


@pytest.mark.timeout(300)
async def test_nothing_is_lost_in_half_a_minute_of_storm() -> None:
    """Every order is delivered or refunded, every paid payment credited once, every balance is its ledger."""
    with surroundings() as around:
        report = await storm(around, random.randrange(1_000_000), 0.5)
    print(report)
    assert report.differences == []
    assert report.counts["kill -9"] > 0
    assert report.counts["delivered"] > 0
