-- One pause for the whole bot, all replicas, where a service says so.

CREATE TABLE IF NOT EXISTS pauses (
    service TEXT PRIMARY KEY,
    until   TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE pauses IS 'a service that told the bot to wait (Telegram''s 429): nobody calls it for the outbox before `until`';
