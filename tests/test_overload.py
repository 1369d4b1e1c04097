"""More than the bot can do at once, and more than one person should."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import aiohttp
import asyncpg
import pytest
from redis.asyncio import Redis

from app.flood import Flood, MemoryFlood, RedisFlood, Verdict
from app.flows.delivery import lanes, pace
from app.notices import KINDS, OldAlert, PaymentCanceled
from app.repo import outbox
from app.settings import Settings
from tests.world import World

pytestmark = pytest.mark.settings(flood_burst=8, flood_per_s=0.1, max_updates=2)


@pytest.fixture(params=["redis", "memory"])
async def limit(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Callable[[int, float], Flood]]:
    """Makes a limit out of burst and things a second, in each of its two places."""
    async with Redis.from_url(redis_url) as redis:
        if request.param == "memory":
            yield MemoryFlood
        else:
            yield lambda burst, per_s: RedisFlood(redis, 4242, burst, per_s)


async def test_a_burst_goes_through_and_what_follows_is_told_once(limit: Callable[[int, float], Flood]) -> None:
    """As many at once as are set, the next is refused with a word, the one after without; others notice nothing."""
    flood = limit(20, 0.01)
    assert {await flood.check(1) for _ in range(20)} == {Verdict.TAKE}
    assert [await flood.check(1) for _ in range(3)] == [Verdict.TELL, Verdict.IGNORE, Verdict.IGNORE]
    assert await flood.check(2) is Verdict.TAKE


async def test_a_flood_ends_by_itself(limit: Callable[[int, float], Flood]) -> None:
    """What flows off at five a second is taken again."""
    flood = limit(3, 5)
    while await flood.check(1) is Verdict.TAKE:
        pass
    async with asyncio.timeout(5):
        while await flood.check(1) is not Verdict.TAKE:  # noqa: ASYNC110 - time itself is what is waited for
            await asyncio.sleep(0.05)


def test_the_limit_of_the_settings_is_one_that_nobody_notices() -> None:
    """Ten things a second for two seconds, and two a second for ever."""
    burst, per_s = (Settings.model_fields[name].default for name in ("flood_burst", "flood_per_s"))
    assert burst >= 20
    assert per_s >= 2


async def test_a_person_who_floods_is_slowed_and_told_and_nobody_else_is(bot: World) -> None:
    """Every press gets an answer, messages get one sentence; another person is served meanwhile."""
    loud, quiet = bot.person(1), bot.person(2)
    await asyncio.gather(*(loud.send_text("/status") for _ in range(20)))
    told = [message for message in loud.messages if "Слишком быстро" in (message.text or "")]
    answered = [message for message in loud.messages if "На балансе" in (message.text or "")]
    assert (len(told), len(answered)) == (1, 8)
    presses = [await loud.press(told[0].id, "card:of-last-week:order:", at_once=True) for _ in range(3)]
    slowed = {answer["id"] for answer in bot.telegram.answers if "Слишком быстро" in answer["text"]}
    assert slowed == set(presses)
    await quiet.send_text("/status")
    await bot.told(quiet, "На балансе")


async def test_more_updates_at_once_than_are_handled_come_back_later(bot: World) -> None:
    """503 with Retry-After for the third while two wait for a locked table; the two are handled once it is free."""

    async def start(number: int) -> tuple[int, str | None]:
        chat, sender = {"id": number, "type": "private"}, {"id": number, "is_bot": False, "first_name": "A"}
        message = {"message_id": 1, "date": 0, "chat": chat, "from": sender, "text": "/start"}
        update = {"update_id": number, "message": message}
        async with client.post(f"{bot.settings.public_url}/telegram/webhook", json=update) as answer:
            return answer.status, answer.headers.get("Retry-After")

    headers = {"X-Telegram-Bot-Api-Secret-Token": bot.telegram.webhook["secret_token"]}
    async with aiohttp.ClientSession(headers=headers) as client:
        async with bot.db.transaction():
            await bot.db.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            sent = {asyncio.create_task(start(number)) for number in range(1, 6)}
            refused = set[asyncio.Task[tuple[int, str | None]]]()
            while len(refused) < 3:
                done, sent = await asyncio.wait(sent, timeout=10, return_when=asyncio.FIRST_COMPLETED)
                refused |= done
        assert {task.result() for task in refused} == {(503, "1")}
        assert [await task for task in sent] == [(200, None)] * 2
    assert await bot.db.fetchval("SELECT count(*) FROM users WHERE credits = 10") == 2


@pytest.mark.settings
async def test_two_peoples_presses_while_yookassa_hangs_delay_nobody(bot: World) -> None:
    """Forty presses each on the plans, at once; a third person's /status is answered at once, each press in the end."""
    loud, quiet = [bot.person(1), bot.person(2)], bot.person(3)
    offers = []
    for person in loud:
        await person.send_text("/buy_subscription")
        offers.append(await bot.offered(person, "200 ₽"))
    bot.yookassa.fault("payments.create", times=100, hang=True)
    async with asyncio.TaskGroup() as group:
        presses = [
            group.create_task(person.press(offer.id, "200 ₽", at_once=True))
            for person, offer in zip(loud, offers, strict=True)
            for _ in range(40)
        ]
        await bot.yookassa.wait_for(lambda: bot.yookassa.called("payments.create"))
        for _ in range(3):
            async with asyncio.timeout(4):
                await quiet.send_text("/status")
        async with asyncio.timeout(20):
            answered = {await press for press in presses}
    assert answered == {answer["id"] for answer in bot.telegram.answers}
    assert {call.status for call in bot.telegram.called("update")} <= {200, 503}


