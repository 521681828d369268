-- The identity of this database, in at most one row. The media folder has the same id, so that pictures are not
-- confused with those of another database.
CREATE TABLE installation (
    number INTEGER NOT NULL CONSTRAINT installation_pkey PRIMARY KEY
        CONSTRAINT installation_is_one_row CHECK (number = 1),
    id TEXT NOT NULL,
    created_at TEXT NOT NULL
);
