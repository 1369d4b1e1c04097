-- fragment: purchase
id, user_id, plan, credits, amount, currency, gateway, shop_id, test, status, request, attempts, provider_id,
confirmation_url, refunded, credits_taken, credits_short,
COALESCE(extract(epoch FROM now() - linked_at), 0)::float8 AS link_age_s

-- name: insert
-- Writes a purchase before its gateway hears of it; `poll_at` lets the worker repeat it should this process die.
INSERT INTO payments (id, user_id, plan, credits, amount, currency, gateway, shop_id, test, request, attempts, poll_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::json, 1, now() + make_interval(secs => $11))
RETURNING {purchase};

-- name: open_of_plan
-- The person's purchase of this plan that is still payable or whose making is still unknown; the newest.
SELECT {purchase}
FROM payments
WHERE user_id = $1 AND plan = $2 AND gateway = $3 AND shop_id = $4 AND test = $5
  AND (status = 'new' AND created_at > now() - interval '23 hours' OR status = 'pending' AND confirmation_url IS NOT NULL)
ORDER BY created_at DESC
LIMIT 1;

-- name: by_provider
-- The purchase that a gateway knows by this id.
SELECT {purchase}
FROM payments WHERE gateway = $1 AND provider_id = $2;

-- name: by_id
-- A purchase by our id.
SELECT {purchase}
FROM payments WHERE id = $1;

-- name: begin_attempt
-- Counts a repeated create call before it is made, and keeps the worker off meanwhile; refuses (no row) what is not new.
UPDATE payments SET attempts = attempts + 1, poll_at = now() + make_interval(secs => $2)
WHERE id = $1 AND status = 'new'
RETURNING attempts;

-- name: link
-- The purchase exists at YooKassa and can be paid; refuses (no row) what has moved on. $5: when YooKassa made it,
-- if it says so: a link that was won by a repetition may be old already.
UPDATE payments
SET status = 'pending', provider_id = $2, confirmation_url = $3, linked_at = LEAST(now(), $5::timestamptz),
    polls = 0, poll_at = now() + make_interval(secs => $4)
WHERE id = $1 AND status = 'new'
RETURNING id;

-- name: refuse
-- YooKassa refused the first create call for certain; refuses (no row) any later one, which a payment may precede.
UPDATE payments SET status = 'canceled', reason = $2, poll_at = NULL
WHERE id = $1 AND status = 'new' AND attempts = 1
RETURNING id;

-- name: back_off
-- A repeated create call was refused: the next one comes after $2 seconds, then twice that, up to an hour. Refuses (no
-- row) what is not new.
UPDATE payments SET poll_at = now() + make_interval(secs => LEAST($2 * power(2, LEAST(attempts, 20)), 3600))
WHERE id = $1 AND status = 'new'
RETURNING id;

-- name: succeed
-- The money has come; refuses (no row) what is final.
UPDATE payments SET status = 'succeeded', provider_id = $2, paid_at = now(), poll_at = NULL
WHERE id = $1 AND status IN ('new', 'pending', 'abandoned') AND (provider_id IS NULL OR provider_id = $2)
RETURNING id;

-- name: cancel
-- YooKassa says that it will not be paid; refuses (no row) what is final.
UPDATE payments SET status = 'canceled', provider_id = $2, reason = $3, poll_at = NULL
WHERE id = $1 AND status IN ('new', 'pending') AND (provider_id IS NULL OR provider_id = $2)
RETURNING id;

-- name: review
-- Paid, but not what was ordered: a person has to look; refuses (no row) what is final.
UPDATE payments SET status = 'review', provider_id = COALESCE(provider_id, $2), reason = $3, poll_at = NULL
WHERE id = $1 AND status IN ('new', 'pending', 'abandoned')
RETURNING id;

-- name: claim
-- Takes open purchases of this till whose turn it is to be asked about, and sets the next turn, ever later.
-- One of another shop is left alone: its body sent here would be a payment that can only go to review.
UPDATE payments
SET polls = polls + 1, poll_at = now() + make_interval(secs => LEAST($2 * power(1.5, LEAST(polls, 20)), 3600))
WHERE id = ANY (ARRAY(
    SELECT id FROM payments
    WHERE status IN ('new', 'pending') AND poll_at <= now() AND gateway = $3 AND shop_id = $4 AND test = $5
    ORDER BY poll_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
))
RETURNING id;

-- name: of_other_tills
-- Open purchases that were made through another account than those in use: nobody asks about them.
SELECT gateway, shop_id, test, count(*) AS open
FROM payments
WHERE status IN ('new', 'pending')
  AND (gateway, shop_id, test) NOT IN (SELECT * FROM unnest($1::text[], $2::text[], $3::boolean[]))
GROUP BY gateway, shop_id, test
ORDER BY gateway, shop_id, test;

-- name: abandon
-- Gives up on a create call that nobody answered for a day: its key would now make a second payment.
UPDATE payments SET status = 'abandoned', poll_at = NULL, reason = 'no answer to the create call'
WHERE id = $1 AND status = 'new' AND created_at < now() - interval '23 hours'
RETURNING id;

-- name: refund
-- Notes what YooKassa says was refunded so far; refuses (no row) a sum that is not larger than the one noted.
UPDATE payments
SET refunded = $2, credits_taken = credits_taken + $3, credits_short = credits_short + $4,
    status = CASE WHEN $2 = amount THEN 'refunded' ELSE status END
WHERE id = $1 AND status = 'succeeded' AND refunded < $2
RETURNING id;

-- name: debts
-- What refunds could not take of the person's credits and nothing that came later has paid, oldest first.
SELECT id AS payment_id, refunded, credits_taken AS taken, credits_short AS short
FROM payments WHERE user_id = $1 AND credits_short > 0
ORDER BY created_at;

-- name: settle_debt
-- Notes credits that were missing for a refund as taken; refuses (no row) more than is missing.
UPDATE payments SET credits_taken = credits_taken + $2, credits_short = credits_short - $2
WHERE id = $1 AND credits_short >= $2
RETURNING id;

-- name: newest
-- The person's newest purchase through a gateway.
SELECT {purchase}
FROM payments WHERE user_id = $1 AND gateway = $2
ORDER BY created_at DESC
LIMIT 1;

-- name: first_through
-- Whether payment $2 is the person's first that was paid through its gateway $3.
SELECT NOT EXISTS (
    SELECT FROM payments WHERE user_id = $1 AND id <> $2 AND gateway = $3 AND paid_at IS NOT NULL);

-- name: wipe_addresses
-- The address for receipts goes out of the person's requests, but for one that may have to be sent again.
UPDATE payments SET request = (request::jsonb #- '{receipt,customer,email}')::json
WHERE user_id = $1 AND status <> 'new' AND request::jsonb #> '{receipt,customer,email}' IS NOT NULL;

-- name: with_forgotten_addresses
-- People whose wish to be forgotten left an address in a request that is not sent any more, at most $1.
SELECT DISTINCT users.id
FROM users JOIN payments ON payments.user_id = users.id AND payments.created_at < users.forget_before
WHERE users.forget_before IS NOT NULL AND payments.status <> 'new'
  AND payments.request::jsonb #> '{receipt,customer,email}' IS NOT NULL
LIMIT $1;
