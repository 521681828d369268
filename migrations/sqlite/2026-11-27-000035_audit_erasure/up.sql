-- The texts of an erased user can be removed from the audit log: from the entries about or by the user in this table. It
-- has a row only inside a transaction of the program that erases a user, so that all other changes are still refused.
CREATE TABLE audit_log_erasure (
    number INTEGER NOT NULL CONSTRAINT audit_log_erasure_pkey PRIMARY KEY
        CONSTRAINT audit_log_erasure_is_one_row CHECK (number = 1),
    user_id INTEGER NOT NULL
);

-- The addresses of all entries below this id are removed.
CREATE TABLE audit_log_addresses (
    number INTEGER NOT NULL CONSTRAINT audit_log_addresses_pkey PRIMARY KEY
        CONSTRAINT audit_log_addresses_is_one_row CHECK (number = 1),
    forgotten_below INTEGER NOT NULL
);

-- Each erasure is an entry. The constraint is only changed in the text of the schema, as in the migration audit_retention.
PRAGMA writable_schema = ON;
UPDATE sqlite_master
    SET sql = replace(sql, '''deleted'', ''revoked'')', '''deleted'', ''revoked'', ''erased'')')
    WHERE type = 'table' AND name = 'audit_log';
PRAGMA writable_schema = RESET;

-- The entries about a user, and about the user's cars and logins, are found by an index when the user is erased.
CREATE INDEX audit_log_of_owner ON audit_log (owner_id, id);

-- Names can only become that of an erased user, and addresses and ids of requests can only be removed.
-- The new trigger also makes other connections read the schema again.
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
