-- The texts of an erased user can be removed from the audit log: from the entries about or by the user in this table. It
-- has a row only inside a transaction of the program that erases a user, so that all other changes are still refused.
CREATE TABLE audit_log_erasure (
    number BIGINT NOT NULL CONSTRAINT audit_log_erasure_pkey PRIMARY KEY
        CONSTRAINT audit_log_erasure_is_one_row CHECK (number = 1),
    user_id BIGINT NOT NULL
);

-- The addresses of all entries below this id are removed.
CREATE TABLE audit_log_addresses (
    number BIGINT NOT NULL CONSTRAINT audit_log_addresses_pkey PRIMARY KEY
        CONSTRAINT audit_log_addresses_is_one_row CHECK (number = 1),
    forgotten_below BIGINT NOT NULL
);

-- The entries about a user, and about the user's cars and logins, are found by an index when the user is erased.
CREATE INDEX audit_log_of_owner ON audit_log (owner_id, id);

-- Names can only become that of an erased user, and addresses and ids of requests can only be removed.
CREATE FUNCTION audit_log_forgets_only_texts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.at, NEW.action, NEW.object_type, NEW.object_id, NEW.owner_id, NEW.actor_id, NEW.channel)
        IS NOT DISTINCT FROM
        (OLD.id, OLD.at, OLD.action, OLD.object_type, OLD.object_id, OLD.owner_id, OLD.actor_id, OLD.channel)
    THEN
        IF EXISTS (
            SELECT 1 FROM audit_log_erasure
            WHERE user_id IN (OLD.owner_id, OLD.actor_id)
                AND NEW.object_name IN (OLD.object_name, 'erased user ' || user_id)
                AND NEW.actor_name IN (OLD.actor_name, 'erased user ' || user_id)
                AND (NEW.address IS NULL OR NEW.address = OLD.address)
                AND (NEW.request_id IS NULL OR NEW.request_id = OLD.request_id)
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
DROP TRIGGER audit_log_stays ON audit_log;
CREATE TRIGGER audit_log_stays BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
CREATE TRIGGER audit_log_stays_as_it_is BEFORE UPDATE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_forgets_only_texts();

-- Each erasure is an entry.
ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_action_known,
    ADD CONSTRAINT audit_log_action_known
        CHECK (action IN ('created', 'changed', 'deleted', 'revoked', 'erased'));
