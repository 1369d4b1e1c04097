"""What every statement of sql/ is asked where it is measured: about an ordinary person, or an order under way."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.catalog import MODELS
from app.flows.audit import SLICE
from app.notices import KINDS, Priority
from app.repo import audit
from app.repo.queries import query
from tests.bench.fill import BOT_ID, RETENTION_DAYS, SHOP, first, order, payment, person, under_way

_NUMBER = 5003
_PERSON, _DELIVERED, _FAILED, _PAYMENT = person(_NUMBER), order(_NUMBER, 5), order(_NUMBER, 4), payment(_NUMBER)
_NOBODY = 5
_QUEUED, _SUBMITTING, _PROCESSING, _READY = (
    under_way(first(status) + 10) for status in ("queued", "submitting", "processing", "ready")
)
_PROCESSED = 1000000000 + first("processing") + 10
_WAITS, _NEW, _PENDING, _INVOICE = person(5010), under_way(6005), under_way(6003), under_way(6004)
_ANNOUNCED = payment(21)
_MODELS, _CIRCUITS = list(MODELS), ["gen-api", "gen-api/gpt-image-1"]
_REQUEST = json.dumps({"amount": {"value": "200.00", "currency": "RUB"}, "capture": True})
_AT_ONCE = 1000
_OPEN_MS = 5
"""For what reads every order under way; how far these lie apart in the table is chance."""


class Sql(str):
    """A value that is looked up in the database itself, before anything is measured."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One statement and what it is asked. `of` says which of several askings it is.

    `bound_ms`: what reads more than one person's rows by nature may take that long, and need not be as fast in a small
    database; `alone`: nobody runs it beside the bot, so it may read whole tables.
    """

    name: str
    arguments: tuple[Any, ...] = ()
    of: str = ""
    bound_ms: float | None = None
    alone: bool = False
    text: str = ""

    @property
    def statement(self) -> str:
        """Its SQL."""
        return self.text or query(self.name)


def _message(number: int) -> Sql:
    return Sql(f"SELECT id FROM outbox WHERE kind = 'payment_link' AND ref = 'open-{number}'")


def _picture_of(status: str) -> Sql:
    return Sql(f"SELECT id FROM outbox WHERE kind = 'picture' AND ref = '{under_way(first(status) + 10)}'")


_ENTRY = Sql(f"SELECT id FROM ledger WHERE user_id = {_PERSON} ORDER BY id LIMIT 1 OFFSET 5")
_SLICE = Sql(
    f"SELECT array_agg(id) FROM (SELECT id FROM users WHERE id > {person(4000)} ORDER BY id LIMIT {SLICE}) AS of"
)

_AUDIT = (
    Case("audit.differences", of="everybody at once: tests alone", alone=True),
    Case("audit.differences", (_SLICE,), f"a slice of {SLICE} people", 2000, text=audit.DIFFERENCES_OF),
    Case("audit.differences", ([_PERSON],), "one person", 20, text=audit.DIFFERENCES_OF),
    Case("audits.claim", ("people",)),
    Case("audits.new_entries", (Sql("SELECT position FROM audit_progress WHERE part = 'entries'"), SLICE), "", 50),
    Case("audits.next_people", (person(4000), SLICE), "", 50),
    Case("audits.suspects", (SLICE,)),
    Case("audits.forget_mended", ([_PERSON], [], [], [])),
    Case("audits.keep", ([_PERSON], ["no welcome"], ["1"])),
    Case("audits.advance", ("people", 1, 60, False)),
    Case("audits.standing"),
)
_OPERATORS = (
    Case("gauges.read", (), "a scrape", 100),
    Case("stuck.overdue", (SHOP, True), "the doctor", 200),
    Case("wakes.due", (list(map(int, Priority)),), "each replica's look", _OPEN_MS),
    Case("schema.applied"),
    Case("payments.of_other_tills", (["yookassa"], [SHOP], [True])),
)
_RETENTION = (
    Case("generations.wipe", (RETENTION_DAYS, _AT_ONCE), f"{_AT_ONCE} orders", 500),
    Case("generations.wipe_of", (_PERSON,)),
    Case("outbox.purge", (RETENTION_DAYS, _AT_ONCE), f"{_AT_ONCE} messages", 200),
    Case("outbox.purge_pauses", (_AT_ONCE,)),
    Case("users.settle_forgotten"),
    Case("payments.with_forgotten_addresses", (_AT_ONCE,)),
    Case("payments.wipe_addresses", (_PERSON,)),
)
_BREAKERS = (
    Case("breakers.off", (_CIRCUITS,)),
    Case("breakers.any_open", (_CIRCUITS,)),
    Case("breakers.try_trial", (["gen-api/gpt-image-2"], [60.0])),
    Case("breakers.refused", ("gen-api", 3, 60)),
    Case("breakers.accepted", (["gen-api/gpt-image-2"],)),
    Case("breakers.accepted_since", ("gen-api", _PROCESSING)),
)
_MONEY = (
    Case("credits.debit", (_PERSON, 2, "order", "new")),
    Case("credits.credit", (_PERSON, 2, "order_refund", "new")),
    Case("credits.newest", (_PERSON, 11)),
    Case("credits.older", (_PERSON, 11, _ENTRY)),
    Case("credits.newer", (_PERSON, 11, _ENTRY)),
    Case("payments.insert", (under_way(1), _PERSON, "small", 10, 20000, "RUB", "yookassa", SHOP, True, _REQUEST, 60)),
    Case("payments.open_of_plan", (person(6003), "small", "yookassa", SHOP, True)),
    Case("payments.by_provider", ("yookassa", Sql(f"SELECT provider_id FROM payments WHERE id = '{_PAYMENT}'"))),
    Case("payments.by_id", (_PAYMENT,)),
    Case("payments.begin_attempt", (_NEW, 60)),
    Case("payments.link", (_NEW, "charge", "https://yoomoney.ru/x", 60, None)),
    Case("payments.refuse", (_NEW, "no")),
    Case("payments.back_off", (_NEW, 60)),
    Case("payments.succeed", (_PENDING, "open-charge-6003")),
    Case("payments.cancel", (_PENDING, "open-charge-6003", "expired_on_confirmation")),
    Case("payments.review", (_PENDING, "open-charge-6003", "amount")),
    Case("payments.claim", (4, 60, "yookassa", SHOP, True)),
    Case("payments.abandon", (_NEW,)),
    Case("payments.refund", (_PAYMENT, 10000, 5, 0)),
    Case("payments.debts", (_PERSON,)),
    Case("payments.settle_debt", (_PAYMENT, 0)),
    Case("payments.newest", (_PERSON, "yookassa")),
    Case("payments.first_through", (_PERSON, _PAYMENT, "yookassa")),
    Case("subscriptions.extend", (under_way(6003), _PERSON, "small", 30)),
    Case("subscriptions.revoke", (_PAYMENT,)),
    Case("subscriptions.active", (_PERSON,)),
    Case("refunds.announce", ("new", _PAYMENT, 60)),
    Case("refunds.noted", ("told-1", 100)),
    Case("refunds.untrue", ("told-1",)),
    Case("refunds.amount", ("told-1",)),
    Case("refunds.unread", (_ANNOUNCED,)),
    Case("refunds.missing", (_ANNOUNCED, 0)),
    Case("refunds.shown", (_ANNOUNCED, 0)),
    Case("refunds.lose", (_ANNOUNCED,)),
    Case("refunds.claim", (4, 60, "yookassa", SHOP, True)),
    Case("charges.claim", (BOT_ID, False, 60)),
    Case("charges.claim", ("4243", False, 60), "nothing sold so"),
    Case("charges.advance", (BOT_ID, 100)),
    Case("charges.known", ("stars", [f"open-charge-{number}" for number in range(6000, 6100)])),
    Case("charges.stray", ("new", _PERSON, "", 1, "XTR", False)),
    Case("charges.abandon", ("stars",)),
)
_ORDERS = (
    Case("generations.find_order", (f"card-{_NUMBER}-5", _PERSON)),
    Case(
        "generations.insert",
        (_PERSON, "new", "gpt-image-1", "1024x1024", 2, "Кот", ["file"], 1, 900, 810, "low", None, "{}", False, 3, 5),
    ),
    Case("generations.waiting", (500,)),
    Case("generations.claim_queued", (8, 30, _MODELS, [], 2), "", _OPEN_MS),
    Case("generations.start_submitting", (_QUEUED, 1)),
    Case("generations.requeue", (_SUBMITTING, 1, 5)),
    Case("generations.release", (_QUEUED, 1, 5)),
    Case("generations.accept", (_SUBMITTING, 2000000000, 30)),
    Case("generations.by_request", (_PROCESSED,)),
    Case("generations.owner", (_PROCESSING,)),
    Case("generations.hint", (_PROCESSED,)),
    Case("generations.claim_polls", (8, 30)),
    Case("generations.overdue", (8,)),
    Case("generations.complete", (_PROCESSING, "https://images.gen-api.ru/x.png", _PROCESSED, 250)),
    Case("generations.fail", (_PROCESSING, "provider", 250)),
    Case("generations.fail_claimed", (_QUEUED, "provider", 1)),
    Case("generations.fail_overdue", (_QUEUED, "deadline")),
    Case("generations.fail_ready", (_READY, "no_picture")),
    Case("generations.result", (_READY,)),
    Case("generations.refresh_result", (_READY, "https://images.gen-api.ru/x.png")),
    Case("generations.delivered", (_READY, "file")),
    Case("generations.source", (_QUEUED, 1)),
    Case("history.find", (_DELIVERED, _PERSON)),
    Case("history.newest", (_PERSON, 6)),
    Case("history.older", (_PERSON, 6, _DELIVERED)),
    Case("history.newer", (_PERSON, 6, _DELIVERED)),
    Case("history.renew_link", (_DELIVERED, "https://images.gen-api.ru/x.png")),
    Case("history.keep_file", (_DELIVERED, "file")),
    Case("waits.drawn_in", ("gpt-image-1", "low", 20)),
    Case("waits.claim", (4, 20), "", _OPEN_MS),
    Case("waits.begin", (_QUEUED, 1, "queued", 3, 5)),
    Case("waits.postpone", (_QUEUED, 1, 5, "queued")),
    Case("waits.finish", (_QUEUED, 1)),
    Case("waits.rest", (_QUEUED, 60)),
    Case("waits.failed", (_FAILED,)),
)
_PEOPLE = (
    Case("users.visit", (_PERSON, 10, "ru")),
    Case("users.visit", (_NOBODY, 10, "ru"), "the first time"),
    Case("users.lock", (_PERSON,)),
    Case("users.forget", (_PERSON,)),
    Case("users.choose_language", (_PERSON, "en")),
    Case("users.language", (_PERSON,)),
    Case("users.email", (_PERSON,)),
    Case("users.set_email", (_PERSON, "a@b.ru")),
    Case("users.drop_email", (_PERSON, "a@b.ru")),
)
_KINDS = list(KINDS)
_TEXTS = [kind for kind in _KINDS if kind not in {"picture", "original_file"}]
_MESSAGES = (
    Case("outbox.put", (_PERSON, "payment_link", "new", "{}", 0)),
    Case("outbox.claim", (8, 40, [], _TEXTS, [False, True], 4, 2), "texts"),
    Case("outbox.claim", (8, 60, [], ["picture", "original_file"], [False], 4, 0), "pictures"),
    Case("outbox.pause", (_WAITS, 5)),
    Case("outbox.begin_send", (_picture_of("ready"), 0, 40)),
    Case("outbox.not_sent", (_picture_of("ready"), 0)),
    Case("outbox.mark_sent", (_message(5010),)),
    Case("outbox.drop", (_message(5010), 0)),
    Case("outbox.postpone", (_message(5010), 0, 5, 1, 4)),
    Case("outbox.park", (_message(5010), 0, _WAITS, 4)),
    Case("outbox.owes", (_WAITS, "payment_link", "order")),
)

CASES: Sequence[Case] = (*_MESSAGES, *_ORDERS, *_PEOPLE, *_MONEY, *_BREAKERS, *_OPERATORS, *_RETENTION, *_AUDIT)
"""All of them. Claims come first: what is rolled back leaves dead rows among those that are open."""
