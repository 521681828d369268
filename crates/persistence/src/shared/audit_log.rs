//! The table of the audit log. Compiled once for each database.
#![expect(
    clippy::ref_option_ref,
    reason = "Diesel's derive of `Insertable` generates such types"
)]

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::{dsl::count_star, prelude::*, result::Error::DeserializationError, sql_types::Bool};
use mycars_application::{
    lists::{HistoryCount, HistoryQuery, LimitOffset},
    ports::{AuditLog, PrunedEntries, StoreError},
};
use mycars_domain::{
    Car, NewCar, UserId,
    audit::{Action, Author, Channel, Entry, NewEntry, Object, ObjectType, Origin},
};

use super::{
    Conn, DB,
    schema::{audit_log, audit_log_addresses, audit_log_erasure, audit_log_pruning},
    store::{IDS_AT_ONCE, Unit, contains_nul, count_of, paged, search_key, where_all},
};
use crate::changes;

/// Maximum number of entries in memory while the texts of a user are removed.
const FORGOTTEN_AT_ONCE: u32 = 500;

/// Maximum number of entries per INSERT, because databases limit the number of parameters of a statement.
const ENTRIES_AT_ONCE: usize = 500;

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log, check_for_backend(DB))]
pub(super) struct Row {
    id: i64,
    at: DateTime<Utc>,
    action: String,
    object_type: String,
    object_id: String,
    object_name: String,
    owner_id: Option<i64>,
    actor_id: Option<i64>,
    actor_name: String,
    channel: String,
    request_id: Option<String>,
    address: Option<String>,
    changes: String,
}

impl TryFrom<Row> for Entry {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let entry = NewEntry {
            at: row.at,
            action: known(Action::named, &row.action)?,
            object: Object {
                kind: known(ObjectType::named, &row.object_type)?,
                id: row.object_id,
                name: row.object_name,
                owner: row.owner_id.map(UserId),
            },
            author: Author {
                id: row.actor_id.map(UserId),
                name: row.actor_name,
            },
            origin: Origin {
                channel: known(Channel::named, &row.channel)?,
                request_id: row.request_id,
                address: row.address.and_then(|address| address.parse().ok()),
            },
            changes: changes::read(&row.changes).map_err(DeserializationError)?,
        };
        Ok(Self { id: row.id, entry })
    }
}

/// Returns the variant with the name in a column.
fn known<T>(named: impl Fn(&str) -> Option<T>, name: &str) -> QueryResult<T> {
    named(name).ok_or_else(|| DeserializationError(format!("there is no `{name}` in an audit log").into()))
}

/// The columns of an entry except the ids of the entry and its object. `None` is NULL. Diesel would otherwise write `DEFAULT`, and could not cache the prepared statement.
#[derive(Insertable)]
#[diesel(table_name = audit_log, treat_none_as_default_value = false)]
pub(super) struct Values<'a> {
    at: DateTime<Utc>,
    action: &'static str,
    object_type: &'static str,
    object_name: &'a str,
    owner_id: Option<i64>,
    actor_id: Option<i64>,
    actor_name: &'a str,
    channel: &'static str,
    request_id: Option<&'a str>,
    address: Option<String>,
    changes: String,
    search_key: String,
}

impl<'a> From<&'a NewEntry> for Values<'a> {
    fn from(entry: &'a NewEntry) -> Self {
        Self {
            at: entry.at,
            action: entry.action.as_str(),
            object_type: entry.object.kind.as_str(),
            object_name: &entry.object.name,
            owner_id: entry.object.owner.map(|owner| owner.0),
            actor_id: entry.author.id.map(|actor| actor.0),
            actor_name: &entry.author.name,
            channel: entry.origin.channel.as_str(),
            request_id: entry.origin.request_id.as_deref(),
            address: entry.origin.address.as_ref().map(IpAddr::to_string),
            changes: changes::write(&entry.changes),
            search_key: search_key(&[&entry.object.name, &entry.author.name]),
        }
    }
}

type ObjectId<'a> = diesel::dsl::Eq<audit_log::object_id, &'a str>;

/// Returns the values of an entry, with the id of its object.
pub(super) fn with_object(entry: &NewEntry) -> (Values<'_>, ObjectId<'_>) {
    (
        Values::from(entry),
        audit_log::object_id.eq(entry.object.id.as_str()),
    )
}

type Condition<'a> = Box<dyn BoxableExpression<audit_log::table, DB, SqlType = Bool> + 'a>;

