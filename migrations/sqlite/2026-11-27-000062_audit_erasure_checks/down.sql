DROP TRIGGER audit_log_stays_as_it_is;
CREATE TRIGGER audit_log_stays_as_it_is BEFORE UPDATE ON audit_log
    WHEN NOT (
        (NEW.id, NEW.at, NEW.action, NEW.object_type, NEW.object_id, NEW.owner_id, NEW.actor_id, NEW.channel)
            IS
            (OLD.id, OLD.at, OLD.action, OLD.object_type, OLD.object_id, OLD.owner_id, OLD.actor_id, OLD.channel)
        AND (
            EXISTS (
                SELECT 1 FROM audit_log_erasure
                WHERE user_id IN (OLD.owner_id, OLD.actor_id)
                    AND NEW.object_name IN (OLD.object_name, 'erased user ' || user_id)
                    AND NEW.actor_name IN (OLD.actor_name, 'erased user ' || user_id)
                    AND (NEW.address IS NULL OR NEW.address = OLD.address)
                    AND (NEW.request_id IS NULL OR NEW.request_id = OLD.request_id)
            )
            OR (
                NEW.address IS NULL
                AND (NEW.object_name, NEW.actor_name, NEW.request_id, NEW.changes, NEW.search_key)
                    IS
                    (OLD.object_name, OLD.actor_name, OLD.request_id, OLD.changes, OLD.search_key)
                AND EXISTS (SELECT 1 FROM audit_log_addresses WHERE OLD.id < forgotten_below)
            )
        )
    )
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
