//! The table of sessions. Compiled once for each database.
#![expect(
    clippy::ref_option_ref,
    reason = "Diesel's derive of `Insertable` generates such types"
)]

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use mycars_application::ports::{ListedSession, Session, SessionRepository, StoreError};
use mycars_domain::UserId;

use super::{
    DB,
    refresh_tokens::device,
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
    address: Option<String>,
    program: Option<String>,
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        Self {
            key_hash: row.key_hash,
            user: UserId(row.user_id),
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            device: device(row.address, row.program),
        }
    }
}

/// The columns of a session except its number.
#[derive(Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub(super) struct Values<'a> {
    key_hash: &'a str,
    user_id: i64,
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    address: Option<String>,
    program: Option<&'a str>,
}

impl<'a> From<&'a Session> for Values<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            key_hash: &session.key_hash,
            user_id: session.user.0,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            address: session.device.address.as_ref().map(IpAddr::to_string),
            program: session.device.program.as_deref(),
        }
    }
}

impl SessionRepository for Unit<'_> {
    fn insert(&mut self, session: &Session) -> Result<(), StoreError> {
        self.query(|conn| {
            diesel::insert_into(sessions::table)
                .values(Values::from(session))
                .execute(conn)
        })?;
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

    fn list_of(
        &mut self,
        user: UserId,
        seen_after: DateTime<Utc>,
        created_after: DateTime<Utc>,
        at_most: u32,
    ) -> Result<Vec<ListedSession>, StoreError> {
        let rows: Vec<(i64, Row)> = self.query(|conn| {
            sessions::table
                .filter(sessions::user_id.eq(user.0))
                .filter(sessions::last_seen_at.gt(seen_after))
                .filter(sessions::created_at.gt(created_after))
                .order((sessions::last_seen_at.desc(), sessions::id.desc()))
                .limit(at_most.into())
                .select((sessions::id, Row::as_select()))
                .load(conn)
        })?;
        let listed = |(number, row): (i64, Row)| ListedSession {
            number,
            session: row.into(),
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    fn find_by_number(&mut self, number: i64) -> Result<Option<Session>, StoreError> {
        let row = self.query(|conn| {
            let found = sessions::table.find(number).select(Row::as_select());
            found.first(conn).optional()
        })?;
        Ok(row.map(Session::from))
    }

    fn delete_all_of(&mut self, user: UserId, except: Option<&str>) -> Result<usize, StoreError> {
        let of_user = sessions::table.filter(sessions::user_id.eq(user.0));
        let mut delete = diesel::delete(of_user).into_boxed();
        if let Some(key_hash) = except {
            delete = delete.filter(sessions::key_hash.ne(key_hash));
        }
        self.query(|conn| delete.execute(conn))
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
