-- What a person wrote and sent is needed until it was sent to gen-api: the result may wait for somebody who blocks the
-- bot for longer than it is kept.

ALTER TABLE generations DROP CONSTRAINT IF EXISTS generations_check4;
ALTER TABLE generations DROP CONSTRAINT IF EXISTS generations_source;
ALTER TABLE generations ADD CONSTRAINT generations_source
    CHECK (status NOT IN ('queued', 'submitting') OR (prompt IS NOT NULL AND source_file_id IS NOT NULL));

DROP INDEX IF EXISTS generations_retained;
CREATE INDEX IF NOT EXISTS generations_kept ON generations (COALESCE(finished_at, ready_at))
    WHERE prompt IS NOT NULL OR (finished_at IS NOT NULL AND result_url IS NOT NULL);
CREATE INDEX IF NOT EXISTS users_forgetting ON users (id) WHERE forget_before IS NOT NULL;
