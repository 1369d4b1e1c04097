"""What is owed reaches the person, whatever becomes of other people's pictures."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import pytest

from app.flows.delivery import hosts, lanes, picture
from app.flows.delivery.hosts import Full, Hosts
from app.notices import KINDS, MessageDropped, OldAlert, OrderFailed, PaymentCanceled, Picture
from app.pictures import Pictures
from app.repo import outbox
from sandbox.people import Person
from tests.world import World

ADMIN = 900


pytestmark = pytest.mark.settings(admin_ids=(ADMIN,))


@pytest.fixture
async def db(database_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


def photos(person: Person) -> int:
    """How many pictures stand in the person's chat."""
    return sum(1 for message in person.messages if message.outgoing and message.photo)


async def try_again(bot: World, until_true: str) -> None:
    """What was put off is due at once, again and again."""
    async with asyncio.timeout(20):
        while not await bot.db.fetchval(until_true):
            await bot.db.execute("UPDATE outbox SET due_at = now() WHERE status = 'pending' AND due_at < 'infinity'")
            await asyncio.sleep(0.05)


async def ready(bot: World, person_id: int, url: str) -> str:
    """A picture that lies ready at an address, paid for; its generation."""
    async with bot.db.transaction():
        await bot.db.execute("INSERT INTO users (id, credits) VALUES ($1, 8) ON CONFLICT DO NOTHING", person_id)
        await bot.db.execute(
            "INSERT INTO ledger (user_id, delta, balance, reason, ref) VALUES ($1, 10, 10, 'welcome', $2)",
            person_id,
            f"{person_id}",
        )
        generation: str = await bot.db.fetchval(
            "INSERT INTO generations (user_id, order_key, status, model, size, price, prompt, source_file_id, "
            "deadline_at, result_url, ready_at) VALUES ($1, $1::bigint::text, 'ready', 'gpt-image-1', '1024x1024', 2, "
            "'p', 'f', now(), $2, now()) RETURNING id::text",
            person_id,
            url,
        )
        await bot.db.execute(
            "INSERT INTO ledger (user_id, delta, balance, reason, ref) VALUES ($1, -2, 8, 'order', $2)",
            person_id,
            generation,
        )
        await outbox.put(bot.db, person_id, Picture(generation))
    return generation


