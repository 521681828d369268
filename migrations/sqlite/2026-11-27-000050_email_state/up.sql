-- The state of e-mail addresses: when they were verified, the address that waits for it, and the one that was replaced.
ALTER TABLE users ADD COLUMN email_verified_at TEXT;
ALTER TABLE users ADD COLUMN pending_email TEXT;
ALTER TABLE users ADD COLUMN previous_email TEXT;
ALTER TABLE users ADD COLUMN previous_email_key TEXT;
ALTER TABLE users ADD COLUMN email_replaced_at TEXT;

-- A replaced address is reserved while the change can be undone.
CREATE INDEX users_previous_email ON users (previous_email_key) WHERE previous_email_key IS NOT NULL;
