-- What the last pictures of a model took is asked for by everybody who waits.

CREATE INDEX CONCURRENTLY IF NOT EXISTS generations_drawn ON generations (model, quality, ready_at)
    WHERE ready_at IS NOT NULL;
