-- The state of e-mail addresses: when they were verified, the address that waits for it, and the one that was replaced.
ALTER TABLE users
    ADD COLUMN email_verified_at TIMESTAMPTZ,
    ADD COLUMN pending_email TEXT COLLATE "C",
    ADD COLUMN previous_email TEXT COLLATE "C",
    ADD COLUMN email_replaced_at TIMESTAMPTZ;
