"""Charges in Stars that an update tells of or Telegram's list shows, against the database alone."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiogram import Bot
from structlog.testing import capture_logs

from app.flows.purchases.charge_list import ChargeList
from app.flows.purchases.charges import Charges
from app.flows.purchases.settle import Settlement, Source
from app.gateways.stars import PAGE, Stars, Told
from tests.flows import OTHER, PERSON, Till, open_till

STARS: dict[str, Any] = {"gateway": "stars", "currency": "XTR", "shop_id": "4242", "test": False, "amount": 185}


class Listing(Bot):
    """Telegram, whose list holds these entries; `asked` are the places that it was read from."""

    def __init__(self) -> None:
        super().__init__("4242:a-token-of-the-tests")
        self.entries: list[object] = []
        self.asked: list[int] = []
        self.away = False

    async def __call__(self, method: Any, *_timeout: Any) -> Any:
        self.asked.append(method.offset)
        return {} if self.away else {"transactions": self.entries[method.offset :][: method.limit]}


@dataclass
class Ledger:
    """What takes charges and what reads the list; `wakes` counts how often the reader of the list was woken."""

    till: Till
    bot: Listing = field(default_factory=Listing)
    wakes: int = 0

    def __post_init__(self) -> None:
        stars, settlement = Stars(self.bot), Settlement(self.till.pool, self.till.settings, self.till.metrics, print)
        self.charges = Charges(self.till.pool, self.till.settings, stars, settlement, self.till.wake, self._wake)
        self.list = ChargeList(self.till.pool, self.till.settings, self.till.metrics, stars, self.charges)

    def _wake(self) -> None:
        self.wakes += 1

    async def invoice(self, **columns: Any) -> UUID:
        return await self.till.bought(**STARS | columns)

    async def tell(self, told: Told, source: Source = Source.UPDATE) -> None:
        await self.charges.take(told, source)

    async def read_on(self, position: int = 0) -> list[int]:
        """Reads the list on; the places that it was read from."""
        self.bot.asked.clear()
        await self.list.read_on(position)
        return self.bot.asked

    async def position(self) -> int:
        found: int = await self.till.rows.conn.fetchval("SELECT position FROM charge_lists WHERE shop_id = '4242'")
        return found

    async def states(self) -> list[tuple[Any, ...]]:
        rows = await self.till.rows.conn.fetch("SELECT status, amount, refunded FROM payments ORDER BY created_at, id")
        return [tuple(row) for row in rows]

    async def kinds(self) -> list[str]:
        return [kind for kind, _ in await self.till.owed()]


def charge(payment: object, charge_id: str = "t", **changes: Any) -> Told:
    """185 Stars of the person's for that payload."""
    return replace(Told(charge_id, PERSON, 185, "XTR", str(payment), refunded=False), **changes)


def entry(payload: object, charge_id: str = "t", side: str = "source") -> dict[str, object]:
    """The same in the list."""
    partner = {"user": {"id": PERSON}, "invoice_payload": str(payload), "transaction_type": "invoice_payment"}
    return {"id": charge_id, "amount": 185, "date": 1, side: partner}


GIFTS: list[object] = [{"id": "w", "amount": 5, "date": 1, "receiver": {"type": "new"}}]


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    async with open_till(database_url) as till:
        yield Ledger(till)


async def test_a_charge_is_credited_once_and_given_back_once_however_often_it_is_told_of(ledger: Ledger) -> None:
    """A refund may come without the payload; it bears the charge's number."""
    payment = await ledger.invoice()
    for _ in range(2):
        await ledger.tell(charge(payment))
    assert (await ledger.states(), await ledger.till.credits()) == ([("succeeded", 185, 0)], 20)
    for _ in range(2):
        await ledger.tell(charge("", refunded=True))
    assert (await ledger.states(), await ledger.till.credits()) == ([("refunded", 185, 185)], 10)
    assert (ledger.till.counted(), ledger.wakes) == ({"succeeded": 1, "refunded": 1}, 4)
    assert await ledger.kinds() == ["payment_succeeded", "payment_refunded"]


async def test_a_part_that_is_given_back_takes_its_share(ledger: Ledger) -> None:
    """What a refund comes to is not what the charge was."""
    payment = await ledger.invoice()
    await ledger.tell(charge(payment))
    await ledger.tell(charge(payment, amount=100, refunded=True))
    assert (await ledger.states(), await ledger.till.credits()) == ([("succeeded", 185, 100)], 15)


async def test_a_second_charge_for_an_invoice_is_a_purchase_of_its_own(ledger: Ledger) -> None:
    """Credited once as well, however often it is told of, and the operator hears of it once."""
    payment = await ledger.invoice()
    for charge_id in ("t", "u", "u", "t"):
        await ledger.tell(charge(payment, charge_id))
    assert (await ledger.states(), await ledger.till.credits()) == ([("succeeded", 185, 0)] * 2, 30)
    assert sorted(await ledger.kinds()) == ["alert_second_charge", "payment_succeeded", "payment_succeeded"]


