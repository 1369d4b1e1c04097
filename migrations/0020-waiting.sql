-- Whoever waits for a picture is told how it stands: in the message that «✅» became, edited a few times at most.

ALTER TABLE generations ADD COLUMN IF NOT EXISTS tell_at TIMESTAMPTZ;
ALTER TABLE generations ADD COLUMN IF NOT EXISTS tell_until TIMESTAMPTZ;
ALTER TABLE generations ADD COLUMN IF NOT EXISTS told SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE generations ADD COLUMN IF NOT EXISTS told_place INTEGER;
COMMENT ON COLUMN generations.tell_at IS 'when it is looked at next whether the person is to be told something new; NULL: not before something happens';
COMMENT ON COLUMN generations.tell_until IS 'somebody is editing the message; after this nobody is';
COMMENT ON COLUMN generations.told IS 'edits of the message so far, the one after «✅» is the first; one that has another number has lost its lease';
COMMENT ON COLUMN generations.told_place IS 'the place in the queue that the message says; NULL: it says that the picture is being drawn';

CREATE INDEX CONCURRENTLY IF NOT EXISTS generations_tell ON generations (tell_at) WHERE tell_at IS NOT NULL;
