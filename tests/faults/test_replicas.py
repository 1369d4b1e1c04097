"""Two replicas behind one Telegram: each thing is done by one of them, however many hear of it."""

import asyncio
import signal
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


async def test_one_of_two_replicas_paused_past_its_lease(database_url: str, redis_url: str) -> None:
    """What it does when it wakes is refused: neither a second order, nor a refund of what was delivered."""
    refused = {"ok": False, "error_code": 400, "description": "Bad Request: no"}
    settings = {"generation_poll_after_s": 1}
    async with stage(database_url, redis_url, **settings) as play, play.replicas() as (one, other):
        await one.start()
        submitting, delivering = play.person(5), play.person(6)
        awake, handled = asyncio.Event(), asyncio.Event()

        async def stands_at(route: str) -> None:
            before = len(play.telegram.called(route))
            await play.telegram.wait_for(lambda: len(play.telegram.called(route)) > before, 20)

        play.telegram.fault("sendPhoto", before=awake.wait, status=400, body=refused)
        play.telegram.fault("sendDocument", before=awake.wait, status=400, body=refused)
        async with asyncio.TaskGroup() as steps:
            steps.create_task(stands_at("sendPhoto"))
            await play.order(delivering)
        play.telegram.fault("file", before=awake.wait)
        async with asyncio.TaskGroup() as steps:
            steps.create_task(stands_at("file"))
            card = await play.card(submitting)
            # Until it is answered: what is paused is to be paused in nothing else, as PostgreSQL waits for no statement
            await submitting.press(card.id, "✅")
        one.signal(signal.SIGSTOP)
        await other.start()
        for route in ("sendPhoto", "file"):
            play.telegram.fault(route, before=handled.wait)
        async with asyncio.TaskGroup() as steps:
            for route in ("sendPhoto", "file"):
                steps.create_task(stands_at(route))
            await play.let_leases_run_out()
        awake.set()
        one.signal(signal.SIGCONT)
        await one.logged("submit.lease_lost")
        await one.logged("delivery.lease_lost")
        handled.set()
        await play.delivered(submitting)
        await play.delivered(delivering)
        await play.audit()
