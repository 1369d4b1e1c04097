-- Of millions of rows a few hundred are open. A usual sample often holds none of them, and then a row that is named is
-- looked for among all that are open, as there seem to be none.

ALTER TABLE generations ALTER COLUMN status SET STATISTICS 1000;
ALTER TABLE outbox ALTER COLUMN status SET STATISTICS 1000;
ALTER TABLE payments ALTER COLUMN status SET STATISTICS 1000;
ANALYZE generations (status, request_id), outbox (status), payments (status);
