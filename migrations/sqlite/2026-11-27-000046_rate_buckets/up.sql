-- Counts of requests that all servers share: the microsecond since 1970 at which a client has its whole number of
-- requests again.
CREATE TABLE rate_buckets (
    key TEXT NOT NULL CONSTRAINT rate_buckets_pkey PRIMARY KEY,
    whole_at INTEGER NOT NULL
);
