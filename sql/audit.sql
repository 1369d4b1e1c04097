-- name: differences
-- People whose balance is not the sum of their ledger, or whose last entry says another balance: must be none.
SELECT users.id AS user_id, users.credits, COALESCE(sum(ledger.delta), 0)::bigint AS booked
FROM users LEFT JOIN ledger ON ledger.user_id = users.id
GROUP BY users.id
HAVING users.credits <> COALESCE(sum(ledger.delta), 0);
