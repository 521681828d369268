DROP INDEX users_previous_email;
ALTER TABLE users DROP COLUMN email_verified_at;
ALTER TABLE users DROP COLUMN pending_email;
ALTER TABLE users DROP COLUMN previous_email;
ALTER TABLE users DROP COLUMN previous_email_key;
ALTER TABLE users DROP COLUMN email_replaced_at;
