-- The identity of this database, in at most one row. The folder of pictures holds the same id, so that pictures are
-- not taken for those of another database.
CREATE TABLE installation (
    number INTEGER NOT NULL CONSTRAINT installation_pkey PRIMARY KEY
        CONSTRAINT installation_is_one_row CHECK (number = 1),
    id TEXT NOT NULL,
    created_at TEXT NOT NULL
);
