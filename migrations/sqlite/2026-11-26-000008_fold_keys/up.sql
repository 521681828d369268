-- The folded columns (username_key, email_key, license_key, search_key) follow a new rule: see fold() in the domain.
-- SQL cannot fold, so that the program computes them in the transaction that applies this migration. To have them
-- computed again, delete the row of this migration from __diesel_schema_migrations and run `mycars migrate`.
SELECT 1;
