"""A purchase, from the plan to the credits, over real HTTP."""

import asyncio
import json
import time

import aiohttp
import pytest

from app.gateways.port import Lane, Unavailable
from app.gateways.yookassa import YooKassa
from tests.world import World, world


async def test_a_paid_plan_adds_its_credits_once_and_thirty_days(bot: World) -> None:
    """Fifty notifications at once credit once; /status names the last day."""
    person = bot.person()
    payment = await bot.choose(person, "500 ₽")
    await bot.yookassa.pay(payment)
    statuses = await asyncio.gather(*(bot.yookassa.notify(payment) for _ in range(50)))
    assert set(statuses) <= {200, 503}
    await bot.told(person, "добавлено 25 кредитов")
    assert await bot.credits(person) == 35
    await person.send_text("/status")
    await bot.told(person, "действует по")
    await person.send_text("/start success")
    await bot.told(person, "Оплата прошла, кредиты")


async def test_the_same_plan_gives_the_same_link(bot: World) -> None:
    """Choosing again makes no second payment."""
    person = bot.person()
    first = await bot.choose(person)
    assert await bot.choose(person) == first
    assert len(bot.yookassa.payments) == 1


async def test_a_lost_create_answer_is_repeated_under_the_same_key(bot: World) -> None:
    """YooKassa made the payment, the answer was lost: a second press finds the same one."""
    person = bot.person()
    bot.yookassa.fault("payments.create", drop=True, handled=True)
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, "200 ₽")
    await person.press(offer.id, "200 ₽")
    await bot.told(person, "второго платежа не будет")
    await bot.choose(person)
    assert len(bot.yookassa.payments) == 1


@pytest.mark.settings(payment_poll_after_s=0.3)
async def test_a_lost_notification_is_made_up_for(bot: World) -> None:
    """The reconcile worker asks."""
    person = bot.person()
    payment = await bot.choose(person)
    bot.yookassa.misdeliver("lost")
    await bot.yookassa.pay(payment)
    await bot.told(person, "добавлено 10 кредитов")
    assert await bot.credits(person) == 20


async def test_notifications_of_nothing_of_ours_create_nothing(bot: World) -> None:
    """Unknown, broken and odd bodies get the statuses of the contract, and YooKassa is not asked."""
    url = f"{bot.settings.public_url}/yookassa/webhook"
    unknown = {
        "type": "notification",
        "event": "payment.succeeded",
        "object": {"id": "2e-unknown", "status": "succeeded"},
    }
    async with aiohttp.ClientSession() as client:
        for body, status in ((unknown, 200), ({"type": "other"}, 400), ([], 400), ({**unknown, "object": 5}, 400)):
            async with client.post(url, json=body) as answer:
                assert answer.status == status
    assert await bot.db.fetchval("SELECT count(*) FROM payments") == 0
    assert bot.yookassa.called("payments.get") == []


async def test_a_payment_that_cannot_be_verified_now_is_sent_again(bot: World) -> None:
    """503, and the next notification credits."""
    person = bot.person()
    payment = await bot.choose(person)
    bot.yookassa.fault("payments.get", status=500)
    assert await bot.yookassa.pay(payment) == 503
    assert await bot.credits(person) == 10
    assert await bot.yookassa.notify(payment) == 200
    assert await bot.credits(person) == 20


@pytest.mark.parametrize("change", [{"test": False}, {"amount": {"value": "1.00", "currency": "RUB"}}])
async def test_what_was_paid_but_differs_goes_to_review(bot: World, change: dict[str, object]) -> None:
    """Nothing is credited."""
    person = bot.person()
    payment = await bot.choose(person)
    bot.yookassa.payments[payment].update(change)
    await bot.yookassa.pay(payment)
    assert await bot.credits(person) == 10
    assert await bot.db.fetchval("SELECT status FROM payments") == "review"


async def test_a_cancelled_payment_is_told_once(bot: World) -> None:
    """With a button to try again."""
    person = bot.person()
    payment = await bot.choose(person)
    await bot.yookassa.cancel(payment)
    await bot.yookassa.notify(payment)
    message = await bot.told(person, "Деньги не списаны")
    assert message.button("Купить")
    assert len([m for m in person.messages if "Деньги не списаны" in (m.text or "")]) == 1