@asynccontextmanager
async def hanging() -> AsyncIterator[str]:
    """The address of a host that takes connections and says nothing."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: held.append(writer), "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/picture.png"
    for writer in held:
        writer.close()
    server.close()


# Telegram's 429


@pytest.mark.parametrize("seconds", [20, 36_000])
async def test_one_chat_s_429_delays_that_chat_alone(bot: World, seconds: int) -> None:
    """The other gets their picture; nothing more is sent to the first, a message that comes later included."""
    flooded, other = bot.person(1), bot.person(2)
    card = await bot.card(flooded)
    bot.telegram.flood(seconds, flooded.id)
    await flooded.press(card.id, "✅")
    await bot.telegram.wait_for(lambda: [call for call in bot.telegram.called("sendChatAction") if call.status == 429])
    await bot.order(other)
    await bot.shown(other)
    await outbox.put(bot.db, flooded.id, OldAlert("1", "слово"))
    await bot.order(bot.person(3))
    await bot.shown(bot.person(3))
    assert len(bot.telegram.called("sendChatAction")) == 3
    assert not [call for call in bot.telegram.called("sendMessage") if "слово" in call.body]
    waits = "SELECT extract(epoch FROM until - now())::float8 FROM chat_pauses WHERE chat_id = 1"
    assert await bot.db.fetchval(waits) > seconds - 10
    assert await bot.db.fetchval("SELECT failures FROM outbox WHERE kind = $1 AND chat_id = 1", Picture.kind) == 0


async def test_several_chats_429_within_seconds_pause_the_bot_for_a_minute_at_most(
    db: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    """The third chat shows that the bot is meant; two do not, however often, nor does a third a while later."""
    assert [await outbox.pause(db, chat_id, 36_000) for chat_id in (1, 2, 2, 1)] == [False] * 4
    await db.execute("UPDATE chat_pauses SET told_at = now() - interval '1 minute'")
    assert not await outbox.pause(db, 3, 36_000)
    assert [await outbox.pause(db, chat_id, seconds) for chat_id, seconds in ((4, 5), (5, 36_000))] == [False, True]
    assert 55 < await db.fetchval("SELECT extract(epoch FROM until - now())::float8 FROM pauses") <= 60
    assert await db.fetchval("SELECT max(until) > now() + interval '9 hours' FROM chat_pauses")


async def test_chats_that_are_told_to_wait_for_ever_do_not_pause_the_bot_for_ever(
    db: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    """Three people flood their chats: the bot pauses once, and not again until ten minutes later."""
    assert [await outbox.pause(db, chat_id, 60) for chat_id in (1, 2, 3)] == [False, False, True]
    await db.execute("UPDATE chat_pauses SET told_at = told_at - interval '1 minute', until = now()")
    assert [await outbox.pause(db, chat_id, 60) for chat_id in (1, 2, 3)] == [False] * 3
    assert await db.fetchval("SELECT min(until) > now() + interval '50 seconds' FROM chat_pauses")
    await db.execute("UPDATE chat_pauses SET told_at = told_at - interval '10 minutes', until = now()")
    assert [await outbox.pause(db, chat_id, 60) for chat_id in (1, 2, 3)] == [False, False, True]


async def test_however_much_is_owed_to_some_chats_the_others_are_reached(
    db: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    """Three chats with 700 messages each that waited longer, and one with a single one: a claim brings one of each."""
    await db.execute(
        "INSERT INTO outbox (chat_id, kind, ref, payload, due_at) SELECT chat, 'alert', chat || ':' || number, '{}', "
        "now() - interval '1 hour' FROM generate_series(1, 3) AS chat, generate_series(1, 700) AS number"
    )
    await outbox.put(db, 9, PaymentCanceled("1", "p200", "x"))
    assert sorted(message.chat_id for message in await outbox.claim(db, 8, 60, [], KINDS)) == [1, 2, 3, 9]


async def test_results_go_first_after_a_pause_of_the_bot(bot: World) -> None:
    """What a person paid for before what operators are told, however long that has waited."""
    await bot.db.execute("INSERT INTO pauses (service, until) VALUES ('telegram', now() + interval '1 second')")
    operators = [bot.person(number) for number in range(100, 120)]
    for operator in operators:
        await outbox.put(bot.db, operator.id, OldAlert(f"{operator.id}", "давно ждёт"))
    await bot.db.execute("UPDATE outbox SET due_at = now() - interval '1 minute'")
    person = bot.person(1)
    await outbox.put(bot.db, person.id, PaymentCanceled("1", "p200", "x"))
    for operator in operators:
        await bot.told(operator, "давно ждёт")
    said = [call.body for call in bot.telegram.called("sendMessage")]
    assert ["p200" in body or "200 ₽" in body for body in said].index(True) < 8


# Other people's misfortune


async def test_pictures_on_a_host_that_hangs_delay_nobody_else(bot: World) -> None:
    """Sixty of them: a payer is told within ten seconds, another person's picture comes within a minute."""
    async with hanging() as url:
        for number in range(1000, 1060):
            bot.person(number)
            await ready(bot, number, url)
        await bot.telegram.wait_for(lambda: len(bot.telegram.called("sendChatAction")) >= hosts.WELL_SLOTS)
        payer, other = bot.person(1), bot.person(2)
        payment = await bot.choose(payer)
        paid_at = time.monotonic()
        await bot.yookassa.pay(payment)
        await bot.told(payer, "Оплата прошла")
        assert time.monotonic() - paid_at < 10
        await bot.order(other)
        await bot.shown(other, 20)
        assert await bot.db.fetchval("SELECT max(sends) FROM outbox WHERE chat_id >= 1000") == 0


async def test_a_host_that_hangs_gets_few_slots_and_little_patience() -> None:
    """Never all the slots; fewer once three pictures failed; one that is fetched makes it well again."""
    seen = Hosts()

    def fetch(ref: str, error: Exception | None = None, failures: int = 0, url: str = "https://a/1") -> float:
        with seen.fetching(url, ref, failures) as patience_s:
            if error:
                raise error
            return patience_s

    assert [fetch("1", failures=failures) for failures in (0, 1, 2, 9)] == [6, 12, 24, 30]
    for ref in ("1", "1", "1", "2"):
        with pytest.raises(TimeoutError):
            fetch(ref, TimeoutError())
    assert fetch("4", url="https://b/1") == 6
    assert _slots(seen, "https://a/2") == hosts.WELL_SLOTS
    with pytest.raises(TimeoutError):
        fetch("3", TimeoutError())
    assert _slots(seen, "https://a/2") == hosts.ILL_SLOTS
    assert _slots(seen, "https://b/2") == hosts.WELL_SLOTS
    assert fetch("4", failures=1) == 12
    assert _slots(seen, "https://a/2") == hosts.WELL_SLOTS


