-- Refunds that were told of: the payment may show one later than its gateway tells of it.

CREATE TABLE IF NOT EXISTS refunds (
    id           TEXT PRIMARY KEY,
    payment_id   UUID NOT NULL REFERENCES payments,
    amount       BIGINT CHECK (amount > 0),
    status       TEXT NOT NULL DEFAULT 'announced' CHECK (status IN ('announced', 'shown', 'lost')),
    poll_at      TIMESTAMPTZ,
    polls        INTEGER NOT NULL DEFAULT 0,
    announced_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CHECK ((status = 'announced') = (poll_at IS NOT NULL)),
    CHECK (status <> 'shown' OR amount IS NOT NULL)
);
CREATE INDEX CONCURRENTLY IF NOT EXISTS refunds_open ON refunds (poll_at) WHERE status = 'announced';
CREATE INDEX CONCURRENTLY IF NOT EXISTS refunds_payment ON refunds (payment_id);
COMMENT ON TABLE refunds IS 'one row a refund that a notification told of; the states are drawn in docs/states.md';
COMMENT ON COLUMN refunds.id IS 'the gateway''s';
COMMENT ON COLUMN refunds.amount IS 'in minor units of the payment''s currency; empty until the refund itself was read';
COMMENT ON COLUMN refunds.poll_at IS 'announced only: when the refund and its payment are looked at next';
