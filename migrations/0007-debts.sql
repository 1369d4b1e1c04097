-- What a refund could not take of the credits goes out of those that come later.

COMMENT ON COLUMN payments.credits_short IS 'credits of refunds that no balance has held so far: taken from what comes later';
COMMENT ON COLUMN ledger.ref IS 'what the entry is for: the user (welcome), the generation (order, order_refund), the payment (purchase), payment:refunded so far (purchase_refund), payment:refunded so far:credits taken for it altogether (purchase_refund, taken later)';
