"""What an edit of an order's message ends in: by what has become of the order meanwhile, and by what Telegram says."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any, cast
from uuid import UUID

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramForbiddenError, TelegramNetworkError, TelegramRetryAfter
from aiogram.methods import EditMessageText

from app import words
from app.db import open_pool
from app.flows.cards import Cards
from app.flows.orders.waiting import Waiting
from app.repo import users
from app.repo.records import Pool
from tests.flows import PERSON, flow_settings
from tests.rows import NOW, Rows, ago, ahead

SAID = words.of("ru")
DONE = SAID.order_done
METHOD = EditMessageText(text="x")
MESSAGE = 7


@dataclass
class Desk:
    """An order that has been drawn for an hour, its message, and the flow that edits that.

    In place of Telegram: `faces` are what the message has said, `error` is what comes of an edit. `woken` counts how
    often the submitter was.
    """

    pool: Pool
    orders: Rows
    order: UUID
    faces: list[str] = field(default_factory=list)
    error: TelegramAPIError | None = None
    woken: int = 0

    async def edit_message_text(self, text: str, **_: Any) -> None:
        """As aiogram's."""
        if self.error is not None:
            raise self.error
        self.faces.append(text)

    def wake(self) -> None:
        self.woken += 1

    @property
    def cards(self) -> Cards:
        return Cards(self.pool, cast("Bot", self), Waiting(self.pool), self.wake)

    async def becomes(self, status: str) -> None:
        """The order moves on, or back into the queue."""
        becomes = (
            "UPDATE generations SET status = $2, result_url = 'https://x', "
            "finished_at = CASE WHEN $2 = 'delivered' THEN now() END WHERE id = $1"
        )
        await self.orders.conn.execute(becomes, self.order, status)


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    pool = await open_pool(flow_settings(database_url), 2)
    async with pool.acquire() as conn:
        await users.visit(conn, PERSON)
        usual = {"user_id": PERSON, "model": "m", "size": "s", "price": 2, "prompt": "кот", "sources": ["one"]}
        orders = Rows(conn, "generations", usual | {"card_message_id": MESSAGE, "deadline_at": ahead("1 hour")})
        times = {"submitted_at": ago("1 hour"), "tell_at": NOW}
        order = await orders.add("it", order_key="k", status="processing", request_id=1, told=1, **times)
        yield Desk(pool, orders, order)
    await pool.close()


@pytest.mark.parametrize(
    ("status", "told", "faces", "woken"),
    [
        ("queued", 1, ["Рисую"], 1),
        ("processing", 1, ["Рисую"], 0),
        ("ready", 1, ["Рисую"], 0),
        ("delivered", 1, ["Рисую", DONE], 0),
        ("delivered", 0, ["Рисую"], 0),
    ],
)
async def test_whoever_has_shown_a_state_looks_once_more_what_became_of_the_order(
    desk: Desk, status: str, told: int, faces: list[str], woken: int
) -> None:
    """A picture that came is shown, unless a later edit is under way; a submitter passed over a row being written."""
    await desk.becomes(status)
    await desk.cards.waiting(SAID, PERSON, MESSAGE, desk.order, "Рисую", told)
    assert (desk.faces, desk.woken) == (faces, woken)


@pytest.mark.parametrize("since_s", [0.0, 3600.0])
@pytest.mark.parametrize(("status", "faces"), [("ready", []), ("delivered", [DONE])])
async def test_an_order_that_has_moved_on_is_not_shown_as_it_was(
    desk: Desk, status: str, faces: list[str], since_s: float
) -> None:
    """Whether there was something to be told of it or not; the lease is given back."""
    [wait] = await desk.cards.claim(9)
    await desk.becomes(status)
    await desk.cards.tell(replace(wait, since_s=since_s))
    assert desk.faces == faces
    assert await desk.orders.of("it", "told, tell_until") == (1, None)


async def test_of_an_order_that_is_drawn_in_time_nothing_is_told(desk: Desk) -> None:
    """It is looked at again when it would be late; the lease is given back."""
    [wait] = await desk.cards.claim(9)
    await desk.cards.tell(replace(wait, since_s=0.0))
    assert desk.faces == []
    assert await desk.orders.of("it", "told, tell_until, tell_at > now() + interval '1 minute'") == (1, None, True)


async def test_of_a_picture_that_is_there_nothing_else_is_told(desk: Desk) -> None:
    """Whoever was telling that it is late has died: it is not told now."""
    await desk.becomes("delivered")
    [wait] = await desk.cards.claim(9)
    await desk.cards.tell(wait)
    assert desk.faces == [DONE]


@pytest.mark.parametrize(
    ("error", "again_in_s"),
    [
        (TelegramForbiddenError(METHOD, "blocked"), None),
        (TelegramRetryAfter(METHOD, "wait", 600), 600),
        (TelegramNetworkError(METHOD, "away"), None),
    ],
)
async def test_an_edit_that_telegram_refuses_is_not_tried_again(
    desk: Desk, error: TelegramAPIError, again_in_s: int | None
) -> None:
    """After as long as it says the order is looked at anew; the lease is given back."""
    [wait] = await desk.cards.claim(9)
    desk.error = error
    await desk.cards.tell(wait)
    again = "round(extract(epoch FROM tell_at - now()))::int"
    assert await desk.orders.of("it", f"told, tell_until, {again}") == (2, None, again_in_s)
