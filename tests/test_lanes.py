"""What becomes of a message, whatever its sending ends in: sent, put off, parked or given up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import cast

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramForbiddenError, TelegramNetworkError, TelegramRetryAfter
from aiogram.methods import SendMessage
from structlog.testing import capture_logs

from app.clients.results import LinkDead
from app.flows.delivery.hosts import ILL_AFTER, ILL_SLOTS, WELL_SLOTS, Full, Hosts
from app.flows.delivery.lanes import LANES, LAST_FAILURE, PICTURES, RETRIES, TEXTS, Busy, lanes
from app.flows.delivery.text import TextLetters
from app.notices import KINDS, MessageDropped, Notice, OldAlert, OrderFailed, Original, PaymentCanceled, Picture
from app.repo.records import Message, Pool
from tests.flows import OPERATOR, PERSON, open_till
from tests.rows import NOW, Rows

KIND = OrderFailed.kind
METHOD = SendMessage(chat_id=PERSON, text="x")


@dataclass
class Post:
    """Letters whose sending ends in `error`, if in any; `log` is what was tried and given up."""

    error: BaseException | None = None
    log: list[str] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        self.log.append(f"send {message.failures}")
        if self.error is not None:
            raise self.error

    async def give_up(self, message: Message, error: Exception | None) -> None:
        self.log.append(f"give up {message.failures} {type(error).__name__}")


@dataclass
class Round:
    """A lane of texts and one message in it."""

    pool: Pool
    rows: Rows
    post: Post = field(default_factory=Post)

    async def deliver(self, error: BaseException | None, failures: int = 0) -> tuple[int, float]:
        """The failures that are counted after it, and in how many seconds it is due again."""
        self.post.error = error
        await self.rows.conn.execute("DELETE FROM outbox")
        await self.rows.add("it", chat_id=PERSON, kind=KIND, ref="r", due_at=NOW, failures=failures)
        lane = lanes(self.pool, {KIND: self.post}, lambda: None)[0]
        [message] = await lane.claim(9)
        await lane.deliver(message)
        left = "failures, CASE WHEN due_at < 'infinity' THEN round(extract(epoch FROM due_at - now())) ELSE -1 END::int"
        counted, due_in = await self.rows.of("it", left)
        return counted, float(due_in)


@pytest.fixture
async def turn(database_url: str) -> AsyncIterator[Round]:
    async with open_till(database_url) as till:
        yield Round(till.pool, Rows(till.rows.conn, "outbox", {"id": ...}))


@pytest.mark.parametrize(
    ("error", "failures", "expected"),
    [
        (TelegramNetworkError(METHOD, "away"), 0, (1, 2)),
        (TelegramNetworkError(METHOD, "away"), 3, (4, 16)),
        (TelegramNetworkError(METHOD, "away"), 12, (13, 300)),
        (ValueError("a bug"), 0, (1, 2)),
        (TelegramRetryAfter(METHOD, "wait", 7), 3, (3, 7)),
        (Busy(), 3, (3, 1)),
        (TelegramForbiddenError(METHOD, "blocked"), 3, (3, -1)),
    ],
)
async def test_a_message_that_was_not_sent_is_put_off_by_what_it_ended_in(
    turn: Round, error: Exception, failures: int, expected: tuple[int, float]
) -> None:
    """Ever later for a failure, as long as Telegram says, a second for somebody else's turn; parked by a block."""
    with capture_logs() as log:
        assert await turn.deliver(error, failures) == expected
    events = [line["event"] for line in log]
    assert ("delivery.broken" in events) == isinstance(error, ValueError)
    assert ("delivery.postponed" in events) == (expected[1] != -1 and not isinstance(error, Busy))


@pytest.mark.parametrize(
    ("failures", "log"),
    [
        (LAST_FAILURE - 2, [f"send {LAST_FAILURE - 2}"]),
        (LAST_FAILURE - 1, [f"send {LAST_FAILURE - 1}", f"give up {LAST_FAILURE - 1} ValueError"]),
        (LAST_FAILURE, [f"give up {LAST_FAILURE} NoneType"]),
    ],
)
async def test_the_last_failure_gives_a_message_up(turn: Round, failures: int, log: list[str]) -> None:
    """One that has had it already was ended by a kill, and is not tried again."""
    await turn.deliver(ValueError(), failures)
    assert turn.post.log == log


async def test_what_the_end_of_the_process_cuts_short_is_due_at_once(turn: Round) -> None:
    with pytest.raises(asyncio.CancelledError):
        await turn.deliver(asyncio.CancelledError(), 3)
    assert await turn.rows.of("it", "failures, due_at <= now()") == (3, True)


