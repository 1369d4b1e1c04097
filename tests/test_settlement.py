"""What a gateway says of a charge becomes of the books, of what is owed, and of what is counted: word by word."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from app.db import transaction
from app.flows.purchases.settle import NOTHING, Settlement
from app.gateways.port import Charge, Status
from app.repo import payments, subscriptions
from tests.flows import OTHER, PERSON, Till, open_till


@pytest.fixture
async def till(database_url: str) -> AsyncIterator[Till]:
    async with open_till(database_url) as opened:
        yield opened


async def test_a_charge_that_is_not_this_purchases_changes_nothing(till: Till) -> None:
    """A purchase that there is not, another purchase's charge, another person's: not even a count."""
    payment = await till.bought()
    await till.told(uuid4())
    for changes in ({"payment_id": uuid4()}, {"user_id": OTHER}, {"payment_id": None}, {"user_id": None}):
        await till.told(payment, **changes)
    assert (await till.owed(), till.counted(), till.woken, await till.credits()) == ([], {}, 0, 10)
    await till.told(payment, Status.ODD)
    assert (await till.owed(), till.counted()) == ([], {})


async def test_a_link_is_owed_where_nobody_waits_for_it_and_there_is_one(till: Till) -> None:
    """Once: what has its link is not linked again."""
    for owed, url, kinds in ((True, None, []), (False, "u", []), (True, "u", ["payment_link"])):
        payment = await till.bought()
        for _ in range(2):
            await till.told(payment, Status.PENDING, owed, url=url, id=str(payment))
        assert [kind for kind, _ in await till.owed()] == kinds
    assert till.counted() == {"linked": 3}


@pytest.mark.parametrize(("attempts", "address", "kept"), [(1, None, True), (2, None, False), (2, "a@b.example", True)])
async def test_an_address_that_was_removed_goes_out_of_a_text_that_had_to_be_sent_again(
    till: Till, attempts: int, address: str | None, kept: bool
) -> None:
    """Not where it was sent once alone, nor where the person has an address."""
    payment = await till.bought(attempts=attempts)
    await till.rows.conn.execute("UPDATE users SET email = $1 WHERE id = $2", address, PERSON)
    await till.told(payment, Status.PENDING, url="u")
    assert ("a@b.example" in await till.rows.of(str(payment), "request::text")) == kept


async def test_a_cancellation_is_told_of_once_with_its_reason(till: Till) -> None:
    for reason, told in (("fraud", "fraud"), (None, "unknown")):
        payment = await till.bought()
        for _ in range(2):
            await till.told(payment, Status.CANCELED, cancel_reason=reason, id=str(payment))
        assert (await till.owed())[-1][1]["reason"] == told
    assert (len(await till.owed()), till.counted()) == (2, {"canceled": 2})


@pytest.mark.parametrize(
    ("changes", "test", "difference"),
    [
        ({"amount": 19_999}, True, "amount"),
        ({"currency": "EUR"}, True, "amount"),
        ({"shop_id": "2"}, True, "shop"),
        ({"test": False}, True, "not_test"),
        ({"test": True}, False, "test"),
    ],
)
async def test_what_was_paid_otherwise_is_reviewed_and_the_operator_told_once(
    till: Till, changes: dict[str, Any], test: bool, difference: str
) -> None:
    payment = await till.bought(test=test)
    for _ in range(2):
        await till.told(payment, **{"test": test} | changes)
    [(kind, payload)] = await till.owed()
    assert (kind, payload["difference"]) == ("alert_payment_in_review", difference)
    assert (till.counted(), await till.credits()) == ({"review": 1}, 10)


async def test_a_payment_is_credited_once_and_counted_by_what_showed_it(till: Till) -> None:
    payment = await till.bought()
    for _ in range(2):
        await till.told(payment)
    assert (till.counted(), await till.credits()) == ({"succeeded": 1}, 20)
    assert [kind for kind, _ in await till.owed()] == ["payment_succeeded", "receipt_offer"]
    assert till.metrics.registry.get_sample_value("bot_payments_confirmed_total", {"source": "poll"}) == 1


async def test_a_payment_of_what_is_closed_is_told_to_the_operator_and_not_credited(till: Till) -> None:
    payment = await till.bought(status="canceled", poll_at=None)
    await till.told(payment)
    assert [kind for kind, _ in await till.owed()] == ["alert_payment_late"]
    assert (till.counted(), await till.credits()) == ({"late": 1}, 10)


@pytest.mark.parametrize(
    ("receipts", "address", "columns"),
    [
        ("", None, {}),
        ("shop@example.com", "a@b.example", {}),
        ("shop@example.com", None, {"gateway": "stars", "currency": "XTR"}),
    ],
)
async def test_no_address_is_asked_for_where_no_receipt_is_sent_or_one_is_known(
    till: Till, receipts: str, address: str | None, columns: dict[str, Any]
) -> None:
    till.settings = till.settings.model_copy(update={"yookassa_receipt_email": receipts})
    await till.rows.conn.execute("UPDATE users SET email = $1", address)
    await till.told(await till.bought(**columns), currency=columns.get("currency", "RUB"))
    assert [kind for kind, _ in await till.owed()] == ["payment_succeeded"]


async def test_an_address_is_asked_for_after_the_first_payment_alone(till: Till) -> None:
    for payment in (await till.bought(), await till.bought()):
        await till.told(payment, id=str(payment))
    assert [kind for kind, _ in await till.owed()] == ["payment_succeeded", "receipt_offer", "payment_succeeded"]


async def test_a_refund_takes_its_share_once_rounded_down_and_what_is_short_is_noted(till: Till) -> None:
    """Ten credits for 200 roubles: 50.01 of them are two and a half, and what was spent is missing."""
    payment = await till.bought()
    await till.told(payment)
    state = "status, refunded, credits_taken, credits_short"
    for _ in range(2):
        await till.told(payment, refunded=5_001)
        assert await till.rows.of(str(payment), state) == ("succeeded", 5_001, 2, 0)
    assert await till.credits() == 18
    await till.spend(13)
    for _ in range(2):
        await till.told(payment, refunded=99_999)
        assert await till.rows.of(str(payment), state) == ("refunded", 20_000, 7, 3)
    assert (till.counted(), await till.credits()) == ({"succeeded": 1, "refunded_in_part": 1, "refunded": 1}, 0)
    refunds = [payload for kind, payload in await till.owed() if kind == "payment_refunded"]
    assert [(one["taken"], one["short"], one["full"]) for one in refunds] == [(2, 0, False), (5, 3, True)]


async def test_a_second_refund_asks_for_no_credit_that_the_first_was_short_of(till: Till) -> None:
    """A part of the money leaves the days, the whole takes them; what is missing is missing once."""
    payment = await till.bought()
    await till.told(payment)
    await till.spend(19)
    for refunded, taken, short in ((5_000, 1, 1), (10_000, 1, 4)):
        await till.told(payment, refunded=refunded)
        assert await till.rows.of(str(payment), "credits_taken, credits_short") == (taken, short)
        assert await subscriptions.active(till.rows.conn, PERSON) is not None
    await till.told(payment, refunded=20_000)
    assert await subscriptions.active(till.rows.conn, PERSON) is None


async def test_a_refund_that_the_row_has_taken_in_meanwhile_takes_no_credits(till: Till) -> None:
    """Whoever read the row before finds it changed: nothing is kept of what they would have taken."""
    payment = await till.bought()
    await till.told(payment)
    await till.spend(20)
    before = await payments.by_id(till.rows.conn, payment)
    assert before is not None
    await till.told(payment, refunded=20_000)
    charge = Charge("c", Status.PAID, 20_000, "RUB", "1", True, payment, PERSON, None, 20_000, None, None)
    settlement = Settlement(till.pool, till.settings, till.metrics, till.wake)
    assert await settlement.bring(till.rows.conn, before, charge) == NOTHING
    await till.rows.conn.execute("UPDATE users SET credits = 5 WHERE id = $1", PERSON)
    with pytest.raises(RuntimeError, match="known already"):
        async with transaction(till.pool) as conn:
            await settlement.bring(conn, before, charge)
    await till.rows.conn.execute("UPDATE users SET credits = 0 WHERE id = $1", PERSON)


async def test_a_payment_that_was_credited_before_cannot_succeed(till: Till) -> None:
    """The books would not say twice that it was: nothing of it is kept."""
    payment = await till.bought()
    entry = "INSERT INTO ledger (user_id, delta, balance, reason, ref) VALUES ($1, 10, 20, 'purchase', $2)"
    await till.rows.conn.execute(entry, PERSON, str(payment))
    with pytest.raises(RuntimeError, match="without having succeeded"):
        await till.told(payment)
    assert await till.rows.of(str(payment), "status") == "new"
    await till.rows.conn.execute("DELETE FROM ledger WHERE reason = 'purchase'")
