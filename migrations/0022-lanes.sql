-- A result is found at once, however many sentences wait, and a sentence however many results: each has its own part of the
-- index. The version before reads outbox_next.

CREATE INDEX CONCURRENTLY IF NOT EXISTS outbox_lanes ON outbox
    ((kind IN ('picture', 'original_file')), priority, (failures > 0), due_at)
    WHERE status = 'pending' AND due_at < 'infinity';
