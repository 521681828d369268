-- Times are text in UTC, `2026-11-23 08:30:00.123456+00:00`, without trailing zeros of the
-- fraction, so that the texts sort in the order of time. AUTOINCREMENT prevents the reuse of ids of deleted rows.
-- The *_key columns have usernames and e-mail addresses in lower case, computed by the domain, so that uniqueness does
-- not depend on the database and its collation. search_key has the searchable text, folded the same way.
CREATE TABLE users (
    id INTEGER NOT NULL CONSTRAINT users_pkey PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL,
    username_key TEXT NOT NULL CONSTRAINT users_username_unique UNIQUE,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL CONSTRAINT users_email_unique UNIQUE,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    role TEXT NOT NULL CONSTRAINT users_role_known CHECK (role IN ('client', 'admin')),
    phone TEXT,
    address TEXT,
    is_active BOOLEAN NOT NULL,
    is_superuser BOOLEAN NOT NULL,
    password TEXT NOT NULL,
    search_key TEXT NOT NULL,
    password_changed_at TEXT,
    date_joined TEXT NOT NULL,
    last_login TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
