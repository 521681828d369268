-- The refresh tokens of one login are a family: they have the id of the login's first token. A token without a family
-- is from an older version or another system, and a login of its own.
-- The constraint is only changed in the text of the schema, as SQLite's documentation describes it (ALTER TABLE,
-- section 7): copying the table would take long.
PRAGMA writable_schema = ON;
UPDATE sqlite_master
    SET sql = replace(sql, '''password_changed'', ''revoked'')', '''password_changed'', ''revoked'', ''reused'')')
    WHERE type = 'table' AND name = 'refresh_tokens';
PRAGMA writable_schema = RESET;

-- The new columns also make other connections read the schema again.
ALTER TABLE refresh_tokens ADD COLUMN family TEXT;
ALTER TABLE refresh_tokens ADD COLUMN logged_in_at TEXT;
ALTER TABLE refresh_tokens ADD COLUMN last_used_at TEXT;
ALTER TABLE refresh_tokens ADD COLUMN address TEXT;
ALTER TABLE refresh_tokens ADD COLUMN program TEXT;
CREATE INDEX refresh_tokens_of_family ON refresh_tokens (family);

ALTER TABLE sessions ADD COLUMN address TEXT;
ALTER TABLE sessions ADD COLUMN program TEXT;
