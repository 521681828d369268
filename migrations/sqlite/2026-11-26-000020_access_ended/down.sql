ALTER TABLE users DROP COLUMN access_ended_at;
