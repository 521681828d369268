-- The right of one of several servers to run a recurring job, and when the job is due.
CREATE TABLE leases (
    name TEXT NOT NULL CONSTRAINT leases_pkey PRIMARY KEY,
    holder TEXT NOT NULL,
    held_until TEXT NOT NULL,
    due_at TEXT NOT NULL
);
