-- fragment: wiped
prompt = NULL, source_file_id = NULL, sources = NULL, result_file_id = NULL,
    result_url = CASE WHEN status = 'ready' THEN result_url END

-- name: find_order
-- The order that a card was turned into, if it was: looked for before the card is called old.
SELECT id, status FROM generations WHERE order_key = $1 AND user_id = $2;

-- name: insert
-- Writes a queued order; refuses (no row) a second one from the same card. The version before reads source_file_id, and
-- claims what is claimable: a hidden order is so in due_at instead. Whoever writes it tells of it at once: has the lease of
-- the message's first edit, that says $15 as the place in the queue, and is looked at again after $16 seconds. The workers of
-- all replicas are told of it once it is committed.
WITH placed AS (
    INSERT INTO generations
        (user_id, order_key, model, size, price, prompt, sources, source_file_id, card_message_id, deadline_at, submit_by,
         quality, style, request, due_at, claimable_at, told, told_place, tell_at, tell_until)
    VALUES ($1, $2, $3, $4, $5, $6, $7, ($7::text[])[1], $8, now() + make_interval(secs => $9),
            now() + make_interval(secs => $10), $11, $12, $13,
            CASE WHEN $14 THEN now() END, CASE WHEN $14 THEN 'infinity' ELSE now() END,
            num_nonnulls($8::bigint), $15, CASE WHEN $8 IS NOT NULL THEN now() + make_interval(secs => $16) END,
            CASE WHEN $8 IS NOT NULL THEN now() + interval '20 seconds' END)
    ON CONFLICT (order_key) DO NOTHING
    RETURNING id
)
SELECT id, pg_notify('work', 'orders') FROM placed;

-- name: waiting
-- How many orders wait for a worker, counted no further than is asked.
SELECT count(*) FROM (SELECT FROM generations WHERE status = 'queued' LIMIT $1) AS queue;

-- name: claim_queued
-- Leases queued orders of the models $3 to a submitter; passes over those another one is taking, and those that it is too
-- late for. Of one person there are $5 at most, with those that the submitter has already ($4: whose they are).
UPDATE generations
SET attempt = attempt + 1,
    due_at = CASE WHEN due_at IS NOT NULL THEN now() + make_interval(secs => $2) END,
    claimable_at = CASE WHEN due_at IS NULL THEN now() + make_interval(secs => $2) ELSE claimable_at END
WHERE id = ANY (ARRAY(
    SELECT id FROM generations
    -- IS TRUE: found by these ids, also where the statistics know of none that is queued
    WHERE (status = 'queued' AND LEAST(claimable_at, due_at) <= now() AND LEAST(submit_by, deadline_at) > now()) IS TRUE
      AND id = ANY (ARRAY(
        SELECT id FROM (
            SELECT id, (SELECT count(*) FROM unnest($4::bigint[]) AS busy WHERE busy = user_id)
                       + row_number() OVER (PARTITION BY user_id ORDER BY LEAST(claimable_at, due_at)) AS place
            FROM generations
            WHERE status = 'queued' AND LEAST(claimable_at, due_at) <= now() AND LEAST(submit_by, deadline_at) > now()
              AND model = ANY ($3::text[])
        ) AS due
        WHERE place <= $5
      ))
    ORDER BY LEAST(claimable_at, due_at)
    LIMIT $1
    FOR UPDATE SKIP LOCKED
))
RETURNING id, user_id, attempt, model, size, quality, style, prompt,
          COALESCE(sources, array_remove(ARRAY[source_file_id], NULL)) AS sources, request;

-- name: start_submitting
-- From here on the order may be known to gen-api; refuses (no row) a worker that has lost its lease, and an order that no
-- picture could come in time for. Where its person was told a place in the queue, they are to be told that it has come.
UPDATE generations SET status = 'submitting', submitted_at = now(),
    tell_at = CASE WHEN told_place IS NULL THEN tell_at ELSE LEAST(tell_at, now() + interval '3 seconds') END
WHERE id = $1 AND status = 'queued' AND attempt = $2 AND LEAST(submit_by, deadline_at) > now()
RETURNING id;

