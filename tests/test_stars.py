"""Paying with Stars, from the plan to the credits and back, over real HTTP."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from app.doctor.services import stars_are_told_of
from sandbox.people import ChatMessage, Person
from sandbox.stars import Invoice
from tests.world import TOKEN, World

ADMIN = 5
pytestmark = pytest.mark.settings(payments="yookassa,stars", admin_ids=(ADMIN,))


async def invoiced(bot: World, person: Person, price: str = "200 ₽") -> ChatMessage:
    """The person chooses a plan and then Stars; the message that holds the invoice."""
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, price)
    await person.press(offer.id, price)
    choice = await bot.offered(person, "⭐")
    await person.press(choice.id, "⭐")
    return await bot.says(person, lambda message: message.id > choice.id and "invoice" in message.raw)


async def rows(bot: World) -> list[tuple[Any, ...]]:
    """What stands in the books, oldest first."""
    found = await bot.db.fetch("SELECT gateway, currency, amount, status FROM payments ORDER BY created_at")
    return [tuple(row) for row in found]


async def told_again(bot: World, kind: str) -> int:
    """Telegram brings the newest update with a message of that kind once more."""
    update = next(one for one in reversed(bot.telegram.updates) if kind in one.get("message", {}))
    return await bot.telegram.post_update(update)


async def test_a_chosen_plan_offers_the_link_and_the_stars(bot: World) -> None:
    """One message with both; nothing is stored for the way that was not taken."""
    person = bot.person()
    await bot.choose(person)
    offer = await bot.offered(person, "⭐ 185")
    assert offer.button("Оплатить 200 ₽")
    assert await rows(bot) == [("yookassa", "RUB", 20_000, "pending")]


@pytest.mark.settings(payments="stars", yookassa_shop_id="", yookassa_secret_key="")
async def test_with_stars_alone_the_invoice_comes_at_once_and_nothing_needs_yookassas_keys(bot: World) -> None:
    """Prices are in Stars, no link is offered, and a notification of YooKassa's finds no such page."""
    person = bot.person()
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, "⭐ 460")
    assert offer.button("⭐ 185")
    await person.press(offer.id, "⭐ 460")
    invoice = await bot.says(person, lambda message: "invoice" in message.raw)
    assert await person.pay(invoice.id) == ""
    await bot.told(person, "добавлено 25 кредитов")
    assert await bot.yookassa.send("payment.succeeded", {"id": "2e"}) == 404
    assert [call for call in bot.yookassa.calls if not call.outgoing] == []
    await person.send_text("/status")
    await bot.told(person, "⭐ 460 — 25 кредитов")


async def test_paid_stars_are_credits_and_a_subscription_once(bot: World) -> None:
    """However often Telegram tells of the charge, at once and later."""
    person = bot.person()
    invoice = await invoiced(bot, person)
    bot.telegram.misdeliver("doubled")
    assert await person.pay(invoice.id) == ""
    assert await asyncio.gather(*(told_again(bot, "successful_payment") for _ in range(20))) == [200] * 20
    await bot.told(person, "добавлено 10 кредитов")
    assert await bot.credits(person) == 20
    assert ("stars", "XTR", 185, "succeeded") in await rows(bot)
    await person.send_text("/status")
    await bot.told(person, "действует по")


async def test_choosing_again_makes_one_row_and_the_same_invoice(bot: World) -> None:
    person = bot.person()
    payloads = set()
    for _ in range(3):
        invoice = await invoiced(bot, person)
        payloads.add(bot.telegram.stars.invoices[invoice.id].payload)
    assert len(payloads) == 1
    assert await bot.value("SELECT count(*) FROM payments WHERE gateway = 'stars'") == 1
    assert await person.pay(invoice.id) == ""
    await bot.told(person, "добавлено 10 кредитов")
    again = await invoiced(bot, person)
    assert bot.telegram.stars.invoices[again.id].payload not in payloads


async def test_only_the_buyers_own_open_invoice_of_that_amount_may_be_charged(bot: World) -> None:
    """Anybody else's, another amount, an unknown payload and one that is paid each get a sentence; nothing is taken."""
    person, other = bot.person(), bot.person(78)
    invoice = await invoiced(bot, person)
    assert "не ваш" in await other.pay(invoice.id)
    real = bot.telegram.stars.invoices[invoice.id]
    for odd in (Invoice(real.payload, 1), Invoice(str(uuid4()), 185), Invoice("?", 185), Invoice("", 185)):
        bot.telegram.stars.invoices[invoice.id] = odd
        assert "не ваш" in await person.pay(invoice.id)
    bot.telegram.stars.invoices[invoice.id] = real
    assert await person.pay(invoice.id) == ""
    await bot.told(person, "добавлено 10 кредитов")
    assert "уже оплачен" in await person.pay(invoice.id)
    assert len(bot.telegram.charges) == 1


