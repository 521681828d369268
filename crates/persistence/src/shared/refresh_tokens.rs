//! The table of refresh tokens. Compiled once for each database.
#![expect(
    clippy::ref_option_ref,
    reason = "Diesel's derive of `Insertable` generates such types"
)]

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use chrono::{DateTime, Utc};
use diesel::{
    dsl::{exists, max, select},
    prelude::*,
    result::Error::DeserializationError,
    sql_types,
};
use mycars_application::{
    lists::{Direction, LimitOffset, TokenOrder, TokenQuery, TokenState},
    ports::{Device, Family, ListedToken, RefreshToken, RefreshTokenRepository, Revocation, StoreError},
};
use mycars_domain::UserId;

use super::{
    Conn, DB,
    schema::{refresh_tokens, users},
    store::{IDS_AT_ONCE, Unit, contains_nul, count_of, paged},
};

diesel::define_sql_function! {
    /// Returns the first of two values that is not NULL.
    fn coalesce(first: sql_types::Nullable<sql_types::Text>, second: sql_types::Text) -> sql_types::Text;
}

diesel::define_sql_function! {
    /// Converts text to lower case. Other systems may write the ids of their tokens in capitals. The ids must be
    /// ASCII, because the databases disagree about other letters.
    fn lower(text: sql_types::Text) -> sql_types::Text;
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = refresh_tokens, check_for_backend(DB))]
pub(super) struct Row {
    jti: String,
    user_id: Option<i64>,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    revocation: Option<String>,
    family: Option<String>,
    logged_in_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    address: Option<String>,
    program: Option<String>,
}

impl TryFrom<Row> for RefreshToken {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let device = device(row.address, row.program);
        Ok(Self {
            id: row.jti,
            user: row.user_id.map(UserId),
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            revoked: row.revocation.as_deref().map(revocation).transpose()?,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            family: row.family.map(|id| Family {
                id,
                logged_in_at: row.logged_in_at.unwrap_or(row.issued_at),
                device,
            }),
        })
    }
}

/// Returns the device in the columns of a login.
pub(super) fn device(address: Option<String>, program: Option<String>) -> Device {
    Device {
        address: address.and_then(|address| address.parse().ok()),
        program,
    }
}

/// The columns of a token except its number.
#[derive(Insertable)]
#[diesel(table_name = refresh_tokens, treat_none_as_default_value = false)]
pub(super) struct Values<'a> {
    jti: &'a str,
    user_id: Option<i64>,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    revocation: Option<&'static str>,
    family: Option<&'a str>,
    logged_in_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    address: Option<String>,
    program: Option<&'a str>,
}

impl<'a> From<&'a RefreshToken> for Values<'a> {
    fn from(token: &'a RefreshToken) -> Self {
        let family = token.family.as_ref();
        let device = family.map(|family| &family.device);
        Self {
            jti: &token.id,
            user_id: token.user.map(|user| user.0),
            issued_at: token.issued_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            revocation: token.revoked.map(Revocation::as_str),
            family: family.map(|family| family.id.as_str()),
            logged_in_at: family.map(|family| family.logged_in_at),
            last_used_at: token.last_used_at,
            address: device.and_then(|device| device.address.as_ref().map(IpAddr::to_string)),
            program: device.and_then(|device| device.program.as_deref()),
        }
    }
}

/// The columns that a revocation sets. It removes the device, which is personal data.
#[derive(AsChangeset)]
#[diesel(table_name = refresh_tokens, treat_none_as_null = true)]
struct Ended {
    revoked_at: DateTime<Utc>,
    revocation: &'static str,
    address: Option<String>,
    program: Option<String>,
}

impl Ended {
    fn new(why: Revocation, at: DateTime<Utc>) -> Self {
        Self {
            revoked_at: at,
            revocation: why.as_str(),
            address: None,
            program: None,
        }
    }
}

/// The condition that a token belongs to a family. The first token may be recorded without it.
macro_rules! is_of_family {
    ($family:expr) => {
        refresh_tokens::jti
            .eq($family)
            .or(refresh_tokens::family.eq($family))
    };
}

fn revocation(name: &str) -> QueryResult<Revocation> {
    Revocation::named(name)
        .ok_or_else(|| DeserializationError(format!("there is no revocation `{name}`").into()))
}

