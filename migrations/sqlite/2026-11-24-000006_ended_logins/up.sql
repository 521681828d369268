-- An admin can end all logins of a user, as a new password does. SQLite changes a constraint by copying the
-- table.
ALTER TABLE users RENAME COLUMN password_changed_at TO logins_ended_at;
CREATE TABLE new_refresh_tokens (
    id INTEGER NOT NULL CONSTRAINT refresh_tokens_pkey PRIMARY KEY AUTOINCREMENT,
    jti TEXT NOT NULL CONSTRAINT refresh_tokens_jti_unique UNIQUE,
    user_id INTEGER CONSTRAINT refresh_tokens_user_fkey REFERENCES users (id) ON DELETE SET NULL,
    issued_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT,
    revocation TEXT CONSTRAINT refresh_tokens_revocation_known
        CHECK (revocation IN ('logged_out', 'rotated', 'password_changed', 'revoked'))
);
INSERT INTO new_refresh_tokens (id, jti, user_id, issued_at, expires_at, revoked_at, revocation)
    SELECT id, jti, user_id, issued_at, expires_at, revoked_at, revocation FROM refresh_tokens;
DROP TABLE refresh_tokens;
ALTER TABLE new_refresh_tokens RENAME TO refresh_tokens;
CREATE INDEX refresh_tokens_of_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
