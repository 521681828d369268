-- Mails that have to be sent. Texts and links are made when they are sent, so that no row holds a secret. A row without a
-- user is not sent: it makes requests for unknown addresses take the same time.
CREATE TABLE outbox (
    id INTEGER NOT NULL CONSTRAINT outbox_pkey PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    user_id INTEGER CONSTRAINT outbox_user_fkey REFERENCES users (id) ON DELETE CASCADE,
    recipient TEXT,
    created_at TEXT NOT NULL,
    due_at TEXT NOT NULL,
    tries INTEGER NOT NULL
);

CREATE INDEX outbox_due ON outbox (due_at);
CREATE INDEX outbox_of_user ON outbox (user_id);
