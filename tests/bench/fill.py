"""Books of any number of people: ten entries, five orders, a payment and two closed messages each, as years make them.

Rows come in the order of time, so one person's lie far apart, as they do in real tables. What is open is of one size
however many people there are; what is parked grows with them. `sql/audit.sql` finds nothing wrong.
"""

from collections.abc import Iterator
from hashlib import md5
from uuid import UUID

import psycopg

RETENTION_DAYS = 90

OPEN = {"queued": 300, "submitting": 100, "processing": 300, "ready": 100}
"""Orders under way, each of a person of its own, from number FIRST_OPEN on in this order."""

FIRST_OPEN = 3000
TO_BE_WIPED, TO_BE_PURGED, FORGETTING = 2000, 2000, 200
PENDING_MESSAGES, OPEN_PAYMENTS, ANNOUNCED_REFUNDS = 300, 200, 20
SHOP, BOT_ID = "100500", "4242"

_PRICE, _WELCOME, _BOUGHT, _KOPECKS = 2, 10, 10, 20000

# A person's ledger, entry by entry: of most; of those who were refunded a purchase; of those who bought nothing
_LEDGERS = (
    "welcome order:1 order:2 order_refund:2 purchase order:3 order_refund:3 order:4 order_refund:4 order:5",
    "welcome order:1 order:2 order_refund:2 purchase order:3 order:4 order_refund:4 purchase_refund order:5",
    "welcome order:1 order:2 order_refund:2 order:3 order_refund:3 order:4 order_refund:4 order:5 order_refund:5",
)
_DELTAS = {
    "welcome": _WELCOME,
    "order": -_PRICE,
    "order_refund": _PRICE,
    "purchase": _BOUGHT,
    "purchase_refund": -_BOUGHT,
}
_ENTRIES, _ORDERS = 10, 5
_BALANCES = [sum(_DELTAS[entry.partition(":")[0]] for entry in ledger.split()) for ledger in _LEDGERS]

