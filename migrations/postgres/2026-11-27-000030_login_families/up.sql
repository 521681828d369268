-- The refresh tokens of one login are a family: they have the id of the login's first token. A token without a family
-- is from an older version or another system, and a login of its own.
ALTER TABLE refresh_tokens
    ADD COLUMN family TEXT,
    ADD COLUMN logged_in_at TIMESTAMPTZ,
    ADD COLUMN last_used_at TIMESTAMPTZ,
    ADD COLUMN address TEXT,
    ADD COLUMN program TEXT,
    DROP CONSTRAINT refresh_tokens_revocation_known,
    ADD CONSTRAINT refresh_tokens_revocation_known
        CHECK (revocation IN ('logged_out', 'rotated', 'password_changed', 'revoked', 'reused'));
CREATE INDEX refresh_tokens_of_family ON refresh_tokens (family);

ALTER TABLE sessions
    ADD COLUMN address TEXT,
    ADD COLUMN program TEXT;
