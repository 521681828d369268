CREATE TABLE refresh_tokens (
    id INTEGER NOT NULL CONSTRAINT refresh_tokens_pkey PRIMARY KEY AUTOINCREMENT,
    jti TEXT NOT NULL CONSTRAINT refresh_tokens_jti_unique UNIQUE,
    user_id INTEGER CONSTRAINT refresh_tokens_user_fkey REFERENCES users (id) ON DELETE SET NULL,
    issued_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    revoked_at TEXT,
    revocation TEXT CONSTRAINT refresh_tokens_revocation_known
        CHECK (revocation IN ('logged_out', 'rotated', 'password_changed'))
);

CREATE INDEX refresh_tokens_of_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);
