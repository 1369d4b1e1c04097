"""How a picture that is ready comes to its person: fetched, sent, noted; or its order ends."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramNetworkError, TelegramServerError
from aiogram.methods import SendPhoto
from structlog.testing import capture_logs

from app.flows.cards import Cards
from app.flows.delivery import picture
from app.flows.delivery.picture import PictureLetters
from app.flows.orders.settle import Settling
from app.flows.orders.waiting import Waiting
from app.notices import OrderFailed, Picture, PictureRefused
from app.repo.records import Message
from tests.flows import Till, open_till
from tests.outside import PICTURE, Outside, outside

METHOD = SendPhoto(chat_id=1, photo="x")
AWAY, REFUSED = TelegramNetworkError(METHOD, "away"), TelegramBadRequest(METHOD, "no")
CARD = 7


@dataclass
class Desk:
    """A picture that is ready, and the flow that shows it."""

    till: Till
    there: Outside
    letters: PictureLetters

    async def ready(self, path: str = "/picture", **columns: Any) -> UUID:
        """An order whose picture lies there; `columns` say what differs."""
        changes = {"status": "ready", "finished_at": None, "size": "1024x1024", "result_url": self.there.host + path}
        return await self.till.drawn(**changes | columns)

    async def owed(self, order: UUID, sends: int = 0, failures: int = 0) -> Message:
        return await self.till.claimed(Picture(str(order)), sends, failures)

    async def ended(self) -> tuple[str, str, int]:
        """How the order stands, and the message: its sends as well."""
        conn = self.till.rows.conn
        row = await conn.fetchrow("SELECT status, sends FROM outbox WHERE kind = $1", Picture.kind)
        assert row is not None
        return await conn.fetchval("SELECT status FROM generations"), row["status"], row["sends"]

    async def told(self) -> list[str]:
        """The kinds of what is owed because of it."""
        return [kind for kind, _ in await self.till.owed() if kind != Picture.kind]


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with open_till(database_url) as till, outside() as there:
        pool, metrics = till.pool, till.metrics
        settling = Settling(pool, till.settings, metrics, there.gen_api, till.wake)
        cards = Cards(pool, there.telegram, Waiting(pool), till.wake)
        through = there.telegram, there.fetching, there.pictures
        yield Desk(till, there, PictureLetters(pool, metrics, *through, settling, cards))


async def test_a_picture_that_was_delivered_is_not_shown_again(desk: Desk) -> None:
    await desk.letters.send(await desk.owed(await desk.till.drawn()))
    assert await desk.ended() == ("delivered", "dropped", 0)
    assert desk.there.calls == []


async def test_a_picture_that_nobody_knows_of_is_dropped(desk: Desk) -> None:
    """It is not tried for an hour."""
    await desk.letters.send(await desk.owed(uuid4()))
    assert await desk.till.rows.conn.fetchval("SELECT status FROM outbox") == "dropped"


@pytest.mark.parametrize(("failures", "calls"), [(0, []), (1, ["photo"])])
async def test_a_picture_has_more_time_after_its_first_try(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, failures: int, calls: list[str]
) -> None:
    """The lane of first tries, and its lease, are for what comes quickly: here no time at all."""
    monkeypatch.setattr(picture, "PREPARE_S", {False: 0, True: 60})
    message = await desk.owed(await desk.ready(), failures=failures)
    if calls:
        await desk.letters.send(message)
    else:
        with pytest.raises(TimeoutError):
            await desk.letters.send(message)
    assert desk.there.calls == calls


@pytest.mark.parametrize(
    ("error", "told"), [(AWAY, [PictureRefused.kind, OrderFailed.kind]), (ValueError(), [OrderFailed.kind])]
)
async def test_operators_hear_of_a_picture_that_is_given_up_where_telegram_did_not_take_it(
    desk: Desk, error: Exception, told: list[str]
) -> None:
    """Not where no host had it; the price goes back either way."""
    await desk.letters.give_up(await desk.owed(await desk.ready()), error)
    assert (await desk.told(), await desk.till.credits()) == (told, 10)


@pytest.mark.parametrize(
    ("path", "columns", "fresh", "asked"),
    [
        ("/gone", {"request_id": None}, "/picture", 0),
        ("/gone", {"request_id": 7, "result_refreshed": True}, "/picture", 0),
        ("/gone", {"request_id": 7}, None, 1),
        ("/gone", {"request_id": 7}, "/gone", 1),
        ("/page", {"request_id": 7}, "/picture", 0),
    ],
)
async def test_a_picture_that_nobody_has_is_paid_back(
    desk: Desk, path: str, columns: dict[str, Any], fresh: str | None, asked: int
) -> None:
    """gen-api is asked for one fresh link in place of a dead one, and about nothing that it has no number for."""
    desk.there.fresh = fresh
    await desk.letters.send(await desk.owed(await desk.ready(path, **columns)))
    assert await desk.ended() == ("failed", "dropped", 0)
    assert (desk.there.asked, desk.there.calls, await desk.told()) == (asked, [], [OrderFailed.kind])
    assert await desk.till.credits() == 10


async def test_a_picture_is_fetched_from_the_fresh_link(desk: Desk) -> None:
    desk.there.fresh = "/picture"
    await desk.letters.send(await desk.owed(await desk.ready("/gone", request_id=7)))
    assert await desk.ended() == ("delivered", "sent", 1)


async def test_a_picture_is_not_sent_by_whoever_has_lost_its_lease_while_fetching_it(desk: Desk) -> None:
    """Another one sends it: it would come twice."""
    message = await desk.owed(await desk.ready())
    await desk.till.rows.conn.execute("UPDATE outbox SET attempt = 2")
    await desk.letters.send(message)
    assert await desk.ended() == ("ready", "pending", 0)
    assert desk.there.calls == []


@pytest.mark.parametrize(
    ("error", "arrives", "sends", "ended"),
    [
        (AWAY, False, 0, ("ready", "pending", 0)),
        (AWAY, False, 1, ("ready", "pending", 1)),
        (AWAY, True, 0, ("ready", "pending", 1)),
        (AWAY, True, 1, ("delivered", "sent", 2)),
        (None, True, 2, ("delivered", "sent", 2)),
        (TelegramServerError(METHOD, "502"), True, 0, ("ready", "pending", 0)),
        (ValueError("a page in place of an answer"), True, 0, ("ready", "pending", 1)),
        (asyncio.CancelledError(), True, 1, ("ready", "pending", 2)),
    ],
    ids=str,
)
async def test_a_send_is_noted_as_long_as_it_may_have_arrived_and_there_is_no_third(
    desk: Desk, error: BaseException | None, arrives: bool, sends: int, ended: tuple[str, str, int]
) -> None:
    """After two of them the picture is taken for shown, unless the process ends just then."""
    message = await desk.owed(await desk.ready(), sends)
    desk.there.arrives = arrives
    if error is not None:
        desk.there.errors["photo"] = error
    if ended[0] == "ready":
        assert error is not None
        with pytest.raises(type(error)):
            await desk.letters.send(message)
    else:
        with capture_logs() as log:
            await desk.letters.send(message)
        assert [line["answered"] for line in log if line["event"] == "generation.delivered"] == [False]
    assert await desk.ended() == ended
    assert desk.there.calls == (["photo"] if sends < 2 else [])


@pytest.mark.parametrize(
    ("more", "errors", "calls", "status"),
    [
        (0, {}, ["photo"], "delivered"),
        (-1, {}, ["document"], "delivered"),
        (0, {"photo": REFUSED}, ["photo", "document"], "delivered"),
        (0, {"photo": REFUSED, "document": REFUSED}, ["photo", "document"], "failed"),
    ],
)
async def test_what_cannot_be_a_photo_goes_as_a_document(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    more: int,
    errors: dict[str, TelegramAPIError],
    calls: list[str],
    status: str,
) -> None:
    """What is too large for one, or refused as one; refused as both, it is paid back and the operators hear of it."""
    monkeypatch.setattr(picture, "PHOTO_LIMIT", len(PICTURE) + more)
    desk.there.errors.update(errors)
    with capture_logs() as log:
        await desk.letters.send(await desk.owed(await desk.ready()))
    assert (desk.there.calls, (await desk.ended())[0]) == (calls, status)
    assert [line["answered"] for line in log if line["event"] == "generation.delivered"] == [True] * (
        status != "failed"
    )
    failed = [PictureRefused.kind, OrderFailed.kind]
    assert await desk.told() == (failed if status == "failed" else [])
    kept = await desk.till.rows.conn.fetchval("SELECT result_file_id FROM generations")
    assert kept == (f"a {calls[-1]}" if status == "delivered" else None)


@pytest.mark.parametrize("kind", ["photo", "document"])
async def test_an_answer_without_a_name_for_the_picture_is_an_answer(desk: Desk, kind: str) -> None:
    """It was shown: nothing is sent again."""
    desk.there.names[kind] = None
    desk.there.errors.update({"photo": REFUSED} if kind == "document" else {})
    await desk.letters.send(await desk.owed(await desk.ready()))
    assert await desk.ended() == ("delivered", "sent", 1)


@pytest.mark.parametrize(("card", "told", "edits"), [(CARD, 1, ["edit"]), (CARD, 2, []), (None, 1, [])])
async def test_the_card_says_that_the_picture_has_come_unless_somebody_is_just_telling_of_it(
    desk: Desk, card: int | None, told: int, edits: list[str]
) -> None:
    """Whoever is telling says it as well, and orders of before have no card."""
    order = await desk.ready(card_message_id=card, told=told)
    await desk.till.rows.conn.execute("UPDATE generations SET tell_until = now() + interval '1 minute'")
    await desk.letters.send(await desk.owed(order))
    assert desk.there.calls == ["photo", *edits]


async def test_an_order_that_ended_while_its_picture_was_sent_is_counted_once(desk: Desk) -> None:
    """By whoever ended it; the card says what the chat shows."""
    order = await desk.ready(card_message_id=CARD)

    async def ends() -> None:
        await desk.till.rows.conn.execute("UPDATE generations SET status = 'delivered', finished_at = now()")

    desk.there.meanwhile = ends
    with capture_logs() as log:
        await desk.letters.send(await desk.owed(order))
    assert await desk.ended() == ("delivered", "sent", 1)
    assert "generation.delivered" not in [line["event"] for line in log]
    assert desk.there.calls == ["photo", "edit"]
