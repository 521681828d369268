-- API keys of users. The table has the hash of each key, so readers of the table can't use it.
CREATE TABLE api_keys (
    id INTEGER NOT NULL CONSTRAINT api_keys_pkey PRIMARY KEY AUTOINCREMENT,
    owner_id INTEGER NOT NULL CONSTRAINT api_keys_owner_fkey REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    key_hash TEXT NOT NULL CONSTRAINT api_keys_key_hash_unique UNIQUE,
    rights TEXT NOT NULL CONSTRAINT api_keys_rights_known CHECK (rights IN ('read', 'write')),
    created_at TEXT NOT NULL,
    expires_at TEXT,
    last_used_at TEXT
);

CREATE INDEX api_keys_of_owner ON api_keys (owner_id);
