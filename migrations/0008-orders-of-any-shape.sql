-- An order has up to four sources or none, a quality, a style, the request it was made of, and what gen-api took for it.
-- The version before claims what is claimable and builds requests of one shape: an order of another is claimable for it
-- never (infinity), and its turn stands in due_at.

ALTER TABLE generations ADD COLUMN IF NOT EXISTS sources TEXT[];
ALTER TABLE generations ADD COLUMN IF NOT EXISTS quality TEXT;
ALTER TABLE generations ADD COLUMN IF NOT EXISTS style TEXT;
ALTER TABLE generations ADD COLUMN IF NOT EXISTS request JSON;
ALTER TABLE generations ADD COLUMN IF NOT EXISTS cost INTEGER;
ALTER TABLE generations ADD COLUMN IF NOT EXISTS due_at TIMESTAMPTZ;
ALTER TABLE generations ADD COLUMN IF NOT EXISTS submit_by TIMESTAMPTZ;
COMMENT ON COLUMN generations.sources IS 'file ids at Telegram, in the order they were sent; NULL in rows of the version before, which has source_file_id';
COMMENT ON COLUMN generations.request IS 'what gen-api is asked besides description, pictures and callback, as it was when the order was placed';
COMMENT ON COLUMN generations.cost IS 'kopecks that gen-api took, where it says so';
COMMENT ON COLUMN generations.due_at IS 'queued only, where the version before must not claim it: takes the place of claimable_at';
COMMENT ON COLUMN generations.submit_by IS 'later than this it is not submitted: a picture could not come in time';

-- One statement: while the old constraint is gone, the new one is there.
ALTER TABLE generations
    DROP CONSTRAINT IF EXISTS generations_source,
    DROP CONSTRAINT IF EXISTS generations_sources,
    ADD CONSTRAINT generations_sources
        CHECK (status NOT IN ('queued', 'submitting')
               OR (prompt IS NOT NULL AND (source_file_id IS NOT NULL OR sources IS NOT NULL))) NOT VALID;
ALTER TABLE generations VALIDATE CONSTRAINT generations_sources;
ALTER TABLE generations
    DROP CONSTRAINT IF EXISTS generations_four_sources,
    ADD CONSTRAINT generations_four_sources CHECK (cardinality(sources) <= 4) NOT VALID;
ALTER TABLE generations VALIDATE CONSTRAINT generations_four_sources;

COMMENT ON TABLE breakers IS 'one row a provider that may refuse us as customers (no money, wrong key), and one a model whose network was not there: provider/model';
