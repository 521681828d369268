ALTER TABLE sessions
    DROP COLUMN address,
    DROP COLUMN program;
DROP INDEX refresh_tokens_of_family;
UPDATE refresh_tokens SET revocation = 'revoked' WHERE revocation = 'reused';
ALTER TABLE refresh_tokens
    DROP CONSTRAINT refresh_tokens_revocation_known,
    ADD CONSTRAINT refresh_tokens_revocation_known
        CHECK (revocation IN ('logged_out', 'rotated', 'password_changed', 'revoked')),
    DROP COLUMN family,
    DROP COLUMN logged_in_at,
    DROP COLUMN last_used_at,
    DROP COLUMN address,
    DROP COLUMN program;
