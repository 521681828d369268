-- The audit log of users, cars and logins. It has no foreign keys, because entries are kept after their object and
-- author are deleted. search_key has the searchable text, folded by the application.
CREATE TABLE audit_log (
    id BIGINT GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_log_pkey PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    action TEXT COLLATE "C" NOT NULL
        CONSTRAINT audit_log_action_known CHECK (action IN ('created', 'changed', 'deleted', 'revoked')),
    object_type TEXT COLLATE "C" NOT NULL
        CONSTRAINT audit_log_object_type_known CHECK (object_type IN ('user', 'car', 'refresh_token')),
    object_id TEXT COLLATE "C" NOT NULL,
    object_name TEXT COLLATE "C" NOT NULL,
    owner_id BIGINT,
    actor_id BIGINT,
    actor_name TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL
        CONSTRAINT audit_log_channel_known CHECK (channel IN ('api', 'panel', 'command_line')),
    request_id TEXT COLLATE "C",
    address TEXT COLLATE "C",
    changes TEXT NOT NULL,
    search_key TEXT COLLATE "C" NOT NULL
);

CREATE INDEX audit_log_of_object ON audit_log (object_id, object_type, id);
CREATE INDEX audit_log_of_actor ON audit_log (actor_id, id);
-- Entries are inserted almost in the order of time, so a BRIN index costs almost nothing.
CREATE INDEX audit_log_at ON audit_log USING brin (at);

-- Entries are append-only: these triggers prevent accidental changes by the program and by users of the database. The
-- owner of the table can drop the triggers; grant other roles only INSERT and SELECT.
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
CREATE TRIGGER audit_log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
