-- name: due
-- In how many seconds something of each kind is due: none or less for what waits, NULL where there is nothing. Whatever a
-- claim may take is due here too; what it passes over (a chat that rests, another's till) may be, and costs that claim.
-- $1: the priorities that there are.
SELECT extract(epoch FROM orders - now())::float8 AS orders,
       extract(epoch FROM questions - now())::float8 AS questions,
       extract(epoch FROM messages - now())::float8 AS messages,
       extract(epoch FROM results - now())::float8 AS results,
       extract(epoch FROM retries - now())::float8 AS retries,
       extract(epoch FROM cards - now())::float8 AS cards,
       extract(epoch FROM purchases - now())::float8 AS purchases
FROM (SELECT
    (SELECT min(LEAST(claimable_at, due_at)) FROM generations
     WHERE status = 'queued' AND LEAST(claimable_at, due_at) < 'infinity') AS orders,
    LEAST((SELECT min(poll_at) FROM generations WHERE status = 'processing'),
          (SELECT min(submit_by) FROM generations WHERE status = 'queued'),
          (SELECT min(deadline_at) FROM generations WHERE status IN ('queued', 'submitting'))) AS questions,
    (SELECT min(GREATEST(tell_at, tell_until)) FROM generations WHERE tell_at IS NOT NULL) AS cards,
    LEAST((SELECT min(poll_at) FROM payments WHERE status IN ('new', 'pending')),
          (SELECT min(poll_at) FROM refunds WHERE status = 'announced'),
          (SELECT min(due_at) FROM charge_lists)) AS purchases
) AS next,
(SELECT min(first.due_at) FILTER (WHERE NOT lane.fetched) AS messages,
        min(first.due_at) FILTER (WHERE lane.fetched AND NOT lane.failed) AS results,
        min(first.due_at) FILTER (WHERE lane.fetched AND lane.failed) AS retries
 FROM unnest($1::smallint[]) AS of (priority),
      (VALUES (false, false), (false, true), (true, false), (true, true)) AS lane (fetched, failed), LATERAL (
     SELECT due_at FROM outbox
     WHERE status = 'pending' AND due_at < 'infinity' AND (kind IN ('picture', 'original_file')) = lane.fetched
       AND priority = of.priority AND (failures > 0) = lane.failed
     ORDER BY due_at
     LIMIT 1) AS first) AS owed;
