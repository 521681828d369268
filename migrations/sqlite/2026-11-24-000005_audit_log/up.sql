-- The audit log of users, cars and logins. It has no foreign keys, because entries are kept after their object and
-- author are deleted. search_key has the searchable text, folded by the application.
-- Entries are never deleted, so ids are not reused without AUTOINCREMENT. They are inserted in the order of time, so no
-- index by time is needed, which would make each write slower.
CREATE TABLE audit_log (
    id INTEGER NOT NULL CONSTRAINT audit_log_pkey PRIMARY KEY,
    at TEXT NOT NULL,
    action TEXT NOT NULL
        CONSTRAINT audit_log_action_known CHECK (action IN ('created', 'changed', 'deleted', 'revoked')),
    object_type TEXT NOT NULL
        CONSTRAINT audit_log_object_type_known CHECK (object_type IN ('user', 'car', 'refresh_token')),
    object_id TEXT NOT NULL,
    object_name TEXT NOT NULL,
    owner_id INTEGER,
    actor_id INTEGER,
    actor_name TEXT NOT NULL,
    channel TEXT NOT NULL
        CONSTRAINT audit_log_channel_known CHECK (channel IN ('api', 'panel', 'command_line')),
    request_id TEXT,
    address TEXT,
    changes TEXT NOT NULL,
    search_key TEXT NOT NULL
);

CREATE INDEX audit_log_of_object ON audit_log (object_id, object_type, id);
CREATE INDEX audit_log_of_actor ON audit_log (actor_id, id);

-- Entries are append-only: these triggers prevent accidental changes by the program and by users of the database. The
-- owner of the table can drop the triggers; grant other roles only INSERT and SELECT.
CREATE TRIGGER audit_log_stays_as_it_is BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_log_stays BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- INSERT OR REPLACE deletes rows without running the trigger above.
CREATE TRIGGER audit_log_replaces_nothing BEFORE INSERT ON audit_log
    WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
