"""One person's updates come in turn, whichever shelf their conversation lies on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import pytest
from aiogram.fsm.storage.base import DefaultKeyBuilder, StorageKey
from aiogram.fsm.storage.redis import RedisEventIsolation, RedisStorage
from redis.asyncio import Redis

from app.flood import MemoryFlood, RedisFlood, Verdict
from app.shelf import Kept, MemoryShelf, RedisShelf, Shelf, open_redis
from app.turns import FEW, LONGEST_LINE, NoPlace, Turns

ANNA, BORIS = (StorageKey(bot_id=4242, chat_id=number, user_id=number) for number in (1, 2))
NAMES = DefaultKeyBuilder(with_bot_id=True)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture(params=["redis", "memory"])
def shelf(request: pytest.FixtureRequest, redis: Redis) -> Callable[..., Shelf]:
    """Makes a shelf out of the limit's burst and the lease in seconds; two of Redis are two replicas'."""

    def make(burst: int = 1000, lease_s: float = 35) -> Shelf:
        if request.param == "memory":
            return MemoryShelf(MemoryFlood(burst, 0.01), lease_s)
        return RedisShelf(redis, RedisFlood(redis, 4242, burst, 0.01), lease_s)

    return make


async def test_what_a_turn_changes_the_next_one_finds(shelf: Callable[..., Shelf]) -> None:
    """State and data, through aiogram's interface, within a turn and outside of one; what is emptied is gone."""
    turns = Turns(shelf(), 8)
    async with turns.turn(ANNA), turns.lock(ANNA):
        assert (await turns.get_state(ANNA), await turns.get_data(ANNA)) == (None, {})
        await turns.set_state(ANNA, "Photo:card")
        await turns.set_data(ANNA, {"prompt": "Кот"})
        assert await turns.update_data(ANNA, {"size": "512x512"}) == {"prompt": "Кот", "size": "512x512"}
    assert (await turns.get_state(BORIS), await turns.get_data(BORIS)) == (None, {})
    assert (await turns.get_state(ANNA), await turns.get_value(ANNA, "prompt")) == ("Photo:card", "Кот")
    await turns.set_state(ANNA)
    await turns.set_data(ANNA, {})
    assert (await turns.get_state(ANNA), await turns.get_data(ANNA)) == (None, {})


async def test_of_a_turn_that_fails_nothing_is_stored(shelf: Callable[..., Shelf]) -> None:
    """Whether the handler's error goes on to the route or is answered with an apology on the way."""
    turns = Turns(shelf(), 8)

    async def broken() -> None:
        async with turns.lock(ANNA):
            await turns.set_state(ANNA, "Photo:card")
            await turns.set_data(ANNA, {"prompt": "Кот"})
            raise ZeroDivisionError

    async with turns.turn(ANNA):
        with pytest.raises(ZeroDivisionError):
            await broken()
    with pytest.raises(ZeroDivisionError):
        await broken()
    assert (await turns.get_state(ANNA), await turns.get_data(ANNA)) == (None, {})


async def test_one_persons_updates_come_in_the_order_of_their_arrival(shelf: Callable[..., Shelf]) -> None:
    """Each adds its number to what the one before has left; somebody else passes while they wait."""
    turns = Turns(shelf(), 8)
    begun, free = asyncio.Event(), asyncio.Event()

    async def update(number: int) -> None:
        async with turns.turn(ANNA):
            begun.set()
            await free.wait()
            data = await turns.get_data(ANNA)
            await turns.set_data(ANNA, {"seen": [*data.get("seen", []), number]})

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(update(number))
        await begun.wait()
        async with asyncio.timeout(1), turns.turn(BORIS) as verdict:
            assert verdict is Verdict.TAKE
        free.set()
    assert await turns.get_data(ANNA) == {"seen": list(range(20))}


async def test_what_waits_takes_no_place(shelf: Callable[..., Shelf]) -> None:
    """Of two places one person has one, however much they do; a third person is told to come again."""
    turns = Turns(shelf(), 2)
    free, inside = asyncio.Event(), asyncio.Semaphore(0)

    async def update(key: StorageKey) -> None:
        async with turns.turn(key):
            inside.release()
            await free.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(update(ANNA))
        group.create_task(update(BORIS))
        async with asyncio.timeout(1):
            await inside.acquire()
            await inside.acquire()
        with pytest.raises(NoPlace):
            async with turns.turn(StorageKey(bot_id=4242, chat_id=3, user_id=3)):
                pass
        free.set()


