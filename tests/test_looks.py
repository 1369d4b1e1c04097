"""What becomes of a look at a charge: for a notification, in the worker's turn, or for who comes back."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.gateways.port import Refund, Status, Unavailable
from app.repo import payments
from tests.flows import PERSON
from tests.rows import NOW, Rows, ago
from tests.shop import Shop, open_shop


@pytest.fixture
async def shop(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    # One look may follow another at once
    monkeypatch.setattr("app.flows.purchases.notified._PAUSE_S", 0)
    async with open_shop(database_url) as opened:
        yield opened


async def test_a_notification_is_about_a_charge_of_ours_or_about_nothing(shop: Shop) -> None:
    """By the charge's id, or by ours where that is not known yet; not by ours where another charge has it."""
    payment = await shop.till.bought()
    assert not await shop.notified("c")
    assert not await shop.notified("c", uuid4())
    assert shop.gateway.calls == []
    shop.gateway.reads = [None]
    assert not await shop.notified("invented", payment)
    shop.shows(payment, status=Status.PAID)
    assert await shop.notified("c", payment)
    assert await shop.till.credits() == 20
    assert not await shop.notified("another", payment)
    assert shop.gateway.calls == ["read notification"] * 2


async def test_nothing_is_read_of_what_is_over(shop: Shop) -> None:
    """Canceled with its charge, or refunded to the last kopeck; one that was canceled without may yet have one."""
    await shop.till.bought(status="canceled", poll_at=None, provider_id="c")
    assert await shop.notified("c")
    assert await shop.notified("c", uuid4()), "its own id says whose it is"
    payment = await shop.till.bought()
    for refunded in (0, 20_000):
        await shop.till.told(payment, refunded=refunded, id="d")
    assert await shop.notified("d")
    assert shop.gateway.calls == []
    without = await shop.till.bought(status="canceled", poll_at=None)
    shop.shows(without, status=Status.CANCELED)
    assert await shop.notified("e", without)
    assert shop.gateway.calls == ["read notification"]


@pytest.mark.parametrize(
    ("columns", "alert"),
    [
        ({"shop_id": "2"}, "alert_payment_elsewhere"),
        ({"test": False}, "alert_payment_elsewhere"),
        ({}, "alert_payment_gone"),
    ],
)
async def test_what_cannot_be_read_any_more_is_told_to_the_operator(
    shop: Shop, columns: dict[str, Any], alert: str
) -> None:
    """A purchase of another till, or a charge that its gateway gave us and no longer knows: to be told of again."""
    await shop.till.bought(status="pending", provider_id="c", **columns)
    shop.gateway.reads = [None]
    with pytest.raises(Unavailable):
        await shop.notified("c")
    assert (await shop.kinds(), shop.till.woken) == ([alert], 1)
    assert len(shop.gateway.calls) == (0 if columns else 1)


async def test_a_purchase_that_has_no_charge_yet_is_not_read(shop: Shop) -> None:
    """A poll of one whose row was put in review by hand."""
    payment = await shop.till.bought(status="review", poll_at=None)
    await shop.links.poll.reconcile(payment)
    await shop.links.poll.reconcile(uuid4())
    assert shop.gateway.calls == []


async def test_a_purchase_is_given_up_after_a_day_without_an_answer(shop: Shop) -> None:
    payment = await shop.till.bought(created_at=ago("24 hours"))
    await shop.links.poll.reconcile(payment)
    assert (await shop.states(), shop.gateway.calls) == (["abandoned"], [])
    assert shop.till.counted() == {"abandoned": 1}


async def test_who_comes_back_hears_how_the_newest_purchase_stands(shop: Shop) -> None:
    """It is read where it is pending; where nobody answers, it stands as it stood."""
    look_up = shop.links.poll.look_up
    assert await look_up(PERSON) is None
    payment = await shop.till.bought(created_at=ago("1 hour"))
    assert (await look_up(PERSON), shop.gateway.calls) == ("new", [])
    await payments.link(shop.till.rows.conn, payment, "c", "u", 60, None)
    shop.gateway.reads = [Unavailable("away")]
    assert await look_up(PERSON) == "pending"
    shop.shows(payment, status=Status.PAID)
    for _ in range(2):
        assert await look_up(PERSON) == "succeeded"
    assert shop.gateway.calls == ["read press"] * 2


async def paid(shop: Shop) -> UUID:
    """A purchase that was paid, and is shown so."""
    payment = await shop.till.bought()
    await shop.till.told(payment)
    shop.shows(payment, status=Status.PAID)
    return payment


