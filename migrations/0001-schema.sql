-- People, their credits, their orders, their payments, and the messages owed to them.
-- Every statement can run twice: a migrator killed between applying and marking applies it again.

CREATE TABLE IF NOT EXISTS users (
    id            BIGINT PRIMARY KEY,
    credits       INTEGER NOT NULL CHECK (credits >= 0),
    forget_before TIMESTAMPTZ,
    created_at    TIMESTAMPTZ NOT NULL DEFAULT now()
);
COMMENT ON COLUMN users.id IS 'Telegram''s id of the person, and of the private chat with them';
COMMENT ON COLUMN users.credits IS 'changes only together with a ledger row; sql/audit.sql proves it';
COMMENT ON COLUMN users.forget_before IS 'the person''s last /forget: what was ordered before it is wiped once it is finished';

CREATE TABLE IF NOT EXISTS ledger (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    BIGINT NOT NULL REFERENCES users,
    delta      INTEGER NOT NULL CHECK (delta <> 0),
    balance    INTEGER NOT NULL CHECK (balance >= 0),
    reason     TEXT NOT NULL CHECK (reason IN ('welcome', 'order', 'order_refund', 'purchase', 'purchase_refund')),
    ref        TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (reason, ref)
);
CREATE INDEX IF NOT EXISTS ledger_user ON ledger (user_id, id);
COMMENT ON COLUMN ledger.balance IS 'credits after this entry';
COMMENT ON COLUMN ledger.ref IS 'what the entry is for: the user (welcome), the generation (order, order_refund), the payment (purchase), payment:kopecks refunded so far (purchase_refund)';

