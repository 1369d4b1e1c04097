-- name: claim
-- The turn to read a bot's list of charges on; refuses (no row) before its time, and ($2) while nothing was ever sold so.
INSERT INTO charge_lists AS lists (shop_id, due_at)
SELECT $1, now() + make_interval(secs => $3)
WHERE $2 OR EXISTS (SELECT FROM payments WHERE gateway = 'stars' AND shop_id = $1)
ON CONFLICT (shop_id) DO UPDATE SET due_at = EXCLUDED.due_at
WHERE lists.due_at <= now()
RETURNING position;

-- name: advance
-- How many entries were read; another replica may have read as far.
UPDATE charge_lists SET position = $2 WHERE shop_id = $1;

-- name: known
-- Which of the charges $2 are in the books, or noted as nobody's; `refunded`: nothing more comes of it. So it is with what
-- a person has to look at: they give it back, and the list goes on showing that.
SELECT provider_id AS id, refunded = amount OR status = 'review' AS refunded
FROM payments WHERE gateway = $1 AND provider_id = ANY ($2::text[])
UNION ALL
SELECT id, refunded FROM stray_charges WHERE id = ANY ($2::text[]);

-- name: stray
-- Notes a charge that there is no purchase for, or its refund; false for one that is noted.
INSERT INTO stray_charges (id, user_id, payload, amount, currency, refunded)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET refunded = stray_charges.refunded OR EXCLUDED.refunded
RETURNING xmax = 0;

-- name: abandon
-- Invoices that nobody has paid in their time: they are not shown again. One that is paid later succeeds all the same.
UPDATE payments SET status = 'abandoned', poll_at = NULL, reason = 'not paid'
WHERE status = 'new' AND gateway = $1 AND poll_at <= now()
RETURNING id;