# `n` is a person's number and `k` the place of their row in the table: everybody comes once in each step
_PEOPLE = """
    SELECT k, n, 1000 + 7 * n AS person, CASE n %% 10 WHEN 7 THEN 1 WHEN 8 THEN 2 WHEN 9 THEN 2 ELSE 0 END AS ledger,
           now() - interval '702 days' + interval '70 days' * (%(step)s - 1 + k::float8 / %(people)s) AS at
    FROM generate_series(0::bigint, %(people)s - 1) AS k,
         LATERAL (SELECT (k * 7919 + %(step)s) %% %(people)s AS n) AS of
"""
_USERS = f"""
INSERT INTO users (id, credits, language, created_at)
SELECT person, (ARRAY[{", ".join(map(str, _BALANCES))}])[ledger + 1], CASE n %% 4 WHEN 0 THEN 'en' ELSE 'ru' END, at
FROM ({_PEOPLE}) AS people
"""
_LEDGER = f"""
INSERT INTO ledger (user_id, delta, balance, reason, ref, created_at)
SELECT person, delta, balance, reason,
       CASE reason WHEN 'welcome' THEN person::text WHEN 'purchase' THEN md5('payment-' || n)::uuid::text
            WHEN 'purchase_refund' THEN md5('payment-' || n)::uuid || ':{_KOPECKS}'
            ELSE md5('order-' || n || '-' || round)::uuid::text END, at
FROM ({_PEOPLE}) AS people JOIN (VALUES %(entries)s) AS of (ledger, reason, round, delta, balance) USING (ledger)
"""
_GENERATIONS = f"""
INSERT INTO generations (id, user_id, order_key, status, model, size, quality, price, prompt, source_file_id, sources,
                         card_message_id, attempt, request_id, request, result_url, result_file_id, failure, told, cost,
                         created_at, deadline_at, submit_by, submitted_at, ready_at, finished_at, claimable_at)
SELECT md5('order-' || n || '-%(round)s')::uuid, person, 'card-' || n || '-%(round)s',
       CASE WHEN failed THEN 'failed' ELSE 'delivered' END,
       CASE n %% 3 WHEN 0 THEN 'gpt-image-1' ELSE 'gpt-image-2' END, '1024x1024',
       (ARRAY['low', 'medium', 'high'])[n %% 3 + 1], {_PRICE}, CASE WHEN kept THEN prompt END,
       CASE WHEN kept THEN file END, CASE WHEN kept THEN ARRAY[file] END, n, 1, %(round)s * %(people)s + n,
       '{{"size": "1024x1024", "quality": "low", "output_format": "png"}}',
       CASE WHEN kept AND NOT failed THEN 'https://images.gen-api.ru/result/' || n || '.png' END,
       CASE WHEN kept AND NOT failed THEN 'AgACAgIAAxkDAAI' || md5(n::text) END, CASE WHEN failed THEN 'provider' END,
       3, 250, at, at + interval '15 minutes', at + interval '13 minutes', at + interval '2 seconds',
       CASE WHEN NOT failed THEN at + interval '1 second' * (30 + n %% 30) END, at + interval '90 seconds', at
FROM (SELECT people.*, CASE %(round)s WHEN 1 THEN false WHEN 3 THEN ledger <> 1 WHEN 5 THEN ledger = 2 ELSE true END
                       AS failed,
             at > now() - interval '{RETENTION_DAYS - 1} days' AS kept,
             'Кот в космосе, масло, широкий мазок, номер ' || n AS prompt,
             'AgACAgIAAxkBAAI' || md5(person::text) AS file
      FROM ({_PEOPLE}) AS people) AS orders
"""
_PAYMENTS = f"""
INSERT INTO payments (id, user_id, plan, credits, amount, currency, gateway, shop_id, test, status, request, attempts,
                      provider_id, confirmation_url, linked_at, refunded, credits_taken, reason, created_at, paid_at)
SELECT md5('payment-' || n)::uuid, person, 'small', {_BOUGHT}, {_KOPECKS},
       CASE n %% 20 WHEN 0 THEN 'XTR' ELSE 'RUB' END, CASE n %% 20 WHEN 0 THEN 'stars' ELSE 'yookassa' END,
       CASE n %% 20 WHEN 0 THEN '{BOT_ID}' ELSE '{SHOP}' END, true,
       CASE WHEN n %% 10 = 8 THEN 'canceled' WHEN n %% 10 = 9 THEN 'abandoned' WHEN ledger = 1 THEN 'refunded'
            ELSE 'succeeded' END,
       ('{{"amount": {{"value": "200.00", "currency": "RUB"}}, "capture": true, "description": "10 картинок", '
       || '"confirmation": {{"type": "redirect", "return_url": "https://t.me/bot"}}, "metadata": {{"user_id": "'
       || person || '"}}}}')::json, 1, CASE WHEN n %% 10 <> 9 THEN 'charge-' || md5('payment-' || n) END,
       'https://yoomoney.ru/checkout/payments/v2/contract?orderId=' || n, at,
       CASE ledger WHEN 1 THEN {_KOPECKS} ELSE 0 END, CASE ledger WHEN 1 THEN {_BOUGHT} ELSE 0 END,
       CASE WHEN ledger = 2 THEN 'expired_on_confirmation' END, at,
       CASE WHEN ledger <> 2 THEN at + interval '1 minute' END
FROM ({_PEOPLE}) AS people
"""
_SUBSCRIPTIONS = """
INSERT INTO subscriptions (payment_id, user_id, plan, starts_at, ends_at, revoked_at)
SELECT id, user_id, plan, paid_at, paid_at + interval '30 days',
       CASE status WHEN 'refunded' THEN paid_at + interval '1 day' END
FROM payments WHERE paid_at IS NOT NULL
"""
_REFUNDS = """
INSERT INTO refunds (id, payment_id, amount, status, announced_at)
SELECT 'refund-' || id, id, refunded, 'shown', paid_at FROM payments WHERE status = 'refunded'
"""
_MESSAGES = f"""
INSERT INTO outbox (chat_id, kind, ref, payload, status, attempt, due_at, created_at, closed_at)
SELECT person, kind, ref, CASE kind WHEN 'picture' THEN '{{}}' ELSE '{{"credits": {_BOUGHT}}}' END::jsonb, 'sent', 1,
       at, at, at
FROM (SELECT person, now() - interval '88 days' * (1 - k::float8 / %(people)s) AS at,
             CASE WHEN %(step)s = 2 THEN 'picture' WHEN ledger = 2 THEN 'payment_canceled'
                  ELSE 'payment_succeeded' END AS kind,
             (CASE WHEN %(step)s = 2 THEN md5('order-' || n || '-1') ELSE md5('payment-' || n) END)::uuid::text AS ref
      FROM ({_PEOPLE}) AS people) AS messages
"""
_LATE = f"""
UPDATE generations SET prompt = 'Кот'
WHERE id IN (SELECT md5('order-' || n || '-2')::uuid FROM generate_series(0, {TO_BE_WIPED} - 1) AS n);
UPDATE outbox SET closed_at = now() - interval '{RETENTION_DAYS + 1} days'
WHERE (kind, ref) IN (SELECT 'picture', md5('order-' || n || '-1')::uuid::text
                      FROM generate_series(0, {TO_BE_PURGED} - 1) AS n);
UPDATE users SET forget_before = now() WHERE id IN (SELECT 1000 + 7 * n FROM generate_series(1, {FORGETTING}) AS n)
"""
_UNDER_WAY = f"""
WITH orders AS (
    INSERT INTO generations (user_id, order_key, status, model, size, quality, price, prompt, source_file_id, sources,
                             request, card_message_id, attempt, request_id, poll_at, result_url, deadline_at, submit_by,
                             submitted_at, ready_at, told, tell_at, id)
    SELECT 1000 + 7 * n, 'open-' || n, '%(status)s', 'gpt-image-1', '1024x1024', 'low', {_PRICE}, 'Кот', 'file',
           '{{file}}', '{{}}', n, 1, CASE WHEN '%(status)s' IN ('processing', 'ready') THEN 1000000000 + n END,
           CASE WHEN '%(status)s' = 'processing' THEN now() END,
           CASE WHEN '%(status)s' = 'ready' THEN 'https://images.gen-api.ru/result/x.png' END,
           now() + interval '1 hour', now() + interval '50 minutes', CASE WHEN '%(status)s' <> 'queued' THEN now() END,
           CASE WHEN '%(status)s' = 'ready' THEN now() END, 1, CASE WHEN '%(status)s' <> 'ready' THEN now() END,
           md5('open-' || n)::uuid
    FROM %(numbers)s AS n
    RETURNING id, user_id, price
), paid AS (
    UPDATE users SET credits = credits - price FROM orders WHERE users.id = user_id RETURNING users.id, credits
), owed AS (
    INSERT INTO outbox (chat_id, kind, ref, due_at)
    SELECT user_id, 'picture', id::text, %(due)s FROM orders WHERE '%(status)s' = 'ready'
)
INSERT INTO ledger (user_id, delta, balance, reason, ref)
SELECT user_id, -price, credits, 'order', orders.id::text FROM orders JOIN paid ON paid.id = user_id
"""
_WAITING = f"""
INSERT INTO outbox (chat_id, kind, ref, payload)
SELECT 1000 + 7 * n, 'payment_link', 'open-' || n, '{{"plan": "small", "url": "https://yoomoney.ru/x"}}'
FROM generate_series(5000, 5000 + {PENDING_MESSAGES} - 1) AS n;
INSERT INTO payments (id, user_id, plan, credits, amount, currency, gateway, shop_id, test, status, request, attempts,
                      provider_id, confirmation_url, linked_at, poll_at)
SELECT md5('open-' || n)::uuid, 1000 + 7 * n, 'small', {_BOUGHT}, {_KOPECKS},
       CASE n % 4 WHEN 0 THEN 'XTR' ELSE 'RUB' END, CASE n % 4 WHEN 0 THEN 'stars' ELSE 'yookassa' END,
       CASE n % 4 WHEN 0 THEN '{BOT_ID}' ELSE '{SHOP}' END, true, CASE WHEN n % 4 < 2 THEN 'new' ELSE 'pending' END,
       '{{}}', 1, 'open-charge-' || n, 'https://yoomoney.ru/x', now(), now()
FROM generate_series(6000, 6000 + {OPEN_PAYMENTS} - 1) AS n;
INSERT INTO refunds (id, payment_id, poll_at)
SELECT 'told-' || n, md5('payment-' || n * 20 + 1)::uuid, now() FROM generate_series(0, {ANNOUNCED_REFUNDS} - 1) AS n;
INSERT INTO chat_pauses (chat_id, until, told_at)
SELECT 1000 + 7 * n, now() - interval '1 day', now() - interval '1 day' FROM generate_series(7000, 7099) AS n;
INSERT INTO stray_charges (id, user_id, payload, amount, currency)
SELECT 'stray-' || n, n, '', 1, 'XTR' FROM generate_series(1, 20) AS n;
INSERT INTO charge_lists (shop_id) VALUES ('{BOT_ID}');
INSERT INTO breakers (provider, refusals, opened_at, trial_at)
VALUES ('gen-api/gpt-image-1', 0, NULL, NULL), ('gen-api/gpt-image-2', 3, now(), now());
UPDATE audit_progress SET position = (SELECT max(id) FROM ledger) - 20000 WHERE part = 'entries'
"""
_PARKED = """
INSERT INTO outbox (chat_id, kind, ref, payload, due_at, created_at)
SELECT 1000 + 7 * n, 'payment_link', 'parked-' || n, '{"plan": "small", "url": "https://yoomoney.ru/x"}', 'infinity',
       now() - interval '30 days'
FROM generate_series(50, %(people)s - 1, 100) AS n
"""