async def test_refunds_take_their_share_and_never_more_than_there_is(bot: World) -> None:
    """A partial refund is rounded down; a full one ends the subscription; what is missing is recorded."""
    person = bot.person()
    payment = await bot.choose(person)
    await bot.yookassa.pay(payment)
    await bot.yookassa.refund(payment, "50.00")
    assert await bot.credits(person) == 18
    await bot.db.execute(
        "WITH spent AS (UPDATE users SET credits = 3 WHERE id = $1 RETURNING id), ordered AS ("
        " INSERT INTO generations (user_id, order_key, status, model, size, price, deadline_at, finished_at)"
        " SELECT id, 'card', 'delivered', 'gpt-image-1', '512x512', 15, now(), now() FROM spent RETURNING id, user_id) "
        "INSERT INTO ledger (user_id, delta, balance, reason, ref)"
        " SELECT user_id, -15, 3, 'order', id::text FROM ordered",
        person.id,
    )
    await bot.yookassa.refund(payment)
    assert await bot.credits(person) == 0
    row = await bot.db.fetchrow("SELECT status, credits_taken, credits_short FROM payments")
    assert row is not None
    assert tuple(row) == ("refunded", 5, 5)
    await person.send_text("/status")
    await bot.told(person, "Активной подписки нет")


async def test_a_payment_whose_metadata_names_another_user_changes_nothing(bot: World) -> None:
    """200, a warning in the log, and the purchase stays as it was."""
    person = bot.person()
    payment = await bot.choose(person)
    bot.yookassa.payments[payment]["metadata"]["user_id"] = "999"
    assert await bot.yookassa.pay(payment) == 200
    assert await bot.credits(person) == 10
    assert await bot.db.fetchval("SELECT status FROM payments") == "pending"


async def test_a_paid_plan_that_has_left_the_catalogue_is_credited(bot: World) -> None:
    """The row holds what was bought."""
    person = bot.person()
    payment = await bot.choose(person)
    await bot.db.execute("UPDATE payments SET plan = 'of-last-year'")
    assert await bot.yookassa.pay(payment) == 200
    assert await bot.credits(person) == 20


async def test_what_comes_after_the_end_of_a_purchase_is_answered_and_changes_nothing(bot: World) -> None:
    """Paid and refunded at YooKassa, canceled here: 200, or it would be redelivered for a day."""
    person = bot.person()
    payment = await bot.choose(person)
    await bot.db.execute("UPDATE payments SET status = 'canceled', poll_at = NULL")
    assert await bot.yookassa.pay(payment) == 200
    assert await bot.yookassa.refund(payment) == 200
    assert await bot.credits(person) == 10
    assert await bot.db.fetchval("SELECT status FROM payments") == "canceled"


@pytest.mark.settings(payment_poll_after_s=0.1)
async def test_a_link_that_nobody_waited_for_is_owed_and_told_once(bot: World) -> None:
    """The worker repeats the pair; the second press on the plan shows the same link, owing no second message."""
    person = bot.person()
    bot.yookassa.fault("payments.create", drop=True, handled=True)
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, "200 ₽")
    await person.press(offer.id, "200 ₽")
    await bot.db.execute("UPDATE payments SET poll_at = now() WHERE status = 'new'")
    await bot.told(person, "Ссылка для оплаты готова")
    assert len(bot.yookassa.payments) == 1


async def test_a_link_that_the_second_press_won_is_not_owed_as_well(bot: World) -> None:
    """Whoever presses is shown the link; the outbox holds none."""
    person = bot.person()
    bot.yookassa.fault("payments.create", drop=True, handled=True)
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, "200 ₽")
    await person.press(offer.id, "200 ₽")
    await bot.choose(person)
    assert await bot.db.fetchval("SELECT count(*) FROM outbox WHERE kind = 'payment_link'") == 0


async def test_a_receipt_goes_with_every_payment_of_a_shop_that_sends_them(database_url: str, redis_url: str) -> None:
    """54-FZ: the plan's amount, the VAT code of the settings, full payment, a service."""
    email = "shop@example.com"
    async with world(database_url, redis_url, yookassa_receipt_email=email, yookassa_vat_code=4) as bot:
        await bot.choose(bot.person())
        receipt = json.loads(await bot.db.fetchval("SELECT request FROM payments"))["receipt"]
    assert receipt["customer"] == {"email": email}
    [item] = receipt["items"]
    assert item["amount"] == {"value": "200.00", "currency": "RUB"}
    assert (item["vat_code"], item["payment_mode"], item["payment_subject"]) == (4, "full_payment", "service")


async def test_a_yookassa_that_drips_does_not_hold_the_caller(bot: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header byte at a time defeats timeouts that are per read; the deadline closes the connection."""
    monkeypatch.setattr("app.gateways.yookassa_client.DEADLINE_S", 1.0)
    cut = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX-Drip: " + b"x" * 30:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.3)
        except OSError:
            cut.set()
        finally:
            writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        kassa = YooKassa(bot.settings.model_copy(update={"yookassa_api_url": f"http://127.0.0.1:{port}"}))
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await kassa.read("22e12f66", Lane.POLL)
        await asyncio.wait_for(cut.wait(), 5)
        await kassa.close()
        assert time.monotonic() - started < 6