def _slots(seen: Hosts, url: str) -> int:
    """How many first tries a host gets at once."""
    entered: list[Any] = []
    try:
        while len(entered) < 50:
            visit = seen.fetching(url, f"of {len(entered)}", 0)
            visit.__enter__()
            entered.append(visit)
    except Full:
        pass
    for visit in entered:
        with suppress(asyncio.CancelledError):
            # Cut short: neither a failure of the host nor a success
            visit.__exit__(asyncio.CancelledError, asyncio.CancelledError(), None)
    return len(entered)


async def test_what_has_failed_before_goes_behind_what_has_not(db: "asyncpg.Connection[asyncpg.Record]") -> None:
    """However long it has been due; and for pictures it has a lane of its own."""
    for chat_id, failures in ((1, 3), (2, 0), (3, 0)):
        await outbox.put(db, chat_id, Picture(str(chat_id)))
        await db.execute(
            "UPDATE outbox SET failures = $2, due_at = due_at - make_interval(hours => $2) WHERE chat_id = $1",
            chat_id,
            failures,
        )
    await outbox.put(db, 2, Picture("of the same chat"))
    await db.execute("UPDATE outbox SET failures = 1, due_at = now() - interval '1 h' WHERE ref = 'of the same chat'")
    assert [message.ref for message in await outbox.claim(db, 1, 60, [], KINDS)] == ["2"]
    kind = lanes.PICTURES
    assert [m.chat_id for m in await outbox.claim(db, 8, 60, [], kind.kinds, kind.failed)] == [3]
    assert {m.chat_id: m.failures for m in await outbox.claim(db, 8, 60, [], lanes.RETRIES.kinds, (True,))} == {
        1: 3,
        2: 1,
    }


# Failures


