"""What a person who presses a plan is shown, whatever the gateway answers; the worker goes on with what is open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
from aiogram import Bot
from structlog.testing import capture_logs

from app.flows.purchases import Purchases
from app.flows.purchases.checkout import LINK_TRUSTED_S, PATIENCE_S, Outcome
from app.flows.purchases.tills import OtherTills
from app.gateways.port import Charge, Refused, Status, Unavailable
from app.gateways.stars import Stars, Told
from tests.flows import PERSON
from tests.rows import ago
from tests.shop import LINK, Shop, open_shop


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with open_shop(database_url) as opened:
        yield opened


async def test_a_press_makes_one_charge_and_a_second_one_shows_its_link(shop: Shop) -> None:
    """Nobody is sent what they were just shown."""
    for _ in range(2):
        assert await shop.offer() == (Outcome.LINK, "u")
    assert (shop.gateway.calls, await shop.states(), await shop.kinds()) == (["create press"], ["pending"], [])
    assert shop.till.counted() == {"created": 1, "linked": 1}


async def test_an_old_link_is_read_back_before_it_is_shown_again(shop: Shop) -> None:
    """And a new charge is made where that one is over by then."""
    await shop.offer()
    [payment] = await shop.till.rows.conn.fetchval("SELECT array_agg(id) FROM payments")
    aged = "UPDATE payments SET linked_at = now() - make_interval(secs => $1)"
    for age, calls in ((LINK_TRUSTED_S - 5, 0), (LINK_TRUSTED_S, 1)):
        await shop.till.rows.conn.execute(aged, age)
        shop.shows(payment)
        assert await shop.offer() == (Outcome.LINK, "u")
        assert shop.gateway.calls.count("read press") == calls
    shop.shows(payment, status=Status.CANCELED, cancel_reason="expired_on_confirmation")
    shop.gateway.creates = [replace(LINK, id="d")]
    assert await shop.offer() == (Outcome.LINK, "u")
    assert (shop.gateway.calls[-1], await shop.states()) == ("create press", ["canceled", "pending"])


async def test_an_old_link_that_is_over_gives_way_to_none_while_sales_are_stopped(shop: Shop) -> None:
    """The press is refused like any other, and nothing is asked of who refuses us."""
    payment = await shop.till.bought(
        status="pending", provider_id="c", confirmation_url="u", linked_at=ago("55 minutes")
    )
    await shop.till.rows.conn.execute(
        "INSERT INTO breakers (provider, refusals, opened_at, trial_at)"
        " VALUES ('yookassa', 3, now(), now() + interval '1 minute')"
    )
    shop.shows(payment, status=Status.CANCELED)
    assert await shop.offer() == (Outcome.REFUSED, None)
    assert (shop.gateway.calls, await shop.states()) == (["read press"], ["canceled"])


async def test_who_has_waited_as_long_as_a_press_may_is_told_to_wait_for_the_link(shop: Shop) -> None:
    """While the gateway says nothing; the worker has the purchase to go on with."""
    shop.gateway.meanwhile = asyncio.Event().wait
    async with asyncio.timeout(2):
        assert await shop.offer(waited_s=PATIENCE_S + 1) == (Outcome.LATER, None)
    assert await shop.states() == ["new"]


async def test_a_press_that_no_connection_was_free_for_is_not_told_to_wait_for_a_link(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the database that is late, not the gateway: the press is brought again."""
    monkeypatch.setattr("app.db.WAIT_S", 0.05)
    async with AsyncExitStack() as stack:
        shop.gateway.meanwhile = lambda: stack.enter_async_context(shop.till.pool.acquire())
        with pytest.raises(TimeoutError):
            await shop.offer()


@pytest.mark.parametrize("charge", [replace(LINK, url=None), replace(LINK, status=Status.ODD)])
async def test_a_charge_without_a_link_is_for_later(shop: Shop, charge: Charge) -> None:
    shop.gateway.creates = [charge]
    assert await shop.offer() == (Outcome.LATER, None)


