"""Where receipts go: the person's own address from the next new payment on, else the shop's."""

import json
from typing import Any

import pytest

from app.addresses import address
from app.doctor.ill import Doubtful
from app.doctor.receipts import receipts_are_of_today
from sandbox.people import Person
from tests.world import World

ADMIN = 5
SHOPS, OWN = "shop@bot.example", "anna+bot@mail.example"

pytestmark = pytest.mark.settings(
    yookassa_receipt_email=SHOPS, yookassa_tax_system_code=2, yookassa_vat_code=11, admin_ids=(ADMIN,)
)


async def receipts(bot: World) -> list[dict[str, Any]]:
    """What YooKassa was sent, oldest first."""
    return [json.loads(call.body)["receipt"] for call in bot.yookassa.called("payments.create")]


async def to(bot: World) -> list[str]:
    """Whom each receipt is for."""
    return [receipt["customer"]["email"] for receipt in await receipts(bot)]


async def chosen(bot: World, person: Person, email: str = OWN) -> None:
    await person.send_text(f"/email {email}")
    await bot.told(person, "чеки придут на")


async def test_a_receipt_goes_to_the_shops_address_and_to_the_persons_own_once_it_is_named(bot: World) -> None:
    """A link that is there already keeps the body that it was made with; the code of taxes is in each."""
    person = bot.person()
    await bot.choose(person, "200 ₽")
    await chosen(bot, person)
    await bot.choose(person, "200 ₽")
    await bot.choose(person, "500 ₽")
    await person.send_text("/email -")
    await bot.told(person, "Адрес удалён")
    await bot.choose(person, "1000 ₽")
    assert await to(bot) == [SHOPS, OWN, SHOPS]
    assert {receipt["tax_system_code"] for receipt in await receipts(bot)} == {2}
    assert {receipt["items"][0]["vat_code"] for receipt in await receipts(bot)} == {11}


async def test_email_says_which_it_is_takes_another_and_removes_it(bot: World) -> None:
    person = bot.person()
    await person.send_text("/email")
    await bot.told(person, "не назван")
    for odd in ("anna", "a@b", "a b@c.de", "<b>@c.de", "anna@почта.рф", "a@b..de", "@c.de", "x" * 65 + "@c.de"):
        sent = await person.send_text(f"/email {odd}")
        await bot.told(person, "не похоже", after=sent)
    await chosen(bot, person)
    await person.send_text("/email")
    said = await bot.told(person, f"Чеки приходят на {OWN}")
    await person.press(said.id, "Удалить адрес")
    await bot.told(person, "Адрес удалён")
    assert await bot.value("SELECT email FROM users WHERE id = $1", person.id) is None


@pytest.mark.parametrize("good", ["a@b.de", " anna.k+bot@mail.example.com ", "o'neil@x-y.org"])
def test_an_address_is_taken_without_what_stands_around_it(good: str) -> None:
    assert address(good) == good.strip()


@pytest.mark.settings(yookassa_receipt_email="")
async def test_without_receipts_no_address_is_taken_or_offered(bot: World) -> None:
    person = bot.person()
    await person.send_text(f"/email {OWN}")
    await bot.told(person, "чеки по почте не отправляются")
    assert await bot.value("SELECT email FROM users WHERE id = $1", person.id) is None
    await bot.yookassa.pay(await bot.choose(person))
    await bot.told(person, "добавлено 10 кредитов")
    assert await bot.value("SELECT count(*) FROM outbox WHERE kind = 'receipt_offer'") == 0


async def test_an_address_is_offered_once_after_the_first_purchase(bot: World) -> None:
    """And never to somebody who has named one."""
    person, named = bot.person(), bot.person(78)
    await bot.yookassa.pay(await bot.choose(person))
    await bot.told(person, "чеки на почту")
    await bot.db.execute("DELETE FROM outbox WHERE kind = 'receipt_offer'")
    await bot.yookassa.pay(await bot.choose(person, "500 ₽"))
    await chosen(bot, named)
    await bot.yookassa.pay(await bot.choose(named))
    await bot.told(named, "добавлено 10 кредитов")
    assert await bot.value("SELECT count(*) FROM outbox WHERE kind = 'receipt_offer'") == 0


