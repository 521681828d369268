ALTER TABLE sessions DROP COLUMN address;
ALTER TABLE sessions DROP COLUMN program;
DROP INDEX refresh_tokens_of_family;
UPDATE refresh_tokens SET revocation = 'revoked' WHERE revocation = 'reused';
PRAGMA writable_schema = ON;
UPDATE sqlite_master
    SET sql = replace(sql, '''password_changed'', ''revoked'', ''reused'')', '''password_changed'', ''revoked'')')
    WHERE type = 'table' AND name = 'refresh_tokens';
PRAGMA writable_schema = RESET;
ALTER TABLE refresh_tokens DROP COLUMN family;
ALTER TABLE refresh_tokens DROP COLUMN logged_in_at;
ALTER TABLE refresh_tokens DROP COLUMN last_used_at;
ALTER TABLE refresh_tokens DROP COLUMN address;
ALTER TABLE refresh_tokens DROP COLUMN program;
