"""From the queue to gen-api: not in the last seconds, not before it is ready, and nothing that is not understood."""

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import asyncpg
import pytest
from PIL import Image
from yarl import URL

from app.catalog import MODELS
from app.clients.genapi import parse_outcome
from app.repo import credits, generations, users
from app.repo.credits import Reason
from app.repo.generations import NewOrder
from app.repo.queries import statements
from tests.world import World, photograph

_DELIVERED = (
    "INSERT INTO generations (user_id, order_key, status, model, quality, size, price, prompt, sources, result_url, "
    "submitted_at, ready_at, finished_at, deadline_at) "
)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(database_url, min_size=2, max_size=4) as opened:
        async with opened.acquire() as conn:
            await users.visit(conn, 1)
        yield opened


async def queue(
    pool: "asyncpg.Pool[asyncpg.Record]", key: str, model: str = "gpt-image-1", hidden: bool = False
) -> None:
    """An order in the queue, paid for."""
    new = NewOrder(1, key, model, "512x512", 2, "кот", ("file",), None, 900, 810, "low", None, "{}", hidden)
    async with pool.acquire() as conn, conn.transaction():
        await users.lock(conn, 1)
        assert await credits.debit(conn, 1, 2, Reason.ORDER, str(await generations.insert(conn, new))) is not None


@pytest.mark.parametrize("deadline_s", [900, 100])
async def test_an_order_in_its_last_seconds_is_refunded_and_not_bought(bot: World, deadline_s: int) -> None:
    """It waited in the queue till ninety seconds, or a tenth of its time, were left: gen-api hears nothing of it."""
    bot.gen_api.fault("create", times=99, status=503)
    person = bot.person()
    await bot.order(person)
    # The attempt is counted when it is claimed: once gen-api has heard of it, `queued` means that it was put back
    await bot.gen_api.wait_for(lambda: bot.gen_api.called("create"))
    await bot.until("SELECT status = 'queued' FROM generations")
    calls = len(bot.gen_api.called("create"))
    left_s = min(90, deadline_s / 10) - 1
    await bot.db.execute(
        "UPDATE generations SET submit_by = now() - interval '1 s', deadline_at = now() + make_interval(secs => $1)",
        left_s,
    )
    bot.gen_api.heal()
    await bot.refunded(person)
    assert len(bot.gen_api.called("create")) == calls
    assert await bot.value("SELECT failure FROM generations") == "deadline"


@pytest.mark.parametrize(("deadline_s", "reserve_s"), [(900, 90), (300, 30)])
async def test_a_picture_has_ninety_seconds_or_a_tenth_of_the_deadline(
    bot: World, deadline_s: int, reserve_s: int
) -> None:
    """Whichever is less; it stands on the row."""
    bot.settings.generation_deadline_s = deadline_s
    await bot.order(bot.person())
    row = "SELECT extract(epoch FROM deadline_at - submit_by)::float8 FROM generations"
    assert await bot.value(row) == pytest.approx(reserve_s)


async def test_nothing_is_claimed_or_submitted_when_it_is_too_late_for_a_picture(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    """Though the deadline is ahead; one whose picture took too long to fetch is stopped as well."""
    await queue(pool, "card")
    too_late = "UPDATE generations SET submit_by = now() RETURNING deadline_at > now() + interval '1 minute'"
    async with pool.acquire() as conn:
        [claimed] = await generations.claim_queued(conn, 9, 0, list(MODELS))
        assert await generations.overdue(conn, 9) == []
        assert await conn.fetchval(too_late)
        assert await generations.claim_queued(conn, 9, 0, list(MODELS)) == []
        assert not await generations.start_submitting(conn, claimed)
        assert await generations.overdue(conn, 9) == [claimed.id]


@pytest.mark.parametrize("status", [419, 429, 503])
@pytest.mark.parametrize("instant", [False, True])
async def test_gen_api_s_retry_after_is_waited_for(bot: World, status: int, instant: bool) -> None:
    """In seconds or as an instant; our own back-off would have been two."""
    then = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=6)
    bot.gen_api.fault(
        "create", status=status, headers={"Retry-After": format_datetime(then, usegmt=True) if instant else "4"}
    )
    await bot.order(bot.person())
    await bot.shown(bot.person())
    first, second = bot.gen_api.called("create")
    assert second.at >= (then.timestamp() if instant else first.at + 4) - 0.1


