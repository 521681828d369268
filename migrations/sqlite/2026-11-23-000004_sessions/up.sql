-- Browser sessions. The table has the hash of the cookie's key, so readers of the table can't log in with it.
CREATE TABLE sessions (
    id INTEGER NOT NULL CONSTRAINT sessions_pkey PRIMARY KEY AUTOINCREMENT,
    key_hash TEXT NOT NULL CONSTRAINT sessions_key_hash_unique UNIQUE,
    user_id INTEGER NOT NULL CONSTRAINT sessions_user_fkey REFERENCES users (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    last_seen_at TEXT NOT NULL
);

CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE INDEX sessions_last_seen ON sessions (last_seen_at);
