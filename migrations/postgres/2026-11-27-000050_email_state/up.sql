-- The state of e-mail addresses: when they were verified, the address that waits for it, and the one that was replaced.
ALTER TABLE users
    ADD COLUMN email_verified_at TIMESTAMPTZ,
    ADD COLUMN pending_email TEXT COLLATE "C",
    ADD COLUMN previous_email TEXT COLLATE "C",
    ADD COLUMN previous_email_key TEXT COLLATE "C",
    ADD COLUMN email_replaced_at TIMESTAMPTZ;

-- A replaced address is reserved while the change can be undone.
CREATE INDEX users_previous_email ON users (previous_email_key) WHERE previous_email_key IS NOT NULL;
