-- Ready pictures are few, and whether one of them lacks its message is asked often.

CREATE INDEX CONCURRENTLY IF NOT EXISTS generations_ready ON generations (ready_at) WHERE status = 'ready';
