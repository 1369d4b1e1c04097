"""Every kind of message that is owed to a person: its fields, its way into a row of the outbox and back, its sentence.

A kind is named here and nowhere else in `app/`; sql/audit.sql and sql/stuck.sql name some, which a test compares.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, get_type_hints

from app.words import Words

_DAY = "%d.%m.%Y"


class Priority(IntEnum):
    """What goes first: the lowest number. Broadcasts wait for everything, and are neither stuck nor overdue."""

    PERSON = 0
    """A result, or what concerns somebody's money."""
    ALERT = 1
    BROADCAST = 2


class Difference(StrEnum):
    """What keeps a paid payment from being the one that was ordered."""

    AMOUNT = "amount"
    SHOP = "shop"
    TEST = "test"
    """A test payment in a real shop."""
    NOT_TEST = "not_test"


@dataclass(frozen=True, slots=True)
class Notice(ABC):
    """A message owed to one chat; `ref` says what about: a second one of its kind about the same is not owed."""

    ref: str
    kind: ClassVar[str]
    priority: ClassVar[Priority] = Priority.PERSON

    def ref_for(self, chat_id: int) -> str:
        """What makes it unique among its kind."""
        return self.ref

    def payload(self) -> str:
        """Its fields as JSON, `ref` aside."""
        own = (field.name for field in fields(self) if field.name != "ref")
        return json.dumps({name: _plain(getattr(self, name)) for name in own}, ensure_ascii=False)

    @abstractmethod
    def say(self, words: Words) -> str:
        """Its sentence."""


class Alert(Notice):
    """What the operators are told: owed to each of them."""

    __slots__ = ()
    priority = Priority.ALERT

    def ref_for(self, chat_id: int) -> str:
        return f"{self.ref}:{chat_id}"


@dataclass(frozen=True, slots=True)
class Picture(Notice):
    """A result; `ref` is the generation. It is shown and not said."""

    kind = "picture"

    def say(self, words: Words) -> str:
        """Raises NotImplementedError: a picture has no sentence."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Original(Notice):
    """The untouched file of a picture that was delivered, by its `order`; `ref` is the press that asked for it."""

    kind = "original_file"
    order: str

    def say(self, words: Words) -> str:
        """Raises NotImplementedError: a file has no sentence."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class OriginalMissing(Notice):
    """An untouched file that nobody has any more, or `perhaps` it has arrived; `ref` is the press that asked for it."""

    kind = "original_missing"
    perhaps: bool

    def say(self, words: Words) -> str:
        return words.original_perhaps if self.perhaps else words.original_gone


@dataclass(frozen=True, slots=True)
class OrderFailed(Notice):
    """An order that came to nothing, and its price, which went back; `ref` is the generation.

    `picture`: which of several sources is at fault. `offer`: titles of models to choose in place of one that is gone.
    """

    kind = "order_failed"
    reason: str
    price: int
    balance: int
    picture: int | None = None
    offer: tuple[str, ...] = ()

    def say(self, words: Words) -> str:
        return words.order_failed(self.reason, self.price, self.balance, self.picture, self.offer)


@dataclass(frozen=True, slots=True)
class PaymentLink(Notice):
    """The link to pay a plan by, won when nobody waited for it any more; `ref` is the payment."""

    kind = "payment_link"
    plan: str
    url: str

    def say(self, words: Words) -> str:
        return words.payment_link(self.plan)


@dataclass(frozen=True, slots=True)
class PaymentSucceeded(Notice):
    """Credits that were bought; `until` is the subscription's last day; `ref` is the payment."""

    kind = "payment_succeeded"
    credits: int
    balance: int
    until: date

    def say(self, words: Words) -> str:
        return words.payment_succeeded(self.credits, self.balance, self.until)


@dataclass(frozen=True, slots=True)
class PaymentCanceled(Notice):
    """A payment that nothing came of; `reason` is YooKassa's word, an open set; `ref` is the payment."""

    kind = "payment_canceled"
    plan: str
    reason: str

    def say(self, words: Words) -> str:
        return words.payment_canceled(self.plan, self.reason)


