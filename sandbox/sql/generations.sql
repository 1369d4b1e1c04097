-- The newest orders, as the machine room shows them; times in Unix seconds.
SELECT id::text, user_id, status, model, quality, style, size, price, prompt, cardinality(sources) AS sources, attempt,
       request_id, failure, cost, extract(epoch FROM created_at)::float8 AS created_at,
       extract(epoch FROM submitted_at)::float8 AS submitted_at, extract(epoch FROM ready_at)::float8 AS ready_at,
       extract(epoch FROM finished_at)::float8 AS finished_at
FROM generations
ORDER BY generations.created_at DESC
LIMIT 30
