"""What YooKassa does late, twice, in the wrong order or not at all, over real HTTP."""

import asyncio

import aiohttp
import pytest

from app.notices import PaymentInReview
from sandbox.people import Person
from tests.world import World

ADMIN = 5

pytestmark = pytest.mark.settings(admin_ids=(ADMIN,))


async def lost_create(bot: World, person: Person) -> str:
    """YooKassa makes a payment, its answer is lost: the purchase stays `new`; the payment's id at YooKassa."""
    bot.yookassa.fault("payments.create", drop=True, handled=True)
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, "200 ₽")
    await person.press(offer.id, "200 ₽")
    [payment] = bot.yookassa.payments
    assert await bot.db.fetchval("SELECT status FROM payments") == "new"
    return payment


async def test_a_notification_is_recognised_by_the_id_in_its_metadata(bot: World) -> None:
    """The answer to the create call was lost, so the row does not know YooKassa's id: it is credited all the same."""
    person = bot.person()
    payment = await lost_create(bot, person)
    assert await bot.yookassa.pay(payment) == 200
    assert await bot.credits(person) == 20
    assert await bot.db.fetchval("SELECT provider_id FROM payments") == payment


async def test_an_abandoned_purchase_that_was_paid_after_all_is_credited(bot: World) -> None:
    """Given up on after a day without an answer; a late notification still finds it."""
    person = bot.person()
    payment = await lost_create(bot, person)
    made = "UPDATE payments SET created_at = now() - interval '24 hours', poll_at = now()"
    await bot.db.execute(made)
    async with asyncio.timeout(10):
        # Only PostgreSQL knows when.
        while await bot.db.fetchval("SELECT status FROM payments") != "abandoned":  # noqa: ASYNC110 - nothing outside the database tells of a commit
            await asyncio.sleep(0.05)
    assert await bot.yookassa.pay(payment) == 200
    assert await bot.credits(person) == 20
    assert await bot.db.fetchval("SELECT status FROM payments") == "succeeded"


async def test_a_payment_of_another_shop_goes_to_review_with_one_alert(bot: World) -> None:
    """Nothing is credited, and the operator is told once however often YooKassa says it."""
    person = bot.person()
    payment = await bot.choose(person)
    bot.yookassa.payments[payment]["recipient"]["account_id"] = "999"
    await bot.yookassa.pay(payment)
    await asyncio.gather(*(bot.yookassa.notify(payment) for _ in range(10)))
    assert await bot.credits(person) == 10
    assert await bot.db.fetchval("SELECT status FROM payments") == "review"
    alerts = await bot.db.fetch("SELECT chat_id FROM outbox WHERE kind = $1", PaymentInReview.kind)
    assert [row["chat_id"] for row in alerts] == [ADMIN]


@pytest.mark.settings(yookassa_secret_key="live_key_of_the_tests")
async def test_a_live_shop_never_credits_a_test_payment(bot: World) -> None:
    """The bot knows by its key which shop it is; a payment that says `test` is for a person to look at."""
    bot.yookassa.secret = "live_key_of_the_tests"
    person = bot.person()
    payment = await bot.choose(person)
    assert bot.yookassa.payments[payment]["test"] is False
    bot.yookassa.payments[payment]["test"] = True
    assert await bot.yookassa.pay(payment) == 200
    assert await bot.credits(person) == 10
    assert await bot.db.fetchval("SELECT status FROM payments") == "review"


@pytest.mark.parametrize(("first", "second", "balance"), [("succeeded", "canceled", 20), ("canceled", "succeeded", 10)])
async def test_what_contradicts_the_end_of_a_purchase_changes_nothing(
    bot: World, first: str, second: str, balance: int
) -> None:
    """Canceled after succeeded: one credit; succeeded after canceled: none. 200 to each."""
    person = bot.person()
    payment = await bot.choose(person)
    act = {"succeeded": bot.yookassa.pay, "canceled": bot.yookassa.cancel}
    assert await act[first](payment) == 200
    bot.yookassa.payments[payment]["status"] = second
    assert set(await asyncio.gather(*(bot.yookassa.notify(payment) for _ in range(5)))) == {200}
    assert await bot.credits(person) == balance
    assert await bot.db.fetchval("SELECT status FROM payments") == first


async def test_fifty_notifications_of_a_refund_take_once(bot: World) -> None:
    """The sum refunded so far counts, however many notifications tell of it."""
    person = bot.person()
    payment = await bot.choose(person)
    await bot.yookassa.pay(payment)
    refund = bot.yookassa.give_back(payment, "100.00")
    statuses = await asyncio.gather(*(bot.yookassa.send("refund.succeeded", refund) for _ in range(50)))
    assert set(statuses) <= {200, 503}
    assert await bot.yookassa.send("refund.succeeded", refund) == 200
    assert await bot.credits(person) == 15


async def test_a_refund_of_an_unknown_payment_is_answered_and_creates_nothing(bot: World) -> None:
    """200, and YooKassa is not asked."""
    refund = {"id": "3e-refund", "payment_id": "2e-unknown", "status": "succeeded"}
    assert await bot.yookassa.send("refund.succeeded", refund) == 200
    assert bot.yookassa.called("payments.get") == []
    assert await bot.db.fetchval("SELECT count(*) FROM payments") == 0


async def test_a_hung_yookassa_holds_neither_webhooks_nor_the_event_loop(
    bot: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve notifications at once end with 503 by the deadline of two reads; healed, it is credited."""
    person = bot.person()
    payment = await bot.choose(person)
    monkeypatch.setattr("app.gateways.yookassa_client.DEADLINE_S", 1.5)
    bot.yookassa.fault("payments.get", times=12, hang=True)
    notified = [asyncio.create_task(bot.yookassa.pay(payment))]
    notified += [asyncio.create_task(bot.yookassa.notify(payment)) for _ in range(11)]
    await bot.yookassa.wait_for(lambda: bot.yookassa.called("payments.get"))
    async with aiohttp.ClientSession() as client, client.get(f"{bot.settings.public_url}/healthz") as answer:
        assert answer.status == 200
    assert not any(task.done() for task in notified)
    async with asyncio.timeout(8):
        assert set(await asyncio.gather(*notified)) == {503}
    bot.yookassa.heal()
    monkeypatch.undo()
    assert await bot.yookassa.notify(payment) == 200
    assert await bot.credits(person) == 20