@dataclass(frozen=True, slots=True)
class PaymentRefunded(Notice):
    """Credits that a refund took back, and those it could not take; `ref` is the payment and its kopecks refunded."""

    kind = "payment_refunded"
    taken: int
    short: int
    balance: int
    full: bool

    def say(self, words: Words) -> str:
        return words.payment_refunded(self.taken, self.balance, self.full)


@dataclass(frozen=True, slots=True)
class ReceiptOffer(Notice):
    """After the first purchase: receipts could go to an address of the person's; `ref` is the person."""

    kind = "receipt_offer"

    def say(self, words: Words) -> str:
        return words.receipt_offer


@dataclass(frozen=True, slots=True)
class EmailRefused(Notice):
    """The person's address kept a payment from being made, and was removed; `ref` is the payment that came of it."""

    kind = "email_refused"

    def say(self, words: Words) -> str:
        return words.email_refused


@dataclass(frozen=True, slots=True)
class PaymentStray(Notice):
    """A payment came that there is no purchase for; `ref` is the gateway's number, `amount` in minor units."""

    kind = "payment_stray"
    amount: int
    currency: str

    def say(self, words: Words) -> str:
        return words.payment_stray(self.amount, self.currency)


@dataclass(frozen=True, slots=True)
class DebtTaken(Notice):
    """Credits that a refund was short of and that have come since, and what it is `left` short of.

    `ref` is the payment, its kopecks refunded and the credits taken for them altogether.
    """

    kind = "debt_taken"
    taken: int
    left: int
    balance: int

    def say(self, words: Words) -> str:
        return words.debt_taken(self.taken, self.left, self.balance)


@dataclass(frozen=True, slots=True)
class OldAlert(Alert):
    """An alert whose text is in the row, as the version before wrote it: read, and never put."""

    kind = "alert"
    text: str

    def say(self, words: Words) -> str:
        return words.alert(self.text)


@dataclass(frozen=True, slots=True)
class CheckoutRefused(Alert):
    """YooKassa refused to make a payment; `status` is its HTTP status, `ref` that and the hour."""

    kind = "alert_checkout_refused"
    status: int

    def say(self, words: Words) -> str:
        return words.alert_checkout_refused(self.status)


@dataclass(frozen=True, slots=True)
class PaymentInReview(Alert):
    """A payment was paid but is not the one that was ordered; `kopecks` (of any `currency` its minor units) is what the
    gateway says."""

    kind = "alert_payment_in_review"
    payment: str
    difference: Difference
    kopecks: int
    currency: str

    def say(self, words: Words) -> str:
        return words.alert_payment_in_review(self.payment, self.difference, self.kopecks, self.currency)


@dataclass(frozen=True, slots=True)
class PaymentLate(Alert):
    """A payment was paid after it had ended as `status`."""

    kind = "alert_payment_late"
    payment: str
    status: str

    def say(self, words: Words) -> str:
        return words.alert_payment_late(self.payment, self.status)


@dataclass(frozen=True, slots=True)
class PaymentElsewhere(Alert):
    """YooKassa told of a payment that was made through another shop than the one in use."""

    kind = "alert_payment_elsewhere"
    payment: str
    shop: str

    def say(self, words: Words) -> str:
        return words.alert_payment_elsewhere(self.payment, self.shop)


@dataclass(frozen=True, slots=True)
class PaymentGone(Alert):
    """YooKassa no longer knows a payment that it gave us."""

    kind = "alert_payment_gone"
    payment: str
    provider_id: str

    def say(self, words: Words) -> str:
        return words.alert_payment_gone(self.payment, self.provider_id)


@dataclass(frozen=True, slots=True)
class RefundNotShown(Alert):
    """YooKassa told of a refund, and for days its payment has not shown it."""

    kind = "alert_refund_not_shown"
    payment: str
    refund: str

    def say(self, words: Words) -> str:
        return words.alert_refund_not_shown(self.payment, self.refund)


@dataclass(frozen=True, slots=True)
class StrayCharge(Alert):
    """A person has paid `amount` minor units, and there is no such purchase; `ref` is the gateway's number."""

    kind = "alert_stray_charge"
    charge: str
    person: int
    amount: int
    currency: str

    def say(self, words: Words) -> str:
        return words.alert_stray_charge(self.charge, self.person, self.amount, self.currency)


