-- The oldest entries of the audit log can be deleted: those below the id in this table. It has a row only inside a
-- transaction of the program that deletes entries, so that all other deletions are still refused.
CREATE TABLE audit_log_pruning (
    number BIGINT NOT NULL CONSTRAINT audit_log_pruning_pkey PRIMARY KEY
        CONSTRAINT audit_log_pruning_is_one_row CHECK (number = 1),
    below BIGINT NOT NULL
);

CREATE FUNCTION audit_log_loses_only_the_oldest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM audit_log_pruning WHERE OLD.id < below) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
DROP TRIGGER audit_log_stays ON audit_log;
CREATE TRIGGER audit_log_stays BEFORE UPDATE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_is_pruned BEFORE DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_loses_only_the_oldest();

-- Each deletion is an entry about the log itself.
ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_object_type_known,
    ADD CONSTRAINT audit_log_object_type_known
        CHECK (object_type IN ('user', 'car', 'refresh_token', 'audit_log'));
