-- name: extend
-- 30 days from the end of the latest subscription, or from now; one a payment.
INSERT INTO subscriptions (payment_id, user_id, plan, starts_at, ends_at)
SELECT $1, $2, $3, latest.ends_at, latest.ends_at + make_interval(days => $4)
FROM (SELECT GREATEST(now(), max(ends_at)) AS ends_at
      FROM subscriptions WHERE user_id = $2 AND revoked_at IS NULL) AS latest
RETURNING ends_at;

-- name: revoke
-- Ends the subscription of a payment that was refunded in full. What was chained to it without a gap moves forward by
-- what of it had not run out; days that it never touched stay where they are.
WITH RECURSIVE revoked AS (
    UPDATE subscriptions SET revoked_at = now()
    WHERE payment_id = $1 AND revoked_at IS NULL
    RETURNING user_id, ends_at, ends_at - GREATEST(starts_at, LEAST(ends_at, now())) AS unexpired
), chained AS (
    SELECT later.payment_id, later.user_id, later.ends_at
    FROM revoked JOIN subscriptions AS later
         ON later.user_id = revoked.user_id AND later.revoked_at IS NULL AND later.starts_at = revoked.ends_at
    UNION ALL
    SELECT later.payment_id, later.user_id, later.ends_at
    FROM chained JOIN subscriptions AS later
         ON later.user_id = chained.user_id AND later.revoked_at IS NULL AND later.starts_at = chained.ends_at
)
UPDATE subscriptions
SET starts_at = subscriptions.starts_at - revoked.unexpired, ends_at = subscriptions.ends_at - revoked.unexpired
FROM revoked, chained
WHERE subscriptions.payment_id = chained.payment_id;

-- name: active
-- The plan bought last and the last day of all, for a person whose subscription runs.
SELECT subscriptions.plan, payments.currency, max(ends_at) OVER () AS ends_at
FROM subscriptions JOIN payments ON payments.id = subscriptions.payment_id
WHERE subscriptions.user_id = $1 AND revoked_at IS NULL AND ends_at > now()
ORDER BY starts_at DESC
LIMIT 1;
