DROP TRIGGER audit_log_stays_as_it_is;
DROP TRIGGER audit_log_stays;
DELETE FROM audit_log WHERE action = 'erased';
PRAGMA writable_schema = ON;
UPDATE sqlite_master
    SET sql = replace(sql, '''deleted'', ''revoked'', ''erased'')', '''deleted'', ''revoked'')')
    WHERE type = 'table' AND name = 'audit_log';
PRAGMA writable_schema = RESET;
CREATE TRIGGER audit_log_stays BEFORE DELETE ON audit_log
    WHEN NOT EXISTS (SELECT 1 FROM audit_log_pruning WHERE OLD.id < below)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_log_stays_as_it_is BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
DROP TABLE audit_log_addresses;
DROP TABLE audit_log_erasure;
DROP INDEX audit_log_of_owner;