async def test_an_order_that_gen_api_puts_off_past_its_time_is_refunded_at_once(bot: World) -> None:
    bot.gen_api.fault("create", status=429, headers={"Retry-After": "3600"})
    person = bot.person()
    await bot.order(person)
    await bot.refunded(person)
    assert len(bot.gen_api.called("create")) == 1


async def test_a_retry_does_not_fetch_the_picture_again(bot: World) -> None:
    """Two calls that were not accepted, one download."""
    bot.gen_api.fault("create", times=2, status=503)
    await bot.order(bot.person())
    await bot.shown(bot.person())
    assert len(bot.gen_api.called("create")) == 3
    assert len(bot.telegram.called("getFile")) == 1


@pytest.mark.parametrize("word", ["error", "failed", "cancelled", "canceled"])
@pytest.mark.parametrize(
    "said",
    [
        {"result": ["nudity"]},
        {"result": [], "error": "nudity"},
        {"error": {"message": "nudity"}},
        {"message": "nudity"},
        {"result": None, "full_response": [{"error": "nudity"}]},
        {"full_response": {"message": "nudity"}},
    ],
    ids=json.dumps,
)
def test_a_failure_s_reason_is_found_wherever_it_stands(word: str, said: dict[str, object]) -> None:
    outcome = parse_outcome({"status": word, **said})
    assert (outcome.final, outcome.url, outcome.reason) == (True, None, "nudity")


@pytest.mark.parametrize(
    ("cost", "kopecks"),
    [
        (2.5, 250),
        ("15", 1500),
        (0, 0),
        (None, None),
        (True, None),
        (-1, None),
        ("nan", None),
        ("1e99", None),
        ([], None),
    ],
)
def test_what_gen_api_took_is_kopecks(cost: object, kopecks: int | None) -> None:
    assert parse_outcome({"status": "success", "result": "https://x/1.png", "cost": cost}).cost == kopecks


