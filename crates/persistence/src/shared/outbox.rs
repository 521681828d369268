//! The table of mails that have to be sent. Compiled once for each database.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, result::Error::DeserializationError};
use mycars_application::ports::{MailKind, Outbox, QueuedMail, StoreError};
use mycars_domain::{UserId, values::Email};

use super::{DB, schema::outbox, store::Unit};

#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox, check_for_backend(DB))]
struct Row {
    id: i64,
    kind: String,
    user_id: Option<i64>,
    recipient: Option<String>,
    created_at: DateTime<Utc>,
    tries: i32,
}

impl TryFrom<Row> for QueuedMail {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let kind = MailKind::named(&row.kind);
        let unknown = || DeserializationError(format!("there is no `{}` in an outbox", row.kind).into());
        let kind = kind.ok_or_else(unknown)?;
        Ok(Self {
            id: row.id,
            kind,
            user: row.user_id.map(UserId),
            recipient: row.recipient.map(Email::from_storage),
            created_at: row.created_at,
            tries: row.tries.try_into().unwrap_or_default(),
        })
    }
}

impl Outbox for Unit<'_> {
    fn insert(
        &mut self,
        kind: MailKind,
        to: Option<(UserId, Email)>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let values = (
            outbox::kind.eq(kind.as_str()),
            outbox::user_id.eq(to.as_ref().map(|(user, _)| user.0)),
            outbox::recipient.eq(to.as_ref().map(|(_, email)| email.as_str())),
            outbox::created_at.eq(at),
            outbox::due_at.eq(at),
            outbox::tries.eq(0),
        );
        self.query(|conn| diesel::insert_into(outbox::table).values(values).execute(conn))?;
        Ok(())
    }

    fn next_due(&mut self, now: DateTime<Utc>) -> Result<Option<QueuedMail>, StoreError> {
        self.query(|conn| {
            let row = outbox::table
                .filter(outbox::due_at.le(now))
                .filter(outbox::kind.eq_any(MailKind::ALL.map(MailKind::as_str)))
                .order((outbox::due_at, outbox::id))
                .select(Row::as_select())
                .first(conn)
                .optional()?;
            row.map(QueuedMail::try_from).transpose()
        })
    }

    fn postpone(&mut self, mail: &QueuedMail, until: DateTime<Utc>) -> Result<bool, StoreError> {
        let tries = i32::try_from(mail.tries).unwrap_or(i32::MAX);
        self.query(|conn| {
            let unclaimed = outbox::table.find(mail.id).filter(outbox::tries.eq(tries));
            let changed = diesel::update(unclaimed)
                .set((
                    outbox::due_at.eq(until),
                    outbox::tries.eq(tries.saturating_add(1)),
                ))
                .execute(conn)?;
            Ok(changed == 1)
        })
    }

    fn delete(&mut self, id: i64) -> Result<(), StoreError> {
        self.query(|conn| diesel::delete(outbox::table.find(id)).execute(conn))?;
        Ok(())
    }
}
