-- Reads the table while it is written to.

ALTER TABLE users VALIDATE CONSTRAINT users_language;
