-- name: read
-- Waiting work by queue with the age of its oldest piece, the breakers, and the audit: how long ago
-- each part came to its end, and once all have done so, how many contradictions there are. Each reads a partial index.
SELECT 'queue' AS kind, queues.name, count(work.since) AS items,
       COALESCE(max(extract(epoch FROM now() - work.since)), 0)::float8 AS oldest_s
FROM (VALUES ('queued'), ('submitting'), ('processing'), ('outbox'), ('parked'), ('payments'), ('invoices')) AS queues (name)
LEFT JOIN (
    SELECT status AS name, created_at AS since FROM generations WHERE status IN ('queued', 'submitting')
    UNION ALL
    SELECT status, created_at FROM generations WHERE status = 'processing'
    UNION ALL
    SELECT CASE WHEN due_at = 'infinity' THEN 'parked' ELSE 'outbox' END, created_at
    FROM outbox WHERE status = 'pending'
    UNION ALL
    SELECT CASE gateway WHEN 'stars' THEN 'invoices' ELSE 'payments' END, created_at
    FROM payments WHERE status IN ('new', 'pending')
) AS work ON work.name = queues.name
GROUP BY queues.name
UNION ALL
SELECT 'breaker', provider, (opened_at IS NOT NULL)::integer,
       COALESCE(extract(epoch FROM now() - opened_at), 0)::float8
FROM breakers
UNION ALL
SELECT 'audit', part, 0, extract(epoch FROM now() - COALESCE(proven_at, created_at))::float8 FROM audit_progress
UNION ALL
SELECT 'differences', 'ledger', (SELECT count(*) FROM audit_findings), 0
WHERE NOT EXISTS (SELECT FROM audit_progress WHERE proven_at IS NULL);
