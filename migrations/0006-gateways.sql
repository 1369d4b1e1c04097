-- Whose charge a payment is. A version that knows one gateway leaves the column to its default.

ALTER TABLE payments ADD COLUMN IF NOT EXISTS gateway TEXT NOT NULL DEFAULT 'yookassa';
COMMENT ON COLUMN payments.gateway IS 'whose id provider_id is, and whose account shop_id';
COMMENT ON COLUMN payments.amount IS 'in minor units of currency (kopecks for RUB, Stars for XTR), as is refunded';
COMMENT ON COLUMN payments.refunded IS 'what the gateway says was refunded so far, in minor units of currency';
