-- A person's pictures by the time they came, newest first, however many there are; what was forgotten is not among them.

CREATE INDEX CONCURRENTLY IF NOT EXISTS generations_shown ON generations (user_id, finished_at, id)
    WHERE status = 'delivered' AND prompt IS NOT NULL;
