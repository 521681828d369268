-- The size of a car's picture in bytes, for the quota of its owner; NULL where it was not measured yet. The index holds
-- only those, so that it costs other writes nothing.
ALTER TABLE cars ADD COLUMN image_bytes BIGINT;
CREATE INDEX cars_unmeasured ON cars (id) WHERE image IS NOT NULL AND image_bytes IS NULL;
