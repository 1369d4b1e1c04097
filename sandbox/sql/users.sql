-- The newest people and their balances.
SELECT id, credits
FROM users
ORDER BY created_at DESC
LIMIT 30