async def test_forget_removes_the_address_from_the_person_and_from_their_payments(bot: World) -> None:
    """Where the create call may have to be repeated it stays until that is over."""
    person = bot.person()
    await chosen(bot, person)
    await bot.choose(person)
    bot.yookassa.fault("payments.create", status=500)
    await person.send_text("/buy_subscription")
    await person.press((await bot.offered(person, "500 ₽")).id, "500 ₽")
    await person.send_text("/forget")
    await bot.told(person, "Готово")
    assert await bot.value("SELECT email FROM users WHERE id = $1", person.id) is None
    left = "SELECT array_agg(status) FROM payments WHERE request::text LIKE '%' || $1 || '%'"
    assert await bot.value(left, OWN) == ["new"]


@pytest.mark.settings(yookassa_receipt_email=SHOPS, payment_poll_after_s=0.3)
async def test_an_address_removed_while_a_link_is_made_goes_once_the_link_is_there(bot: World) -> None:
    """The same text is sent again under the same key until then."""
    person = bot.person()
    await chosen(bot, person)
    bot.yookassa.fault("payments.create", status=500)
    await person.send_text("/buy_subscription")
    await person.press((await bot.offered(person, "500 ₽")).id, "500 ₽")
    await person.send_text("/email -")
    await bot.told(person, "Адрес удалён")
    assert await bot.value("SELECT request::text LIKE '%' || $1 || '%' FROM payments", OWN)
    await bot.db.execute("UPDATE payments SET poll_at = now()")
    await bot.until("SELECT status = 'pending' FROM payments")
    assert await to(bot) == [OWN, OWN]
    assert not await bot.value("SELECT request::text LIKE '%' || $1 || '%' FROM payments", OWN)


async def test_an_address_that_yookassa_does_not_take_stops_nobody(bot: World) -> None:
    """The press gets its link with the shop's address, the person is told, nothing counts against sales."""
    person = bot.person()
    await chosen(bot, person)
    bot.yookassa.fault("payments.create", status=400)
    await bot.choose(person)
    await bot.told(person, "не приняла ваш адрес")
    assert await to(bot) == [OWN, SHOPS]
    assert await bot.value("SELECT email FROM users WHERE id = $1", person.id) is None
    assert await bot.value("SELECT count(*) FROM breakers WHERE provider = 'yookassa' AND refusals > 0") == 0
    assert await bot.value("SELECT count(*) FROM outbox WHERE kind LIKE 'alert%'") == 0


async def test_a_body_that_is_refused_with_the_shops_address_as_well_is_the_shops_fault(bot: World) -> None:
    """One refusal counts a press, and the person's address stays."""
    person = bot.person()
    await chosen(bot, person)
    bot.yookassa.fault("payments.create", status=400, times=4)
    await person.send_text("/buy_subscription")
    offer = await bot.offered(person, "200 ₽")
    for _ in range(2):
        await person.press(offer.id, "200 ₽")
    await bot.told(person, "Оплата сейчас недоступна")
    assert await bot.value("SELECT refusals FROM breakers WHERE provider = 'yookassa'") == 2
    assert await bot.value("SELECT email FROM users WHERE id = $1", person.id) == OWN
    assert await bot.value("SELECT count(*) FROM outbox WHERE kind = 'alert_checkout_refused'") == 1


@pytest.mark.parametrize("code", [4, 6])
async def test_the_doctor_warns_of_a_tax_of_the_past(bot: World, code: int) -> None:
    with pytest.raises(Doubtful, match="22 %"):
        await receipts_are_of_today(bot.settings.model_copy(update={"yookassa_vat_code": code}))
