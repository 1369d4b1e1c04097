-- How far the audit has come, whichever replica goes on with it, and what it found.

CREATE TABLE IF NOT EXISTS audit_progress (
    part       TEXT PRIMARY KEY,
    position   BIGINT NOT NULL DEFAULT -9223372036854775808,
    due_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    proven_at  TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
COMMENT ON COLUMN audit_progress.part IS 'entries: what is new in the ledger; people: everybody, a slice at a time';
COMMENT ON COLUMN audit_progress.position IS 'the last entry that was proven; the last person of this round';
COMMENT ON COLUMN audit_progress.proven_at IS 'when it last had come to the end';

INSERT INTO audit_progress (part) VALUES ('people') ON CONFLICT DO NOTHING;
-- What is there already is the round's.
INSERT INTO audit_progress (part, position) SELECT 'entries', COALESCE(max(id), 0) FROM ledger ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS audit_findings (
    user_id BIGINT NOT NULL,
    what    TEXT NOT NULL,
    ref     TEXT NOT NULL,
    found_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, what, ref)
);
COMMENT ON TABLE audit_findings IS 'contradictions that are there still: these people are looked at again with what is new';
