-- name: visit
-- Creates the person with the welcome credits, their ledger entry and the language $3; refuses (created is false) one
-- who is known already, and leaves their language as it is. No row: somebody else is just creating them.
-- Whoever writes in private is back: messages parked because they had blocked the bot become due again.
WITH arrived AS (
    INSERT INTO users (id, credits, language) VALUES ($1, $2, $3)
    ON CONFLICT (id) DO NOTHING
    RETURNING id, credits, language, banned_at
), welcomed AS (
    INSERT INTO ledger (user_id, delta, balance, reason, ref)
    SELECT id, $2, $2, 'welcome', id::text FROM arrived
    RETURNING user_id
), unparked AS (
    UPDATE outbox SET due_at = now()
    WHERE chat_id = $1 AND status = 'pending' AND due_at = 'infinity'
    RETURNING id
), seen AS (
    SELECT true AS created, credits, language, banned_at FROM arrived
    UNION ALL
    SELECT false, credits, language, banned_at FROM users WHERE id = $1
)
SELECT created, credits, language, banned_at IS NOT NULL AS banned, (SELECT count(*) FROM unparked) AS unparked
FROM seen;

-- name: lock
-- Locks the person's row, so that everything that touches their money comes one after another; no row: unknown person.
SELECT credits FROM users WHERE id = $1 FOR UPDATE;

-- name: forget
-- Notes the wish to be forgotten; what is still being worked on is wiped once it is finished.
UPDATE users SET forget_before = now() WHERE id = $1;

-- name: settle_forgotten
-- Ends a wish to be forgotten that nothing is left of, so that it is not looked after for ever; refuses (no row) one
-- younger than a day, as an order may be under way.
UPDATE users SET forget_before = NULL
WHERE forget_before < now() - interval '1 day'
  AND NOT EXISTS (
    SELECT FROM generations
    WHERE user_id = users.id AND created_at < users.forget_before
      AND (finished_at IS NULL OR prompt IS NOT NULL OR source_file_id IS NOT NULL OR sources IS NOT NULL OR result_url IS NOT NULL))
  AND NOT EXISTS (
    SELECT FROM payments
    WHERE user_id = users.id AND created_at < users.forget_before
      AND request::jsonb #> '{receipt,customer,email}' IS NOT NULL)
RETURNING id;

-- name: choose_language
-- The language that the person chose themselves; it stays whatever their app speaks later.
UPDATE users SET language = $2 WHERE id = $1;

-- name: language
-- What is said to the person, where it is decided; no row: an unknown person.
SELECT language FROM users WHERE id = $1;

-- name: email
-- Where the person wants receipts; no row: an unknown person.
SELECT email FROM users WHERE id = $1;

-- name: set_email
-- Where the person wants receipts from now on; NULL: nowhere.
UPDATE users SET email = $2 WHERE id = $1;

-- name: drop_email
-- The address turned out to be none; refuses (no row) where the person has named another meanwhile.
UPDATE users SET email = NULL WHERE id = $1 AND email = $2
RETURNING id;