-- name: requeue
-- Puts back what was certainly not accepted; refuses (no row) what a callback or the deadline has moved on.
-- `in_time`: there will be time for another try.
UPDATE generations
SET status = 'queued',
    due_at = CASE WHEN due_at IS NOT NULL THEN now() + make_interval(secs => $3) END,
    claimable_at = CASE WHEN due_at IS NULL THEN now() + make_interval(secs => $3) ELSE claimable_at END
WHERE id = $1 AND status = 'submitting' AND attempt = $2 AND request_id IS NULL
RETURNING LEAST(claimable_at, due_at) < LEAST(submit_by, deadline_at) AS in_time;

-- name: release
-- Gives a lease back early or late; refuses (no row) a worker that has lost it.
UPDATE generations
SET due_at = CASE WHEN due_at IS NOT NULL THEN now() + make_interval(secs => $3) END,
    claimable_at = CASE WHEN due_at IS NULL THEN now() + make_interval(secs => $3) ELSE claimable_at END
WHERE id = $1 AND status = 'queued' AND attempt = $2
RETURNING id;

-- name: accept
-- Fills an empty request_id; only what is being submitted moves on. Refuses (no row) one that has its number already.
UPDATE generations
SET request_id = $2,
    status = CASE WHEN status = 'submitting' THEN 'processing' ELSE status END,
    poll_at = CASE WHEN status = 'submitting'
                   THEN LEAST(now() + make_interval(secs => $3), deadline_at) ELSE poll_at END
WHERE id = $1 AND request_id IS NULL AND status <> 'queued'
RETURNING status;

-- name: by_request
-- Which generation a request number belongs to.
SELECT id FROM generations WHERE request_id = $1;

-- name: owner
-- Whose order it is and what number gen-api gave it, to lock the person before the order is changed.
SELECT user_id, request_id, status, attempt FROM generations WHERE id = $1;

-- name: hint
-- An unproven callback brings the next question forward, to ten seconds after the last one at the earliest. Writes nothing
-- where it is no later than that already: whoever knows a number may send any number of them.
UPDATE generations
SET poll_at = GREATEST(now(), polled_at + interval '10 seconds')
WHERE request_id = $1 AND status = 'processing' AND poll_at > GREATEST(now(), polled_at + interval '10 seconds');

-- name: claim_polls
-- Takes the orders whose turn it is to be asked about, and sets the next turn, ever later; a deadline is a turn as well.
-- The turn after that is further away than a question takes (10 s): one order does not fill every slot.
UPDATE generations
SET polls = polls + 1, polled_at = now(),
    poll_at = CASE WHEN deadline_at <= now() THEN now() + interval '15 seconds' ELSE GREATEST(
        LEAST(now() + make_interval(secs => LEAST($2 * power(1.5, LEAST(polls, 12)), 120)), deadline_at),
        now() + interval '1 second') END
WHERE id = ANY (ARRAY(
    SELECT id FROM generations
    WHERE status = 'processing' AND poll_at <= now()
    ORDER BY poll_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
))
RETURNING id, request_id, deadline_at <= now() AS expired;

-- name: overdue
-- Orders past their deadline that gen-api cannot be asked about, and queued ones that it is too late to submit.
SELECT id FROM generations
WHERE status IN ('queued', 'submitting')
  AND (deadline_at <= now() OR status = 'queued' AND submit_by <= now())
ORDER BY deadline_at
LIMIT $1;

-- name: complete
-- The first final word wins; refuses (no row) what is final or was completed before. A queued order is taken too:
-- gen-api may have accepted what it had answered with "not accepted".
UPDATE generations
SET status = 'ready', result_url = $2, request_id = COALESCE(request_id, $3), cost = $4, ready_at = now(), poll_at = NULL
WHERE id = $1 AND (status IN ('submitting', 'processing') OR status = 'queued' AND attempt > 0)
RETURNING user_id;

-- name: fail
-- Ends an order that gen-api refused or failed; refuses (no row) what is final or has its result.
UPDATE generations SET status = 'failed', failure = $2, cost = $3, finished_at = now(), poll_at = NULL
WHERE id = $1 AND status IN ('queued', 'submitting', 'processing')
RETURNING user_id, price;

-- name: fail_claimed
-- Ends an order that a submitter found to be impossible; refuses (no row) a worker that has lost its lease.
UPDATE generations SET status = 'failed', failure = $2, finished_at = now()
WHERE id = $1 AND status = 'queued' AND attempt = $3
RETURNING user_id, price;

