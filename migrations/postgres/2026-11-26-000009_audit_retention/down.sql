DROP TRIGGER audit_log_is_pruned ON audit_log;
DROP TRIGGER audit_log_stays ON audit_log;
DELETE FROM audit_log WHERE object_type = 'audit_log';
ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_object_type_known,
    ADD CONSTRAINT audit_log_object_type_known CHECK (object_type IN ('user', 'car', 'refresh_token'));
CREATE TRIGGER audit_log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
DROP FUNCTION audit_log_loses_only_the_oldest();
DROP TABLE audit_log_pruning;
