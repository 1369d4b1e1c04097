"""PostgreSQL and Redis restarted, away, emptied, or not there yet: nothing is answered 200 that is not stored."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from app.migrate import apply
from local.postgres import Postgres
from local.redis import Redis
from sandbox.telegram import Person
from tests.faults.harness import Bot, Stage, stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

type Somebody = Callable[[], Person]


@dataclass
class Surroundings:
    """The bot's own PostgreSQL and Redis, which keep their ports."""

    home: Path
    postgres: Postgres
    redis: Redis

    async def stop_postgres(self) -> None:
        await asyncio.to_thread(self.postgres.stop)

    async def start_postgres(self) -> None:
        self.postgres = await asyncio.to_thread(Postgres.start, self.home / "pg", None, self.postgres.port)

    @asynccontextmanager
    async def hanging_postgres(self) -> AsyncIterator[None]:
        """The server and all its connections stand still: no answer, no refusal, no closed connection."""
        postmaster = int((self.home / "pg" / "postmaster.pid").read_text().split()[0])
        connection = await asyncpg.connect(self.postgres.url)
        rows = await connection.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = 'picture-bot'")
        await connection.close()
        pids = [postmaster, *(row["pid"] for row in rows)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    async def stop_redis(self) -> None:
        await asyncio.to_thread(self.redis.stop)

    async def start_redis(self) -> None:
        self.redis = await asyncio.to_thread(Redis.start, self.redis.port, self.redis.password)


@pytest.fixture(scope="module")
def around() -> Iterator[Surroundings]:
    home = Path(tempfile.mkdtemp(prefix="picture-bot-faults-"))
    home.chmod(0o711)  # as root the server runs as nobody, who has to get through
    made = Surroundings(home, Postgres.start(home / "pg"), Redis.start())
    yield made
    made.postgres.stop()
    made.redis.stop()
    shutil.rmtree(home)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(around: Surroundings) -> AsyncIterator[Stage]:
    url = around.postgres.create_database("bot")
    await asyncio.to_thread(apply, url)
    async with stage(url, around.redis.url) as made:
        made.bot()
        yield made


async def get(bot: Bot, path: str) -> int:
    """The status of a GET."""
    async with aiohttp.ClientSession() as client, client.get(bot.url + path) as answer:
        return answer.status


async def test_postgres_restarted_in_mid_transaction(play: Stage, around: Surroundings, person: Somebody) -> None:
    """The transactions are gone, the press and the notification are sent again, and each counts once."""
    orderer, buyer = person(), person()
    card = await play.card(orderer)
    payment = await play.choose(buyer)
    lock = await asyncpg.connect(play.settings.database_url)
    await lock.execute("BEGIN")
    await lock.execute("SELECT FROM users WHERE id = ANY($1) FOR UPDATE", [orderer.id, buyer.id])
    await orderer.press(card.id, "✅", wait=False)
    paying = asyncio.create_task(play.yookassa.pay(payment))
    await play.blocked(2)
    await around.stop_postgres()
    assert await paying == 503
    await around.start_postgres()
    await lock.close()
    await play.delivered(orderer)
    assert await play.yookassa.notify(payment) == 200
    assert await play.credits(buyer) == 20


async def test_postgres_down_for_a_while(play: Stage, bot: Bot, around: Surroundings, person: Somebody) -> None:
    """No 200 for what is not stored; the bot recovers by itself."""
    orderer, buyer = person(), person()
    payment = await play.choose(buyer)
    play.gen_api.auto = False
    await play.order(orderer)
    order = await play.order_at_gen_api(orderer)
    play.gen_api.auto = True
    await play.until("SELECT status = 'processing' FROM generations WHERE user_id = $1", orderer.id)
    await around.stop_postgres()
    assert await play.gen_api.finish(order.id) == 503
    assert await play.yookassa.pay(payment) == 503
    before = len(play.telegram.called("update"))
    await buyer.send_text("/status", wait=False)
    await play.telegram.wait_for(lambda: [c for c in play.telegram.called("update")[before:] if c.status], 20)
    assert {call.status for call in play.telegram.called("update")[before:] if call.status} == {503}
    assert await get(bot, "/healthz") == 200
    assert await get(bot, "/readyz") == 503
    await around.start_postgres()
    await play.told(buyer, "10 кредитов", within_s=60)
    assert await play.yookassa.notify(payment) == 200
    assert await play.credits(buyer) == 20
    # gen-api may not call back again: it is asked when the order's turn comes.
    await play.pool.execute("UPDATE generations SET poll_at = now() WHERE status = 'processing'")
    await play.delivered(orderer)


async def test_postgres_hangs(play: Stage, bot: Bot, around: Surroundings, person: Somebody) -> None:
    """Whoever waits is told 503 in time; SIGTERM ends with 0; nothing is lost."""
    orderer, buyer = person(), person()
    card, payment = await play.card(orderer), await play.choose(buyer)
    async with around.hanging_postgres():
        before = len(play.telegram.called("update"))
        await orderer.press(card.id, "✅", wait=False)
        assert await play.yookassa.pay(payment) == 503
        await play.telegram.wait_for(lambda: [c for c in play.telegram.called("update")[before:] if c.status], 40)
        assert {call.status for call in play.telegram.called("update")[before:] if call.status} == {503}
        before = len(play.telegram.called("update"))
        await buyer.send_text("/status", wait=False)
        await play.telegram.wait_for(lambda: len(play.telegram.called("update")) > before)
        told_at = time.monotonic()
        bot.signal(signal.SIGTERM)
        assert await bot.ended() == 0
        assert time.monotonic() - told_at < 10
    await bot.start()
    await play.delivered(orderer)
    assert await play.yookassa.notify(payment) == 200
    assert await play.credits(buyer) == 20


async def test_redis_down_and_flushed(play: Stage, bot: Bot, around: Surroundings, person: Somebody) -> None:
    """Conversations wait, then begin anew; money is untouched, and results go on being delivered."""
    orderer, buyer, talker = person(), person(), person()
    payment = await play.choose(buyer)
    card = await play.card(talker)
    play.gen_api.auto = False
    await play.order(orderer)
    order = await play.order_at_gen_api(orderer)
    play.gen_api.auto = True
    await around.stop_redis()
    before = len(play.telegram.called("update"))
    await talker.press(card.id, "✅", wait=False)
    await play.telegram.wait_for(lambda: [c for c in play.telegram.called("update")[before:] if c.status], 40)
    assert {call.status for call in play.telegram.called("update")[before:] if call.status} == {503}
    assert await play.gen_api.finish(order.id) == 200
    await play.delivered(orderer)
    assert await play.yookassa.pay(payment) == 200
    assert await play.credits(buyer) == 20
    assert await get(bot, "/readyz") == 503
    await around.start_redis()
    await play.telegram.wait_for(lambda: play.telegram.called("update")[-1].status == 200, 60)
    assert await play.credits(talker) == 10
    await play.order(talker)
    await play.delivered(talker)


async def test_started_while_postgres_and_redis_are_away(
    play: Stage, bot: Bot, around: Surroundings, person: Somebody
) -> None:
    """SIGTERM without a database still ends with 0; the start waits, says for what, and goes on."""
    await around.stop_postgres()
    await around.stop_redis()
    told_at = time.monotonic()
    bot.signal(signal.SIGTERM)
    assert await bot.ended() == 0
    assert time.monotonic() - told_at < 10
    await bot.launch()
    await bot.logged("postgres.waiting")
    await around.start_postgres()
    await bot.logged("redis.waiting")
    await around.start_redis()
    await bot.logged("telegram.registered")
    someone = person()
    await play.order(someone)
    await play.delivered(someone)
