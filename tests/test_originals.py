"""What becomes of an untouched file that was asked for and cannot be sent."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from aiogram import Bot

from app.clients.genapi import GenApi
from app.clients.results import Results, Unreachable
from app.flows.delivery import original
from app.flows.delivery.fetch import Fetching
from app.flows.delivery.original import OriginalLetters
from app.metrics import Metrics
from app.notices import Original, OriginalMissing
from app.pictures import Pictures
from app.repo.records import Message
from tests.flows import PERSON, Till, open_till
from tests.rows import NOW, Rows
from tests.world import TOKEN

NOWHERE = "http://127.0.0.1:1/api/v1"


@dataclass
class Desk:
    """Untouched files that a person has asked for, and the flow that sends them. Nobody answers it."""

    till: Till
    letters: OriginalLetters

    async def asked(self, order: object, sends: int = 0, failures: int = 0) -> Message:
        """A message that a lane has claimed."""
        notice = Original("press", str(order))
        rows = Rows(self.till.rows.conn, "outbox", {"id": ..., "chat_id": PERSON, "kind": notice.kind, "due_at": NOW})
        row = await rows.add("it", ref=notice.ref, payload=notice.payload(), attempt=1, sends=sends)
        return Message(row, PERSON, notice.kind, notice.ref, notice.payload(), 1, failures, sends, None)


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with open_till(database_url) as till:
        results = Results(NOWHERE)
        fetching = Fetching(Metrics(), results, GenApi(NOWHERE, "key"))
        yield Desk(till, OriginalLetters(till.pool, Bot(TOKEN), Pictures(), fetching, till.wake))
        await results.close()


@pytest.mark.parametrize("sends", [0, 1])
async def test_a_file_that_is_there_no_more_is_told_of_by_whether_it_may_have_arrived(desk: Desk, sends: int) -> None:
    """Its picture was forgotten since the press; a send whose outcome nobody knows is not repeated."""
    await desk.letters.send(await desk.asked(uuid4(), sends))
    assert (await desk.till.owed())[1:] == [(OriginalMissing.kind, {"perhaps": sends == 1})]
    assert await desk.till.rows.conn.fetchval("SELECT status FROM outbox WHERE kind = $1", Original.kind) == "dropped"
    assert desk.till.woken == 1


@pytest.mark.parametrize(("failures", "error"), [(0, TimeoutError), (1, Unreachable)])
async def test_a_file_has_more_time_after_its_first_try(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, failures: int, error: type[Exception]
) -> None:
    """The lane of first tries, and its lease, are for what comes quickly: here no time at all."""
    monkeypatch.setattr(original, "PREPARE_S", {False: 0, True: 60})
    await desk.till.spend(2)
    picture = "UPDATE generations SET prompt = 'кот', sources = '{x}', result_url = $1 RETURNING id"
    order = await desk.till.rows.conn.fetchval(picture, NOWHERE)
    with pytest.raises(error):
        await desk.letters.send(await desk.asked(order, failures=failures))
