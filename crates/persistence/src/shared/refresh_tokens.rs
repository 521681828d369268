//! The table of refresh tokens. Compiled once for each database.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, result::Error::DeserializationError};
use mycars_application::ports::{RefreshToken, RefreshTokenRepository, Revocation, StoreError};
use mycars_domain::UserId;

use super::{DB, schema::refresh_tokens, store::Unit};

#[derive(Queryable, Selectable)]
#[diesel(table_name = refresh_tokens, check_for_backend(DB))]
struct Row {
    jti: String,
    user_id: Option<i64>,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revocation: Option<String>,
}

impl TryFrom<Row> for RefreshToken {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        Ok(Self {
            id: row.jti,
            user: row.user_id.map(UserId),
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            revoked: row.revocation.as_deref().map(revocation).transpose()?,
        })
    }
}

/// How a reason is written in the table.
fn text(revocation: Revocation) -> &'static str {
    match revocation {
        Revocation::LoggedOut => "logged_out",
        Revocation::Rotated => "rotated",
        Revocation::PasswordChanged => "password_changed",
    }
}

fn revocation(name: &str) -> QueryResult<Revocation> {
    [
        Revocation::LoggedOut,
        Revocation::Rotated,
        Revocation::PasswordChanged,
    ]
    .into_iter()
    .find(|revocation| text(*revocation) == name)
    .ok_or_else(|| DeserializationError(format!("there is no revocation `{name}`").into()))
}

impl RefreshTokenRepository for Unit<'_> {
    fn record(&mut self, token: &RefreshToken) -> Result<(), StoreError> {
        let values = (
            refresh_tokens::jti.eq(&token.id),
            refresh_tokens::user_id.eq(token.user.map(|user| user.0)),
            refresh_tokens::issued_at.eq(token.issued_at),
            refresh_tokens::expires_at.eq(token.expires_at),
            refresh_tokens::revocation.eq(token.revoked.map(text)),
        );
        self.query(|conn| {
            diesel::insert_into(refresh_tokens::table)
                .values(values)
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
                .set((
                    refresh_tokens::revoked_at.eq(at),
                    refresh_tokens::revocation.eq(text(why)),
                ))
                .execute(conn)
        })?;
        Ok(())
    }

    fn revoke_all_of(&mut self, user: UserId, why: Revocation, at: DateTime<Utc>) -> Result<(), StoreError> {
        let alive = refresh_tokens::user_id
            .eq(user.0)
            .and(refresh_tokens::revocation.is_null());
        self.query(|conn| {
            diesel::update(refresh_tokens::table.filter(alive))
                .set((
                    refresh_tokens::revoked_at.eq(at),
                    refresh_tokens::revocation.eq(text(why)),
                ))
                .execute(conn)
        })?;
        Ok(())
    }

    fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let expired = refresh_tokens::expires_at.le(now);
        self.query(|conn| diesel::delete(refresh_tokens::table.filter(expired)).execute(conn))
    }
}
