-- name: differences
-- What contradicts itself in the books, and whom it is about: must be nothing, at any instant.
SELECT users.id AS user_id, 'the balance is not the sum of its ledger' AS what, users.id::text AS ref
FROM users LEFT JOIN ledger ON ledger.user_id = users.id
GROUP BY users.id
HAVING users.credits <> COALESCE(sum(ledger.delta), 0)
UNION ALL
SELECT user_id, 'an entry says another balance than the entries up to it', reason || ' ' || ref
FROM (SELECT user_id, reason, ref, balance, sum(delta) OVER (PARTITION BY user_id ORDER BY id) AS booked
      FROM ledger) AS entries
WHERE balance <> booked
UNION ALL
SELECT id, 'no welcome', id::text
FROM users
WHERE NOT EXISTS (SELECT FROM ledger WHERE user_id = users.id AND reason = 'welcome' AND ref = users.id::text)
UNION ALL
SELECT COALESCE(generations.user_id, debits.user_id), 'an order and its debit do not go together',
       COALESCE(generations.id::text, debits.ref)
FROM generations FULL JOIN (SELECT user_id, ref, delta FROM ledger WHERE reason = 'order') AS debits
     ON debits.ref = generations.id::text AND debits.user_id = generations.user_id AND debits.delta = -generations.price
WHERE generations.id IS NULL OR debits.ref IS NULL
UNION ALL
SELECT COALESCE(failed.user_id, refunds.user_id), 'a failed order and its refund do not go together',
       COALESCE(failed.id::text, refunds.ref)
FROM (SELECT id, user_id, price FROM generations WHERE status = 'failed') AS failed
     FULL JOIN (SELECT user_id, ref, delta FROM ledger WHERE reason = 'order_refund') AS refunds
     ON refunds.ref = failed.id::text AND refunds.user_id = failed.user_id AND refunds.delta = failed.price
WHERE failed.id IS NULL OR refunds.ref IS NULL
UNION ALL
SELECT COALESCE(paid.user_id, purchases.user_id), 'a paid payment and its credits do not go together',
       COALESCE(paid.id::text, purchases.ref)
FROM (SELECT id, user_id, credits FROM payments WHERE status IN ('succeeded', 'refunded')) AS paid
     FULL JOIN (SELECT user_id, ref, delta FROM ledger WHERE reason = 'purchase') AS purchases
     ON purchases.ref = paid.id::text AND purchases.user_id = paid.user_id AND purchases.delta = paid.credits
WHERE paid.id IS NULL OR purchases.ref IS NULL
UNION ALL
SELECT COALESCE(payments.user_id, taken.user_id), 'refunds took other credits than the payment says',
       COALESCE(payments.id::text, taken.payment_id)
FROM payments
     FULL JOIN (SELECT user_id, split_part(ref, ':', 1) AS payment_id, -sum(delta) AS credits
                FROM ledger WHERE reason = 'purchase_refund'
                GROUP BY user_id, split_part(ref, ':', 1)) AS taken
     ON taken.payment_id = payments.id::text AND taken.user_id = payments.user_id
WHERE COALESCE(payments.credits_taken, 0) <> COALESCE(taken.credits, 0)
UNION ALL
SELECT user_id, 'a refund''s share of the credits was neither taken nor noted as short', id::text
FROM payments
WHERE credits_taken + credits_short <> credits * refunded / amount
UNION ALL
SELECT COALESCE(paid.user_id, subscriptions.user_id), 'a payment and its subscription do not go together',
       COALESCE(paid.id, subscriptions.payment_id)::text
FROM (SELECT id, user_id, status FROM payments WHERE status IN ('succeeded', 'refunded')) AS paid
     FULL JOIN subscriptions
     ON subscriptions.payment_id = paid.id AND subscriptions.user_id = paid.user_id
        AND (subscriptions.revoked_at IS NOT NULL) = (paid.status = 'refunded')
WHERE paid.id IS NULL OR subscriptions.payment_id IS NULL
UNION ALL
SELECT user_id, 'a result that nobody is to deliver', id::text
FROM generations
WHERE status = 'ready'
  AND NOT EXISTS (SELECT FROM outbox WHERE kind = 'picture' AND ref = generations.id::text AND status = 'pending')
UNION ALL
-- What was told longer ago than a day may have been purged.
SELECT user_id, 'nobody is told that the order failed', id::text
FROM generations
WHERE status = 'failed' AND finished_at > now() - interval '1 day'
  AND NOT EXISTS (SELECT FROM outbox WHERE kind = 'order_failed' AND ref = generations.id::text)
UNION ALL
SELECT user_id, 'nobody is told that the payment came', id::text
FROM payments
WHERE paid_at > now() - interval '1 day'
  AND NOT EXISTS (SELECT FROM outbox WHERE kind = 'payment_succeeded' AND ref = payments.id::text);
