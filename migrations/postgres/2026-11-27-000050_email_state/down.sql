DROP INDEX users_previous_email;
ALTER TABLE users
    DROP COLUMN email_verified_at,
    DROP COLUMN pending_email,
    DROP COLUMN previous_email,
    DROP COLUMN previous_email_key,
    DROP COLUMN email_replaced_at;
