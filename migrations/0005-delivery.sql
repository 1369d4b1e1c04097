-- A try that ends well, is cut short, put off by 429 or parked is no failure, so failures are counted apart from leases. A
-- send that was begun is noted before it is made. And Telegram's 429 is one chat's, until several chats hear it.

ALTER TABLE outbox ADD COLUMN IF NOT EXISTS failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN IF NOT EXISTS sends SMALLINT NOT NULL DEFAULT 0;
COMMENT ON COLUMN outbox.attempt IS 'raised by every claim; a worker whose attempt is no longer this one has lost its lease';
COMMENT ON COLUMN outbox.failures IS 'tries that failed; a claim counts as a killed one beforehand, and how it ends puts that right';
COMMENT ON COLUMN outbox.sends IS 'pictures: sends that were begun and of which nobody knows the outcome';

CREATE TABLE IF NOT EXISTS chat_pauses (
    chat_id BIGINT PRIMARY KEY,
    until   TIMESTAMPTZ NOT NULL,
    told_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
COMMENT ON TABLE chat_pauses IS 'chats for which Telegram told the bot to wait (429): nothing owed goes there before `until`';
COMMENT ON COLUMN chat_pauses.told_at IS 'several chats told within seconds mean the bot, not the chats';

CREATE INDEX CONCURRENTLY IF NOT EXISTS outbox_next ON outbox (priority, (failures > 0), due_at)
    WHERE status = 'pending' AND due_at < 'infinity';
CREATE INDEX CONCURRENTLY IF NOT EXISTS outbox_waiting ON outbox (chat_id) WHERE status = 'pending' AND due_at < 'infinity';
