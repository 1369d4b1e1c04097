"""Two replicas behind one Telegram: each thing is done by one of them, however many hear of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.faults.harness import Bot, Stage, stage


@asynccontextmanager
async def two(database_url: str, redis_url: str) -> AsyncIterator[tuple[Stage, Bot, Bot]]:
    """A stage with both of its replicas running."""
    async with stage(database_url, redis_url) as play, play.replicas() as (one, other):
        await asyncio.gather(one.start(), other.start())
        yield play, one, other
        await play.audit()


async def test_the_same_update_twice_to_two_replicas_at_once(database_url: str, redis_url: str) -> None:
    """Ten deliveries of one press: one order, whoever was first."""
    async with two(database_url, redis_url) as (play, one, other):
        person = play.person(5)
        card = await play.card(person)
        data = next(b["callback_data"] for b in card.buttons if b["text"].startswith("✅"))
        query = {"id": "1", "from": person.user, "message": card.raw, "chat_instance": "1", "data": data}
        update = {"update_id": 9_000, "callback_query": query}
        urls = [f"{bot.url}/telegram/webhook" for bot in (one, other)] * 5
        statuses = await asyncio.gather(*(play.telegram.post_update(update, url) for url in urls))
        assert set(statuses) == {200}
        await play.delivered(person)
