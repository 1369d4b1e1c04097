-- Stars: how far Telegram's list of them was read, and charges that no purchase of ours stands for.

CREATE TABLE IF NOT EXISTS charge_lists (
    shop_id  TEXT PRIMARY KEY,
    position BIGINT NOT NULL DEFAULT 0 CHECK (position >= 0),
    due_at   TIMESTAMPTZ NOT NULL DEFAULT now()
);
COMMENT ON TABLE charge_lists IS 'one row a bot whose list of charges is read, oldest first';
COMMENT ON COLUMN charge_lists.shop_id IS 'the bot''s id, as in payments.shop_id';
COMMENT ON COLUMN charge_lists.position IS 'how many entries were read';
COMMENT ON COLUMN charge_lists.due_at IS 'when it is read next, by whichever replica';

CREATE TABLE IF NOT EXISTS stray_charges (
    id       TEXT PRIMARY KEY,
    user_id  BIGINT NOT NULL,
    payload  TEXT NOT NULL,
    amount   BIGINT NOT NULL,
    currency TEXT NOT NULL,
    refunded BOOLEAN NOT NULL DEFAULT false,
    seen_at  TIMESTAMPTZ NOT NULL DEFAULT now()
);
COMMENT ON TABLE stray_charges IS 'paid, but there is no such purchase of that person: an operator has to look, nothing was credited';
COMMENT ON COLUMN stray_charges.id IS 'the gateway''s number of the charge';
COMMENT ON COLUMN stray_charges.user_id IS 'no foreign key: it may be nobody that this database knows';
COMMENT ON COLUMN stray_charges.payload IS 'what the invoice bore in place of our payment''s id';
COMMENT ON COLUMN stray_charges.amount IS 'in minor units of currency';

COMMENT ON COLUMN payments.request IS 'the very body of POST /payments, or the invoice: JSON and not JSONB, so that a repeat sends the same text';

-- Kopecks and Stars are never one sum.
ALTER TABLE payments
    DROP CONSTRAINT IF EXISTS payments_currency,
    ADD CONSTRAINT payments_currency CHECK ((gateway = 'stars') = (currency = 'XTR')) NOT VALID;

ALTER TABLE users ADD COLUMN IF NOT EXISTS email TEXT;
COMMENT ON COLUMN users.email IS 'where the person wants receipts; NULL: nobody asked, or they took it back';
