-- Access tokens from before a user was deactivated or activated are refused for good.
ALTER TABLE users ADD COLUMN access_ended_at TEXT;
