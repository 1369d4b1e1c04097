"""What becomes of an untouched file that was asked for: it is sent, or the person is told that it cannot be."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiogram.exceptions import TelegramBadRequest, TelegramNetworkError
from aiogram.methods import SendDocument
from structlog.testing import capture_logs

from app.flows.delivery import original
from app.flows.delivery.original import OriginalLetters
from app.flows.history import History, Owed
from app.notices import Original, OriginalMissing
from app.repo.records import Message
from tests.flows import OTHER, PERSON, Till, open_till
from tests.outside import Outside, outside

METHOD = SendDocument(chat_id=1, document="x")


@dataclass
class Desk:
    """Untouched files that a person has asked for, and the flow that sends them."""

    till: Till
    there: Outside
    letters: OriginalLetters

    async def drawn(self, path: str | None = "/picture", **columns: Any) -> UUID:
        """A picture that was delivered, whose file is there."""
        return await self.till.drawn(result_url=path and self.there.host + path, **columns)

    async def asked(self, order: UUID, sends: int = 0, failures: int = 0) -> Message:
        return await self.till.claimed(Original("press", str(order)), sends, failures)

    async def of_the_message(self, columns: str) -> Any:
        """What has become of what was asked for."""
        row = await self.till.rows.conn.fetchrow(f"SELECT {columns} FROM outbox WHERE kind = $1", Original.kind)
        return tuple(row or ())

    async def told(self) -> list[dict[str, Any]]:
        """What the person is owed in its place."""
        return [payload for kind, payload in await self.till.owed() if kind == OriginalMissing.kind]


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with open_till(database_url) as till, outside() as there:
        yield Desk(till, there, OriginalLetters(till.pool, there.telegram, there.pictures, there.fetching, till.wake))


@pytest.mark.parametrize("sends", [0, 1])
async def test_a_file_that_is_there_no_more_is_told_of_by_whether_it_may_have_arrived(desk: Desk, sends: int) -> None:
    """Its picture was forgotten since the press; a send whose outcome nobody knows is not repeated."""
    await desk.letters.send(await desk.asked(uuid4(), sends))
    assert await desk.told() == [{"perhaps": sends == 1}]
    assert await desk.of_the_message("status") == ("dropped",)
    assert desk.till.woken == 1


@pytest.mark.parametrize("sends", [0, 1])
async def test_a_file_that_is_given_up_is_told_of_by_whether_it_may_have_arrived(desk: Desk, sends: int) -> None:
    """After the last failure the person learns whether to look for it further up."""
    await desk.letters.give_up(await desk.asked(uuid4(), sends), ValueError())
    assert await desk.told() == [{"perhaps": sends == 1}]


async def test_a_deliverer_that_has_lost_its_lease_tells_of_no_file(desk: Desk) -> None:
    """Another one is sending it just now."""
    message = await desk.asked(uuid4())
    await desk.till.rows.conn.execute("UPDATE outbox SET attempt = 2")
    await desk.letters.send(message)
    assert await desk.told() == []
    assert await desk.of_the_message("status") == ("pending",)


@pytest.mark.parametrize(
    ("path", "request_id", "fresh", "asked"),
    [
        (None, 7, "/picture", 0),
        ("/gone", None, "/picture", 0),
        ("/gone", 7, None, 1),
        ("/gone", 7, "/gone", 1),
        ("/page", 7, "/picture", 0),
    ],
)
async def test_a_file_that_nobody_has_is_told_of(
    desk: Desk, path: str | None, request_id: int | None, fresh: str | None, asked: int
) -> None:
    """gen-api is asked once where a link is dead, and about nothing that it has no number for."""
    order = await desk.drawn(path, request_id=request_id)
    desk.there.fresh = fresh
    await desk.letters.send(await desk.asked(order))
    assert (await desk.told(), desk.there.asked, desk.there.calls) == ([{"perhaps": False}], asked, [])


async def test_a_fresh_link_is_kept_once_it_has_brought_the_file(desk: Desk) -> None:
    """The next press needs no word of gen-api."""
    order = await desk.drawn("/gone", request_id=7)
    desk.there.fresh = "/elsewhere"
    await desk.letters.send(await desk.asked(order))
    assert await desk.of_the_message("status, sends") == ("sent", 1)
    assert await desk.till.rows.conn.fetchval("SELECT result_url FROM generations") == f"{desk.there.host}/elsewhere"


@pytest.mark.parametrize(
    ("known", "name", "kept"),
    [(None, "a document", "a document"), ("a photo", "a document", "a photo"), (None, None, None)],
)
async def test_what_telegram_calls_a_file_is_kept_where_the_picture_has_no_name_yet(
    desk: Desk, known: str | None, name: str | None, kept: str | None
) -> None:
    """It is shown by that name from the history; an answer may also have none."""
    order = await desk.drawn(result_file_id=known)
    desk.there.names["document"] = name
    await desk.letters.send(await desk.asked(order))
    assert await desk.of_the_message("status") == ("sent",)
    assert await desk.till.rows.conn.fetchval("SELECT result_file_id FROM generations") == kept


@pytest.mark.parametrize("arrives", [False, True])
async def test_a_send_that_came_to_nothing_for_certain_is_made_again(desk: Desk, arrives: bool) -> None:
    """One whose last byte went out may have shown the file: it stays noted, and is not repeated."""
    message = await desk.asked(await desk.drawn())
    desk.there.arrives, desk.there.errors["document"] = arrives, TelegramNetworkError(METHOD, "away")
    with pytest.raises(TelegramNetworkError):
        await desk.letters.send(message)
    assert await desk.of_the_message("status, sends") == ("pending", int(arrives))


async def test_a_file_that_telegram_refuses_is_told_of(desk: Desk) -> None:
    message = await desk.asked(await desk.drawn())
    desk.there.errors["document"] = TelegramBadRequest(METHOD, "no")
    await desk.letters.send(message)
    assert await desk.told() == [{"perhaps": False}]


async def test_a_file_is_not_sent_by_whoever_has_lost_its_lease_while_fetching_it(desk: Desk) -> None:
    """Another one sends it: it would come twice."""
    message = await desk.asked(await desk.drawn())
    await desk.till.rows.conn.execute("UPDATE outbox SET attempt = 2")
    await desk.letters.send(message)
    assert desk.there.calls == []
    assert await desk.of_the_message("status, sends") == ("pending", 0)


@pytest.mark.parametrize(("failures", "calls"), [(0, []), (1, ["document"])])
async def test_a_file_has_more_time_after_its_first_try(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, failures: int, calls: list[str]
) -> None:
    """The lane of first tries, and its lease, are for what comes quickly: here no time at all."""
    monkeypatch.setattr(original, "PREPARE_S", {False: 0, True: 60})
    message = await desk.asked(await desk.drawn(), failures=failures)
    if calls:
        await desk.letters.send(message)
    else:
        with pytest.raises(TimeoutError):
            await desk.letters.send(message)
    assert desk.there.calls == calls


async def test_a_wish_wakes_the_deliverer_once(desk: Desk) -> None:
    """Pressing again while the file is on its way is the same wish; the picture of somebody else is none."""
    past, order = History(desk.till.pool, desk.till.wake), await desk.till.drawn(result_url="https://host/x.png")
    with capture_logs() as log:
        answers = [await past.owe_original(PERSON, order, press) for press in ("first", "first", "second")]
    assert answers == [Owed.COMES] * 3
    assert await past.owe_original(OTHER, order, "third") is Owed.UNKNOWN
    assert desk.till.woken == [line["event"] for line in log].count("original.asked_for") == 1