async def test_a_refund_that_is_told_of_early_is_looked_at_until_it_is_shown(shop: Shop) -> None:
    """Told again meanwhile; shown, the row is let go of."""
    payment = await paid(shop)
    refunds = Rows(shop.till.rows.conn, "refunds", {})
    shop.gateway.refunds = {"r": Refund("r", "c", 5_000, True)}
    for _ in range(2):
        with pytest.raises(Unavailable):
            await shop.notified(refund="r")
    refunds.ids["r"] = "r"
    assert await refunds.of("r", "status, amount, payment_id") == ("announced", 5_000, payment)
    await shop.links.poll.reconcile(payment)
    assert await refunds.of("r", "status") == "announced"
    shop.shows(payment, status=Status.PAID, refunded=5_000)
    await shop.links.poll.reconcile(payment)
    assert (await refunds.of("r", "status"), await shop.till.credits()) == ("shown", 18)
    assert shop.gateway.calls.count("refund notification") == 1


@pytest.mark.parametrize(
    ("refund", "noted"),
    [
        (None, []),
        (Refund("r", "another's", 5_000, True), []),
        (Refund("r", "c", 5_000, False), [None]),
        (Refund("r", "c", 5_000, True), [5_000]),
    ],
)
async def test_a_refund_is_noted_where_its_gateway_knows_it_of_that_charge(
    shop: Shop, refund: Refund | None, noted: list[int | None]
) -> None:
    """With its amount once it is done; what is invented holds nobody up."""
    await paid(shop)
    shop.gateway.refunds = {"r": refund}
    if noted:
        with pytest.raises(Unavailable):
            await shop.notified(refund="r")
    else:
        assert await shop.notified(refund="r")
    rows = await shop.till.rows.conn.fetch("SELECT amount FROM refunds")
    assert [row["amount"] for row in rows] == noted


async def test_a_refund_that_nobody_could_read_is_asked_about_later(shop: Shop) -> None:
    """Whether it was the refund that could not be read or its payment."""
    payment = await paid(shop)
    shop.gateway.refunds = {"r": Unavailable("away"), "s": Unavailable("away")}
    with pytest.raises(Unavailable):
        await shop.notified(refund="r")
    shop.gateway.refunds["r"] = Refund("r", "c", 5_000, True)
    await shop.links.poll.reconcile(payment)
    assert await shop.till.rows.conn.fetchval("SELECT amount FROM refunds WHERE id = 'r'") == 5_000
    assert shop.gateway.calls[-1] == "refund poll"


async def test_four_refunds_of_a_payment_are_read_in_one_look_and_a_fifth_is_to_be_told_of_again(shop: Shop) -> None:
    """They may be invented, as many as anybody likes; one of the four that is told of twice is no fifth."""
    payment = await paid(shop)
    shop.shows(payment, status=Status.PAID, refunded=5_000)
    shop.gateway.refunds = {name: Refund(name, "c", 1_000, True) for name in "rstuv"}
    looking, go_on = asyncio.Event(), asyncio.Event()

    async def look() -> None:
        looking.set()
        await go_on.wait()

    shop.gateway.meanwhile = look
    first = asyncio.create_task(shop.notified())
    await looking.wait()
    others = [asyncio.create_task(shop.notified(refund=name)) for name in "rstur"]
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        # It comes last to the only connection that is free
        with pytest.raises(Unavailable, match="too many"):
            await shop.notified(refund="v")
        go_on.set()
        assert await asyncio.gather(first, *others) == [True] * 6
    assert shop.gateway.calls == ["read notification"] * 2 + ["refund notification"] * 4


async def test_a_refund_that_is_not_shown_for_days_is_told_to_the_operator(shop: Shop) -> None:
    payment = await paid(shop)
    await shop.till.rows.conn.execute(
        "INSERT INTO refunds (id, payment_id, poll_at, announced_at) SELECT 'r', $1, now(), now() - interval '4 days'",
        payment,
    )
    woken = shop.till.woken
    assert await shop.links.poll.claim(9) == [payment]
    await shop.links.poll.reconcile(payment)
    assert (await shop.kinds())[-1] == "alert_refund_not_shown"
    assert shop.till.woken > woken


async def test_a_turn_takes_open_purchases_first_and_refunds_as_there_is_room(shop: Shop) -> None:
    """A purchase that is both is taken once."""
    payment = await shop.till.bought()
    other = await shop.till.bought(status="succeeded", provider_id="p", paid_at=NOW, poll_at=None)
    for refund, of in (("r", payment), ("s", other)):
        await shop.till.rows.conn.execute(
            "INSERT INTO refunds (id, payment_id, poll_at) VALUES ($1, $2, now() - interval '1 s')", refund, of
        )
    due = "UPDATE payments SET poll_at = now() WHERE status = 'new'"
    for room, taken in ((1, [payment]), (9, [payment, other])):
        await shop.till.rows.conn.execute(due)
        await shop.till.rows.conn.execute("UPDATE refunds SET poll_at = now() - interval '2 s' WHERE id = 's'")
        assert await shop.links.poll.claim(room) == taken
    await shop.till.rows.conn.execute("DELETE FROM refunds")
    await shop.till.rows.conn.execute("DELETE FROM payments")