@dataclass(frozen=True, slots=True)
class SecondCharge(Alert):
    """An invoice was paid twice; `ref` is the gateway's number of the second charge, `payment` the first purchase."""

    kind = "alert_second_charge"
    payment: str
    charge: str

    def say(self, words: Words) -> str:
        return words.alert_second_charge(self.payment, self.charge)


@dataclass(frozen=True, slots=True)
class OtherTillOpen(Alert):
    """So many payments of another shop than the one in use are open."""

    kind = "alert_other_till"
    shop: str
    payments: int

    def say(self, words: Words) -> str:
        return words.alert_other_till(self.shop, self.payments)


@dataclass(frozen=True, slots=True)
class ProviderRefuses(Alert):
    """gen-api refuses us as customers with `status`; no orders are taken."""

    kind = "alert_provider_refuses"
    status: int

    def say(self, words: Words) -> str:
        return words.alert_provider_refuses(self.status)


@dataclass(frozen=True, slots=True)
class ModelOff(Alert):
    """gen-api does not know a model's network any more: it switched itself off. `model` is its key."""

    kind = "alert_model_off"
    model: str

    def say(self, words: Words) -> str:
        return words.alert_model_off(self.model)


@dataclass(frozen=True, slots=True)
class WebhookTaken(Alert):
    """Another process with this bot's token took its webhook; `host`: where updates went, "" for none.

    `ref` is the hour.
    """

    kind = "alert_webhook_taken"
    host: str

    def say(self, words: Words) -> str:
        return words.alert_webhook_taken(self.host)


@dataclass(frozen=True, slots=True)
class PictureRefused(Alert):
    """Telegram took a result in no form; the order was refunded."""

    kind = "alert_picture_refused"
    order: str

    def say(self, words: Words) -> str:
        return words.alert_picture_refused(self.order)


@dataclass(frozen=True, slots=True)
class MessageDropped(Alert):
    """A message of the kind `message` could not be sent to a chat, however often it was tried."""

    kind = "alert_message_dropped"
    message: str
    chat: int

    def say(self, words: Words) -> str:
        return words.alert_message_dropped(self.message, self.chat)


KINDS: Mapping[str, type[Notice]] = {
    notice.kind: notice
    for notice in (
        Picture,
        Original,
        OriginalMissing,
        OrderFailed,
        PaymentLink,
        PaymentSucceeded,
        PaymentCanceled,
        PaymentRefunded,
        PaymentStray,
        ReceiptOffer,
        EmailRefused,
        DebtTaken,
        OldAlert,
        CheckoutRefused,
        PaymentInReview,
        PaymentLate,
        PaymentElsewhere,
        PaymentGone,
        RefundNotShown,
        StrayCharge,
        SecondCharge,
        OtherTillOpen,
        ProviderRefuses,
        ModelOff,
        PictureRefused,
        WebhookTaken,
        MessageDropped,
    )
}
"""What this version can send: it claims no other, as a newer one may be running beside it."""


def read(kind: str, ref: str, payload: str) -> Notice:
    """The notice of a row; fields that this version does not know are passed over, and one that the version before did
    not write is what it is by default.

    Raises KeyError, ValueError or TypeError for what no version has written.
    """
    notice, stored = KINDS[kind], json.loads(payload)
    hints = get_type_hints(notice)
    own = [field.name for field in fields(notice) if field.name != "ref" and field.name in stored]
    return notice(ref, **{name: _READ.get(hints[name], hints[name])(stored[name]) for name in own})


def _plain(value: Any) -> Any:
    # A day is written as the version before does, which shows it as it is
    return value.strftime(_DAY) if isinstance(value, date) else value


_READ: Mapping[Any, Callable[[Any], Any]] = {
    # A day by the calendar, which has no zone
    date: lambda text: datetime.strptime(text, _DAY).date(),  # noqa: DTZ007 - a day has no zone
    int | None: lambda number: number,
    tuple[str, ...]: tuple,
}
