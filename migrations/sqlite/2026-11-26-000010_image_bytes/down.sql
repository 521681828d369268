DROP INDEX cars_unmeasured;
ALTER TABLE cars DROP COLUMN image_bytes;
