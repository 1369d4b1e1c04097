-- name: claim
-- Takes a part of the audit whose turn it is, until the end of the transaction; refuses (no row) what another replica is
-- at.
SELECT position FROM audit_progress WHERE part = $1 AND due_at <= now() FOR UPDATE SKIP LOCKED;

-- name: new_entries
-- Whose entries came after entry $1, at most $2 of them, and the last. A transaction under way may bring one with a lower
-- number than those that are seen, so nothing is taken from the first on that is younger than a transaction may last.
WITH entries AS (SELECT id, user_id, created_at FROM ledger WHERE id > $1 ORDER BY id LIMIT $2),
     settled AS (SELECT id, user_id FROM entries
                 WHERE id < COALESCE((SELECT min(id) FROM entries WHERE created_at > now() - interval '1 minute'),
                                     9223372036854775807))
SELECT COALESCE(max(id), $1) AS last, COALESCE(array_agg(DISTINCT user_id), '{}') AS people, count(*) AS taken
FROM settled;

-- name: next_people
-- The next people of a round, in the order of their ids.
SELECT id FROM users WHERE id > $1 ORDER BY id LIMIT $2;

-- name: suspects
-- In whose books a contradiction was found, at most $1 people.
SELECT DISTINCT user_id FROM audit_findings LIMIT $1;

-- name: forget_mended
-- Removes the findings about the people $1 that are none any more; $2 to $4 are those that are.
DELETE FROM audit_findings
WHERE user_id = ANY ($1::bigint[]) AND NOT EXISTS (
    SELECT FROM unnest($2::bigint[], $3::text[], $4::text[]) AS found (user_id, what, ref)
    WHERE (found.user_id, found.what, found.ref)
        = (audit_findings.user_id, audit_findings.what, audit_findings.ref));

-- name: keep
-- Keeps what was found; refuses (no row) what is known.
INSERT INTO audit_findings (user_id, what, ref)
SELECT user_id, what, ref FROM unnest($1::bigint[], $2::text[], $3::text[]) AS found (user_id, what, ref)
ON CONFLICT DO NOTHING
RETURNING user_id;

-- name: advance
-- Notes how far a part has come, when it goes on, and ($4) that it came to its end.
UPDATE audit_progress
SET position = $2, due_at = now() + make_interval(secs => $3), proven_at = CASE WHEN $4 THEN now() ELSE proven_at END
WHERE part = $1;

-- name: standing
-- Each part: seconds since it last came to its end (since it was due for the first time, where it never did), and whether
-- it ever did.
SELECT part, proven_at IS NOT NULL AS proven,
       extract(epoch FROM now() - COALESCE(proven_at, created_at))::float8 AS age_s
FROM audit_progress;
