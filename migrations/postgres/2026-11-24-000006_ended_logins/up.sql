-- An admin can end all logins of a user, as a new password does.
ALTER TABLE users RENAME COLUMN password_changed_at TO logins_ended_at;
ALTER TABLE refresh_tokens
    DROP CONSTRAINT refresh_tokens_revocation_known,
    ADD CONSTRAINT refresh_tokens_revocation_known
        CHECK (revocation IN ('logged_out', 'rotated', 'password_changed', 'revoked'));