async def test_an_unknown_create_call_is_repeated_by_the_worker_alone_and_its_link_is_owed(shop: Shop) -> None:
    """In a minute, and never while the first may still be answered."""
    shop.gateway.creates = [Unavailable("away")]
    assert await shop.offer() == (Outcome.LATER, None)
    [payment] = await shop.till.rows.conn.fetchval("SELECT array_agg(id) FROM payments")
    assert await shop.links.poll.claim(9) == []
    assert await shop.till.rows.conn.fetchval("SELECT poll_at - created_at FROM payments") == timedelta(seconds=68)
    await shop.till.rows.conn.execute("UPDATE payments SET poll_at = now()")
    shop.gateway.creates = [LINK]
    assert await shop.links.poll.claim(9) == [payment]
    await shop.links.poll.reconcile(payment)
    assert (shop.gateway.calls, await shop.kinds()) == (["create press", "create poll"], ["payment_link"])


async def test_a_second_press_repeats_an_unknown_create_call_and_counts_it(shop: Shop) -> None:
    """Under the same key: it makes no second charge. What refuses it then says nothing of the first."""
    shop.gateway.creates = [Unavailable("away"), Unavailable("away"), Refused(403, "no")]
    for _ in range(3):
        assert await shop.offer() == (Outcome.LATER, None)
    assert await shop.till.rows.conn.fetchval("SELECT array_agg(attempts) FROM payments") == [3]
    assert await shop.states() == ["new"]


async def test_a_refusal_ends_a_first_call_alone(shop: Shop) -> None:
    """One of a repeated call says nothing of the call before: it is put off. The operator is told once an hour."""
    shop.gateway.creates = [Refused(403, "no")]
    assert await shop.offer() == (Outcome.REFUSED, None)
    assert await shop.states() == ["canceled"]
    repeated = await shop.till.bought(attempts=1, request="{}")
    await shop.links.poll.reconcile(repeated)
    # The second call: four times the pause before a repetition
    assert await shop.till.rows.of(str(repeated), "status, poll_at > now() + interval '4 minutes'") == ("new", True)
    assert shop.till.counted() == {"created": 1, "refused": 1}
    assert await shop.kinds() == ["alert_checkout_refused"]


async def test_three_refusals_stop_new_charges_until_one_is_accepted(shop: Shop) -> None:
    """A press is refused without a row; the worker waits as well, and a trial in a while closes the circuit."""
    shop.gateway.creates = [Refused(403, "no")]
    with capture_logs() as log:
        for _ in range(4):
            assert await shop.offer() == (Outcome.REFUSED, None)
    assert [line["event"] for line in log].count("breaker.opened") == 1
    assert (len(await shop.states()), len(shop.gateway.calls)) == (3, 3)
    waiting = await shop.till.bought()
    await shop.links.poll.reconcile(waiting)
    assert len(shop.gateway.calls) == 3
    await shop.till.rows.conn.execute("DELETE FROM payments WHERE status = 'new'")
    await shop.till.rows.conn.execute("UPDATE breakers SET trial_at = now() WHERE opened_at IS NOT NULL")
    shop.gateway.creates = [LINK]
    assert await shop.offer() == (Outcome.LINK, "u")
    assert await shop.till.rows.conn.fetchval("SELECT opened_at IS NULL FROM breakers WHERE provider = 'yookassa'")


