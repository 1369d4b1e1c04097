"""Telegram Stars: an invoice in the chat, a question before the charge, and charges that Telegram tells of."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aiogram import Bot
from aiogram.methods import TelegramMethod
from aiogram.types import LabeledPrice, Message, PreCheckoutQuery, RefundedPayment, SuccessfulPayment

from app.gateways.port import Order, Unavailable

PAGE = 100
"""Entries of the list that one call brings at most (Bot API: `limit` of getStarTransactions)."""

type Entries = Sequence[object]


class _Transactions(TelegramMethod[dict[str, Any]]):
    """getStarTransactions, unread: aiogram refuses the whole page for one partner of a kind that came after it."""

    __returning__ = dict[str, Any]
    __api_method__ = "getStarTransactions"

    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class Told:
    """What Telegram says of a charge: `amount` Stars that `user_id` paid, or (`refunded`) got back.

    `payload` is what the invoice bore, `payment_id` that where it can be an id of ours.
    """

    id: str
    user_id: int
    amount: int
    currency: str
    payload: str
    refunded: bool

    @property
    def payment_id(self) -> UUID | None:
        try:
            return UUID(self.payload)
        except ValueError:
            return None


class Stars:
    """The balance of Stars of a bot: `shop_id` is the bot's id."""

    name = "stars"
    currency = "XTR"
    test = False

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self.shop_id = str(bot.id)

    def request(self, order: Order, title: str) -> str:
        """The invoice: it is stored first, so that a person who chooses again sees the same."""
        invoice = {
            "title": title,
            "description": order.description,
            "payload": str(order.payment_id),
            "amount": order.amount,
        }
        return json.dumps(invoice, ensure_ascii=False)

    async def send_invoice(self, user_id: int, request: str) -> None:
        """`sendInvoice` with one price and no provider. Raises what aiogram raises."""
        invoice = json.loads(request)
        await self._bot.send_invoice(
            user_id,
            title=invoice["title"],
            description=invoice["description"],
            payload=invoice["payload"],
            currency=self.currency,
            provider_token="",
            prices=[LabeledPrice(label=invoice["title"], amount=invoice["amount"])],
        )

    async def entries(self, offset: int) -> Entries:
        """A page of `getStarTransactions`, the oldest first, as it came. Raises what aiogram raises, and Unavailable
        where the answer is no list."""
        answer = await self._bot(_Transactions(offset=offset, limit=PAGE))
        entries = answer.get("transactions")
        if not isinstance(entries, list):
            raise Unavailable("an answer that is no list of transactions")
        return entries


def told_before(query: PreCheckoutQuery) -> Told:
    """What is about to be charged; it has no number yet."""
    return Told("", query.from_user.id, query.total_amount, query.currency, query.invoice_payload, refunded=False)


def told_by(message: Message) -> Told | None:
    """What a message tells of a charge of its sender; None where it tells of none."""
    payment = message.successful_payment or message.refunded_payment
    # A refund is told in the person's chat, by whomever
    payer = message.from_user.id if message.from_user and message.successful_payment else message.chat.id
    return _of_payment(payment, payer) if payment else None


def _of_payment(payment: SuccessfulPayment | RefundedPayment, user_id: int) -> Told:
    return Told(
        payment.telegram_payment_charge_id,
        user_id,
        payment.total_amount,
        payment.currency,
        payment.invoice_payload,
        isinstance(payment, RefundedPayment),
    )


def told_in(entry: object) -> Told | None:
    """What an entry of the list tells of an invoice that was paid or given back; None for anything else.

    A refund bears the number of what it gives back, and names the person as its receiver.
    """
    try:
        assert isinstance(entry, dict)
        refunded = "source" not in entry
        partner = entry["receiver" if refunded else "source"]
        user_id, amount = partner["user"]["id"], entry["amount"]
        # Optional, says the Bot API: a refund without one is told from a gift by its kind
        without = "" if refunded and partner.get("transaction_type") == "invoice_payment" else None
        payload = partner.get("invoice_payload", without)
    except (AssertionError, AttributeError, KeyError, TypeError):
        return None
    if not (isinstance(user_id, int) and isinstance(payload, str) and isinstance(amount, int) and amount > 0):
        return None
    return Told(str(entry["id"]), user_id, amount, Stars.currency, payload, refunded)
