-- The right of one of several servers to run a recurring job, and when the job is due. All times are those of the
-- database server.
CREATE TABLE leases (
    name TEXT COLLATE "C" NOT NULL CONSTRAINT leases_pkey PRIMARY KEY,
    holder TEXT COLLATE "C" NOT NULL,
    held_until TIMESTAMPTZ NOT NULL,
    due_at TIMESTAMPTZ NOT NULL
);
