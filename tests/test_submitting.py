"""What a submitter asks gen-api for, and what it does with each answer, against the database alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest

from app.catalog import MODELS
from app.clients.genapi import GenApi, NotAccepted, Request
from app.db import open_pool
from app.flows.orders.settle import Settling
from app.flows.orders.sources import Sources
from app.flows.orders.submit import Submitting
from app.metrics import Metrics
from app.pictures import Pictures
from app.repo import audit, credits, users
from app.repo.credits import Reason
from app.settings import Settings
from tests.flows import PERSON, flow_settings
from tests.post import METHOD, Post
from tests.rows import Rows, ahead

FORM, ADDRESS = "gpt-image-1", "gpt-image-2"


class Asked(GenApi):
    """gen-api, which takes every order, but for `error`; `first` is done before it answers."""

    def __init__(self) -> None:
        self.orders: list[Request] = []
        self.error: Exception | None = None
        self.first: tuple[Rows, str] | None = None

    async def create(self, request: Request) -> int:
        self.orders.append(request)
        if self.first is not None:
            rows, statement = self.first
            await rows.conn.execute(statement)
        if self.error is not None:
            raise self.error
        return len(self.orders)


@dataclass
class Desk:
    """Orders of one person who had ten credits, and the flow that submits them; `woken` counts how often it was."""

    orders: Rows
    settings: Settings
    submitting: Submitting
    gen_api: Asked
    post: Post
    woken: list[str] = field(default_factory=list)

    async def order(self, **columns: Any) -> UUID:
        """An order in the queue, paid with two credits."""
        order = uuid4()
        await self.orders.add(str(order), id=order, order_key=str(order), **columns)
        await credits.debit(self.orders.conn, PERSON, 2, Reason.ORDER, str(order))
        return order

    async def submitted(self, **columns: Any) -> UUID:
        """An order that a submitter has had in its hands."""
        order = await self.order(**columns)
        [claimed] = await self.submitting.claim(9)
        await self.submitting.submit(claimed)
        return order

    async def stands(self, order: UUID, columns: str = "status, failure") -> Any:
        return await self.orders.of(str(order), columns)


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    """Its books are audited at the end."""
    settings, metrics, gen_api, post = flow_settings(database_url), Metrics(), Asked(), Post()
    pool, woken = await open_pool(settings, 2), list[str]()
    sources = Sources(pool, cast("Bot", post), cast("Pictures", post), metrics)
    settling = Settling(pool, settings, metrics, gen_api, lambda: woken.append("deliverer"))
    submitting = Submitting(pool, settings, metrics, gen_api, sources, settling, lambda: woken.append("submitter"))
    async with pool.acquire() as conn:
        await users.visit(conn, PERSON)
        usual = {"user_id": PERSON, "model": FORM, "quality": "low", "size": "512x512", "price": 2, "prompt": "кот"}
        usual |= {"sources": ["one"], "request": '{"of": "the order"}', "deadline_at": ahead("1 hour")}
        yield Desk(Rows(conn, "generations", usual), settings, submitting, gen_api, post, woken)
        assert await audit.differences(conn) == []
    await pool.close()


@pytest.mark.parametrize("model", [FORM, ADDRESS])
async def test_an_order_is_asked_for_as_it_was_stored(desk: Desk, model: str) -> None:
    """With its pictures, or where gen-api finds them: as the model has it."""
    order = await desk.submitted(model=model, sources=["one", "two"])
    [asked] = desk.gen_api.orders
    assert asked.network == MODELS[model].network
    assert (asked.fields["prompt"], asked.fields["of"]) == ("кот", "the order")
    assert str(order) in str(asked.fields["callback_url"])
    addresses = asked.addresses or ()
    assert [str(order) in each for each in addresses] == ([True] * 2 if model == ADDRESS else [])
    assert [picture.data for picture in asked.pictures] == ([b"bytes"] * 2 if model == FORM else [])
    assert await desk.stands(order, "status, request_id") == ("processing", 1)


async def test_an_order_of_the_version_before_is_built_from_the_catalogue(desk: Desk) -> None:
    """Its row does not say what it is made of."""
    await desk.submitted(request=None, quality=None, sources=None, source_file_id="one")
    model, [asked] = MODELS[FORM], desk.gen_api.orders
    wanted = model.request("512x512", model.quality(None).key)
    assert {key: asked.fields[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("before", "retry_after_s", "delay_s"), [(3, 0, 16), (3, 9, 16), (3, 100, 100), (9, 0, 60), (9, 100, 100)]
)
async def test_what_gen_api_puts_off_waits_as_long_as_it_says_and_longer_each_time(
    desk: Desk, before: int, retry_after_s: float, delay_s: float
) -> None:
    """Whichever is longer; our own pause is a minute at most."""
    desk.gen_api.error = NotAccepted("busy", retry_after_s)
    order = await desk.submitted(attempt=before)
    status, due_in_s = await desk.stands(order, "status, LEAST(claimable_at, due_at) - now()")
    assert status == "queued"
    assert due_in_s == pytest.approx(delay_s, abs=3)


async def test_what_gen_api_puts_off_past_its_time_is_given_back(desk: Desk) -> None:
    desk.gen_api.error = NotAccepted("busy", 3600)
    order = await desk.submitted()
    assert await desk.stands(order) == ("failed", "deadline")


async def test_what_gen_api_puts_off_after_its_callback_is_left_alone(desk: Desk) -> None:
    """It was taken after all: another proxy's 503."""
    desk.gen_api.error = NotAccepted("busy", 3600)
    desk.gen_api.first = (desk.orders, "UPDATE generations SET request_id = 5")
    order = await desk.submitted()
    assert await desk.stands(order, "status, request_id") == ("submitting", 5)


async def test_an_order_whose_file_is_gone_is_not_asked_for(desk: Desk) -> None:
    """It is given back, and whoever submits looks for the next."""
    desk.post.errors = {"one": TelegramBadRequest(METHOD, "wrong file_id")}
    order = await desk.submitted()
    assert await desk.stands(order) == ("failed", "file_gone")
    assert desk.gen_api.orders == []
    assert desk.woken == ["deliverer", "submitter"]


async def test_of_one_person_no_more_are_begun_than_two_at_once(desk: Desk) -> None:
    """Each that is over makes room for one."""
    for _ in range(4):
        await desk.order()
    first, second = await desk.submitting.claim(9)
    assert await desk.submitting.claim(9) == []
    await desk.submitting.submit(first)
    [third] = await desk.submitting.claim(9)
    await desk.submitting.submit(second)
    await desk.submitting.submit(third)
    assert len(await desk.submitting.claim(9)) == 1
