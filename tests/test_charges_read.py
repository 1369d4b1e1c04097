"""What is understood of a charge or a refund as its gateway shows it, and what is taken for none."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiogram import Bot
from aiogram.types import Message
from aiohttp import web

from app.gateways.port import Lane, Order, Refund, Status, Unavailable
from app.gateways.stars import Stars, Told, told_by, told_in
from app.gateways.yookassa import YooKassa
from tests.flows import flow_settings

PAYMENT = uuid4()
BARE = {"id": "c", "status": "pending", "amount": {"value": "200.00", "currency": "RUB"}}
ORDER = Order(PAYMENT, 7, 20_005, "Ten credits", "https://t.me/bot")


@dataclass
class Kassa:
    """YooKassa, which answers everything with the same body."""

    answer: Any = None
    till: YooKassa = field(init=False)

    async def reads(self, body: Any) -> Any:
        self.answer = body
        return await self.till.read("c", Lane.POLL)

    async def reads_refund(self, **changes: Any) -> Any:
        refund = {"id": "r", "payment_id": "c", "status": "succeeded", "amount": {"value": "0.50", "currency": "RUB"}}
        self.answer = refund | changes
        return await self.till.read_refund("r", Lane.POLL)


@pytest.fixture
async def kassa() -> AsyncIterator[Kassa]:
    held = Kassa()

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(held.answer)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/v3"
    held.till = YooKassa(flow_settings("postgresql://127.0.0.1", yookassa_api_url=address))
    yield held
    await held.till.close()
    await runner.cleanup()


async def test_a_payment_is_read_whole(kassa: Kassa) -> None:
    charge = await kassa.reads(
        BARE
        | {
            "status": "succeeded",
            "test": True,
            "metadata": {"payment_id": str(PAYMENT), "user_id": "7"},
            "confirmation": {"confirmation_url": "https://pay.example"},
            "refunded_amount": {"value": "1.50", "currency": "RUB"},
            "recipient": {"account_id": "9"},
            "cancellation_details": {"reason": "fraud"},
            "created_at": "2026-11-26T10:00:00.000Z",
        }
    )
    assert (charge.status, charge.amount, charge.refunded, charge.test) == (Status.PAID, 20_000, 150, True)
    assert (charge.payment_id, charge.user_id, charge.shop_id) == (PAYMENT, 7, "9")
    assert (charge.url, charge.cancel_reason) == ("https://pay.example", "fraud")
    assert charge.created_at == datetime(2026, 11, 26, 10, tzinfo=UTC)


async def test_what_a_payment_does_not_say_is_left_out(kassa: Kassa) -> None:
    """Without a receiver it is the shop's own; what is no word of YooKassa's is odd."""
    empty: dict[str, Any] = dict.fromkeys(
        ("metadata", "confirmation", "refunded_amount", "recipient", "cancellation_details", "created_at")
    )
    for body in (BARE, BARE | empty, BARE | {"recipient": {}, "test": "true", "status": "new"}):
        charge = await kassa.reads(body)
        assert (charge.payment_id, charge.user_id, charge.shop_id, charge.test) == (None, None, "1", False)
        assert (charge.url, charge.refunded, charge.cancel_reason, charge.created_at) == (None, 0, None, None)
    assert charge.status is Status.ODD


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"metadata": {"user_id": "٧"}}, "user_id"),
        ({"metadata": {"user_id": "7" * 19}}, "user_id"),
        ({"metadata": {"user_id": "-7"}}, "user_id"),
        ({"metadata": {"payment_id": "no id"}}, "payment_id"),
        ({"confirmation": {"confirmation_url": "a\0b"}}, "url"),
        ({"confirmation": {"confirmation_url": 5}}, "url"),
        ({"created_at": "2026-11-26T10:00:00"}, "created_at"),
        ({"created_at": "yesterday"}, "created_at"),
    ],
)
async def test_what_no_database_keeps_and_no_id_of_ours_is_nothing(
    kassa: Kassa, changes: dict[str, Any], name: str
) -> None:
    assert getattr(await kassa.reads(BARE | changes), name) is None


async def test_an_id_of_a_person_has_at_most_eighteen_digits(kassa: Kassa) -> None:
    assert (await kassa.reads(BARE | {"metadata": {"user_id": "9" * 18}})).user_id == int("9" * 18)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        BARE | {"amount": {"value": "200.001", "currency": "RUB"}},
        BARE | {"amount": {"value": "1e9", "currency": "RUB"}},
        BARE | {"metadata": "none"},
    ],
)
async def test_what_is_no_payment_says_nothing(kassa: Kassa, body: Any) -> None:
    with pytest.raises(Unavailable):
        await kassa.reads(body)


async def test_a_refund_is_one_until_it_is_canceled_and_done_once_it_has_succeeded(kassa: Kassa) -> None:
    assert await kassa.reads_refund() == Refund("r", "c", 50, True)
    assert await kassa.reads_refund(status="pending") == Refund("r", "c", 50, False)
    assert await kassa.reads_refund(status="canceled") is None
    with pytest.raises(Unavailable):
        await kassa.reads_refund(amount=None)


@pytest.mark.parametrize(
    ("shops", "persons", "tax", "address"),
    [("", None, None, None), ("s@b.example", None, None, None), ("s@b.example", "a@b.example", 2, "a@b.example")],
)
def test_a_request_has_a_receipt_where_the_shop_sends_them(
    shops: str, persons: str | None, tax: int | None, address: str | None
) -> None:
    """To the person's own address or the shop's; the tax system where it is named. YooKassa refuses what is empty."""
    settings = flow_settings(
        "postgresql://127.0.0.1",
        yookassa_receipt_email=shops,
        yookassa_vat_code=11,
        yookassa_tax_system_code=tax,
    )
    till = YooKassa(settings)
    request = till.request(Order(PAYMENT, 7, 20_005, "Ten credits", "https://t.me/bot", persons))
    body = json.loads(request)
    assert body["amount"] == {"value": "200.05", "currency": "RUB"}
    receipt = body.get("receipt", {})
    assert (bool(receipt), "tax_system_code" in receipt) == (bool(shops), tax is not None)
    assert receipt.get("customer", {}).get("email", "") == (persons or shops)
    assert receipt.get("tax_system_code") == tax
    assert till.address_in(request) == address


CHARGE: dict[str, Any] = {
    "currency": "XTR",
    "total_amount": 185,
    "invoice_payload": str(PAYMENT),
    "telegram_payment_charge_id": "t",
}


def _message(**holds: Any) -> Message:
    chat = {"id": 7, "type": "private"}
    return Message.model_validate({"message_id": 1, "date": 1, "chat": chat} | holds)


@pytest.mark.parametrize(
    ("chat", "sender", "kind"),
    [
        (-100, 7, "successful_payment"),
        (7, None, "successful_payment"),
        # By the bot itself, in the person's chat
        (7, 4242, "refunded_payment"),
    ],
)
def test_a_message_tells_of_a_charge_of_its_sender_or_of_what_was_given_back_in_the_persons_chat(
    chat: int, sender: int | None, kind: str
) -> None:
    """An invoice may be paid in a group; the credits are the payer's, and so is what is taken back."""
    charge = CHARGE | ({"provider_payment_charge_id": ""} if kind == "successful_payment" else {})
    held: dict[str, Any] = {"chat": {"id": chat, "type": "private" if chat > 0 else "group"}, kind: charge}
    if sender is not None:
        held["from"] = {"id": sender, "is_bot": sender == 4242, "first_name": "A"}
    told = told_by(_message(**held))
    assert told == Told("t", 7, 185, "XTR", str(PAYMENT), kind == "refunded_payment")


