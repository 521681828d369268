-- Counts of requests that all servers share: the microsecond since 1970, by the clock of the database, at which a client
-- has its whole number of requests again. UNLOGGED, because a count costs no wait for the disk then, and may be lost.
CREATE UNLOGGED TABLE rate_buckets (
    key TEXT COLLATE "C" NOT NULL CONSTRAINT rate_buckets_pkey PRIMARY KEY,
    whole_at BIGINT NOT NULL
);
