-- The newest entries, the last one first; times in Unix seconds.
SELECT id, user_id, delta, balance, reason, extract(epoch FROM created_at)::float8 AS created_at
FROM ledger
ORDER BY id DESC
LIMIT 300
