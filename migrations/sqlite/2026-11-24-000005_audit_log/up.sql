-- What became of users, cars and logins. Nothing here refers to another table: an entry outlives what it is
-- about and who wrote it. search_key holds everything that is searched, folded as the application folds it.
-- No entry is deleted, so that no number is given out twice, and they come in the order of time: neither needs
-- AUTOINCREMENT or an index, for which each write would have to pay.
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

-- Entries are only added: this keeps the program, and whoever looks around in the database, from changing one by
-- mistake. Who owns the table can still drop the triggers; grant others no more than INSERT and SELECT.
CREATE TRIGGER audit_log_stays_as_it_is BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_log_stays BEFORE DELETE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- INSERT OR REPLACE deletes without asking the trigger above.
CREATE TRIGGER audit_log_replaces_nothing BEFORE INSERT ON audit_log
    WHEN EXISTS (SELECT 1 FROM audit_log WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
