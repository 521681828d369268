-- Erasing a user only hides the texts in the changes of entries about the user or an object of theirs, except roles and the
-- reasons of revocations: the result follows from the changes as they are. Likewise, only the names of the user's own
-- objects and their own name as the author are replaced. The search key is not checked: the database can't fold texts, and
-- the key is never shown.
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
                    AND (
                        NEW.object_name = OLD.object_name
                        OR user_id = OLD.owner_id AND NEW.object_name = 'erased user ' || user_id
                    )
                    AND (
                        NEW.actor_name = OLD.actor_name
                        OR user_id = OLD.actor_id AND NEW.actor_name = 'erased user ' || user_id
                    )
                    AND (
                        NEW.address IS OLD.address
                        OR NEW.address IS NULL AND (user_id = OLD.actor_id OR OLD.actor_id IS NULL)
                    )
                    AND (
                        NEW.request_id IS OLD.request_id
                        OR NEW.request_id IS NULL AND (user_id = OLD.actor_id OR OLD.actor_id IS NULL)
                    )
                    AND (
                        NEW.changes = OLD.changes
                        OR user_id = OLD.owner_id
                            AND NEW.changes = (
                                SELECT '[' || coalesce(group_concat(
                                    '[' || (value -> 0)
                                    || ',' || CASE WHEN value ->> 0 NOT IN ('role', 'revocation')
                                            AND json_type(value, '$[1]') IN ('text', 'object')
                                        THEN '{"hidden":true}' ELSE value -> 1 END
                                    || ',' || CASE WHEN value ->> 0 NOT IN ('role', 'revocation')
                                            AND json_type(value, '$[2]') IN ('text', 'object')
                                        THEN '{"hidden":true}' ELSE value -> 2 END
                                    || ']'
                                ), '') || ']'
                                FROM json_each(OLD.changes)
                            )
                    )
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
