-- The applied migrations that remove what older versions of the program need. A version that does not know one of them
-- refuses to start; it ignores unknown migrations that only add something.
CREATE TABLE contracts (
    migration TEXT COLLATE "C" NOT NULL CONSTRAINT contracts_pkey PRIMARY KEY
);