@pytest.mark.settings(payments="yookassa,stars", max_updates=1, flood_burst=10, flood_per_s=0.01)
async def test_the_question_and_the_word_of_money_pass_every_queue_limit_and_lock(bot: World) -> None:
    """The only place is taken, the person has done too much, their row is locked: the question is answered at once, and
    the charge is stored when the row is free."""
    person = bot.person()
    invoice = await invoiced(bot, person)
    async with bot.db.transaction():
        await bot.db.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", person.id)
        await person.press(invoice.id, "plan:p500", wait=False)
        await asyncio.gather(*(person.send_text("/status", wait=False) for _ in range(20)))
        async with asyncio.timeout(3):
            assert await person.pay(invoice.id, wait=False) == ""
    await bot.told(person, "добавлено 10 кредитов")
    assert await bot.credits(person) == 20


@pytest.mark.settings(payments="yookassa,stars", db_pool_size=2)
async def test_the_question_waits_for_no_connection_that_others_hold(bot: World) -> None:
    """Others' presses wait for their locked rows with every connection in their hands."""
    person, others = bot.person(), [bot.person(80), bot.person(81), bot.person(82)]
    invoice = await invoiced(bot, person)
    for other in others:
        await other.send_text("/start")
    async with bot.db.transaction():
        await bot.db.execute("SELECT FROM users WHERE id >= 80 FOR UPDATE")
        for other in others:
            await other.press(invoice.id, "stars:p200", wait=False)
        await bot.until("SELECT count(*) >= 2 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        async with asyncio.timeout(3):
            assert await person.pay(invoice.id, wait=False) == ""
    await bot.told(person, "добавлено 10 кредитов")


async def test_what_could_not_be_stored_is_brought_again(bot: World) -> None:
    """503 while the person's row is locked for longer than a statement waits; one credit afterwards."""
    person = bot.person()
    invoice = await invoiced(bot, person)
    async with bot.db.transaction():
        await bot.db.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", person.id)
        await person.pay(invoice.id, wait=False)
        await bot.telegram.wait_for(lambda: "successful_payment" in bot.telegram.updates[-1].get("message", {}))
        assert await told_again(bot, "successful_payment") == 503
    await bot.told(person, "добавлено 10 кредитов")
    assert await bot.credits(person) == 20


async def test_a_second_charge_for_one_invoice_is_credited_and_the_operators_are_told(bot: World) -> None:
    """Two questions were answered yes at once: a purchase of its own, with its own refund."""
    person = bot.person()
    invoice = await invoiced(bot, person)
    await asyncio.gather(*(bot.telegram.charge_unasked(person, invoice.id) for _ in range(2)))
    assert await asyncio.gather(*(told_again(bot, "successful_payment") for _ in range(5))) == [200] * 5
    assert await bot.credits(person) == 30
    assert [row for row in await rows(bot) if row[0] == "stars"] == [("stars", "XTR", 185, "succeeded")] * 2
    await bot.told(bot.person(ADMIN), "оплачен второй раз")
    bot.telegram.refund_stars(bot.telegram.charges[1])
    await bot.told(person, "Возврат денег")
    assert await bot.credits(person) == 20


async def test_a_refund_takes_the_credits_back_once_and_never_more_than_there_are(bot: World) -> None:
    """As with YooKassa: what is missing is noted, and the subscription ends."""
    person = bot.person()
    invoice = await invoiced(bot, person)
    await person.pay(invoice.id)
    await bot.db.execute(
        "WITH spent AS (UPDATE users SET credits = 3 WHERE id = $1 RETURNING id), ordered AS ("
        " INSERT INTO generations (user_id, order_key, status, model, size, price, deadline_at, finished_at)"
        " SELECT id, 'card', 'delivered', 'gpt-image-1', '512x512', 17, now(), now() FROM spent RETURNING id, user_id) "
        "INSERT INTO ledger (user_id, delta, balance, reason, ref)"
        " SELECT user_id, -17, 3, 'order', id::text FROM ordered",
        person.id,
    )
    bot.telegram.refund_stars(bot.telegram.charges[0])
    await bot.told(person, "Возврат денег")
    assert await asyncio.gather(*(told_again(bot, "refunded_payment") for _ in range(5))) == [200] * 5
    row = await bot.db.fetchrow(
        "SELECT status, refunded, credits_taken, credits_short FROM payments WHERE gateway = 'stars'"
    )
    assert row is not None
    assert tuple(row) == ("refunded", 185, 3, 7)
    assert await bot.credits(person) == 0
    await person.send_text("/status")
    await bot.told(person, "Активной подписки нет")


async def test_a_charge_of_another_amount_is_kept_for_review(bot: World) -> None:
    """Nothing is credited, and the operators read how many Stars it was."""
    person = bot.person()
    invoice = await invoiced(bot, person)
    bot.telegram.stars.invoices[invoice.id] = Invoice(bot.telegram.stars.invoices[invoice.id].payload, 7)
    await bot.telegram.charge_unasked(person, invoice.id)
    await bot.told(bot.person(ADMIN), "⭐ 7")
    assert await bot.credits(person) == 10
    assert [row[3] for row in await rows(bot) if row[0] == "stars"] == ["review"]


@pytest.mark.settings(payments="yookassa,stars", admin_ids=(ADMIN,), payment_poll_after_s=0.2)
async def test_what_is_under_review_and_given_back_is_no_new_alarm_at_each_look_at_the_list(bot: World) -> None:
    """Whoever looks at it has given it back: the list goes on showing that, and nothing more comes of it."""
    person = bot.person()
    invoice = await invoiced(bot, person)
    bot.telegram.stars.invoices[invoice.id] = Invoice(bot.telegram.stars.invoices[invoice.id].payload, 7)
    charge = await bot.telegram.charge_unasked(person, invoice.id)
    await bot.until("SELECT EXISTS (SELECT FROM payments WHERE status = 'review')")
    partner = {"user": {"id": person.id}, "transaction_type": "invoice_payment"}
    bot.telegram.stars.entries.append({"id": charge.id, "amount": 7, "date": 1, "receiver": partner})
    looks = len(bot.telegram.called("getStarTransactions"))
    await bot.telegram.wait_for(lambda: len(bot.telegram.called("getStarTransactions")) > looks + 2)
    assert await bot.value("SELECT count(*) FROM outbox WHERE kind = 'alert_payment_late'") == 0
    assert await bot.credits(person) == 10


async def test_a_charge_that_nothing_of_ours_stands_for_is_kept_and_told(bot: World) -> None:
    """The row is gone, as after a restored backup: nobody guesses what was bought, and nothing is forgotten."""
    person = bot.person()
    invoice = await invoiced(bot, person)
    await bot.db.execute("DELETE FROM payments WHERE gateway = 'stars'")
    charge = await bot.telegram.charge_unasked(person, invoice.id)
    assert await told_again(bot, "successful_payment") == 200
    await bot.told(person, "не нашёл, за что")
    await bot.told(bot.person(ADMIN), charge.id)
    assert await bot.credits(person) == 10
    kept = await bot.db.fetchrow("SELECT id, user_id, amount, refunded FROM stray_charges")
    assert kept is not None
    assert tuple(kept) == (charge.id, person.id, 185, False)
    bot.telegram.refund_stars(charge)
    await bot.until("SELECT refunded FROM stray_charges")


@pytest.mark.settings(payments="yookassa,stars", payment_poll_after_s=0.3)
async def test_a_lost_word_of_a_charge_and_of_its_refund_is_made_up_for(bot: World) -> None:
    """Both are found in the list, once."""
    person = bot.person()
    invoice = await invoiced(bot, person)
    bot.telegram.misdeliver("lost")
    await person.pay(invoice.id)
    await bot.told(person, "добавлено 10 кредитов")
    charge, [paid] = bot.telegram.charges[0], bot.telegram.stars.entries
    # The Bot API calls the payload optional, and a refund bears the number of its charge
    partner = {key: value for key, value in paid["source"].items() if key != "invoice_payload"}
    bot.telegram.stars.entries.append({"id": paid["id"], "amount": paid["amount"], "date": 1, "receiver": partner})
    await bot.told(person, "Возврат денег")
    assert await bot.credits(person) == 10
    assert charge.id == await bot.value("SELECT provider_id FROM payments WHERE status = 'refunded'")


@pytest.mark.settings(payments="yookassa,stars", payment_poll_after_s=0.2)
async def test_the_list_is_read_on_a_page_at_a_time_whatever_else_stands_in_it(bot: World) -> None:
    """Withdrawals, gifts, a later Bot API's kinds, another program's sales; what comes in late, before what was read; a
    list that is begun anew is read again."""
    person = bot.person()
    invoice = await invoiced(bot, person)
    entries = bot.telegram.stars.entries
    entries += [{"id": f"w{number}", "amount": 5, "date": 1, "receiver": {"type": "new"}} for number in range(250)]
    entries += [None, {"id": "x"}, {"id": "g", "amount": "1", "date": 1, "source": {"type": "user", "user": {"id": 1}}}]  # type: ignore[list-item]  # what no version writes
    entries.append({"id": "old", "amount": 5, "date": 1, "source": {"user": {"id": 3}, "invoice_payload": "another"}})
    bot.telegram.misdeliver("lost")
    await person.pay(invoice.id)
    await bot.told(person, "добавлено 10 кредитов")
    await bot.until("SELECT position = 255 FROM charge_lists")
    assert await bot.value("SELECT array_agg(id) FROM stray_charges") == ["old"]
    assert await bot.value("SELECT count(*) FROM outbox WHERE kind LIKE 'alert%'") == 0
    partner = {"user": {"id": person.id}, "invoice_payload": bot.telegram.stars.invoices[invoice.id].payload}
    entries.insert(-9, {"id": "late", "amount": 185, "date": 1, "source": partner})
    await bot.until("SELECT credits = 30 FROM users WHERE id = $1", person.id)
    del entries[:-1]
    await bot.db.execute("UPDATE charge_lists SET position = 100000")
    await bot.until("SELECT position = 1 FROM charge_lists")
    assert await bot.credits(person) == 30


@pytest.mark.settings(payments="yookassa,stars", payment_poll_after_s=0.2)
async def test_a_payload_that_no_database_keeps_holds_up_nothing_of_the_list(bot: World) -> None:
    """It is noted without the letter that PostgreSQL has no place for, and what comes after it is found."""
    person = bot.person()
    invoice = await invoiced(bot, person)
    odd = {"user": {"id": person.id}, "invoice_payload": "an\0other"}
    bot.telegram.stars.entries.append({"id": "odd", "amount": 5, "date": 1, "source": odd})
    bot.telegram.misdeliver("lost")
    await person.pay(invoice.id)
    await bot.told(person, "добавлено 10 кредитов")
    assert await bot.value("SELECT payload FROM stray_charges WHERE id = 'odd'") == "another"


async def test_the_doctor_reads_a_list_with_kinds_that_came_later(bot: World) -> None:
    """As the bot does."""
    bot.telegram.stars.entries.append({"id": "w", "amount": 5, "date": 1, "receiver": {"type": "new"}})
    assert "can be read" in await stars_are_told_of(bot.settings)


async def test_an_invoice_that_nobody_paid_for_a_day_is_not_shown_again_and_can_be_paid(bot: World) -> None:
    person = bot.person()
    old = await invoiced(bot, person)
    await bot.db.execute(
        "UPDATE payments SET created_at = now() - interval '1 day', poll_at = now() WHERE gateway = 'stars'"
    )
    await bot.db.execute("UPDATE charge_lists SET due_at = now()")
    await bot.until("SELECT status = 'abandoned' FROM payments WHERE gateway = 'stars'")
    new = await invoiced(bot, person)
    assert bot.telegram.stars.invoices[new.id].payload != bot.telegram.stars.invoices[old.id].payload
    assert await person.pay(old.id) == ""
    await bot.told(person, "добавлено 10 кредитов")


@pytest.mark.settings(payments="yookassa")
async def test_stars_that_are_switched_off_are_declined_and_what_was_paid_is_credited(bot: World) -> None:
    """An invoice outlives the setting; where Stars were never taken, nobody asks for their list."""
    person = bot.person()
    await bot.choose(person)
    assert not (await bot.offered(person, "Оплатить")).button("⭐")
    assert bot.telegram.called("getStarTransactions") == []
    payment = uuid4()
    await bot.db.execute(
        "INSERT INTO payments (id, user_id, plan, credits, amount, currency, gateway, shop_id, test, request, poll_at)"
        " VALUES ($1, $2, 'p200', 10, 185, 'XTR', 'stars', $3, false, '{}', now() + interval '1 day')",
        payment,
        person.id,
        TOKEN.partition(":")[0],
    )
    link = await bot.offered(person, "Оплатить")
    bot.telegram.stars.invoices[link.id] = Invoice(str(payment), 185)
    assert "больше не принимается" in await person.pay(link.id)
    await bot.telegram.charge_unasked(person, link.id)
    assert await bot.credits(person) == 20
    await bot.telegram.wait_for(lambda: bot.telegram.called("getStarTransactions"))


async def test_the_question_is_asked_for(bot: World) -> None:
    """Telegram sends what it is told to send."""
    assert {"pre_checkout_query", "message", "callback_query"} <= set(bot.telegram.webhook["allowed_updates"])