@pytest.mark.parametrize(
    ("second", "outcome", "told", "address"),
    [
        (LINK, Outcome.LINK, ["email_refused"], None),
        (Refused(400, "no"), Outcome.REFUSED, ["alert_checkout_refused"], "a@b.example"),
    ],
)
async def test_an_address_is_dropped_where_the_same_is_taken_without_it(
    shop: Shop, second: Charge | Exception, outcome: Outcome, told: list[str], address: str | None
) -> None:
    """What may be that person's alone counts for nobody else; what is refused without it, too, was not the address."""
    await shop.till.rows.conn.execute("UPDATE users SET email = 'a@b.example' WHERE id = $1", PERSON)
    shop.gateway.creates = [Refused(400, "no"), second]
    assert (await shop.offer())[0] is outcome
    assert await shop.kinds() == told
    assert await shop.till.rows.conn.fetchval("SELECT email FROM users WHERE id = $1", PERSON) == address
    refusals = await shop.till.rows.conn.fetchval("SELECT sum(refusals) FROM breakers")
    assert (refusals or 0) == (1 if address else 0)


async def test_an_address_stays_where_sales_are_stopped_before_the_same_is_tried_without_it(shop: Shop) -> None:
    """The press is refused like any other."""
    await shop.till.rows.conn.execute("UPDATE users SET email = 'a@b.example' WHERE id = $1", PERSON)
    stopped = (
        "INSERT INTO breakers (provider, refusals, opened_at, trial_at)"
        " VALUES ('yookassa', 3, now(), now() + interval '1 minute')"
    )
    shop.gateway.creates, shop.gateway.meanwhile = [Refused(400, "no")], lambda: shop.till.rows.conn.execute(stopped)
    assert (await shop.offer(), shop.gateway.calls) == ((Outcome.REFUSED, None), ["create press"])
    assert await shop.till.rows.conn.fetchval("SELECT email FROM users WHERE id = $1", PERSON) == "a@b.example"


async def test_another_refusal_than_of_the_body_is_nobodys_address(shop: Shop) -> None:
    await shop.till.rows.conn.execute("UPDATE users SET email = 'a@b.example' WHERE id = $1", PERSON)
    shop.gateway.creates = [Refused(403, "no"), LINK]
    assert (await shop.offer())[0] is Outcome.REFUSED
    assert await shop.kinds() == ["alert_checkout_refused"]


async def test_what_is_open_at_another_till_is_told_of_each_once(shop: Shop) -> None:
    """Its shop, and whether that was for tests; where there is nothing, nobody is woken."""
    till = shop.till
    tills = OtherTills(till.pool, till.settings, (shop.gateway,), till.wake)
    await till.bought()
    await tills.tell()
    assert (await till.owed(), till.woken) == ([], 0)
    for test in (True, False):
        await till.bought(shop_id="2", test=test)
    for _ in range(2):
        await tills.tell()
    owed = [(kind, payload["shop"], payload["payments"]) for kind, payload in await till.owed()]
    assert owed == [("alert_other_till", "2 (live)", 1), ("alert_other_till", "2 (test)", 1)]


@pytest.mark.parametrize(
    ("payments", "links", "sells_stars", "currency"),
    [
        (("yookassa",), True, False, "RUB"),
        (("yookassa", "stars"), True, True, "RUB"),
        (("stars",), False, True, "XTR"),
    ],
)
async def test_the_ways_to_pay_are_those_that_are_set(
    shop: Shop, payments: tuple[str, ...], links: bool, sells_stars: bool, currency: str
) -> None:
    """Links where their gateway is named, Stars where they are; what is open at a gateway that is not, the operator
    hears of."""
    till = shop.till
    settings = till.settings.model_copy(update={"payments": payments})
    gateway, stars = shop.gateway if links else None, Stars(Bot(settings.bot_token.get_secret_value()))
    ways = Purchases(till.pool, till.pool, settings, till.metrics, gateway, stars, till.wake, till.wake)
    assert (ways.links is not None, ways.currency) == (links, currency)
    await till.bought()
    invoice = await till.bought(gateway="stars", currency="XTR", shop_id="4242", test=False, amount=185)
    verdict = await ways.invoices.check(Told("", PERSON, 185, "XTR", str(invoice), refunded=False), "en")
    assert (verdict.objection is None) == sells_stars
    await ways.tills.tell()
    assert await shop.kinds() == ([] if links else ["alert_other_till"])