/// Returns the tokens that match a query, without its page.
fn filtered(query: &TokenQuery) -> refresh_tokens::BoxedQuery<'_, DB> {
    let mut found = refresh_tokens::table.into_boxed();
    if query.search.words().any(contains_nul) {
        return found.filter(false.into_sql::<sql_types::Bool>());
    }
    for word in query.search.words() {
        let owners = users::table
            .filter(contains!(users::search_key, word))
            .select(users::id.nullable());
        let has_word = contains!(lower(refresh_tokens::jti), word);
        found = found.filter(has_word.or(refresh_tokens::user_id.eq_any(owners)));
    }
    if let Some(user) = query.user {
        found = found.filter(refresh_tokens::user_id.eq(user.0));
    }
    if let Some(family) = &query.family {
        found = found.filter(is_of_family!(family));
    }
    let is_alive = refresh_tokens::revocation.is_null();
    match query.state {
        Some(TokenState::Live) => found
            .filter(is_alive)
            .filter(refresh_tokens::expires_at.gt(query.now)),
        Some(TokenState::Expired) => found
            .filter(is_alive)
            .filter(refresh_tokens::expires_at.le(query.now)),
        Some(TokenState::Revoked) => found.filter(refresh_tokens::revocation.is_not_null()),
        None => found,
    }
}

/// Returns the tokens that match a query, in its order and without its page.
fn ordered(query: &TokenQuery) -> refresh_tokens::BoxedQuery<'_, DB> {
    let mut found = filtered(query);
    for (order, direction) in &query.ordering {
        found = match (order, direction) {
            (TokenOrder::IssuedAt, Direction::Ascending) => {
                found.then_order_by(refresh_tokens::issued_at.asc())
            }
            (TokenOrder::IssuedAt, Direction::Descending) => {
                found.then_order_by(refresh_tokens::issued_at.desc())
            }
            (TokenOrder::ExpiresAt, Direction::Ascending) => {
                found.then_order_by(refresh_tokens::expires_at.asc())
            }
            (TokenOrder::ExpiresAt, Direction::Descending) => {
                found.then_order_by(refresh_tokens::expires_at.desc())
            }
        };
    }
    found.then_order_by(refresh_tokens::id.desc())
}

/// Adds the usernames of the owners to tokens.
fn with_usernames(conn: &mut Conn, rows: Vec<(i64, Row)>) -> QueryResult<Vec<ListedToken>> {
    let owners: BTreeSet<i64> = rows.iter().filter_map(|(_, row)| row.user_id).collect();
    let owners: Vec<i64> = owners.into_iter().collect();
    let mut names = HashMap::new();
    for owners in owners.chunks(IDS_AT_ONCE) {
        let some: Vec<(i64, String)> = users::table
            .filter(users::id.eq_any(owners))
            .select((users::id, users::username))
            .load(conn)?;
        names.extend(some);
    }
    rows.into_iter()
        .map(|(number, row)| {
            Ok(ListedToken {
                number,
                username: row.user_id.and_then(|owner| names.get(&owner).cloned()),
                token: row.try_into()?,
            })
        })
        .collect()
}

