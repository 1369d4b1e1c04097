-- name: put
-- Owes a message; refuses (no row) one that is owed or was sent already. `urgent` is for the version before.
INSERT INTO outbox (chat_id, kind, ref, payload, priority, urgent)
VALUES ($1, $2, $3, $4::jsonb, $5::smallint, $5::smallint = 0)
ON CONFLICT (kind, ref) DO NOTHING
RETURNING id;

-- name: claim
-- Leases messages that are due, by priority and one a chat; none while Telegram has told the bot to wait, none for the
-- chats in $3, which were written to just now, and none of a kind that is not among $4: a newer version may have put it.
-- Passes over those that another worker is taking.
UPDATE outbox
SET attempt = attempt + 1, due_at = now() + make_interval(secs => $2)
WHERE id IN (
    SELECT id FROM outbox
    WHERE status = 'pending' AND due_at <= now()
      AND NOT EXISTS (SELECT FROM pauses WHERE service = 'telegram' AND until > now())
      AND id IN (
        SELECT id FROM (
            SELECT id, row_number() OVER (PARTITION BY chat_id ORDER BY priority, due_at, id) AS place
            FROM (
                SELECT id, chat_id, priority, due_at FROM outbox
                WHERE status = 'pending' AND due_at <= now() AND chat_id <> ALL ($3::bigint[])
                  AND kind = ANY ($4::text[])
                ORDER BY priority, due_at
                LIMIT 500
            ) AS due
        ) AS placed
        WHERE place = 1
      )
    ORDER BY priority, due_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, chat_id, kind, ref, payload, attempt;

-- name: pause
-- Nothing is claimed for some seconds, by any replica; a longer pause stays.
INSERT INTO pauses (service, until) VALUES ('telegram', now() + make_interval(secs => $1))
ON CONFLICT (service) DO UPDATE SET until = GREATEST(pauses.until, EXCLUDED.until);

-- name: mark_sent
-- Ends a message that was sent; refuses (no row) one that has ended. No lease is asked for: sent is sent.
UPDATE outbox SET status = 'sent', closed_at = now()
WHERE id = $1 AND status = 'pending'
RETURNING id;

-- name: drop
-- Gives a claimed message up; refuses (no row) a worker that has lost its lease: another may be sending it now.
UPDATE outbox SET status = 'dropped', closed_at = now()
WHERE id = $1 AND status = 'pending' AND attempt = $2
RETURNING id;

-- name: postpone
-- Puts a claimed message off by some seconds; refuses (no row) a worker that has lost its lease.
UPDATE outbox SET due_at = now() + make_interval(secs => $3)
WHERE id = $1 AND status = 'pending' AND attempt = $2
RETURNING id;

-- name: park
-- Puts everything owed to a chat off until the person is back.
UPDATE outbox SET due_at = 'infinity'
WHERE chat_id = $1 AND status = 'pending';

-- name: purge
-- Removes at most $2 messages that ended long ago: by then the state of what they tell of keeps a second one from being
-- owed.
DELETE FROM outbox
WHERE id IN (
    SELECT id FROM outbox
    WHERE status <> 'pending' AND closed_at < now() - make_interval(days => $1)
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
RETURNING id;
