CREATE TABLE new_refresh_tokens (
    id INTEGER NOT NULL CONSTRAINT refresh_tokens_pkey PRIMARY KEY AUTOINCREMENT,
    jti TEXT NOT NULL CONSTRAINT refresh_tokens_jti_unique UNIQUE,
    user_id INTEGER CONSTRAINT refresh_tokens_user_fkey REFERENCES users (id) ON DELETE SET NULL,
    issued_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT,
    revocation TEXT CONSTRAINT refresh_tokens_revocation_known
        CHECK (revocation IN ('logged_out', 'rotated', 'password_changed'))
);
INSERT INTO new_refresh_tokens (id, jti, user_id, issued_at, expires_at, revoked_at, revocation)
    SELECT id, jti, user_id, issued_at, expires_at, revoked_at, replace(revocation, 'revoked', 'password_changed') FROM refresh_tokens;
DROP TABLE refresh_tokens;
ALTER TABLE new_refresh_tokens RENAME TO refresh_tokens;
CREATE INDEX refresh_tokens_of_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
ALTER TABLE users RENAME COLUMN logins_ended_at TO password_changed_at;
