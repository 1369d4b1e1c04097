"""A person's pictures on their way to gen-api: what is fetched, what waits for room, what is kept, what is refused."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import cast

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramNetworkError

from app.db import open_pool
from app.flows.orders import sources
from app.flows.orders.sources import Crowded, Sources, Unusable
from app.metrics import Metrics
from app.pictures import MAX_BYTES, NotAPicture, Picture, Pictures, TooLarge
from app.repo import users
from app.repo.generations import Failure
from app.repo.records import Pool
from tests.flows import PERSON, flow_settings
from tests.post import METHOD, Post
from tests.rows import Rows, ahead

ROOM = 24 * 1024 * 1024
LARGE = 13 * 1024 * 1024
"""Of two such there is room for one."""
LITTLE = 1024 * 1024


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(flow_settings(database_url), 1)
    yield pool
    await pool.close()


@dataclass
class Desk:
    """Where pictures are fetched; what was fetched last gives its room back at the next `free`."""

    sources: Sources
    held: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def fetch(self, *file_ids: str) -> Sequence[Picture]:
        """Without waiting for anything: there is nothing that takes time."""
        async with asyncio.timeout(2):
            return await self.sources.fetch_all(file_ids, self.held)

    async def free(self) -> None:
        await self.held.aclose()


@pytest.fixture
async def desk(post: Post) -> AsyncIterator[Desk]:
    # Orders by their files alone come by no database
    desk = Desk(Sources(cast("Pool", None), cast("Bot", post), cast("Pictures", post), Metrics()))
    yield desk
    await desk.free()


async def test_a_large_picture_waits_for_room_and_a_little_one_does_not(desk: Desk, post: Post) -> None:
    """Telegram's own photos are drawn while somebody's large file is on its way."""
    post.sizes = {"first": MAX_BYTES, "rest": ROOM - MAX_BYTES}
    post.sizes |= {"second": LARGE, "of unknown size": None, "little": LITTLE}
    await desk.fetch("first")
    await desk.fetch("rest")
    for file_id in ("second", "of unknown size"):
        with pytest.raises(Crowded):
            await desk.fetch(file_id)
    await desk.fetch("little")
    assert post.fetched == ["first", "rest", "little"]
    await desk.free()
    await desk.fetch("second")


async def test_where_a_file_is_that_there_was_no_room_for_is_asked_once(
    desk: Desk, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of as many as are remembered; what is kept beside it stays there."""
    monkeypatch.setattr(sources, "_REMEMBERED", 2)
    post.sizes = dict.fromkeys(("first", "a", "b", "c"), LARGE)
    await desk.fetch("first")
    await desk.fetch("kept")
    for file_ids in (("kept", "a"), ("b",), ("c",)):
        with pytest.raises(Crowded):
            await desk.fetch(*file_ids)
    for file_id in ("b", "c", "a", "kept"):
        await desk.free()
        await desk.fetch(file_id)
    assert post.asked == ["first", "kept", "a", "b", "c", "a"]


async def test_pictures_are_kept_till_they_are_too_many(
    desk: Desk, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those asked for last, to the last byte; twice the same is once."""
    monkeypatch.setattr(sources, "KEPT_BYTES", 10)
    await desk.fetch("a", "a")
    await desk.fetch("b")
    post.asked.clear()
    assert await desk.fetch("a", "b", "a") == [Picture(b"bytes", "image/png", "picture.png")] * 3
    assert post.asked == []
    await desk.fetch("c")
    await desk.fetch("a")
    assert post.asked == ["c"]
    await desk.fetch("b")
    assert post.asked == ["c", "b"]


async def test_several_pictures_are_together_no_larger_than_one_may_be(desk: Desk, post: Post) -> None:
    """Which is known before any of them is fetched."""
    post.sizes = {"half": MAX_BYTES // 2, "other half": MAX_BYTES // 2, "more": MAX_BYTES // 2 + 1}
    with pytest.raises(Unusable) as refused:
        await desk.fetch("half", "more")
    assert (refused.value.failure, refused.value.number) == (Failure.TOO_LARGE, None)
    assert post.fetched == []
    await desk.fetch("half", "other half")


async def test_pictures_that_have_grown_are_no_larger_than_one_may_be(
    desk: Desk, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is encoded anew may weigh more than what Telegram said."""
    monkeypatch.setattr(sources, "MAX_BYTES", 10)
    await desk.fetch("a", "b")
    post.data = {"c": bytes(6)}
    with pytest.raises(Unusable) as refused:
        await desk.fetch("a", "c")
    assert (refused.value.failure, refused.value.number) == (Failure.TOO_LARGE, None)


@pytest.mark.parametrize(
    ("said", "failure"),
    [("Bad Request: file is too big", Failure.TOO_LARGE), ("Bad Request: wrong file_id", Failure.FILE_GONE)],
)
@pytest.mark.parametrize(("file_ids", "number"), [(("bad",), None), (("good", "away", "bad"), 3)])
async def test_a_file_that_telegram_does_not_give_is_named(
    desk: Desk, post: Post, file_ids: Sequence[str], number: int | None, said: str, failure: Failure
) -> None:
    """By its number, where there are several; though another may come later."""
    post.errors = {"bad": TelegramBadRequest(METHOD, said), "away": TelegramNetworkError(METHOD, "away")}
    with pytest.raises(Unusable) as refused:
        await desk.fetch(*file_ids)
    assert (refused.value.failure, refused.value.number) == (failure, number)


@pytest.mark.parametrize(
    ("unread", "failure"),
    [(NotAPicture("text"), Failure.NOT_A_PICTURE), (TooLarge("pixels"), Failure.TOO_LARGE), (None, Failure.FILE_GONE)],
)
async def test_a_file_that_is_no_picture_is_refused(
    desk: Desk, post: Post, unread: Exception | None, failure: Failure
) -> None:
    """Nor is one without a path, which Telegram has lost."""
    post.unread, post.lost = unread, unread is None
    with pytest.raises(Unusable) as refused:
        await desk.fetch("one")
    assert (refused.value.failure, post.fetched) == (failure, ["one"] * (unread is not None))


async def test_a_telegram_that_is_away_is_no_persons_fault(desk: Desk, post: Post) -> None:
    post.errors = {"away": TelegramNetworkError(METHOD, "away")}
    with pytest.raises(TelegramNetworkError):
        await desk.fetch("good", "away")


async def test_gen_api_fetches_an_open_orders_pictures(pool: Pool, post: Post) -> None:
    """In a format that its model takes; for a model that only another version knows, as they are."""
    async with pool.acquire() as conn:
        await users.visit(conn, PERSON)
        usual = {"user_id": PERSON, "size": "s", "price": 2, "prompt": "кот", "request": "{}"}
        rows = Rows(conn, "generations", usual | {"deadline_at": ahead("1 hour")})
        models = ("of-next-year", "gpt-image-1", "nano-banana")
        orders = [await rows.add(model, order_key=model, model=model, sources=[model]) for model in models]
    there = Sources(pool, cast("Bot", post), cast("Pictures", post), Metrics())
    async with AsyncExitStack() as held:
        for order in orders:
            assert await there.of_order(order, 1, held) is not None
            assert await there.of_order(order, 2, held) is None
    assert post.formats == [True, True, False]