impl RefreshTokenRepository for Unit<'_> {
    fn record(&mut self, token: &RefreshToken) -> Result<(), StoreError> {
        self.query(|conn| {
            diesel::insert_into(refresh_tokens::table)
                .values(Values::from(token))
                .on_conflict(refresh_tokens::jti)
                .do_nothing()
                .execute(conn)
        })?;
        Ok(())
    }

    fn find(&mut self, id: &str) -> Result<Option<RefreshToken>, StoreError> {
        self.query(|conn| {
            let query = refresh_tokens::table
                .filter(refresh_tokens::jti.eq(id))
                .select(Row::as_select());
            query
                .first(conn)
                .optional()?
                .map(RefreshToken::try_from)
                .transpose()
        })
    }

    fn find_for_update(&mut self, id: &str) -> Result<Option<RefreshToken>, StoreError> {
        self.query(|conn| {
            let query = refresh_tokens::table
                .filter(refresh_tokens::jti.eq(id))
                .select(Row::as_select());
            for_update!(query)
                .first(conn)
                .optional()?
                .map(RefreshToken::try_from)
                .transpose()
        })
    }

    fn revoke(&mut self, id: &str, why: Revocation, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.query(|conn| {
            diesel::update(refresh_tokens::table.filter(refresh_tokens::jti.eq(id)))
                .set(Ended::new(why, at))
                .execute(conn)
        })?;
        Ok(())
    }

    fn touch(&mut self, id: &str, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.query(|conn| {
            diesel::update(refresh_tokens::table.filter(refresh_tokens::jti.eq(id)))
                .set(refresh_tokens::last_used_at.eq(at))
                .execute(conn)
        })?;
        Ok(())
    }

    fn family_has_ended(&mut self, family: &str) -> Result<bool, StoreError> {
        let ended = refresh_tokens::revocation
            .is_not_null()
            .and(refresh_tokens::revocation.ne(Revocation::Rotated.as_str()));
        let tokens = refresh_tokens::table.filter(is_of_family!(family)).filter(ended);
        self.query(|conn| select(exists(tokens)).get_result(conn))
    }

    fn revoke_family(
        &mut self,
        family: &str,
        why: Revocation,
        at: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let alive = is_of_family!(family).and(refresh_tokens::revocation.is_null());
        self.query(|conn| {
            diesel::update(refresh_tokens::table.filter(alive))
                .set(Ended::new(why, at))
                .execute(conn)
        })
    }

    fn revoke_all_of(
        &mut self,
        user: UserId,
        except: Option<&str>,
        why: Revocation,
        at: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        let alive = refresh_tokens::user_id
            .eq(user.0)
            .and(refresh_tokens::revocation.is_null());
        let mut revoke = diesel::update(refresh_tokens::table.filter(alive))
            .set(Ended::new(why, at))
            .into_boxed();
        if let Some(family) = except {
            let is_of_another = refresh_tokens::family
                .is_null()
                .or(refresh_tokens::family.ne(family));
            revoke = revoke
                .filter(refresh_tokens::jti.ne(family))
                .filter(is_of_another);
        }
        self.query(|conn| revoke.execute(conn))
    }

    fn delete_expired(&mut self, now: DateTime<Utc>, at_most: u32) -> Result<usize, StoreError> {
        self.query(|conn| {
            let expired: Vec<i64> = refresh_tokens::table
                .filter(refresh_tokens::expires_at.le(now))
                .select(refresh_tokens::id)
                .limit(at_most.into())
                .load(conn)?;
            expired.chunks(IDS_AT_ONCE).try_fold(0, |count, ids| {
                let expired = refresh_tokens::table.filter(refresh_tokens::id.eq_any(ids));
                Ok(count + diesel::delete(expired).execute(conn)?)
            })
        })
    }

    fn list(&mut self, query: &TokenQuery) -> Result<Vec<ListedToken>, StoreError> {
        let page = paged!(ordered(query), query.page);
        self.query(|conn| {
            let rows = page.select((refresh_tokens::id, Row::as_select())).load(conn)?;
            with_usernames(conn, rows)
        })
    }

    fn logins_of(&mut self, user: UserId, now: DateTime<Utc>) -> Result<Vec<i64>, StoreError> {
        let newest = max(refresh_tokens::id);
        let logins: Vec<Option<i64>> = self.query(|conn| {
            refresh_tokens::table
                .filter(refresh_tokens::user_id.eq(user.0))
                .filter(refresh_tokens::revocation.is_null())
                .filter(refresh_tokens::expires_at.gt(now))
                .group_by(coalesce(refresh_tokens::family, refresh_tokens::jti))
                .select(newest)
                .order(newest.desc())
                .load(conn)
        })?;
        Ok(logins.into_iter().flatten().collect())
    }

    fn count(&mut self, query: &TokenQuery) -> Result<u64, StoreError> {
        self.query(|conn| filtered(query).count().get_result(conn))
            .map(count_of)
    }

    fn numbers(&mut self, query: &TokenQuery) -> Result<Vec<i64>, StoreError> {
        self.query(|conn| ordered(query).select(refresh_tokens::id).load(conn))
    }

    fn find_all(&mut self, numbers: &[i64]) -> Result<Vec<ListedToken>, StoreError> {
        self.query(|conn| {
            let mut tokens = Vec::with_capacity(numbers.len());
            for numbers in numbers.chunks(IDS_AT_ONCE) {
                let rows = refresh_tokens::table
                    .filter(refresh_tokens::id.eq_any(numbers))
                    .select((refresh_tokens::id, Row::as_select()))
                    .load(conn)?;
                tokens.extend(with_usernames(conn, rows)?);
            }
            Ok(tokens)
        })
    }
}
