-- name: debit
-- Takes credits and books why, both or neither; refuses (no row) a balance that does not hold them.
-- A second booking of the same (reason, ref) breaks the ledger's unique key, and with it the transaction.
WITH paid AS (
    UPDATE users SET credits = credits - $2
    WHERE id = $1 AND credits >= $2
    RETURNING id, credits
)
INSERT INTO ledger (user_id, delta, balance, reason, ref)
SELECT id, -$2::integer, credits, $3, $4 FROM paid
RETURNING balance;

-- name: credit
-- Adds credits and books why; refuses (no row) what the ledger already holds. The person's row is locked before.
WITH due AS (
    SELECT id FROM users
    WHERE id = $1 AND NOT EXISTS (SELECT FROM ledger WHERE reason = $3 AND ref = $4)
), paid AS (
    UPDATE users SET credits = users.credits + $2 FROM due
    WHERE users.id = due.id
    RETURNING users.id, users.credits
)
INSERT INTO ledger (user_id, delta, balance, reason, ref)
SELECT id, $2::integer, credits, $3, $4 FROM paid
RETURNING balance;

-- name: newest
-- The last $2 entries of a person's ledger.
SELECT id, delta, balance, reason, created_at AS at FROM ledger
WHERE user_id = $1 ORDER BY id DESC LIMIT $2;

-- name: older
-- The $2 entries before $3, newest first.
SELECT id, delta, balance, reason, created_at AS at FROM ledger
WHERE user_id = $1 AND id < $3 ORDER BY id DESC LIMIT $2;

-- name: newer
-- The $2 entries after $3, the oldest first.
SELECT id, delta, balance, reason, created_at AS at FROM ledger
WHERE user_id = $1 AND id > $3 ORDER BY id LIMIT $2;