async def test_the_line_of_one_person_has_an_end(shelf: Callable[..., Shelf]) -> None:
    """More than it holds are to come again; once it is empty it is forgotten, and the next one is taken."""
    turns = Turns(shelf(), 2)
    free = asyncio.Event()

    async def update() -> None:
        async with turns.turn(ANNA):
            await free.wait()

    waiting = [asyncio.create_task(update()) for _ in range(LONGEST_LINE)]
    await asyncio.sleep(0)  # each of them enters the line
    with pytest.raises(NoPlace):
        async with turns.turn(ANNA):
            pass
    free.set()
    await asyncio.gather(*waiting)
    async with turns.turn(ANNA) as verdict:
        assert verdict is Verdict.TAKE


async def test_more_than_a_few_wait_only_shortly(shelf: Callable[..., Shelf]) -> None:
    """They hold Telegram's connections: the first four stay, the others are to come again while the first hangs."""
    turns = Turns(shelf(), 2)
    free = asyncio.Event()

    async def update() -> None:
        async with turns.turn(ANNA):
            await free.wait()

    waiting = [asyncio.create_task(update()) for _ in range(20)]
    async with asyncio.timeout(5):
        refused, stayed = await asyncio.wait(waiting, timeout=2)
    free.set()
    assert [type(task.exception()) for task in refused] == [NoPlace] * (20 - FEW)
    await asyncio.gather(*stayed)
    assert len(stayed) == FEW


async def test_too_much_is_refused_without_waiting(shelf: Callable[..., Shelf]) -> None:
    """A person whose update hangs is told that they do too much while it hangs; what may not be refused waits."""
    turns = Turns(shelf(burst=2), 8)
    free, told = asyncio.Event(), asyncio.Queue[str]()

    async def update(name: str, counted: bool = True) -> None:
        async with turns.turn(ANNA, counted) as verdict:
            if name == "first":
                await told.put(name)
                await free.wait()
            else:
                await told.put(f"{name}: {verdict.name}")

    async with asyncio.TaskGroup() as group, asyncio.timeout(5):
        group.create_task(update("first"))
        assert await told.get() == "first"
        group.create_task(update("second"))
        group.create_task(update("third"))
        # Which of the two is counted first, nobody knows
        refused = await told.get()
        group.create_task(update("paid", counted=False))
        group.create_task(update("fourth"))
        assert await told.get() == "fourth: IGNORE"
        free.set()
        taken = {"second: TELL": "third: TAKE", "third: TELL": "second: TAKE"}[refused]
        assert [await told.get() for _ in range(2)] == [taken, "paid: TAKE"]


async def test_a_lane_aside_waits_for_nothing_and_stores_nothing(shelf: Callable[..., Shelf]) -> None:
    """While the person's own update hangs."""
    turns = Turns(shelf(), 1)
    async with asyncio.timeout(1), turns.turn(ANNA):
        async with turns.aside(), turns.lock(ANNA):
            assert await turns.get_state(ANNA) is None
            await turns.set_state(ANNA, "Photo:card")
        assert await turns.get_state(ANNA) is None


async def test_a_wait_for_another_process_ends(shelf: Callable[..., Shelf]) -> None:
    """The holder neither lets go nor dies in time: the update is to be sent again."""
    shared = shelf()
    assert (await shared.take(ANNA, "another process", counted=False)).kept == Kept()
    with pytest.raises(TimeoutError):
        async with Turns(shared, 8, patience_s=0.2).turn(ANNA):
            pass
    assert await shared.give_back(ANNA, "another process", Kept("Photo:card"))
    async with Turns(shared, 8, patience_s=0.2).turn(ANNA):
        pass


async def test_whoever_was_killed_holds_a_conversation_no_longer_than_the_lease(shelf: Callable[..., Shelf]) -> None:
    """The next one takes it then, and a late change by the first, paused and not dead, is refused."""
    shared = shelf(lease_s=0.3)
    assert (await shared.take(ANNA, "paused", counted=False)).kept == Kept()
    turns = Turns(shared, 8, patience_s=5)
    async with turns.turn(ANNA):
        assert not await shared.give_back(ANNA, "paused", Kept("Photo:collecting"))
        await turns.set_state(ANNA, "Photo:card")
    assert await turns.get_state(ANNA) == "Photo:card"

    async def too_slow() -> None:
        async with turns.turn(ANNA):
            await turns.set_state(ANNA, "Photo:collecting")
            await asyncio.sleep(0.4)  # past the lease

    with pytest.raises(TimeoutError):
        await too_slow()
    assert await turns.get_state(ANNA) == "Photo:card"


