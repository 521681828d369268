UPDATE refresh_tokens SET revocation = 'password_changed' WHERE revocation = 'revoked';
ALTER TABLE refresh_tokens
    DROP CONSTRAINT refresh_tokens_revocation_known,
    ADD CONSTRAINT refresh_tokens_revocation_known
        CHECK (revocation IN ('logged_out', 'rotated', 'password_changed'));
ALTER TABLE users RENAME COLUMN logins_ended_at TO password_changed_at;
