-- fragment: fetched
kind IN ('picture', 'original_file')

-- name: put
-- Owes a message, and tells the workers of all replicas once this is committed; refuses (no row) one that is owed or was
-- sent already. `urgent` is for the version before.
WITH owed AS (
    INSERT INTO outbox (chat_id, kind, ref, payload, priority, urgent)
    VALUES ($1, $2, $3, $4::jsonb, $5::smallint, $5::smallint = 0)
    ON CONFLICT (kind, ref) DO NOTHING
    RETURNING id, {fetched} AS fetched
)
SELECT id, pg_notify('work', CASE WHEN fetched THEN 'results' ELSE 'messages' END) FROM owed;

-- name: claim
-- Leases messages that are due, by priority and one a chat, what has failed before behind what has not ($5: whether that
-- is asked for). None while Telegram has told the bot to wait, none for chats that it has told to wait or that are among
-- $3, written to just now, none behind the priority $7, and none of a kind that is not among $4: a newer version may have
-- put it. Passes over those that another worker is taking. Counts as many failures ($6) as a kill is worth; whoever lives
-- puts that right. The language is that of this moment. What is fetched before it is sent, and what is not, are looked for
-- apart: however much waits of the one, the other is found at once.
WITH RECURSIVE next AS (
    -- 200 rows at a time, each time past the chats found so far: however much is owed to a few, the others are reached
    SELECT NULL::bigint[] AS ids, $3::bigint[] AS chats, 0 AS found
    UNION ALL
    SELECT more.ids, next.chats || more.chats, next.found + cardinality(more.ids)
    FROM next CROSS JOIN LATERAL (
        SELECT array_agg(id) AS ids, array_agg(chat_id) AS chats
        FROM (
            SELECT DISTINCT ON (chat_id) id, chat_id
            FROM (SELECT DISTINCT {fetched} AS fetched FROM unnest($4::text[]) AS kinds (kind)) AS lane
            CROSS JOIN LATERAL (
                SELECT id, chat_id, priority, failures, due_at FROM outbox
                WHERE status = 'pending' AND due_at <= now() AND due_at < 'infinity'
                  AND ({fetched}) = lane.fetched
                  AND priority <= $7 AND kind = ANY ($4::text[]) AND (failures > 0) = ANY ($5::boolean[])
                  AND chat_id <> ALL (next.chats)
                  AND NOT EXISTS (SELECT FROM chat_pauses WHERE chat_id = outbox.chat_id AND until > now())
                ORDER BY priority, failures > 0, due_at
                LIMIT 200
            ) AS due
            ORDER BY chat_id, priority, failures > 0, due_at, id
        ) AS firsts
    ) AS more
    WHERE next.found < $1 AND more.ids IS NOT NULL
)
UPDATE outbox
SET attempt = attempt + 1, failures = failures + $6, due_at = now() + make_interval(secs => $2)
WHERE id = ANY (ARRAY(
    SELECT id FROM outbox
    -- IS TRUE: found by these ids, also where the statistics do not know yet how much waits
    WHERE (status = 'pending' AND due_at <= now()) IS TRUE
      AND NOT EXISTS (SELECT FROM pauses WHERE service = 'telegram' AND until > now())
      AND id = ANY (ARRAY(SELECT unnest(ids) FROM next))
    ORDER BY priority, failures > 0, due_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
))
RETURNING id, chat_id, kind, ref, payload, attempt, failures - $6 AS failures, sends,
          (SELECT language FROM users WHERE users.id = chat_id) AS language;

-- name: pause
-- One chat is written to no more for some seconds, by any replica; a longer pause stays. Where two other chats were told to
-- wait within seconds, it is the bot that Telegram means: nothing is claimed then, for a minute at most (a row comes back).
-- A chat shows that once in ten minutes: three people who flood theirs without end do not pause the bot without end.
WITH chat AS (
    INSERT INTO chat_pauses (chat_id, until) VALUES ($1, now() + make_interval(secs => LEAST($2, 1e9)))
    ON CONFLICT (chat_id) DO UPDATE
    SET until = GREATEST(chat_pauses.until, EXCLUDED.until),
        told_at = CASE WHEN chat_pauses.told_at < now() - interval '10 minutes' THEN now() ELSE chat_pauses.told_at END
)
INSERT INTO pauses (service, until)
SELECT 'telegram', now() + make_interval(secs => LEAST($2, 60))
WHERE (SELECT count(*) FROM chat_pauses WHERE chat_id <> $1 AND told_at > now() - interval '5 seconds') >= 2
ON CONFLICT (service) DO UPDATE SET until = GREATEST(pauses.until, EXCLUDED.until)
RETURNING until;

-- name: begin_send
-- Notes that a picture is about to be sent and leases it for that; refuses (no row) a worker that has lost its lease.
UPDATE outbox SET sends = sends + 1, due_at = now() + make_interval(secs => $3)
WHERE id = $1 AND status = 'pending' AND attempt = $2
RETURNING sends;

-- name: not_sent
-- Takes the note back: Telegram has refused, or was never reached; refuses (no row) a worker that has lost its lease.
UPDATE outbox SET sends = sends - 1
WHERE id = $1 AND status = 'pending' AND attempt = $2 AND sends > 0
RETURNING id;

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
-- Puts a claimed message off by some seconds, and counts $4 failures in place of those ($5) that the claim counted; refuses
-- (no row) a worker that has lost its lease.
UPDATE outbox SET due_at = now() + make_interval(secs => $3), failures = GREATEST(failures - $5 + $4, 0)
WHERE id = $1 AND status = 'pending' AND attempt = $2
RETURNING id;

-- name: park
-- Puts a claimed message ($1, $2) and what else waits for its chat off until the person is back, no failure counted. Passes
-- over what is parked already, what is leased or put off (its own turn will park it), and what another worker holds.
UPDATE outbox SET due_at = 'infinity', failures = CASE WHEN id = $1 THEN GREATEST(failures - $4, 0) ELSE failures END
WHERE id = ANY (ARRAY(
    SELECT id FROM outbox
    WHERE chat_id = $3 AND status = 'pending' AND due_at < 'infinity'
      AND (due_at <= now() OR id = $1 AND attempt = $2)
    FOR UPDATE SKIP LOCKED
));

-- name: purge
-- Removes at most $2 messages that ended long ago: by then the state of what they tell of keeps a second one from being
-- owed. The oldest first: so they are found by their index, however few there are.
DELETE FROM outbox
WHERE id = ANY (ARRAY(
    SELECT id FROM outbox
    WHERE status <> 'pending' AND closed_at < now() - make_interval(days => $1)
    ORDER BY closed_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
RETURNING id;

-- name: purge_pauses
-- Removes at most $1 pauses of chats that are over, an hour after they were told of.
DELETE FROM chat_pauses
WHERE chat_id = ANY (ARRAY(
    SELECT chat_id FROM chat_pauses
    WHERE until < now() AND told_at < now() - interval '1 hour'
    LIMIT $1
    FOR UPDATE SKIP LOCKED
))
RETURNING chat_id;

-- name: owes
-- Whether a message of this kind about this order waits for the chat.
SELECT EXISTS (
    SELECT FROM outbox
    WHERE chat_id = $1 AND status = 'pending' AND due_at < 'infinity' AND kind = $2 AND payload ->> 'order' = $3
);
