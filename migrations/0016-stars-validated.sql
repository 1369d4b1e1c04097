-- Reads the table while it is written to.

ALTER TABLE payments VALIDATE CONSTRAINT payments_currency;
