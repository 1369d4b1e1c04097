"""Whoever waits is told how it stands: in one message, in at most five edits, and nothing stands over a later state."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.repo import waits
from sandbox.people import Person
from tests.world import World

STATES = ("место 2", "место 1", "Рисую", "Всё ещё рисую")
ENGLISH = ("number 2", "number 1", "Drawing", "Still drawing")


async def drawn_in(bot: World, *seconds: float) -> None:
    """Pictures that were drawn and took so long."""
    await bot.db.execute("INSERT INTO users (id, credits) VALUES (1000, 0)")
    for number, took_s in enumerate(seconds):
        await bot.db.execute(
            "INSERT INTO generations (user_id, order_key, status, model, quality, size, price, prompt, sources, "
            "result_url, submitted_at, ready_at, finished_at, deadline_at) "
            "SELECT 1000, $1, 'delivered', model, quality, '512x512', 2, '', '{}', 'https://x', "
            "now() - make_interval(secs => $2), now(), now(), now() "
            "FROM (VALUES ('gpt-image-1', 'low')) AS drawn (model, quality)",
            f"drawn {number}",
            took_s,
        )


def says(person: Person, message_id: int) -> str:
    """What stands in that message now."""
    return next(message.text or "" for message in person.messages if message.id == message_id)


async def comes_to_say(bot: World, person: Person, message_id: int, words: str) -> str:
    """What that message says, now or soon, with these words in it."""
    await bot.telegram.wait_for(lambda: words in says(person, message_id), bot.patience_s)
    return says(person, message_id)


async def late(bot: World, person: Person) -> None:
    """The person's order has been drawn for an hour, and it is time to look."""
    await bot.until("SELECT status = 'processing' FROM generations WHERE user_id = $1", person.id)
    await bot.db.execute(
        "UPDATE generations SET submitted_at = now() - interval '1 hour', tell_at = now() WHERE user_id = $1", person.id
    )


@pytest.mark.unaudited
async def test_after_the_order_stands_what_such_a_picture_takes_at_present(bot: World) -> None:
    """The median of the last ones of that model and quality."""
    await drawn_in(bot, 10, 38, 600)
    bot.gen_api.auto = False
    person = bot.person()
    card = await bot.order(person)
    assert "около 40 секунд" in says(person, card.id)
    assert "Кот в космосе" in says(person, card.id)


async def test_the_first_picture_is_measured_for_the_second_order(bot: World) -> None:
    """That nothing was known a moment ago is not remembered."""
    person = bot.person()
    await bot.order(person)
    await bot.delivered(person)
    bot.gen_api.auto = False
    card = await bot.order(person)
    assert "несколько секунд" in says(person, card.id)


async def test_where_nothing_was_drawn_yet_no_time_is_named(bot: World) -> None:
    """Nobody knows one."""
    bot.gen_api.auto = False
    person = bot.person()
    card = await bot.order(person)
    assert "Рисую" in says(person, card.id)
    assert "секунд" not in says(person, card.id)