/// Returns the conditions of a query.
fn conditions(query: &HistoryQuery) -> Vec<Condition<'_>> {
    let exactly = query.object_id.as_deref();
    if query.search.words().chain(exactly).any(contains_nul) {
        return vec![Box::new(false.into_sql::<Bool>())];
    }
    let mut all: Vec<Condition<'_>> = Vec::new();
    for word in query.search.words() {
        all.push(Box::new(contains!(audit_log::search_key, word)));
    }
    if let Some(action) = query.action {
        all.push(Box::new(audit_log::action.eq(action.as_str())));
    }
    if let Some(kind) = query.object_type {
        all.push(Box::new(audit_log::object_type.eq(kind.as_str())));
    }
    if let Some(id) = &query.object_id {
        all.push(Box::new(audit_log::object_id.eq(id)));
    }
    if let Some(owner) = query.owner {
        all.push(Box::new(audit_log::owner_id.eq(owner.0).assume_not_null()));
    }
    if let Some(actor) = query.actor {
        all.push(Box::new(audit_log::actor_id.eq(actor.0).assume_not_null()));
    }
    if let Some(since) = query.since {
        all.push(Box::new(audit_log::at.ge(since)));
    }
    if let Some(until) = query.until {
        all.push(Box::new(audit_log::at.lt(until)));
    }
    all
}

/// Returns the entries that match a query, without its page.
fn filtered(query: &HistoryQuery) -> audit_log::BoxedQuery<'_, DB> {
    where_all!(audit_log::table, conditions(query))
}

/// Returns the entries that match a query, in its order and without its page.
fn ordered(query: &HistoryQuery) -> audit_log::BoxedQuery<'_, DB> {
    let found = filtered(query);
    if query.oldest_first {
        found.order(audit_log::id.asc())
    } else {
        found.order(audit_log::id.desc())
    }
}

impl AuditLog for Unit<'_> {
    fn append(&mut self, entries: &[NewEntry]) -> Result<(), StoreError> {
        // Nearly all calls have one entry. Only the statement for one entry is cached as a prepared statement.
        if let [entry] = entries {
            let row = with_object(entry);
            self.query(|conn| diesel::insert_into(audit_log::table).values(row).execute(conn))?;
            return Ok(());
        }
        for entries in entries.chunks(ENTRIES_AT_ONCE) {
            let rows: Vec<_> = entries.iter().map(with_object).collect();
            self.query(|conn| diesel::insert_into(audit_log::table).values(&rows).execute(conn))?;
        }
        Ok(())
    }

    fn append_with_car(&mut self, entry: &NewEntry, car: &NewCar) -> Result<Car, StoreError> {
        super::append_with_car(self, entry, car)
    }

    fn list(&mut self, query: &HistoryQuery) -> Result<Vec<Entry>, StoreError> {
        let page = paged!(ordered(query), query.page);
        self.query(|conn| {
            let rows = page.select(Row::as_select()).load(conn)?;
            rows.into_iter().map(Entry::try_from).collect()
        })
    }

    fn count(&mut self, query: &HistoryQuery) -> Result<u64, StoreError> {
        self.query(|conn| filtered(query).count().get_result(conn))
            .map(count_of)
    }

    fn ids(&mut self, query: &HistoryQuery) -> Result<Vec<i64>, StoreError> {
        self.query(|conn| ordered(query).select(audit_log::id).load(conn))
    }

    fn find_all(&mut self, ids: &[i64]) -> Result<Vec<Entry>, StoreError> {
        self.query(|conn| {
            let mut entries = Vec::with_capacity(ids.len());
            for ids in ids.chunks(IDS_AT_ONCE) {
                let rows = audit_log::table
                    .filter(audit_log::id.eq_any(ids))
                    .select(Row::as_select())
                    .load(conn)?;
                for row in rows {
                    entries.push(row.try_into()?);
                }
            }
            Ok(entries)
        })
    }

    fn list_of_user(&mut self, user: UserId, after: i64, at_most: u32) -> Result<Vec<Entry>, StoreError> {
        self.query(|conn| entries_of(conn, user, after, at_most))
    }

    fn counts(&mut self, query: &HistoryQuery) -> Result<Vec<HistoryCount>, StoreError> {
        let aside = HistoryQuery {
            action: None,
            object_type: None,
            ..query.clone()
        };
        self.query(|conn| {
            let grouped = audit_log::table
                .group_by((audit_log::action, audit_log::object_type))
                .select((audit_log::action, audit_log::object_type, count_star()));
            let rows: Vec<(String, String, i64)> = where_all!(grouped, conditions(&aside)).load(conn)?;
            rows.into_iter()
                .map(|(action, kind, count)| {
                    Ok(HistoryCount {
                        action: known(Action::named, &action)?,
                        object_type: known(ObjectType::named, &kind)?,
                        count: count_of(count),
                    })
                })
                .collect()
        })
    }

    fn delete_oldest(
        &mut self,
        before: DateTime<Utc>,
        at_most: u32,
    ) -> Result<Option<PrunedEntries>, StoreError> {
        self.query(|conn| {
            // One more, which stays: it may be the newest.
            let mut oldest: Vec<(i64, DateTime<Utc>)> = audit_log::table
                .order(audit_log::id)
                .select((audit_log::id, audit_log::at))
                .limit(i64::from(at_most) + 1)
                .load(conn)?;
            oldest.pop();
            let Some((last, _)) = oldest.into_iter().take_while(|(_, at)| *at < before).last() else {
                return Ok(None);
            };
            // The triggers let only these deletions pass.
            let pruning = (
                audit_log_pruning::number.eq(1),
                audit_log_pruning::below.eq(last.saturating_add(1)),
            );
            diesel::insert_into(audit_log_pruning::table)
                .values(pruning)
                .execute(conn)?;
            let count = diesel::delete(audit_log::table.filter(audit_log::id.le(last))).execute(conn)?;
            diesel::delete(audit_log_pruning::table).execute(conn)?;
            // Another server may have deleted them while this one waited for the row of `audit_log_pruning`.
            Ok((count > 0).then_some(PrunedEntries {
                count: count as u64,
                last,
            }))
        })
    }

    fn forget_user(&mut self, user: UserId) -> Result<u64, StoreError> {
        self.query(|conn| {
            // The triggers let only these changes pass.
            diesel::insert_into(audit_log_erasure::table)
                .values((
                    audit_log_erasure::number.eq(1),
                    audit_log_erasure::user_id.eq(user.0),
                ))
                .execute(conn)?;
            let (mut count, mut last) = (0, i64::MIN);
            loop {
                let entries = entries_of(conn, user, last, FORGOTTEN_AT_ONCE)?;
                let Some(newest) = entries.last() else { break };
                last = newest.id;
                count += entries.len() as u64;
                for entry in entries {
                    forget(conn, entry, user)?;
                }
            }
            diesel::delete(audit_log_erasure::table).execute(conn)?;
            Ok(count)
        })
    }

    fn forget_addresses(&mut self, before: DateTime<Utc>, at_most: u32) -> Result<u64, StoreError> {
        use audit_log_addresses::{forgotten_below, number, table as progress};
        self.query(|conn| {
            let first: i64 = progress
                .select(forgotten_below)
                .first(conn)
                .optional()?
                .unwrap_or_default();
            let next: Vec<(i64, DateTime<Utc>)> = audit_log::table
                .filter(audit_log::id.ge(first))
                .order(audit_log::id)
                .select((audit_log::id, audit_log::at))
                .limit(i64::from(at_most))
                .load(conn)?;
            let old: Vec<i64> = next
                .into_iter()
                .take_while(|(_, at)| *at < before)
                .map(|(id, _)| id)
                .collect();
            let Some(last) = old.last() else {
                return Ok(0);
            };
            // The triggers let only these changes pass.
            let below = forgotten_below.eq(last.saturating_add(1));
            diesel::insert_into(progress)
                .values((number.eq(1), below))
                .on_conflict(number)
                .do_update()
                .set(below)
                .execute(conn)?;
            let some = audit_log::id.ge(first).and(audit_log::id.le(last));
            diesel::update(audit_log::table.filter(some.and(audit_log::address.is_not_null())))
                .set(audit_log::address.eq(None::<String>))
                .execute(conn)?;
            Ok(old.len() as u64)
        })
    }
}

