-- Erasing a user only hides the texts in the changes of entries about the user or an object of theirs, except roles and the
-- reasons of revocations: the result follows from the changes as they are. Likewise, only the names of the user's own
-- objects and their own name as the author are replaced. The search key is not checked: the database can't fold texts, and
-- the key is never shown.
-- The changes are compared as the program writes them. As JSONB, or by ->, the escape \u0000 could not be read.
CREATE FUNCTION audit_log_hides_texts(changes JSON) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT '[' || coalesce(string_agg((
        SELECT '[' || string_agg(
            CASE WHEN place > 1
                AND change::text NOT LIKE '["role",%'
                AND change::text NOT LIKE '["revocation",%'
                AND json_typeof(part) IN ('string', 'object')
            THEN '{"hidden":true}' ELSE part::text END,
            ',' ORDER BY place
        ) || ']'
        FROM json_array_elements(change) WITH ORDINALITY AS parts (part, place)
    ), ',' ORDER BY number), '') || ']'
    FROM json_array_elements(changes) WITH ORDINALITY AS all_changes (change, number)
$$;

CREATE OR REPLACE FUNCTION audit_log_forgets_only_texts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.at, NEW.action, NEW.object_type, NEW.object_id, NEW.owner_id, NEW.actor_id, NEW.channel)
        IS NOT DISTINCT FROM
        (OLD.id, OLD.at, OLD.action, OLD.object_type, OLD.object_id, OLD.owner_id, OLD.actor_id, OLD.channel)
    THEN
        IF EXISTS (
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
                    NEW.address IS NOT DISTINCT FROM OLD.address
                    OR NEW.address IS NULL AND (user_id = OLD.actor_id OR OLD.actor_id IS NULL)
                )
                AND (
                    NEW.request_id IS NOT DISTINCT FROM OLD.request_id
                    OR NEW.request_id IS NULL AND (user_id = OLD.actor_id OR OLD.actor_id IS NULL)
                )
                AND (
                    NEW.changes = OLD.changes
                    OR user_id = OLD.owner_id AND NEW.changes = audit_log_hides_texts(OLD.changes::json)
                )
        ) THEN
            RETURN NEW;
        END IF;
        IF NEW.address IS NULL
            AND (NEW.object_name, NEW.actor_name, NEW.request_id, NEW.changes, NEW.search_key)
                IS NOT DISTINCT FROM
                (OLD.object_name, OLD.actor_name, OLD.request_id, OLD.changes, OLD.search_key)
            AND EXISTS (SELECT 1 FROM audit_log_addresses WHERE OLD.id < forgotten_below)
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
