"""A stage and a running bot that the rows of a module share: each row kills it, and starts it again."""

import itertools
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from local.postgres import Postgres
from local.redis import Redis
from sandbox.telegram import Person
from tests.faults.harness import Bot, Stage, stage

_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(postgres: Postgres, _template: str, _redis: Redis) -> AsyncIterator[Stage]:
    """The fake services and a database of this module."""
    name = f"faults_{next(_numbers)}"
    async with stage(postgres.create_database(name, template=_template), _redis.url) as made:
        made.bot()
        yield made
    postgres.drop_database(name)


@pytest_asyncio.fixture(loop_scope="module")
async def play(shared: Stage) -> AsyncIterator[Stage]:
    """The module's stage with its bot running; the row ends with the audit."""
    bot = shared.bots[0]
    if not bot.alive:
        await bot.start()
    yield shared
    for service in (shared.telegram, shared.gen_api, shared.yookassa):
        service.heal()
    await shared.audit()


@pytest.fixture
def bot(play: Stage) -> Bot:
    """The module's bot."""
    return play.bots[0]


@pytest.fixture
def person(play: Stage) -> Callable[[], Person]:
    """Makes somebody whom the bot has never met."""
    return lambda: play.person(next(_numbers))
