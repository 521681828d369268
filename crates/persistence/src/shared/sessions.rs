//! The table of sessions. Compiled once for each database.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use mycars_application::ports::{Session, SessionRepository, StoreError};
use mycars_domain::UserId;

use super::{
    DB,
    schema::sessions,
    store::{IDS_AT_ONCE, Unit, count_of},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(DB))]
pub(super) struct Row {
    key_hash: String,
    user_id: i64,
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        Self {
            key_hash: row.key_hash,
            user: UserId(row.user_id),
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
        }
    }
}

impl SessionRepository for Unit<'_> {
    fn insert(&mut self, session: &Session) -> Result<(), StoreError> {
        let values = (
            sessions::key_hash.eq(&session.key_hash),
            sessions::user_id.eq(session.user.0),
            sessions::created_at.eq(session.created_at),
            sessions::last_seen_at.eq(session.last_seen_at),
        );
        self.query(|conn| diesel::insert_into(sessions::table).values(values).execute(conn))?;
        Ok(())
    }

    fn find(&mut self, key_hash: &str) -> Result<Option<Session>, StoreError> {
        let row = self.query(|conn| {
            let with_key = sessions::table.filter(sessions::key_hash.eq(key_hash));
            with_key.select(Row::as_select()).first(conn).optional()
        })?;
        Ok(row.map(Session::from))
    }

    fn touch(&mut self, key_hash: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.query(|conn| {
            diesel::update(sessions::table.filter(sessions::key_hash.eq(key_hash)))
                .set(sessions::last_seen_at.eq(at))
                .execute(conn)
        })?;
        Ok(())
    }

    fn delete(&mut self, key_hash: &str) -> Result<(), StoreError> {
        self.query(|conn| {
            diesel::delete(sessions::table.filter(sessions::key_hash.eq(key_hash))).execute(conn)
        })?;
        Ok(())
    }

    fn delete_all_of(&mut self, user: UserId) -> Result<usize, StoreError> {
        self.query(|conn| diesel::delete(sessions::table.filter(sessions::user_id.eq(user.0))).execute(conn))
    }

    fn count_of(&mut self, users: &[UserId]) -> Result<u64, StoreError> {
        users.chunks(IDS_AT_ONCE).try_fold(0, |count, users| {
            let ids: Vec<i64> = users.iter().map(|user| user.0).collect();
            let theirs = sessions::table.filter(sessions::user_id.eq_any(ids));
            Ok(count + count_of(self.query(|conn| theirs.count().get_result(conn))?))
        })
    }

    fn delete_expired(
        &mut self,
        seen_before: DateTime<Utc>,
        created_before: DateTime<Utc>,
        at_most: u32,
    ) -> Result<usize, StoreError> {
        self.query(|conn| {
            let idle = sessions::last_seen_at.le(seen_before);
            let old = sessions::created_at.le(created_before);
            let is_expired = idle.or(old);
            let expired: Vec<String> = sessions::table
                .filter(is_expired)
                .select(sessions::key_hash)
                .limit(at_most.into())
                .load(conn)?;
            expired.chunks(IDS_AT_ONCE).try_fold(0, |count, keys| {
                let expired = sessions::table
                    .filter(sessions::key_hash.eq_any(keys))
                    .filter(is_expired);
                Ok(count + diesel::delete(expired).execute(conn)?)
            })
        })
    }
}
