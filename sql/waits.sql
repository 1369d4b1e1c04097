-- name: drawn_in
-- The median of the seconds that a model's last $3 pictures of a quality took, from the create call on.
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ready_at - submitted_at)::float8) AS seconds
FROM (SELECT ready_at, submitted_at FROM generations
      WHERE model = $1 AND quality = $2 AND ready_at IS NOT NULL
      ORDER BY ready_at DESC
      LIMIT $3) AS last;

-- name: stands
-- How an order stands, and how many queued ones came before it.
SELECT status, model, quality,
       (SELECT count(*) FROM generations AS others
        WHERE others.status = 'queued' AND mine.status = 'queued' AND others.created_at < mine.created_at) AS ahead,
       extract(epoch FROM now() - COALESCE(submitted_at, created_at))::float8 AS since_s,
       extract(epoch FROM deadline_at - now())::float8 AS left_s
FROM generations AS mine WHERE id = $1;