@pytest.mark.parametrize(("language", "states"), [("ru", STATES), ("en", ENGLISH)])
async def test_a_message_goes_from_the_queue_to_the_picture_in_five_edits(
    bot: World, language: str, states: tuple[str, ...]
) -> None:
    """The place, the place again, drawing, late, done; the same words beneath, and of five edits none is left over."""
    bot.gen_api.auto = False
    bot.gen_api.fault("create", times=99, status=503, headers={"Retry-After": "600"})
    before = bot.person(1)
    await bot.order(before)
    put_back = (
        "SELECT status = 'queued' AND claimable_at > now() + interval '5 min' FROM generations WHERE user_id = $1"
    )
    await bot.until(put_back, before.id)
    person = bot.telegram.person(2, language=language)
    card = await bot.card(person)
    edits = len(bot.telegram.called("editMessageText"))
    await person.press(card.id, "✅")
    queued = await comes_to_say(bot, person, card.id, states[0])
    await bot.until(put_back, person.id)
    bot.gen_api.heal()
    await bot.db.execute("UPDATE generations SET claimable_at = now() WHERE user_id = 1")
    await bot.until("SELECT status = 'processing' FROM generations WHERE user_id = 1")
    await bot.db.execute("UPDATE generations SET tell_at = now() WHERE user_id = 2")
    next_ = await comes_to_say(bot, person, card.id, states[1])
    await bot.db.execute("UPDATE generations SET claimable_at = now() WHERE user_id = 2")
    drawing = await comes_to_say(bot, person, card.id, states[2])
    await late(bot, person)
    still = await comes_to_say(bot, person, card.id, states[3])
    beneath = {text.partition("\n\n")[2] for text in (queued, next_, drawing, still)}
    assert len(beneath) == 1
    assert "Кот в космосе" in beneath.pop()
    assert not [text for text in (queued, next_, drawing, still) if "возвращ" in text or "refund" in text]
    await bot.gen_api.finish(max(bot.gen_api.orders))
    await bot.telegram.wait_for(lambda: says(person, card.id).startswith("✅"))
    assert len(bot.telegram.called("editMessageText")) - edits == 5
    assert await bot.value("SELECT count(*) FROM generations WHERE tell_at IS NOT NULL AND user_id = 2") == 0


async def test_what_is_late_says_once_when_the_credits_come_back(bot: World) -> None:
    """The time that is left until the deadline; nobody looks at that order again."""
    bot.gen_api.auto = False
    person = bot.person()
    card = await bot.order(person)
    await late(bot, person)
    assert "ещё 15 минут, кредиты снова окажутся" in await comes_to_say(bot, person, card.id, "Всё ещё рисую")
    assert await bot.value("SELECT tell_at IS NULL FROM generations")


async def test_nothing_is_said_where_nothing_has_changed(bot: World) -> None:
    """Looked at again, an order that is drawn in time gets no edit, and a turn of its own."""
    bot.gen_api.auto = False
    person = bot.person()
    await bot.order(person)
    edits = len(bot.telegram.called("editMessageText"))
    await bot.db.execute("UPDATE generations SET tell_at = now()")
    await bot.until("SELECT tell_at > now() + interval '1 minute' AND tell_until IS NULL FROM generations")
    assert len(bot.telegram.called("editMessageText")) == edits


async def test_a_late_edit_that_meets_the_picture_shows_the_picture_in_the_end(bot: World) -> None:
    """Delivery leaves the last word to the edit that is under way: there is no sixth, and none stands over it."""
    bot.gen_api.auto = False
    person = bot.person()
    card = await bot.order(person)
    edits = len(bot.telegram.called("editMessageText"))
    delivered = asyncio.Event()
    bot.telegram.fault("editMessageText", before=delivered.wait)
    await late(bot, person)
    await bot.telegram.wait_for(lambda: len(bot.telegram.called("editMessageText")) == edits + 1)
    await bot.gen_api.finish(min(bot.gen_api.orders))
    await bot.until("SELECT status = 'delivered' FROM generations")
    delivered.set()
    await comes_to_say(bot, person, card.id, "Готово")
    assert len(bot.telegram.called("editMessageText")) == edits + 2


@pytest.mark.parametrize("telling", ["nobody", "somebody who died"])
async def test_whoever_died_while_telling_is_looked_after(bot: World, telling: str) -> None:
    """The lease ends, and the message comes to say that the picture is there."""
    bot.gen_api.auto = False
    person = bot.person()
    card = await bot.order(person)
    if telling != "nobody":
        await bot.db.execute("UPDATE generations SET told = 3, tell_until = now() + interval '1 second'")
    await bot.until("SELECT status = 'processing' FROM generations")
    await bot.gen_api.finish(min(bot.gen_api.orders))
    await comes_to_say(bot, person, card.id, "Готово")
    await bot.until("SELECT tell_at IS NULL FROM generations")


async def test_an_order_that_failed_says_so_and_nothing_after_it(bot: World) -> None:
    """The message points to the one about the refund, whose word it does not use."""
    bot.gen_api.failure = "moderation"
    person = bot.person()
    card = await bot.order(person)
    await bot.refunded(person)
    said = await comes_to_say(bot, person, card.id, "не получилась")
    assert "возвращ" not in said
    await bot.until("SELECT tell_at IS NULL AND told = 2 FROM generations")


