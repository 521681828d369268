-- The oldest entries of the audit log can be deleted: those below the id in this table. It has a row only inside a
-- transaction of the program that deletes entries, so that all other deletions are still refused. The newest entry
-- always stays, so that no number is given out twice.
CREATE TABLE audit_log_pruning (
    number INTEGER NOT NULL CONSTRAINT audit_log_pruning_pkey PRIMARY KEY
        CONSTRAINT audit_log_pruning_is_one_row CHECK (number = 1),
    below INTEGER NOT NULL
);

-- Each deletion is an entry about the log itself. The constraint is only changed in the text of the schema, as SQLite's
-- documentation describes it (ALTER TABLE, section 7): copying the log would take minutes and twice its space.
PRAGMA writable_schema = ON;
UPDATE sqlite_master
    SET sql = replace(sql, '''car'', ''refresh_token'')', '''car'', ''refresh_token'', ''audit_log'')')
    WHERE type = 'table' AND name = 'audit_log';
PRAGMA writable_schema = RESET;

-- The new trigger also makes other connections read the schema again.
DROP TRIGGER audit_log_stays;
CREATE TRIGGER audit_log_stays BEFORE DELETE ON audit_log
    WHEN NOT EXISTS (SELECT 1 FROM audit_log_pruning WHERE OLD.id < below)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
