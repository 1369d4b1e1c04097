-- transactional: false

CREATE INDEX CONCURRENTLY IF NOT EXISTS generations_drawn ON generations (model, quality, ready_at)
    WHERE ready_at IS NOT NULL;