CREATE TABLE IF NOT EXISTS generations (
    id               UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id          BIGINT NOT NULL REFERENCES users,
    order_key        TEXT NOT NULL UNIQUE,
    status           TEXT NOT NULL DEFAULT 'queued'
                     CHECK (status IN ('queued', 'submitting', 'processing', 'ready', 'delivered', 'failed')),
    model            TEXT NOT NULL,
    size             TEXT NOT NULL,
    price            INTEGER NOT NULL CHECK (price > 0),
    prompt           TEXT,
    source_file_id   TEXT,
    card_message_id  BIGINT,
    attempt          INTEGER NOT NULL DEFAULT 0,
    claimable_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    request_id       BIGINT UNIQUE CHECK (request_id > 0),
    poll_at          TIMESTAMPTZ,
    polled_at        TIMESTAMPTZ,
    polls            INTEGER NOT NULL DEFAULT 0,
    result_url       TEXT,
    result_refreshed BOOLEAN NOT NULL DEFAULT false,
    result_file_id   TEXT,
    failure          TEXT,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    deadline_at      TIMESTAMPTZ NOT NULL,
    submitted_at     TIMESTAMPTZ,
    ready_at         TIMESTAMPTZ,
    finished_at      TIMESTAMPTZ,
    CHECK ((status = 'failed') = (failure IS NOT NULL)),
    CHECK ((status IN ('delivered', 'failed')) = (finished_at IS NOT NULL)),
    CHECK (status <> 'processing' OR request_id IS NOT NULL),
    CHECK (status <> 'ready' OR result_url IS NOT NULL),
    CHECK (finished_at IS NOT NULL OR (prompt IS NOT NULL AND source_file_id IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS generations_queued ON generations (claimable_at) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS generations_poll ON generations (poll_at) WHERE status = 'processing';
CREATE INDEX IF NOT EXISTS generations_deadline ON generations (deadline_at) WHERE status IN ('queued', 'submitting');
CREATE INDEX IF NOT EXISTS generations_retained ON generations (finished_at) WHERE prompt IS NOT NULL;
CREATE INDEX IF NOT EXISTS generations_user ON generations (user_id, created_at);
COMMENT ON TABLE generations IS 'one row an order; the states are drawn in docs/states.md';
COMMENT ON COLUMN generations.order_key IS 'the card the order was made from: one card, one order';
COMMENT ON COLUMN generations.attempt IS 'raised by every claim; a worker whose attempt is no longer this one has lost its lease';
COMMENT ON COLUMN generations.claimable_at IS 'queued only: the end of a lease or of a back-off';
COMMENT ON COLUMN generations.request_id IS 'gen-api''s number of the request; empty while nobody knows whether it exists';
COMMENT ON COLUMN generations.poll_at IS 'processing only: when gen-api is asked next';
COMMENT ON COLUMN generations.result_refreshed IS 'gen-api was asked once for a fresh link to the result';

CREATE TABLE IF NOT EXISTS payments (
    id               UUID PRIMARY KEY,
    user_id          BIGINT NOT NULL REFERENCES users,
    plan             TEXT NOT NULL,
    credits          INTEGER NOT NULL CHECK (credits > 0),
    amount           BIGINT NOT NULL CHECK (amount > 0),
    currency         TEXT NOT NULL DEFAULT 'RUB',
    shop_id          TEXT NOT NULL,
    test             BOOLEAN NOT NULL,
    status           TEXT NOT NULL DEFAULT 'new'
                     CHECK (status IN ('new', 'pending', 'succeeded', 'refunded', 'canceled', 'abandoned', 'review')),
    request          JSON NOT NULL,
    attempts         INTEGER NOT NULL DEFAULT 0,
    provider_id      TEXT UNIQUE,
    confirmation_url TEXT,
    linked_at        TIMESTAMPTZ,
    poll_at          TIMESTAMPTZ,
    polls            INTEGER NOT NULL DEFAULT 0,
    refunded         BIGINT NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount),
    credits_taken    INTEGER NOT NULL DEFAULT 0 CHECK (credits_taken >= 0),
    credits_short    INTEGER NOT NULL DEFAULT 0 CHECK (credits_short >= 0),
    reason           TEXT,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    paid_at          TIMESTAMPTZ,
    CHECK (credits_taken + credits_short <= credits),
    CHECK (status NOT IN ('pending', 'succeeded', 'refunded') OR provider_id IS NOT NULL),
    CHECK ((status IN ('succeeded', 'refunded')) = (paid_at IS NOT NULL)),
    CHECK (status = 'refunded' OR refunded < amount),
    CHECK ((status IN ('new', 'pending')) = (poll_at IS NOT NULL))
);
CREATE INDEX IF NOT EXISTS payments_open ON payments (poll_at) WHERE status IN ('new', 'pending');
CREATE INDEX IF NOT EXISTS payments_user ON payments (user_id, created_at);
COMMENT ON TABLE payments IS 'one row a purchase; the states are drawn in docs/states.md';
COMMENT ON COLUMN payments.id IS 'ours: the Idempotence-Key at YooKassa, and metadata.payment_id';
COMMENT ON COLUMN payments.amount IS 'kopecks, as is refunded';
COMMENT ON COLUMN payments.request IS 'the very body of POST /payments: JSON and not JSONB, so that a repeat sends the same text';
COMMENT ON COLUMN payments.attempts IS 'create calls begun: a refusal is believed only of the first, as a later one may follow a payment already made';
COMMENT ON COLUMN payments.poll_at IS 'new: when the create call is repeated; pending: when YooKassa is asked next';
COMMENT ON COLUMN payments.linked_at IS 'when the confirmation_url was made: it lives for about an hour';
COMMENT ON COLUMN payments.refunded IS 'kopecks that YooKassa says were refunded so far';
COMMENT ON COLUMN payments.credits_short IS 'credits of refunds that the balance no longer held';

CREATE TABLE IF NOT EXISTS subscriptions (
    payment_id UUID PRIMARY KEY REFERENCES payments,
    user_id    BIGINT NOT NULL REFERENCES users,
    plan       TEXT NOT NULL,
    starts_at  TIMESTAMPTZ NOT NULL,
    ends_at    TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    CHECK (ends_at > starts_at)
);
CREATE INDEX IF NOT EXISTS subscriptions_user ON subscriptions (user_id, ends_at) WHERE revoked_at IS NULL;
COMMENT ON TABLE subscriptions IS 'one row a payment: 30 days from the end of the one before, or from the payment';

CREATE TABLE IF NOT EXISTS outbox (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    chat_id    BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    ref        TEXT NOT NULL,
    payload    JSONB NOT NULL DEFAULT '{}',
    urgent     BOOLEAN NOT NULL DEFAULT false,
    status     TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'dropped')),
    attempt    INTEGER NOT NULL DEFAULT 0,
    due_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    closed_at  TIMESTAMPTZ,
    UNIQUE (kind, ref),
    CHECK ((status = 'pending') = (closed_at IS NULL))
);
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (urgent DESC, due_at) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS outbox_parked ON outbox (chat_id) WHERE status = 'pending' AND due_at = 'infinity';
CREATE INDEX IF NOT EXISTS outbox_closed ON outbox (closed_at) WHERE status <> 'pending';
COMMENT ON TABLE outbox IS 'messages owed to a person, written by the transaction that caused them, sent at least once';
COMMENT ON COLUMN outbox.chat_id IS 'no foreign key: an operator who is told something need not have used the bot';
COMMENT ON COLUMN outbox.due_at IS 'when it may be claimed: the end of a lease or of a back-off; infinity while the person blocks the bot';
COMMENT ON COLUMN outbox.urgent IS 'a result: goes before everything else';

CREATE TABLE IF NOT EXISTS breakers (
    provider  TEXT PRIMARY KEY,
    refusals  INTEGER NOT NULL DEFAULT 0,
    opened_at TIMESTAMPTZ,
    trial_at  TIMESTAMPTZ,
    CHECK ((opened_at IS NULL) = (trial_at IS NULL))
);
INSERT INTO breakers (provider) VALUES ('gen-api') ON CONFLICT DO NOTHING;
COMMENT ON TABLE breakers IS 'one row a provider that may refuse us as customers (no money, wrong key)';
COMMENT ON COLUMN breakers.refusals IS 'such refusals in a row';
COMMENT ON COLUMN breakers.trial_at IS 'open only: when one order may be let through to try';