-- name: fail_overdue
-- Ends an order past its deadline, or a queued one that it is too late to submit; refuses (no row) what is final, has its
-- result, or has time left.
UPDATE generations SET status = 'failed', failure = $2, finished_at = now(), poll_at = NULL
WHERE id = $1 AND status IN ('queued', 'submitting', 'processing')
  AND (deadline_at <= now() OR status = 'queued' AND submit_by <= now())
RETURNING user_id, price;

-- name: fail_ready
-- Ends an order whose result cannot be delivered: the deliverer alone says so; refuses (no row) any other state.
UPDATE generations SET status = 'failed', failure = $2, finished_at = now()
WHERE id = $1 AND status = 'ready'
RETURNING user_id, price;

-- name: result
-- A generation on its way to the person.
SELECT id, user_id, size, status, request_id, result_url, result_refreshed, card_message_id
FROM generations WHERE id = $1;

-- name: refresh_result
-- Notes the fresh link that gen-api gave, once; refuses (no row) a second time.
UPDATE generations SET result_url = $2, result_refreshed = true
WHERE id = $1 AND status = 'ready' AND NOT result_refreshed
RETURNING id;

-- name: delivered
-- The picture has reached the person; refuses (no row) what is final. `being_told`: somebody is just telling of it, and will
-- have to say that as well; they are looked after, should they die. Whoever wished to be forgotten meanwhile is.
UPDATE generations SET status = 'delivered', result_file_id = CASE WHEN NOT forgotten THEN $2 END, finished_at = now(),
    prompt = CASE WHEN NOT forgotten THEN prompt END, sources = CASE WHEN NOT forgotten THEN sources END,
    source_file_id = CASE WHEN NOT forgotten THEN source_file_id END,
    result_url = CASE WHEN NOT forgotten THEN result_url END,
    tell_at = CASE WHEN told > 1 AND tell_until > now() THEN tell_until END
FROM (SELECT orders.id AS order_id, COALESCE(orders.created_at < forget_before, false) AS forgotten
      FROM generations AS orders JOIN users ON users.id = orders.user_id WHERE orders.id = $1) AS wish
WHERE id = order_id AND status = 'ready'
RETURNING extract(epoch FROM now() - created_at)::float8 AS since_order_s,
          extract(epoch FROM now() - ready_at)::float8 AS since_ready_s, tell_at IS NOT NULL AS being_told;

-- name: source
-- The $2th source of an order that gen-api may still fetch it for, and the model that it is for.
SELECT (COALESCE(sources, ARRAY[source_file_id]))[$2] AS file_id, model FROM generations
WHERE id = $1 AND status IN ('queued', 'submitting', 'processing');

-- name: wipe
-- Removes what people wrote and sent, from at most $2 orders of each kind: those that are over, or whose result waits for
-- the person, for more than $1 days, and those from before a wish to be forgotten. The link of what waits is kept.
WITH old AS (
    SELECT id FROM generations
    WHERE COALESCE(finished_at, ready_at) < now() - make_interval(days => $1)
      AND (prompt IS NOT NULL OR (finished_at IS NOT NULL AND result_url IS NOT NULL))
    ORDER BY COALESCE(finished_at, ready_at)
    LIMIT $2
    FOR UPDATE SKIP LOCKED
), forgotten AS (
    SELECT generations.id FROM users JOIN generations ON generations.user_id = users.id
    WHERE users.forget_before IS NOT NULL AND generations.created_at < users.forget_before
      AND COALESCE(finished_at, ready_at) IS NOT NULL
      AND (prompt IS NOT NULL OR (finished_at IS NOT NULL AND result_url IS NOT NULL))
    LIMIT $2
    FOR UPDATE OF generations SKIP LOCKED
)
UPDATE generations
SET {wiped}
WHERE id IN (SELECT id FROM old UNION ALL SELECT id FROM forgotten)
RETURNING id;

-- name: wipe_of
-- The same for all of one person's orders that are over, or whose result waits.
UPDATE generations
SET {wiped}
WHERE user_id = $1 AND COALESCE(finished_at, ready_at) IS NOT NULL;
