-- What is said in which language, and to whom nothing is done any more. A version that knows neither leaves both alone.

ALTER TABLE users ADD COLUMN IF NOT EXISTS language TEXT, ADD COLUMN IF NOT EXISTS banned_at TIMESTAMPTZ;
ALTER TABLE users DROP CONSTRAINT IF EXISTS users_language;
ALTER TABLE users ADD CONSTRAINT users_language CHECK (language IN ('ru', 'en')) NOT VALID;
COMMENT ON COLUMN users.language IS 'decided at the first contact, or by the person; NULL: of before there were two, Russian';
COMMENT ON COLUMN users.banned_at IS 'since when an operator wants nothing done for this person';
