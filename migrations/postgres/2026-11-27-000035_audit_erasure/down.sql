DROP TRIGGER audit_log_stays_as_it_is ON audit_log;
DROP TRIGGER audit_log_is_pruned ON audit_log;
DELETE FROM audit_log WHERE action = 'erased';
ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_action_known,
    ADD CONSTRAINT audit_log_action_known CHECK (action IN ('created', 'changed', 'deleted', 'revoked'));
CREATE TRIGGER audit_log_is_pruned BEFORE DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_loses_only_the_oldest();
DROP TRIGGER audit_log_stays ON audit_log;
CREATE TRIGGER audit_log_stays BEFORE UPDATE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
DROP FUNCTION audit_log_forgets_only_texts();
DROP TABLE audit_log_addresses;
DROP TABLE audit_log_erasure;
DROP INDEX audit_log_of_owner;