async def test_the_version_before_and_this_one_read_each_other(redis: Redis) -> None:
    """In a rolling deployment both handle one person's updates: the same state, the same data, the same lock."""
    before = RedisStorage(redis, NAMES, state_ttl=3600, data_ttl=3600)
    turns = Turns(RedisShelf(redis, RedisFlood(redis, 4242, 60, 5)), 8, patience_s=0.2)
    await before.set_state(ANNA, "Photo:card")
    await before.set_data(ANNA, {"prompt": "Кот", "file_id": "f"})
    assert await turns.get_state(ANNA) == "Photo:card"
    assert await turns.update_data(ANNA, {"size": "512x512"}) == {"prompt": "Кот", "file_id": "f", "size": "512x512"}
    assert await before.get_data(ANNA) == {"prompt": "Кот", "file_id": "f", "size": "512x512"}
    assert await before.get_state(ANNA) == "Photo:card"
    async with RedisEventIsolation(redis, NAMES, {"timeout": 35}).lock(ANNA):
        with pytest.raises(TimeoutError):
            async with turns.turn(ANNA):
                pass
    isolation = RedisEventIsolation(redis, NAMES, {"timeout": 35, "blocking_timeout": 0.1})
    async with turns.turn(ANNA):
        with pytest.raises(Exception, match="lock"):
            async with isolation.lock(ANNA):
                pass


async def test_a_turn_is_two_round_trips(redis: Redis) -> None:
    """One script in, one out, whatever is read and changed; a connection's first words and a script's own aside."""
    turns = Turns(RedisShelf(redis, RedisFlood(redis, 4242, 1000, 5)), 8)
    await turns.set_state(ANNA, "Photo:card")
    async with redis.monitor() as monitor:

        async def calls() -> list[str]:
            await redis.echo("the end")
            seen = []
            while "ECHO" not in (command := await monitor.next_command())["command"].upper():
                if command["client_type"] != "lua" and not command["command"].startswith(("HELLO", "CLIENT")):
                    seen.append(command["command"].partition(" ")[0].upper())
            return seen

        async with turns.turn(ANNA), turns.lock(ANNA):
            await turns.get_state(ANNA)
            await turns.update_data(ANNA, {"prompt": "Кот"})
            await turns.set_state(ANNA, None)
        assert await calls() == ["EVALSHA"] * 2


@asynccontextmanager
async def losing(redis_url: str) -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """A way to Redis, and what makes it lose the next script's answer: the script has run, the connection breaks."""
    url, lose = urlsplit(redis_url), asyncio.Event()

    async def carry(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        server, requests = await asyncio.open_connection(url.hostname, url.port)
        while request := await client.read(65536):
            requests.write(request)
            answer = await server.read(65536)
            if b"EVALSHA" in request and lose.is_set():
                lose.clear()
                break
            answers.write(answer)
        requests.close()
        answers.close()

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as way:
        port = way.sockets[0].getsockname()[1]
        yield urlunsplit(url._replace(netloc=f"{url.netloc.rpartition(':')[0]}:{port}")), lose.set


async def test_an_answer_of_redis_that_is_lost_locks_nobody_out(redis_url: str) -> None:
    """What took the conversation finds that it has it, and has counted once; what gave it back was in time."""
    async with losing(redis_url) as (url, lose), open_redis(url) as client:
        flood = RedisFlood(client, 4242, 2, 0.01)
        turns = Turns(RedisShelf(client, flood), 8, patience_s=0.5)
        await turns.set_state(ANNA, "Photo:collecting")
        lose()
        async with turns.turn(ANNA):
            await turns.set_state(ANNA, "Photo:card")
            lose()
        assert await turns.get_state(ANNA) == "Photo:card"
        assert await flood.check(ANNA.user_id) is Verdict.TAKE
        assert await flood.check(ANNA.user_id) is Verdict.TELL
