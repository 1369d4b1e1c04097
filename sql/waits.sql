-- name: drawn_in
-- The median of the seconds that a model's last $3 pictures of a quality took, from the create call on.
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ready_at - submitted_at)::float8) AS seconds
FROM (SELECT ready_at, submitted_at FROM generations
      WHERE model = $1 AND quality = $2 AND ready_at IS NOT NULL
      ORDER BY ready_at DESC
      LIMIT $3) AS last;

-- name: claim
-- Leases orders whose person may have something new to be told. None while Telegram has told the bot to wait, none of chats
-- that it has told to wait; passes over those that somebody is telling of.
UPDATE generations SET tell_until = now() + make_interval(secs => $2)
WHERE id = ANY (ARRAY(
    SELECT id FROM generations
    WHERE tell_at <= now() AND COALESCE(tell_until <= now(), true)
      AND NOT EXISTS (SELECT FROM pauses WHERE service = 'telegram' AND until > now())
      AND NOT EXISTS (SELECT FROM chat_pauses WHERE chat_id = generations.user_id AND until > now())
    ORDER BY tell_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
))
RETURNING id, user_id, card_message_id, status, model, quality, size, price, prompt, told, told_place,
          (SELECT language FROM users WHERE users.id = user_id) AS language,
          (SELECT balance FROM ledger WHERE reason = 'order' AND ref = generations.id::text) AS balance,
          (SELECT count(*) FROM generations AS others
           WHERE others.status = 'queued' AND generations.status = 'queued'
             AND others.created_at < generations.created_at) AS ahead,
          extract(epoch FROM now() - COALESCE(submitted_at, created_at))::float8 AS since_s,
          extract(epoch FROM deadline_at - now())::float8 AS left_s;

-- name: begin
-- Counts an edit before it is made, notes the place that it says ($4) and when to look again ($5 seconds, or not by itself).
-- Refuses (no row) whoever has lost the lease, and an order that has moved on from the state $3 meanwhile.
UPDATE generations SET told = told + 1, told_place = $4, tell_at = now() + make_interval(secs => $5)
WHERE id = $1 AND told = $2 AND status = $3 AND tell_until > now()
RETURNING told;

-- name: postpone
-- Looks again later ($3 seconds, or not by itself), with nothing told; refuses (no row) whoever has lost the lease, and an
-- order that has moved on from the state $4 meanwhile.
UPDATE generations SET tell_at = now() + make_interval(secs => $3), tell_until = NULL
WHERE id = $1 AND told = $2 AND status = $4
RETURNING id;

-- name: finish
-- Gives the lease back after an edit, and says how the order stands now; refuses (no row) whoever has lost the lease.
-- Of an order that is done nothing more is to be told: whoever asks shows that.
UPDATE generations SET tell_until = NULL, tell_at = CASE WHEN status <> 'delivered' THEN tell_at END
WHERE id = $1 AND told = $2
RETURNING status;

-- name: rest
-- Nothing more is told of an order while it is drawn, or for $2 seconds: its person has blocked the bot, or Telegram has told
-- it to wait.
UPDATE generations SET tell_at = GREATEST(CASE WHEN $2::float8 IS NOT NULL THEN tell_at END, now() + make_interval(secs => $2))
WHERE id = $1;

-- name: failed
-- The message of an order that has just failed is to say so.
UPDATE generations SET tell_at = now()
WHERE id = $1 AND status = 'failed' AND card_message_id IS NOT NULL;