async def test_an_order_of_a_model_that_a_version_does_not_know_is_left_to_one_that_does(
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    await queue(pool, "known")
    await queue(pool, "of next year", model="gpt-image-9")
    async with pool.acquire() as conn:
        claimed = await generations.claim_queued(conn, 9, 60, list(MODELS))
        assert [order.model for order in claimed] == ["gpt-image-1"]
        assert [order.model for order in await generations.claim_queued(conn, 9, 60, ["gpt-image-9"])] == [
            "gpt-image-9"
        ]


async def test_the_version_before_does_not_claim_what_it_cannot_build(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Its own statement, word for word: it takes the order of its shape, through every step of the other."""
    await queue(pool, "of any shape", "gpt-image-2", hidden=True)
    before = (
        "SELECT count(*) FROM generations WHERE status = 'queued' AND claimable_at <= now() AND deadline_at > now()"
    )
    async with pool.acquire() as conn:
        assert await conn.fetchval(before) == 0
        [claimed] = await generations.claim_queued(conn, 9, 0, list(MODELS))
        assert await conn.fetchval(before) == 0
        assert await generations.release(conn, claimed, 0)
        assert await conn.fetchval(before) == 0
        [claimed] = await generations.claim_queued(conn, 9, 60, list(MODELS))
        assert await generations.claim_queued(conn, 9, 60, list(MODELS)) == []
        assert await generations.start_submitting(conn, claimed)
        assert await generations.requeue(conn, claimed, 0)
        assert await conn.fetchval(before) == 0
        assert len(await generations.claim_queued(conn, 9, 60, list(MODELS))) == 1
    await queue(pool, "of its shape")
    async with pool.acquire() as conn:
        assert await conn.fetchval(before) == 1


async def test_an_order_of_the_version_before_is_built_as_that_one_did(bot: World) -> None:
    """A row without any of the newer columns."""
    person = bot.person()
    await bot.card(person)
    file_id = bot.telegram.files.photo_sizes(photograph())[-1]["file_id"]
    async with bot.db.transaction():
        order = await bot.value(
            "INSERT INTO generations (user_id, order_key, model, size, price, prompt, source_file_id, deadline_at) "
            "VALUES ($1, 'card', 'gpt-image-1', '512x512', 2, 'Кот', $2, now() + interval '15 minutes') RETURNING id",
            person.id,
            file_id,
        )
        await credits.debit(bot.db, person.id, 2, Reason.ORDER, str(order))
    await bot.shown(person)
    fields = bot.gen_api.orders[min(bot.gen_api.orders)].fields
    assert (fields["quality"], fields["size"], fields["n"]) == ("low", "1024x1024", "1")


async def test_the_median_reads_the_last_pictures_alone(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """By an index, however many were drawn."""
    async with pool.acquire() as conn:
        await conn.execute(
            _DELIVERED + "SELECT 1, n::text, 'delivered', 'gpt-image-1', 'low', '512x512', 2, '', '{}', 'https://x', "
            "now() - n * interval '1 minute', now() - n * interval '50 seconds', now(), now() "
            "FROM generate_series(1, 20000) AS n"
        )
        await conn.execute("ANALYZE generations")
        plan = "\n".join(
            row[0] for row in await conn.fetch("EXPLAIN " + statements("waits")["drawn_in"], "gpt-image-1", "low", 21)
        )
    assert "generations_drawn" in plan
    assert "Seq Scan" not in plan
    assert "Sort Key: generations.ready_at" not in plan


async def test_one_persons_orders_leave_slots_to_others(bot: World) -> None:
    """Of five orders whose pictures do not come two are begun; another's is begun at once; all are drawn then."""
    loud, quiet = bot.person(1), bot.person(2)
    release = asyncio.Event()
    bot.telegram.fault("file", times=3, before=release.wait)
    for _ in range(5):
        await bot.order(loud)
    await bot.order(quiet)
    begun = "SELECT count(*) FROM generations WHERE user_id = $1 AND attempt > 0"
    await bot.until(f"SELECT ({begun}) = 1", quiet.id)
    await bot.telegram.wait_for(lambda: len(bot.telegram.called("file")) == 3)
    assert await bot.value(begun, loud.id) == 2
    release.set()
    await bot.until("SELECT count(*) = 6 FROM generations WHERE status = 'delivered'")


def noise(seed: int) -> bytes:
    """A PNG of 13 MB: more than half of the room that there is for sources."""
    large, size = io.BytesIO(), (2100, 2100)
    drawn = Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3))
    drawn.save(large, "PNG", compress_level=0)
    return large.getvalue()


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_large_pictures_without_room_leave_slots_to_others(bot: World) -> None:
    """Nine people send more than half of the room each, and the first does not come: a tenth is drawn meanwhile."""
    large = noise(1)
    release, found = asyncio.Event(), len(bot.telegram.called("getFile"))
    bot.telegram.fault("file", before=release.wait)
    for number in range(9):
        person = bot.person(100 + number)
        await person.send_text("/photo")
        await person.send_document(large, "noise.png", "image/png", "Шум")
        await person.press((await bot.offered(person, "✅")).id, "✅")
    await bot.telegram.wait_for(lambda: len(bot.telegram.called("file")) == 1)
    await bot.order(bot.person(1))
    await bot.until("SELECT count(*) = 1 FROM generations WHERE status = 'delivered'", within_s=8)
    await bot.until("SELECT count(*) = 8 FROM generations WHERE status = 'queued' AND attempt > 2")
    assert len(bot.telegram.called("getFile")) == found + 10
    release.set()
    await bot.until("SELECT count(*) = 10 FROM generations WHERE status = 'delivered'", within_s=60)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_a_source_that_is_read_slowly_keeps_its_room_till_it_is_read(bot: World) -> None:
    """Whoever may fetch a large picture and does not read it holds no more of the memory than there is room for."""
    bot.gen_api.auto = False
    for number in (1, 2):
        await order_large(bot, number)
        await bot.gen_api.wait_for(lambda number=number: len(bot.gen_api.orders) == number, 30)  # type: ignore[misc]  # a lambda of no arguments
    # The second one has taken its place among the pictures that are kept
    [address] = bot.gen_api.orders[min(bot.gen_api.orders)].addresses
    url = URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"GET {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
    assert b" 200 " in await reader.readline()
    await order_large(bot, 3)
    await bot.until("SELECT EXISTS (SELECT FROM generations WHERE status = 'queued' AND attempt > 2)")
    writer.transport.abort()
    await bot.gen_api.wait_for(lambda: len(bot.gen_api.orders) == 3, 30)


async def order_large(bot: World, number: int) -> None:
    """Somebody orders a picture of noise from a model that fetches its sources."""
    person = bot.person(200 + number)
    await person.send_text("/photo")
    await person.send_document(noise(number), "noise.png", "image/png", "Шум")
    card = await bot.offered(person, "✅")
    await person.press(card.id, "🤖 GPT Image 2")
    await person.press(card.id, "✅")
