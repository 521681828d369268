ALTER TABLE users
    DROP COLUMN email_verified_at,
    DROP COLUMN pending_email,
    DROP COLUMN previous_email,
    DROP COLUMN email_replaced_at;
