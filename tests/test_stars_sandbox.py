"""The fake Telegram's Stars: asked before a charge, told of it, and listed; in Telegram's own types."""

import asyncio
import json
from typing import Any

import pytest
from aiogram.types import Message, PreCheckoutQuery
from aiogram.types.star_transactions import StarTransactions

from sandbox.telegram import FakeTelegram, Person
from tests.test_sandbox import Hook, call, hook, picture, telegram

__all__ = ["hook", "telegram"]

INVOICE: dict[str, Any] = {
    "chat_id": 77,
    "title": "10 кредитов",
    "description": "и подписка на 30 дней",
    "payload": "a-payment",
    "currency": "XTR",
    "provider_token": "",
    "prices": [{"label": "10 кредитов", "amount": 100}],
}


def _paid(hook: Hook) -> list[dict[str, Any]]:
    return [update["message"] for update in hook.got if "successful_payment" in update.get("message", {})]


async def _pay(hook: Hook, telegram: FakeTelegram, person: Person, **answer: Any) -> str:
    """An invoice is sent and the person pays it; what they read. The bot answers so."""
    sent = await call(telegram, "sendInvoice", **INVOICE)
    assert Message.model_validate(sent["result"]).invoice
    asked = len(hook.got)
    paying = asyncio.create_task(person.pay(sent["result"]["message_id"]))
    await hook.wait_for(lambda: len(hook.got) > asked)
    query = PreCheckoutQuery.model_validate(hook.got[asked]["pre_checkout_query"])
    assert (query.from_user.id, query.total_amount, query.invoice_payload) == (person.id, 100, "a-payment")
    answered = await call(telegram, "answerPreCheckoutQuery", pre_checkout_query_id=query.id, **answer)
    assert answered["ok"]
    return await paying


async def test_a_charge_is_told_listed_and_given_back_once(hook: Hook, telegram: FakeTelegram) -> None:
    """The charge's number is that of both its transactions, the oldest first."""
    person = telegram.person(77)
    assert await _pay(hook, telegram, person, ok=True) == ""
    paid = Message.model_validate(_paid(hook)[0]).successful_payment
    assert paid is not None
    assert (paid.invoice_payload, paid.total_amount) == ("a-payment", 100)
    charge = {"user_id": 77, "telegram_payment_charge_id": paid.telegram_payment_charge_id}
    assert (await call(telegram, "refundStarPayment", **charge))["ok"]
    assert "ALREADY_REFUNDED" in (await call(telegram, "refundStarPayment", **charge))["description"]
    await hook.wait_for(lambda: "refunded_payment" in hook.got[-1].get("message", {}))
    listed = StarTransactions.model_validate((await call(telegram, "getStarTransactions"))["result"]).transactions
    assert [one.id for one in listed] == [paid.telegram_payment_charge_id] * 2
    assert [(one.source is not None, one.receiver is not None) for one in listed] == [(True, False), (False, True)]
    assert len((await call(telegram, "getStarTransactions", offset=1, limit=5))["result"]["transactions"]) == 1


async def test_what_the_bot_refuses_or_leaves_unanswered_is_not_charged(
    hook: Hook, telegram: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person reads why; an answer after the ten seconds is too late."""
    person = telegram.person(77)
    assert await _pay(hook, telegram, person, ok=False, error_message="Счёт уже оплачен") == "Счёт уже оплачен"
    monkeypatch.setattr("sandbox.telegram.ANSWER_WITHIN_S", 0.1)
    monkeypatch.setattr("sandbox.stars.ANSWER_WITHIN_S", 0.1)
    sent = await call(telegram, "sendInvoice", **INVOICE)
    assert "вовремя" in await person.pay(sent["result"]["message_id"])
    query = hook.got[-1]["pre_checkout_query"]["id"]
    late = await call(telegram, "answerPreCheckoutQuery", pre_checkout_query_id=query, ok=True)
    assert "too old" in late["description"]
    assert telegram.charges == []
    assert _paid(hook) == []


@pytest.mark.parametrize(("kind", "times"), [("lost", 0), ("doubled", 2), ("delayed", 1)])
async def test_word_of_a_charge_is_lost_doubled_or_late(
    hook: Hook, telegram: FakeTelegram, kind: Any, times: int
) -> None:
    """The charge stands in the list all the same."""
    telegram.misdeliver(kind, delay=0.3)
    assert await _pay(hook, telegram, telegram.person(77), ok=True) == ""
    assert len(_paid(hook)) == (0 if kind == "delayed" else times)
    if times:
        await hook.wait_for(lambda: len(_paid(hook)) == times)
    assert len((await call(telegram, "getStarTransactions"))["result"]["transactions"]) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"currency": "RUB"}, "CURRENCY_INVALID"),
        ({"provider_token": "1:x"}, "PAYMENT_PROVIDER_INVALID"),
        ({"prices": [{"label": "a", "amount": 1}] * 2}, "exactly one price"),
        ({"prices": [{"label": "a", "amount": 0}]}, "STARS_INVOICE_INVALID"),
        ({"payload": "я" * 65}, "INVOICE_PAYLOAD_INVALID"),
        ({"title": ""}, "empty or too long"),
    ],
)
async def test_an_invoice_that_telegram_would_refuse_is_refused(
    telegram: FakeTelegram, wrong: dict[str, Any], said: str
) -> None:
    telegram.person(77)
    assert said in (await call(telegram, "sendInvoice", **INVOICE | wrong))["description"]


async def test_an_album_of_the_bots_is_several_messages_of_one_group(telegram: FakeTelegram) -> None:
    """Each has its own caption; one picture is none."""
    telegram.person(77)
    sent = [await call(telegram, "sendPhoto", chat_id=77, photo=telegram.files.photo_sizes(picture())[0]["file_id"])]
    photo = sent[0]["result"]["photo"][-1]["file_id"]
    media = [{"type": "photo", "media": photo, "caption": text} for text in ("один", "<два>")]
    album = (await call(telegram, "sendMediaGroup", chat_id=77, media=json.dumps(media)))["result"]
    assert [message["caption"] for message in album] == ["один", "<два>"]
    assert len({Message.model_validate(message).media_group_id for message in album}) == 1
    alone = await call(telegram, "sendMediaGroup", chat_id=77, media=json.dumps(media[:1]))
    assert "two to ten" in alone["description"]