async def test_hanging_edits_delay_nothing_else(bot: World) -> None:
    """Edits of six people hang; the seventh orders, and has the picture at once."""
    bot.gen_api.auto = False
    people = [bot.person(number) for number in range(1, 7)]
    for person in people:
        await bot.order(person)
        await bot.until("SELECT status = 'processing' FROM generations WHERE user_id = $1", person.id)
    edits = len(bot.telegram.called("editMessageText"))
    bot.telegram.fault("editMessageText", times=4, hang=True)
    await bot.db.execute("UPDATE generations SET submitted_at = now() - interval '1 hour', tell_at = now()")
    await bot.telegram.wait_for(lambda: len(bot.telegram.called("editMessageText")) == edits + 4)
    bot.gen_api.auto = True
    await bot.order(bot.person(7))
    await bot.shown(bot.person(7), within_s=5)


async def test_a_429_of_an_edit_is_waited_out_by_edits_and_not_by_the_picture(bot: World) -> None:
    """The edit is not worth a second try, and the picture finds out for itself whether it may come."""
    bot.gen_api.auto = False
    person = bot.person()
    await bot.order(person)
    bot.telegram.too_many("editMessageText", 600)
    edits = len(bot.telegram.called("editMessageText"))
    await late(bot, person)
    await bot.until("SELECT tell_at > now() + interval '9 min' AND tell_until IS NULL FROM generations")
    assert len(bot.telegram.called("editMessageText")) == edits + 1
    await bot.gen_api.finish(min(bot.gen_api.orders))
    await bot.shown(person)


async def test_a_chat_that_is_to_be_left_alone_is_not_looked_at(bot: World) -> None:
    """Telegram has told whoever wrote to it to wait; so do edits."""
    bot.gen_api.auto = False
    person = bot.person()
    await bot.order(person)
    await bot.db.execute("INSERT INTO chat_pauses (chat_id, until) VALUES ($1, now() + interval '1 minute')", person.id)
    await bot.db.execute("UPDATE generations SET tell_at = now()")
    assert await waits.claim(bot.db, 10, 1) == []
    await bot.db.execute("UPDATE chat_pauses SET until = now()")
    await bot.until("SELECT tell_at > now() FROM generations")


async def test_whoever_blocked_the_bot_is_told_nothing_more(bot: World) -> None:
    """One 403, and the order is left alone."""
    bot.gen_api.auto = False
    person = bot.person()
    await bot.order(person)
    await bot.until("SELECT status = 'processing' FROM generations")
    person.block()
    await bot.db.execute("UPDATE generations SET tell_at = now(), submitted_at = now() - interval '1 hour'")
    await bot.until("SELECT tell_at IS NULL AND tell_until IS NULL AND told = 2 FROM generations")


@pytest.fixture
async def pool(bot: World) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(bot.settings.database_url, min_size=2, max_size=2) as opened:
        yield opened


@pytest.mark.settings(worker_tick_s=3600)
async def test_two_replicas_tell_once(bot: World, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """One of them has the lease; it counts its edit, and whoever comes after the lease finds it counted."""
    bot.gen_api.auto = False
    await bot.order(bot.person())
    await bot.until("SELECT status = 'processing' FROM generations")
    await bot.db.execute("UPDATE generations SET tell_at = now(), tell_until = NULL")

    async def claim() -> list[waits.Wait]:
        async with pool.acquire() as conn:
            return list(await waits.claim(conn, 10, 60))

    for _ in range(20):
        claimed = [wait for found in await asyncio.gather(claim(), claim()) for wait in found]
        assert len(claimed) == 1
        await bot.db.execute("UPDATE generations SET tell_until = now() - interval '1 s'")
    [again] = await claim()
    assert await waits.begin(bot.db, again, None, None) == 2
    assert await waits.begin(bot.db, claimed[0], None, None) is None