def test_a_message_of_anything_else_tells_of_no_charge() -> None:
    assert told_by(_message(text="⭐ 185")) is None


PAID = {"id": "t", "amount": 5, "source": {"user": {"id": 7}, "invoice_payload": str(PAYMENT)}}
BACK = {"id": "t", "amount": 5, "receiver": {"user": {"id": 7}, "invoice_payload": str(PAYMENT)}}


def test_an_entry_of_the_list_is_a_charge_or_what_was_given_back() -> None:
    paid, back = told_in(PAID), told_in(BACK)
    assert paid is not None
    assert back is not None
    assert (paid.id, paid.user_id, paid.amount, paid.payment_id, paid.refunded) == ("t", 7, 5, PAYMENT, False)
    assert (back.user_id, back.refunded) == (7, True)


def test_a_refund_without_a_payload_is_told_from_a_gift_by_its_kind() -> None:
    partner: dict[str, Any] = {"user": {"id": 7}, "transaction_type": "invoice_payment"}
    back = told_in(BACK | {"receiver": partner})
    assert back is not None
    assert back.payment_id is None
    assert told_in(BACK | {"receiver": partner | {"transaction_type": "gift_purchase"}}) is None
    assert told_in({"id": "t", "amount": 5, "source": partner}) is None


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "text",
        PAID | {"amount": 0},
        PAID | {"amount": "5"},
        PAID | {"source": {"user": {"id": "7"}, "invoice_payload": ""}},
        PAID | {"source": {"user": {"id": 7}, "invoice_payload": 5}},
        PAID | {"source": {"type": "fragment"}},
        PAID | {"source": None},
    ],
)
def test_any_other_entry_of_the_list_tells_of_no_charge(entry: object) -> None:
    assert told_in(entry) is None


class Listed(Bot):
    """A bot whose list of transactions is known."""

    answer: Any = None

    async def __call__(self, *_arguments: Any, **_named: Any) -> Any:
        return self.answer


async def test_an_answer_that_is_no_list_of_transactions_is_none() -> None:
    bot = Listed("4242:a-token-of-the-tests")
    for answer, entries in (({"transactions": [PAID]}, [PAID]), ({"transactions": []}, [])):
        bot.answer = answer
        assert await Stars(bot).entries(0) == entries
    for odd in ({}, {"transactions": None}, {"transactions": "many"}):
        bot.answer = odd
        with pytest.raises(Unavailable):
            await Stars(bot).entries(0)


def test_an_amount_of_one_star_is_one() -> None:
    told = told_in(PAID | {"amount": 1})
    assert told is not None
    assert isinstance(told.payment_id, UUID)
