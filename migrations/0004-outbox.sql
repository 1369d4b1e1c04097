-- Broadcasts are to come after alerts, alerts after results and money: a number in place of `urgent`, which the version
-- before goes on reading and writing.

ALTER TABLE outbox ADD COLUMN IF NOT EXISTS priority SMALLINT NOT NULL DEFAULT 0;
COMMENT ON COLUMN outbox.priority IS 'the lowest goes first: 0 results and money, 1 alerts, 2 broadcasts (app/notices.py)';
COMMENT ON COLUMN outbox.urgent IS 'read by the version before alone';