@pytest.mark.parametrize("refunded", [False, True])
async def test_a_charge_of_another_amount_is_reviewed_and_told_once(ledger: Ledger, refunded: bool) -> None:
    """Also where only its refund is told of. That it was given back is no news of a payment that came too late."""
    payment = await ledger.invoice()
    for told in (refunded, refunded, True):
        await ledger.tell(charge(payment, amount=7, refunded=told))
    assert (await ledger.states(), await ledger.till.credits()) == ([("review", 185, 0)], 10)
    assert await ledger.kinds() == ["alert_payment_in_review"]


async def test_a_charge_for_another_tills_or_persons_purchase_is_nobodys(ledger: Ledger) -> None:
    """The person and the operator are told of each once; the purchases stay as they are."""
    others: list[dict[str, Any]] = [
        {"gateway": "yookassa", "currency": "RUB"},
        {"shop_id": "7"},
        {"user_id": OTHER},
        # Known by its number at Telegram, of a bot that was in use before
        {"shop_id": "7", "status": "review", "provider_id": "3", "poll_at": None},
    ]
    payments = [await ledger.invoice(**columns) for columns in others]
    before = await ledger.states()
    with capture_logs() as log:
        for number, payment in enumerate(payments * 2):
            await ledger.tell(charge(payment, str(number % len(others))))
    assert (await ledger.states(), ledger.till.woken) == (before, 2 * len(others))
    assert await ledger.kinds() == ["alert_stray_charge", "payment_stray"] * len(others)
    assert [line["event"] for line in log] == ["payment.stray"] * len(others)


async def test_nobodys_charge_is_told_of_where_it_can_have_been_ours_and_is_not_given_back(ledger: Ledger) -> None:
    """What the list shows of a program that sold through this bot before is kept, and no alarm."""
    foreign, like_ours = "another program's", str(uuid4())
    for source, payload, refunded, told in (
        (Source.UPDATE, foreign, False, True),
        (Source.UPDATE, like_ours, False, True),
        (Source.LIST, like_ours, False, True),
        (Source.LIST, foreign, False, False),
        (Source.UPDATE, like_ours, True, False),
    ):
        await ledger.till.rows.conn.execute("DELETE FROM outbox")
        charge_id = str(uuid4())
        await ledger.tell(charge(payload, charge_id, refunded=refunded), source)
        assert await ledger.kinds() == (["alert_stray_charge", "payment_stray"] if told else [])
        kept = "SELECT payload, refunded FROM stray_charges WHERE id = $1"
        assert tuple(await ledger.till.rows.conn.fetchrow(kept, charge_id) or ()) == (payload, refunded)


async def test_the_list_is_read_in_its_turn_where_stars_are_or_were_taken(ledger: Ledger) -> None:
    """What was charged before a backup was restored is found there as well."""
    assert await ledger.list.claim(9) == ()
    selling = Ledger(replace(ledger.till, settings=ledger.till.settings.model_copy(update={"payments": ("stars",)})))
    assert await selling.list.claim(9) == (0,)
    await ledger.invoice()
    assert await ledger.list.claim(9) == ()
    await ledger.till.rows.conn.execute("UPDATE charge_lists SET due_at = now()")
    assert await ledger.list.claim(9) == (0,)


async def test_the_list_is_read_on_from_a_little_before_where_it_was_read_to(ledger: Ledger) -> None:
    """Up to a page that is not full; one that is shorter than what was read of it is read anew the next time."""
    await ledger.till.rows.conn.execute("INSERT INTO charge_lists (shop_id) VALUES ('4242')")
    for held, position, asked, reached in (
        (0, 0, [0], 0),
        (10, 10, [0], 10),
        (250, 120, [70, 170], 250),
        # A whole page may be the last one
        (PAGE, 0, [0, PAGE], PAGE),
        (150, 100, [50, 150], 150),
        (60, 110, [60], 0),
        (80, 110, [60], 0),
        (9, 500, [450], 0),
    ):
        ledger.bot.entries = GIFTS * held
        assert (await ledger.read_on(position), await ledger.position()) == (asked, reached)


async def test_a_turn_reads_twenty_pages_of_the_list(ledger: Ledger) -> None:
    """The next one goes on; nothing of the list is passed over."""
    await ledger.till.rows.conn.execute("INSERT INTO charge_lists (shop_id) VALUES ('4242')")
    ledger.bot.entries = GIFTS * (PAGE * 20 + 1)
    assert await ledger.read_on() == [PAGE * page for page in range(20)]
    assert await ledger.position() == PAGE * 20


async def test_what_is_in_the_books_is_taken_from_the_list_no_more(ledger: Ledger) -> None:
    """A charge, then its refund, then neither: nobody's row is locked for what is known."""
    payment = await ledger.invoice()
    ledger.bot.entries = [entry(payment)]
    for entries, state, wakes in (
        ([], ("succeeded", 185, 0), 1),
        ([entry("", side="receiver")], ("refunded", 185, 185), 2),
    ):
        ledger.bot.entries += entries
        for _ in range(2):
            await ledger.read_on()
            assert (await ledger.states(), ledger.wakes) == ([state], wakes)
    assert await ledger.kinds() == ["payment_succeeded", "payment_refunded"]


async def test_an_invoice_that_nobody_has_paid_in_its_time_ends_though_the_list_cannot_be_read(
    ledger: Ledger,
) -> None:
    await ledger.invoice()
    ledger.bot.away = True
    await ledger.read_on()
    assert (await ledger.states(), ledger.till.counted()) == ([("abandoned", 185, 0)], {"abandoned": 1})