@pytest.mark.settings(max_waiting_orders=1)
async def test_past_the_bound_of_waiting_orders_people_get_a_sentence(bot: World) -> None:
    """One order waits for its picture; the next person's is declined, and nothing is debited."""
    release = asyncio.Event()
    bot.telegram.fault("file", before=release.wait)
    first, second = bot.person(1), bot.person(2)
    await first.press((await bot.card(first)).id, "✅")
    await bot.telegram.wait_for(lambda: bot.telegram.called("file"))
    press = await second.press((await bot.card(second)).id, "✅")
    assert any(a["id"] == press and "слишком много заказов" in a["text"] for a in bot.telegram.answers)
    assert await bot.credits(second) == 10
    release.set()
    await bot.shown(first)


@pytest.mark.settings
async def test_sentences_that_wait_are_said_at_a_pace(bot: World) -> None:
    """Sixty for sixty people: Telegram does not take them all at once, and results are to be among what it takes."""
    began = time.monotonic()
    async with bot.db.transaction():
        for number in range(60):
            await outbox.put(bot.db, bot.person(100 + number).id, PaymentCanceled(str(number), "p200", "x"))
    await bot.until("SELECT count(*) = 60 FROM outbox WHERE status = 'sent'")
    assert time.monotonic() - began > 60 / lanes.TEXTS.per_s - 2 * pace.STRETCH_S


async def test_a_chat_gets_one_message_at_a_time(database_url: str) -> None:
    """Of three messages owed to one chat one is claimed, and none while the chat rests or the bot pauses."""
    db = await asyncpg.connect(database_url)
    for chat_id in (5, 5, 5, 6):
        ref = await db.fetchval("SELECT count(*)::text FROM outbox")
        await outbox.put(db, chat_id, OldAlert(ref, "слово"))
    assert [message.chat_id for message in await outbox.claim(db, 8, 60, [6], KINDS)] == [5]
    await db.execute("INSERT INTO pauses (service, until) VALUES ('telegram', now() + interval '1 hour')")
    assert await outbox.claim(db, 8, 60, [], KINDS) == []
    await db.execute("UPDATE pauses SET until = now()")
    assert sorted(message.chat_id for message in await outbox.claim(db, 8, 60, [], KINDS)) == [5, 6]
    await db.close()