async def test_a_picture_whose_handling_breaks_is_refunded_in_the_end(
    bot: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised counts; the next picture comes."""

    async def fit(_self: Pictures, _data: bytes, _size: str) -> bytes:
        raise IndexError("tuple index out of range")

    person = bot.person(1)
    with monkeypatch.context() as patch:
        patch.setattr(Pictures, "fit", fit)
        patch.setattr(lanes, "LAST_FAILURE", 3)
        await bot.order(person)
        await bot.until("SELECT failures = 1 FROM outbox WHERE kind = 'picture'")
        await try_again(bot, "SELECT status = 'failed' FROM generations")
        await bot.told(person, "возвращ")
    assert await bot.credits(person) == 10
    await bot.order(person)
    await bot.shown(person)


async def test_a_picture_that_kills_the_process_is_refunded_after_a_few_kills(bot: World) -> None:
    """A claim that nobody came back from counts as several failures; the one after the last is not even tried."""
    person = bot.person(1)
    bot.gen_api.fault("result", status=500, times=100)
    await bot.order(person)
    await bot.until("SELECT failures = 1 FROM outbox WHERE kind = 'picture'")
    kills, failures = 0, 1
    while failures < lanes.LAST_FAILURE:
        # As a worker does that is killed before it says how it ended
        await bot.db.execute("UPDATE outbox SET due_at = now() + interval '1 h'")
        await bot.db.execute("UPDATE outbox SET due_at = now() WHERE kind = 'picture'")
        failures = await bot.db.fetchval("SELECT failures FROM outbox WHERE kind = 'picture'")
        async with bot.db.transaction():
            claimed = await outbox.claim(bot.db, 1, 3600, [], [Picture.kind])
            kills += len(claimed)
        await asyncio.sleep(0)
    assert kills <= 6
    await try_again(bot, "SELECT status = 'failed' FROM generations")
    assert await bot.credits(person) == 10


async def test_a_message_that_cannot_be_said_is_dropped_and_the_operators_are_told(
    bot: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row whose payload means nothing; the next message to that person comes."""
    monkeypatch.setattr(lanes, "LAST_FAILURE", 3)
    person = bot.person(1)
    await bot.db.execute("INSERT INTO outbox (chat_id, kind, ref) VALUES (1, $1, 'broken')", OrderFailed.kind)
    await bot.until("SELECT failures = 1 FROM outbox WHERE ref = 'broken'")
    await try_again(bot, "SELECT status = 'dropped' FROM outbox WHERE ref = 'broken'")
    await bot.told(bot.person(ADMIN), OrderFailed.kind)
    await outbox.put(bot.db, 1, PaymentCanceled("1", "p200", "x"))
    await bot.told(person, "Платёж отменён")
    await bot.until("SELECT count(*) = 3 FROM outbox WHERE status <> 'pending'")
    assert await bot.db.fetchval("SELECT count(*) FROM outbox WHERE kind = $1", MessageDropped.kind) == 1


async def test_parks_429s_and_what_is_cut_short_are_no_failures(db: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Whoever is back after a year of them has all the tries left."""
    await outbox.put(db, 1, Picture("1"))
    for _ in range(30):
        [message] = await outbox.claim(db, 1, 60, [], KINDS)
        await outbox.postpone(db, message, 0, 0)
        [message] = await outbox.claim(db, 1, 60, [], KINDS)
        await outbox.park(db, message)
        assert await db.fetchval("SELECT due_at = 'infinity' FROM outbox")
        await db.execute("UPDATE outbox SET due_at = now()")
    [message] = await outbox.claim(db, 1, 60, [], KINDS)
    assert message.failures == 0
    await outbox.postpone(db, message, 0, 1)
    [message] = await outbox.claim(db, 1, 60, [], KINDS)
    assert message.failures == 1


async def test_a_park_changes_what_waits_and_nothing_else(
    db: "asyncpg.Connection[asyncpg.Record]", database_url: str
) -> None:
    """What is parked already is not written again; what another worker leases or holds is passed over."""
    for ref in ("mine", "parked", "waiting", "leased", "locked"):
        await outbox.put(db, 1, OldAlert(ref, "слово"))
    await outbox.put(db, 2, OldAlert("other's", "слово"))
    await db.execute("UPDATE outbox SET due_at = 'infinity' WHERE ref = 'parked:1'")
    await db.execute("UPDATE outbox SET due_at = now() + interval '1 minute' WHERE ref IN ('leased:1', 'mine:1')")
    await db.execute("UPDATE outbox SET due_at = now() - interval '1 h' WHERE ref = 'mine:1'")
    [mine] = await outbox.claim(db, 1, 60, [2], KINDS)
    assert mine.ref == "mine:1"
    versions = "SELECT ref, xmin::text FROM outbox"
    before = {row["ref"]: row["xmin"] for row in await db.fetch(versions)}
    other = await asyncpg.connect(database_url)
    async with other.transaction():
        await other.execute("SELECT FROM outbox WHERE ref = 'locked:1' FOR UPDATE")
        await outbox.park(db, mine)
    await other.close()
    after = {row["ref"]: row["xmin"] for row in await db.fetch(versions)}
    assert {ref for ref in before if before[ref] != after[ref]} == {"mine:1", "waiting:1"}


async def test_talk_in_a_group_brings_nothing_to_somebody_who_blocks_the_bot(bot: World) -> None:
    """Twenty messages there: not one try; a word in private, and the picture comes, never refunded."""
    person = bot.person(1)
    card = await bot.card(person)
    person.block()
    await person.press(card.id, "✅")
    await bot.until("SELECT due_at = 'infinity' FROM outbox WHERE kind = 'picture'")
    tries = len(bot.telegram.called("sendPhoto")) + len(bot.telegram.called("sendChatAction"))
    group = {"id": -100500, "type": "group", "title": "Друзья"}
    for number in range(20):
        message = {"message_id": 10_000 + number, "date": 0, "chat": group, "from": person.user, "text": "привет"}
        await bot.telegram.post_update({"update_id": 10_000 + number, "message": message})
    await bot.order(bot.person(2))
    await bot.shown(bot.person(2))
    assert len(bot.telegram.called("sendPhoto")) + len(bot.telegram.called("sendChatAction")) == tries + 2
    person.unblock()
    await bot.shown(person)
    assert await bot.credits(person) == 8


# A picture shown twice


async def test_a_slow_fetch_leaves_the_send_all_its_time(bot: World) -> None:
    """The claim's lease is over while Telegram takes the picture: shown once, as the send has a lease of its own."""

    async def nearly_over() -> None:
        await bot.db.execute("UPDATE outbox SET due_at = now() + interval '0.5 seconds' WHERE kind = 'picture'")

    async def slow() -> None:
        await asyncio.sleep(1.5)

    bot.gen_api.fault("result", before=nearly_over)
    bot.telegram.fault("sendPhoto", after=slow)
    person = bot.person(1)
    await bot.order(person)
    await bot.until("SELECT count(*) = 1 FROM generations WHERE status = 'delivered'")
    assert photos(person) == len(bot.telegram.called("sendPhoto")) == 1


@pytest.mark.parametrize("fault", [{"hang": True}, {"drop": True}, {"status": 200, "body": "<html>"}], ids=str)
async def test_a_send_of_unknown_outcome_is_repeated_once(
    bot: World, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    """Telegram shows it and never says so: the second copy is the last, and the order is over."""
    monkeypatch.setattr(picture, "SEND_S", 1.0)
    bot.telegram.fault("sendPhoto", times=100, handled=True, **fault)
    person = bot.person(1)
    await bot.order(person)
    await try_again(bot, "SELECT status = 'delivered' FROM generations")
    await bot.told(person, "Готово")
    assert photos(person) == len(bot.telegram.called("sendPhoto")) == 2
    assert await bot.credits(person) == 8
    assert await bot.db.fetchval("SELECT result_file_id IS NULL FROM generations")


async def test_after_two_sends_that_ended_in_a_kill_there_is_no_third(bot: World) -> None:
    """That a send was begun is stored before it; the process may die at any step of it."""
    person = bot.person(1)
    bot.gen_api.fault("result", status=500)
    await bot.order(person)
    await bot.until("SELECT failures = 1 FROM outbox WHERE kind = 'picture'")
    await bot.db.execute("UPDATE outbox SET sends = 2, due_at = now() WHERE kind = 'picture'")
    await bot.until("SELECT status = 'delivered' FROM generations")
    assert bot.telegram.called("sendPhoto") == []


@pytest.mark.parametrize("fault", ["away", "429", "502"])
async def test_a_send_that_certainly_came_to_nothing_is_repeated_as_often_as_need_be(bot: World, fault: str) -> None:
    """Telegram cannot be reached, or says that it did not take the picture: no copy was shown, and none is lost."""
    person = bot.person(1)
    if fault == "429":
        bot.telegram.too_many("sendPhoto", 1, times=4)
    elif fault == "502":
        body = {"ok": False, "error_code": 502, "description": "Bad Gateway"}
        bot.telegram.fault("sendPhoto", times=4, status=502, body=body)
    bot.gen_api.auto = False
    await bot.order(person)
    await bot.gen_api.wait_for(lambda: bot.gen_api.orders)
    port = bot.telegram.port
    if fault == "away":
        await bot.until("SELECT status = 'processing' FROM generations")
        await bot.telegram.stop()
        await bot.gen_api.finish(min(bot.gen_api.orders))
        await try_again(bot, "SELECT failures >= 4 FROM outbox WHERE kind = 'picture'")
        await bot.telegram.start(port)
    else:
        await bot.gen_api.finish(min(bot.gen_api.orders))
    await bot.db.execute("DELETE FROM chat_pauses")
    await try_again(bot, "WITH paused AS (DELETE FROM chat_pauses) SELECT status = 'delivered' FROM generations")
    assert photos(person) == 1
    assert await bot.db.fetchval("SELECT sends FROM outbox WHERE kind = 'picture'") == 1


# The card


async def test_no_edit_of_a_card_stands_over_a_later_state(bot: World) -> None:
    """The handler's edit reaches Telegram after delivery's: the card says in the end that the picture is there."""
    delivered = asyncio.Event()
    bot.telegram.fault("editMessageText", before=delivered.wait)
    person = bot.person(1)
    card = await bot.card(person)
    await person.press(card.id, "✅", wait=False)
    await bot.shown(person)
    await bot.telegram.wait_for(lambda: len(bot.telegram.called("editMessageText")) == 2)
    delivered.set()
    await bot.telegram.wait_for(lambda: len(bot.telegram.called("editMessageText")) == 3)
    await bot.telegram.wait_for(lambda: all(call.ms is not None for call in bot.telegram.called("editMessageText")))
    assert "Готово" in (next(message.text for message in person.messages if message.id == card.id) or "")