@pytest.mark.parametrize(
    ("notice", "attempt", "expected"),
    [
        (PaymentCanceled("1", "p200", "x"), 1, ("dropped", [OPERATOR])),
        (PaymentCanceled("1", "p200", "x"), 2, ("pending", [])),
        (OldAlert("1", "x"), 1, ("dropped", [])),
    ],
)
async def test_operators_are_told_of_a_sentence_that_is_given_up_unless_it_is_an_alert(
    database_url: str, notice: Notice, attempt: int, expected: tuple[str, list[int]]
) -> None:
    """Nor by a deliverer that has lost its lease: another may be saying it just now."""
    async with open_till(database_url) as till:
        message, conn = await till.claimed(notice), till.rows.conn
        await conn.execute("UPDATE outbox SET attempt = $1", attempt)
        await TextLetters(till.pool, till.settings, cast("Bot", None)).give_up(message, None)
        status = await conn.fetchval("SELECT status FROM outbox WHERE id = $1", message.id)
        told = await conn.fetch("SELECT chat_id FROM outbox WHERE kind = $1", MessageDropped.kind)
        assert (status, [row["chat_id"] for row in told]) == expected


def test_every_kind_has_lanes_of_its_own() -> None:
    """Pictures and untouched files one for the first try and one for those after it, all else one."""
    for kind in KINDS:
        fetched = kind in (Picture.kind, Original.kind)
        assert [lane for lane in LANES if kind in lane.kinds] == ([PICTURES, RETRIES] if fetched else [TEXTS])


def _fails(seen: Hosts, ref: str, error: Exception) -> None:
    with pytest.raises(type(error)), seen.fetching("https://a.example/x", ref, 0):
        raise error


def test_a_first_try_is_short_and_those_after_it_ever_longer() -> None:
    patience = []
    for failures in (0, 1, 2, 3, 9):
        with Hosts().fetching("https://a.example/x", "r", failures) as seconds:
            patience.append(seconds)
    assert patience == [6, 12, 24, 30, 30]


def test_a_host_of_which_three_pictures_fail_is_ill_until_it_answers() -> None:
    """Ill, it gets few slots and little patience on first tries; the same picture again is no second one."""
    seen = Hosts()
    for refs, expected in (("122", (WELL_SLOTS, 6)), ("123", (ILL_SLOTS, 3)), ("45", (WELL_SLOTS, 6))):
        for ref in refs:
            _fails(seen, ref, TimeoutError())
        assert _takes(seen) == expected
    for ref in "123":
        _fails(seen, ref, TimeoutError())
    with pytest.raises(TimeoutError), seen.fetching("https://a.example/x", "r", 1) as patience:
        raise TimeoutError
    assert patience == 12
    _fails(seen, "4", LinkDead())
    assert _takes(seen) == (WELL_SLOTS, 6)
    assert ILL_AFTER == 3


def _takes(seen: Hosts) -> tuple[int, float]:
    """How many first tries the host gets at once, and the patience with them. All of them succeed: it is well then."""
    with ExitStack() as stack:
        for number in range(99):
            try:
                patience = stack.enter_context(seen.fetching("https://a.example/x", "r", 0))
            except Full:
                return number, patience
    raise AssertionError("there is no end of slots")


def test_a_try_gives_back_its_own_slot_and_nobody_elses() -> None:
    """Of two at once the one that ends first; and a later try, which had none."""
    seen = Hosts()
    with seen.fetching("https://a.example/x", "r", 0):
        for failures in (0, 1):
            with seen.fetching("https://a.example/x", "r", failures):
                pass
        assert _takes(seen)[0] == WELL_SLOTS - 1
    assert _takes(seen)[0] == WELL_SLOTS


def test_tries_after_the_first_take_no_slot_and_other_hosts_have_their_own() -> None:
    """Nor do they wait for one: their lane is theirs to fill."""
    seen = Hosts()
    with ExitStack() as stack:
        for _ in range(WELL_SLOTS + 1):
            stack.enter_context(seen.fetching("https://a.example/x", "r", 1))
        assert _takes(seen)[0] == WELL_SLOTS
        for _ in range(WELL_SLOTS):
            stack.enter_context(seen.fetching("https://a.example/x", "r", 0))
        stack.enter_context(seen.fetching("https://a.example/x", "r", 1))
    with seen.fetching("https://b.example/x", "r", 0), seen.fetching("no address at all: [", "r", 0):
        pass
