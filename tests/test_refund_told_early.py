"""A refund may be told of before its payment shows it, once and never again: it is taken back all the same."""

import asyncio
import uuid

import pytest

from sandbox.people import Person
from tests.world import World

ADMIN = 5

pytestmark = pytest.mark.settings(admin_ids=(ADMIN,), payment_poll_after_s=0.3)


async def bought(bot: World, person: Person) -> str:
    """A paid plan of ten credits: twenty on the balance."""
    payment = await bot.choose(person)
    await bot.yookassa.pay(payment)
    assert await bot.credits(person) == 20
    return payment


async def refunds(bot: World) -> list[str]:
    """The states of the refunds that the bot keeps in mind, oldest first."""
    rows = await bot.db.fetch("SELECT status FROM refunds ORDER BY announced_at")
    return [row["status"] for row in rows]


@pytest.mark.settings(payment_poll_after_s=60)
async def test_a_refund_that_the_payment_does_not_show_is_to_be_told_of_again(bot: World) -> None:
    """503 until it is shown; then it is taken once, however often it is told of."""
    person = bot.person()
    payment = await bought(bot, person)
    bot.yookassa.lag()
    refund = bot.yookassa.give_back(payment)
    told = [bot.yookassa.send("refund.succeeded", refund) for _ in range(10)]
    assert set(await asyncio.gather(*told)) == {503}
    assert await bot.credits(person) == 20
    bot.yookassa.catch_up()
    assert {await bot.yookassa.send("refund.succeeded", refund) for _ in range(3)} == {200}
    assert await bot.credits(person) == 10
    assert await bot.value("SELECT status FROM payments") == "refunded"


async def test_a_refund_that_is_told_of_once_is_found_by_asking(bot: World) -> None:
    """YooKassa stops redelivering: the worker looks at a payment that is final as long as a refund of it is missing."""
    person = bot.person()
    payment = await bought(bot, person)
    bot.yookassa.lag()
    assert await bot.yookassa.refund(payment) == 503
    bot.yookassa.catch_up()
    await bot.told(person, "Возврат денег по платежу: списано 10 кредитов")
    assert await bot.credits(person) == 10
    await bot.until("SELECT status = 'shown' FROM refunds")


@pytest.mark.settings(payment_poll_after_s=60)
async def test_each_partial_refund_is_waited_for(bot: World) -> None:
    """The first is shown, which is no sign of the second."""
    person = bot.person()
    payment = await bought(bot, person)
    assert await bot.yookassa.refund(payment, "50.00") == 200
    assert await bot.credits(person) == 18
    bot.yookassa.lag()
    second = bot.yookassa.give_back(payment, "50.00")
    assert await bot.yookassa.send("refund.succeeded", second) == 503
    assert await bot.credits(person) == 18
    bot.yookassa.catch_up()
    assert await bot.yookassa.send("refund.succeeded", second) == 200
    assert await bot.credits(person) == 15


async def test_a_refund_that_is_told_of_while_yookassa_is_away_is_found_later(bot: World) -> None:
    """Nothing could be read, and nobody tells again."""
    person = bot.person()
    payment = await bought(bot, person)
    bot.yookassa.fault("payments.get", status=500)
    assert await bot.yookassa.refund(payment) == 503
    await bot.told(person, "Возврат денег по платежу: списано 10 кредитов")
    other = await bought_again(bot, person)
    bot.yookassa.fault("refunds.get", status=500)
    assert await bot.yookassa.refund(other) == 503, "the payment shows it, but the refund itself could not be read"
    await bot.until("SELECT count(*) = 2 AND bool_and(status = 'shown') FROM refunds")
    assert await bot.credits(person) == 10


async def bought_again(bot: World, person: Person) -> str:
    """Another plan of ten credits."""
    before = set(bot.yookassa.payments)
    payment = await bot.choose(person)
    assert payment not in before
    await bot.yookassa.pay(payment)
    return payment


async def test_forged_refunds_are_neither_kept_nor_asked_about_for_ever(bot: World) -> None:
    """200 and nothing written where YooKassa says that there is none; a few are kept where it could not say."""
    person = bot.person()
    payment, other = await bought(bot, person), await bought(bot, bot.person(2))
    real = bot.yookassa.give_back(other, "50.00")
    assert await bot.yookassa.send("refund.succeeded", real) == 200

    async def forge(refund_id: str) -> int:
        return await bot.yookassa.send("refund.succeeded", {"id": refund_id, "payment_id": payment})

    assert await forge(str(uuid.uuid4())) == 200
    assert await forge(real["id"]) == 200, "another payment's refund"
    assert await bot.value("SELECT count(*) FROM refunds WHERE id <> $1", real["id"]) == 0
    away = bot.yookassa.fault("payments.get", times=1000, status=500)
    assert set(await asyncio.gather(*(forge(str(uuid.uuid4())) for _ in range(40)))) == {503}
    assert await bot.value("SELECT count(*) FROM refunds WHERE id <> $1", real["id"]) <= 5
    away.times = 0
    await bot.until("SELECT count(*) = 0 FROM refunds WHERE id <> $1", real["id"])
    assert await bot.credits(person) == 20


async def test_a_refund_that_is_never_shown_is_given_up_with_one_alert(bot: World) -> None:
    """After three days a person has to look; nobody asks any more, and what is shown later is taken when it is told."""
    person = bot.person()
    payment = await bought(bot, person)
    bot.yookassa.lag()
    refund = bot.yookassa.give_back(payment)
    assert await bot.yookassa.send("refund.succeeded", refund) == 503
    await bot.db.execute("UPDATE refunds SET announced_at = now() - interval '73 hours', poll_at = now()")
    await bot.until("SELECT status = 'lost' FROM refunds")
    await bot.told(bot.person(ADMIN), "три дня не показывает")
    assert await refunds(bot) == ["lost"]
    bot.yookassa.catch_up()
    assert await bot.yookassa.send("refund.succeeded", refund) == 200
    assert await bot.credits(person) == 10
