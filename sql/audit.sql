-- name: differences
-- What contradicts itself in the books, and whom it is about: must be nothing, at any instant. A contradiction lies within
-- one person's rows, so it can be looked for in a slice: app/repo/audit.py puts some people in place of all.
WITH people AS NOT MATERIALIZED (SELECT id FROM users)
SELECT users.id AS user_id, 'the balance is not the sum of its ledger' AS what, users.id::text AS ref
FROM users LEFT JOIN ledger ON ledger.user_id = users.id
WHERE users.id IN (SELECT id FROM people)
GROUP BY users.id
HAVING users.credits <> COALESCE(sum(ledger.delta), 0)
UNION ALL
SELECT user_id, 'an entry says another balance than the entries up to it', reason || ' ' || ref
FROM (SELECT user_id, reason, ref, balance, sum(delta) OVER (PARTITION BY user_id ORDER BY id) AS booked
      FROM ledger WHERE user_id IN (SELECT id FROM people)) AS entries
WHERE balance <> booked
UNION ALL
SELECT id, 'no welcome', id::text
FROM users
WHERE id IN (SELECT id FROM people)
  AND NOT EXISTS (SELECT FROM ledger WHERE user_id = users.id AND reason = 'welcome' AND ref = users.id::text)
UNION ALL
SELECT COALESCE(generations.user_id, debits.user_id), 'an order and its debit do not go together',
       COALESCE(generations.id::text, debits.ref)
FROM (SELECT id, user_id, price FROM generations WHERE user_id IN (SELECT id FROM people)) AS generations
     FULL JOIN (SELECT user_id, ref, delta FROM ledger
                WHERE reason = 'order' AND user_id IN (SELECT id FROM people)) AS debits
     ON debits.ref = generations.id::text AND debits.user_id = generations.user_id AND debits.delta = -generations.price
WHERE generations.id IS NULL OR debits.ref IS NULL
UNION ALL
SELECT COALESCE(failed.user_id, refunds.user_id), 'a failed order and its refund do not go together',
       COALESCE(failed.id::text, refunds.ref)
FROM (SELECT id, user_id, price FROM generations
      WHERE status = 'failed' AND user_id IN (SELECT id FROM people)) AS failed
     FULL JOIN (SELECT user_id, ref, delta FROM ledger
                WHERE reason = 'order_refund' AND user_id IN (SELECT id FROM people)) AS refunds
     ON refunds.ref = failed.id::text AND refunds.user_id = failed.user_id AND refunds.delta = failed.price
WHERE failed.id IS NULL OR refunds.ref IS NULL
UNION ALL
SELECT COALESCE(paid.user_id, purchases.user_id), 'a paid payment and its credits do not go together',
       COALESCE(paid.id::text, purchases.ref)
FROM (SELECT id, user_id, credits FROM payments
      WHERE status IN ('succeeded', 'refunded') AND user_id IN (SELECT id FROM people)) AS paid
     FULL JOIN (SELECT user_id, ref, delta FROM ledger
                WHERE reason = 'purchase' AND user_id IN (SELECT id FROM people)) AS purchases
     ON purchases.ref = paid.id::text AND purchases.user_id = paid.user_id AND purchases.delta = paid.credits
WHERE paid.id IS NULL OR purchases.ref IS NULL
UNION ALL
SELECT COALESCE(payments.user_id, taken.user_id), 'refunds took other credits than the payment says',
       COALESCE(payments.id::text, taken.payment_id)
FROM (SELECT id, user_id, credits_taken FROM payments WHERE user_id IN (SELECT id FROM people)) AS payments
     FULL JOIN (SELECT user_id, split_part(ref, ':', 1) AS payment_id, -sum(delta) AS credits
                FROM ledger WHERE reason = 'purchase_refund' AND user_id IN (SELECT id FROM people)
                GROUP BY user_id, split_part(ref, ':', 1)) AS taken
     ON taken.payment_id = payments.id::text AND taken.user_id = payments.user_id
WHERE COALESCE(payments.credits_taken, 0) <> COALESCE(taken.credits, 0)
UNION ALL
SELECT user_id, 'a refund''s share of the credits was neither taken nor noted as short', id::text
FROM payments
WHERE user_id IN (SELECT id FROM people) AND credits_taken + credits_short <> credits * refunded / amount
UNION ALL
SELECT user_id, 'an amount in another currency than its gateway takes', id::text
FROM payments
WHERE user_id IN (SELECT id FROM people) AND (gateway, currency) NOT IN (('yookassa', 'RUB'), ('stars', 'XTR'))
UNION ALL
-- Every subscription has a payment: a foreign key says so.
SELECT payments.user_id, 'a payment and its subscription do not go together', payments.id::text
FROM payments LEFT JOIN subscriptions ON subscriptions.payment_id = payments.id
WHERE payments.user_id IN (SELECT id FROM people)
  AND CASE WHEN payments.status IN ('succeeded', 'refunded')
           THEN subscriptions.user_id IS DISTINCT FROM payments.user_id
                OR (subscriptions.revoked_at IS NOT NULL) <> (payments.status = 'refunded')
           ELSE subscriptions.payment_id IS NOT NULL END
UNION ALL
SELECT user_id, 'a result that nobody is to deliver', id::text
FROM generations
WHERE user_id IN (SELECT id FROM people) AND status = 'ready'
  AND NOT EXISTS (SELECT FROM outbox WHERE kind = 'picture' AND ref = generations.id::text AND status = 'pending')
UNION ALL
-- What was told longer ago than a day may have been purged.
SELECT user_id, 'nobody is told that the order failed', id::text
FROM generations
WHERE user_id IN (SELECT id FROM people) AND status = 'failed' AND finished_at > now() - interval '1 day'
  AND NOT EXISTS (SELECT FROM outbox WHERE kind = 'order_failed' AND ref = generations.id::text)
UNION ALL
SELECT user_id, 'nobody is told that the payment came', id::text
FROM payments
WHERE user_id IN (SELECT id FROM people) AND paid_at > now() - interval '1 day'
  AND NOT EXISTS (SELECT FROM outbox WHERE kind = 'payment_succeeded' AND ref = payments.id::text);
