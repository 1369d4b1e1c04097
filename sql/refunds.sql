-- name: announce
-- Notes a refund that was told of, to be looked at in $3 seconds; refuses (no row) one that is noted, and a sixth of one
-- payment that nobody could read yet: it may be invented.
INSERT INTO refunds (id, payment_id, poll_at)
SELECT $1, $2, now() + make_interval(secs => $3)
WHERE (SELECT count(*) FROM refunds WHERE payment_id = $2 AND status = 'announced' AND amount IS NULL) < 5
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: noted
-- Notes what a refund comes to, as its gateway says; refuses (no row) one that is noted already.
UPDATE refunds SET amount = $2
WHERE id = $1 AND amount IS NULL AND status = 'announced'
RETURNING id;

-- name: untrue
-- Forgets a refund that its gateway does not know, or that came to nothing.
DELETE FROM refunds WHERE id = $1 AND status = 'announced';

-- name: amount
-- What a refund comes to, where it was read before.
SELECT amount FROM refunds WHERE id = $1;

-- name: unread
-- Refunds of a payment that nobody could read yet.
SELECT id FROM refunds WHERE payment_id = $1 AND status = 'announced' AND amount IS NULL;

-- name: missing
-- Refunds of a payment that it does not show, of which $2 is refunded so far: those that nobody could read, and all that
-- were announced where the sum of what was read is more than that.
SELECT id FROM refunds
WHERE payment_id = $1 AND status = 'announced'
  AND (amount IS NULL OR (SELECT sum(amount) FROM refunds WHERE payment_id = $1 AND status <> 'lost') > $2);

-- name: shown
-- The payment, of which $2 is refunded, shows all that was announced; refuses (no row) one that does not yet.
UPDATE refunds SET status = 'shown', poll_at = NULL
WHERE payment_id = $1 AND status = 'announced' AND amount IS NOT NULL
  AND (SELECT sum(amount) FROM refunds WHERE payment_id = $1 AND status <> 'lost') <= $2
RETURNING id;

-- name: lose
-- Gives up on refunds that the payment has not shown for three days; refuses (no row) younger ones.
UPDATE refunds SET status = 'lost', poll_at = NULL
WHERE payment_id = $1 AND status = 'announced' AND announced_at < now() - interval '3 days'
RETURNING id;

-- name: claim
-- Takes payments of this till whose announced refunds are to be looked at, and sets the next turn, ever later.
UPDATE refunds
SET polls = polls + 1, poll_at = now() + make_interval(secs => LEAST($2 * power(1.5, LEAST(polls, 20)), 3600))
WHERE id = ANY (ARRAY(
    SELECT refunds.id FROM refunds JOIN payments ON payments.id = refunds.payment_id
    WHERE refunds.status = 'announced' AND refunds.poll_at <= now()
      AND payments.gateway = $3 AND payments.shop_id = $4 AND payments.test = $5
    ORDER BY refunds.poll_at
    LIMIT $1
    FOR UPDATE OF refunds SKIP LOCKED
))
RETURNING payment_id;
