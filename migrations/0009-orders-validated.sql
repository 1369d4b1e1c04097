-- Reads the table beside the running bot; the constraints of the file before hold for new rows already.

ALTER TABLE generations VALIDATE CONSTRAINT generations_sources;
ALTER TABLE generations VALIDATE CONSTRAINT generations_four_sources;
