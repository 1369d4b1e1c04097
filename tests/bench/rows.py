"""What is in the database before a round, and what has to be there after it."""

from hashlib import md5
from uuid import UUID

import psycopg

_EMPTY = """
TRUNCATE users, ledger, generations, payments, subscriptions, outbox, refunds, chat_pauses, audit_findings;
DELETE FROM pauses;
UPDATE breakers SET refusals = 0, opened_at = NULL, trial_at = NULL;
INSERT INTO users (id, credits, language) SELECT n, 100000, 'ru' FROM generate_series(1, %(people)s) AS n;
INSERT INTO ledger (user_id, delta, balance, reason, ref)
SELECT n, 100000, 100000, 'welcome', n::text FROM generate_series(1, %(people)s) AS n;
"""
_GENERATIONS = """
INSERT INTO generations (id, user_id, order_key, status, model, size, price, prompt, sources, source_file_id, request,
                         request_id, submitted_at, poll_at, deadline_at, attempt)
SELECT md5('g' || n)::uuid, n %% %(people)s + 1, 'seed-' || n, 'processing', 'gpt-image-1', '1024x1024', 2, 'Кот',
       '{file}', 'file', '{}', n + 1, now(), now() + interval '1 hour', now() + interval '2 hours', 1
FROM generate_series(0, %(rows)s - 1) AS n;
INSERT INTO ledger (user_id, delta, balance, reason, ref)
SELECT user_id, -2, 100000 - 2 * row_number() OVER (PARTITION BY user_id ORDER BY request_id), 'order', id::text
FROM generations ORDER BY request_id;
UPDATE users SET credits = credits - 2 * (SELECT count(*) FROM generations WHERE user_id = users.id);
"""
_PAYMENTS = """
INSERT INTO payments (id, user_id, plan, credits, amount, shop_id, test, status, request, attempts, provider_id,
                      confirmation_url, linked_at, poll_at)
SELECT md5('p' || n)::uuid, n %% %(people)s + 1, 'small', 10, 20000, '100500', true, 'pending', '{}', 1,
       'charge-' || n %% %(people)s + 1 || '-' || md5('p' || n), 'https://yoomoney.ru/x', now(),
       now() + interval '1 hour'
FROM generate_series(0, %(rows)s - 1) AS n;
"""
_ORDERS = "SELECT count(*) FROM generations JOIN ledger ON ledger.ref = generations.id::text AND delta = -2"
_SEEDS = {"callback": _GENERATIONS, "notification": _PAYMENTS}
_DONE = {
    "order": _ORDERS,
    "press": _ORDERS,
    "callback": "SELECT count(*) FROM generations JOIN outbox ON ref = generations.id::text WHERE result_url <> ''",
    "notification": "SELECT count(*) FROM payments JOIN subscriptions ON payment_id = id WHERE status = 'succeeded'",
}


def generation(number: int) -> UUID:
    """The id of the order that was seeded as this number."""
    return UUID(md5(f"g{number}".encode()).hexdigest())


def request_id(number: int) -> int:
    """gen-api's number of that order."""
    return number + 1


def charge(number: int, person: int) -> str:
    """YooKassa's id of the payment that was seeded as this number, and is this person's."""
    return f"charge-{person}-{md5(f'p{number}'.encode()).hexdigest()}"


def seed(database_url: str, scenario: str, people: int, rows: int) -> None:
    """People with many credits, and what the scenario is about; nothing else."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in (_EMPTY + _SEEDS.get(scenario, "")).split(";\n"):
            if statement.strip():
                _execute(connection, statement, {"people": people, "rows": rows})
        connection.execute("ANALYZE")


def _execute(connection: psycopg.Connection, statement: str, values: dict[str, int]) -> None:
    """Once more where the bot's own look at all its work was in the way, which reads many tables in one statement."""
    while True:
        try:
            connection.execute(statement.encode(), values)
        except psycopg.errors.DeadlockDetected:
            continue
        return


def done(database_url: str, scenario: str) -> int | None:
    """How many units the database knows of, each whole; None where a unit changes nothing."""
    if scenario not in _DONE:
        return None
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(_DONE[scenario]).fetchone()
    return None if row is None else int(row[0])