def person(number: int) -> int:
    """The id of a person."""
    return 1000 + 7 * number


def order(number: int, round_: int) -> UUID:
    """The id of a person's first to fifth order: the first was delivered, the second and the fourth have failed."""
    return UUID(md5(f"order-{number}-{round_}".encode()).hexdigest())


def payment(number: int) -> UUID:
    """The id of a person's payment."""
    return UUID(md5(f"payment-{number}".encode()).hexdigest())


def under_way(number: int) -> UUID:
    """The id of the order, or of the payment, that a person has under way."""
    return UUID(md5(f"open-{number}".encode()).hexdigest())


def first(status: str) -> int:
    """The number of the first person whose order is in this state."""
    states = list(OPEN)
    return FIRST_OPEN + sum(OPEN[one] for one in states[: states.index(status)])


def fill(database_url: str, people: int) -> None:
    """Fills a migrated, empty database with what is over, in the order of time; nothing is under way."""
    # Foreign keys are what costs most, and hold by construction
    with psycopg.connect(database_url, autocommit=True, options="-c session_replication_role=replica") as connection:
        for statement in _past(people):
            connection.execute(statement.encode())
    _tidy(database_url)


def add_open_work(database_url: str, people: int) -> None:
    """Adds what is under way, due and parked, and what retention has not come to yet."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in _present(people):
            connection.execute(statement.encode())
    _tidy(database_url)


def _past(people: int) -> Iterator[str]:
    yield _USERS % {"people": people, "step": 1}
    for step, entries in enumerate(zip(*map(_booked, range(len(_LEDGERS))), strict=True), 1):
        yield _LEDGER % {"people": people, "step": step, "entries": ", ".join(entries)}
    for round_ in range(1, _ORDERS + 1):
        yield _GENERATIONS % {"people": people, "step": 2 * round_, "round": round_}
    yield _PAYMENTS % {"people": people, "step": 5}
    yield _SUBSCRIPTIONS
    yield _REFUNDS
    for step in (2, 5):
        yield _MESSAGES % {"people": people, "step": step}


def _booked(ledger: int) -> Iterator[str]:
    """The entries of one of the ledgers as rows of VALUES."""
    balance = 0
    for entry in _LEDGERS[ledger].split():
        reason, _, round_ = entry.partition(":")
        balance += _DELTAS[reason]
        yield f"({ledger}, '{reason}', {round_ or 0}, {_DELTAS[reason]}, {balance})"


def _present(people: int) -> Iterator[str]:
    yield from _LATE.split(";\n")
    for status, count in OPEN.items():
        numbers = f"generate_series({first(status)}, {first(status) + count - 1})"
        yield _UNDER_WAY % {"status": status, "numbers": numbers, "due": "now()"}
    yield _UNDER_WAY % {"status": "ready", "numbers": f"generate_series(850, {people} - 1, 1000)", "due": "'infinity'"}
    yield from _WAITING.split(";\n")
    yield _PARKED % {"people": people}


def _tidy(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