/// Returns the entries about or by a user after an id, in the order of their ids. Each of the two queries uses an index.
fn entries_of(conn: &mut Conn, user: UserId, after: i64, at_most: u32) -> QueryResult<Vec<Entry>> {
    let next = || {
        audit_log::table
            .filter(audit_log::id.gt(after))
            .order(audit_log::id)
            .limit(at_most.into())
            .select(Row::as_select())
    };
    let by_owner = audit_log::owner_id.eq(user.0).assume_not_null();
    let by_actor = audit_log::actor_id.eq(user.0).assume_not_null();
    let mut rows: Vec<Row> = next().filter(by_owner).load(conn)?;
    rows.extend(next().filter(by_actor).load::<Row>(conn)?);
    rows.sort_unstable_by_key(|row| row.id);
    rows.dedup_by_key(|row| row.id);
    rows.truncate(at_most as usize);
    rows.into_iter().map(Entry::try_from).collect()
}

/// Removes the texts of a user from an entry.
fn forget(conn: &mut Conn, Entry { id, mut entry }: Entry, user: UserId) -> QueryResult<()> {
    entry.forget(user);
    let values = Values::from(&entry);
    diesel::update(audit_log::table.find(id))
        .set((
            audit_log::object_name.eq(values.object_name),
            audit_log::actor_name.eq(values.actor_name),
            audit_log::request_id.eq(values.request_id),
            audit_log::address.eq(values.address),
            audit_log::changes.eq(values.changes),
            audit_log::search_key.eq(values.search_key),
        ))
        .execute(conn)?;
    Ok(())
}
