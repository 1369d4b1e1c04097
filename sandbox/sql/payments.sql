-- The newest purchases through either gateway; amounts in minor units of their currency, times in Unix seconds.
SELECT id::text, user_id, status, gateway, currency, credits, amount, provider_id, confirmation_url, refunded,
       credits_taken, credits_short, reason, attempts, extract(epoch FROM created_at)::float8 AS created_at,
       extract(epoch FROM paid_at)::float8 AS paid_at
FROM payments
ORDER BY payments.created_at DESC
LIMIT 30
