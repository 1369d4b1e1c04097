"""Payments in Stars as Telegram knows them: invoices, the question before each charge, charges and refunds."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.params import BotApiError, Params
from sandbox.people import Person

CURRENCY = "XTR"
ANSWER_WITHIN_S = 10
PAYLOAD_LIMIT, TITLE_LIMIT, DESCRIPTION_LIMIT, MOST_STARS = 128, 32, 255, 10_000
_PAGE = 100


@dataclass(frozen=True)
class Invoice:
    """What a message asks to be paid."""

    payload: str
    amount: int


@dataclass
class Checkout:
    """A person has agreed to pay, and the bot is asked; `answer` is None until it says yes or why not."""

    id: str
    person: Person
    invoice: Invoice
    answer: tuple[bool, str] | None = None
    at: float = field(default_factory=time.monotonic)

    @property
    def query(self) -> dict[str, Any]:
        """The `pre_checkout_query` of an update."""
        return {"id": self.id, "from": self.person.user, "currency": CURRENCY, "total_amount": self.invoice.amount,
                "invoice_payload": self.invoice.payload}  # fmt: skip


@dataclass
class Charge:
    """Stars that a person has paid."""

    id: str
    person: Person
    invoice: Invoice
    refunded: bool = False
    date: int = field(default_factory=lambda: int(time.time()))

    @property
    def told(self) -> dict[str, Any]:
        """As `successful_payment` and `refunded_payment` tell of it."""
        return {"currency": CURRENCY, "total_amount": self.invoice.amount, "invoice_payload": self.invoice.payload,
                "telegram_payment_charge_id": self.id, "provider_payment_charge_id": ""}  # fmt: skip


class Stars:
    """What the bot was paid and has given back; `refunded` is called with each charge that was.

    `entries` is the list of transactions, the oldest first.
    """

    def __init__(self, ids: Iterator[int], refunded: Callable[[Charge], None]) -> None:
        self.invoices: dict[int, Invoice] = {}
        self.charges: dict[str, Charge] = {}
        self._checkouts: dict[str, Checkout] = {}
        self.entries: list[dict[str, Any]] = []
        self._ids, self._refunded = ids, refunded

    # What people do

    def ask(self, person: Person, message_id: int) -> Checkout:
        """The person agrees to pay the invoice of that message, their own or a forwarded one; KeyError without one."""
        checkout = Checkout(f"{next(self._ids)}", person, self.invoices[message_id])
        self._checkouts[checkout.id] = checkout
        return checkout

    def charge(self, checkout: Checkout) -> Charge:
        """The Stars change hands."""
        charge = Charge(f"stx-{next(self._ids)}", checkout.person, checkout.invoice)
        self.charges[charge.id] = charge
        self._note(charge, "source")
        return charge

    def give_back(self, charge: Charge) -> None:
        """The Stars go back; ValueError where they have gone already."""
        if charge.refunded:
            raise ValueError("refunded already")
        charge.refunded = True
        self._note(charge, "receiver")
        self._refunded(charge)

    def _note(self, charge: Charge, side: str) -> None:
        """A refund bears the number of what it refunds, and names whom it went to."""
        partner = {"type": "user", "transaction_type": "invoice_payment", "user": charge.person.user,
                   "invoice_payload": charge.invoice.payload}  # fmt: skip
        entry = {"id": charge.id, "amount": charge.invoice.amount, "date": int(time.time()), side: partner}
        self.entries.append(entry)

    # The methods of the Bot API

    def content(self, given: Params) -> dict[str, Any]:
        """sendInvoice: what stands in its message."""
        title, description, payload = (given.text(name) for name in ("title", "description", "payload"))
        if given.text("currency") != CURRENCY:
            raise BotApiError(400, "Bad Request: CURRENCY_INVALID")
        if given.text("provider_token"):
            raise BotApiError(400, "Bad Request: PAYMENT_PROVIDER_INVALID")
        if not 1 <= len(title) <= TITLE_LIMIT or not 1 <= len(description) <= DESCRIPTION_LIMIT:
            raise BotApiError(400, "Bad Request: title or description is empty or too long")
        if not 1 <= len(payload.encode()) <= PAYLOAD_LIMIT:
            raise BotApiError(400, "Bad Request: INVOICE_PAYLOAD_INVALID")
        amount = _one_price(given)
        told = {"title": title, "description": description, "start_parameter": "", "currency": CURRENCY,
                "total_amount": amount}  # fmt: skip
        return {"invoice": told}

    def sent(self, message_id: int, given: Params) -> None:
        """The invoice stands in that message."""
        self.invoices[message_id] = Invoice(given.text("payload"), _one_price(given))

    def answer(self, given: Params) -> bool:
        """answerPreCheckoutQuery."""
        checkout = self._checkouts.get(given.text("pre_checkout_query_id"))
        if checkout is None or checkout.answer or time.monotonic() > checkout.at + ANSWER_WITHIN_S:
            raise BotApiError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if not given.flag("ok") and not given.text("error_message"):
            raise BotApiError(400, "Bad Request: error message must be non-empty")
        checkout.answer = given.flag("ok"), given.text("error_message")
        return True

    def refund(self, given: Params) -> bool:
        """refundStarPayment."""
        charge = self.charges.get(given.text("telegram_payment_charge_id"))
        if charge is None or charge.person.id != given.number("user_id"):
            raise BotApiError(400, "Bad Request: CHARGE_ID_INVALID")
        try:
            self.give_back(charge)
        except ValueError:
            raise BotApiError(400, "Bad Request: CHARGE_ALREADY_REFUNDED") from None
        return True

    def transactions(self, given: Params) -> dict[str, Any]:
        """getStarTransactions: the oldest first."""
        offset, limit = given.number("offset"), given.number("limit") or _PAGE
        if offset < 0 or not 1 <= limit <= _PAGE:
            raise BotApiError(400, "Bad Request: invalid offset or limit specified")
        return {"transactions": self.entries[offset : offset + limit]}


def _one_price(given: Params) -> int:
    prices = given.parsed("prices", "prices") or []
    if not isinstance(prices, list) or len(prices) != 1 or not isinstance(prices[0], dict):
        raise BotApiError(400, "Bad Request: exactly one price is needed for Stars")
    amount = prices[0].get("amount")
    if not prices[0].get("label") or not isinstance(amount, int) or not 1 <= amount <= MOST_STARS:
        raise BotApiError(400, "Bad Request: STARS_INVOICE_INVALID")
    return amount
