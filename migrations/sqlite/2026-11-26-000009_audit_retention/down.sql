DROP TRIGGER audit_log_stays;
DELETE FROM audit_log WHERE object_type = 'audit_log';
PRAGMA writable_schema = ON;
UPDATE sqlite_master
    SET sql = replace(sql, '''car'', ''refresh_token'', ''audit_log'')', '''car'', ''refresh_token'')')
    WHERE type = 'table' AND name = 'audit_log';
PRAGMA writable_schema = RESET;
CREATE TRIGGER audit_log_stays BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
DROP TABLE audit_log_pruning;
