//! The table of API keys. Compiled once for each database.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, result::Error::DeserializationError};
use mycars_application::ports::{ApiKey, ApiKeyRepository, StoreError};
use mycars_domain::{KeyRights, UserId};

use super::{DB, schema::api_keys, store::Unit};

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys, check_for_backend(DB))]
pub(super) struct Row {
    id: i64,
    owner_id: i64,
    name: String,
    prefix: String,
    key_hash: String,
    rights: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for ApiKey {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        Ok(Self {
            id: row.id,
            owner: UserId(row.owner_id),
            name: row.name,
            prefix: row.prefix,
            key_hash: row.key_hash,
            rights: KeyRights::named(&row.rights).ok_or_else(|| {
                DeserializationError(format!("there are no rights `{}`", row.rights).into())
            })?,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        })
    }
}

/// The columns of a key except its id.
#[derive(Insertable)]
#[diesel(table_name = api_keys, treat_none_as_default_value = false)]
pub(super) struct Values<'a> {
    owner_id: i64,
    name: &'a str,
    prefix: &'a str,
    key_hash: &'a str,
    rights: &'static str,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl<'a> From<&'a ApiKey> for Values<'a> {
    fn from(key: &'a ApiKey) -> Self {
        Self {
            owner_id: key.owner.0,
            name: &key.name,
            prefix: &key.prefix,
            key_hash: &key.key_hash,
            rights: key.rights.as_str(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        }
    }
}

impl ApiKeyRepository for Unit<'_> {
    fn insert(&mut self, key: &ApiKey) -> Result<i64, StoreError> {
        self.query(|conn| {
            diesel::insert_into(api_keys::table)
                .values(Values::from(key))
                .returning(api_keys::id)
                .get_result(conn)
        })
    }

    fn find(&mut self, id: i64) -> Result<Option<ApiKey>, StoreError> {
        self.query(|conn| {
            let found = api_keys::table.find(id).select(Row::as_select());
            found.first(conn).optional()?.map(ApiKey::try_from).transpose()
        })
    }

    fn find_by_hash(&mut self, key_hash: &str) -> Result<Option<ApiKey>, StoreError> {
        self.query(|conn| {
            let with_hash = api_keys::table.filter(api_keys::key_hash.eq(key_hash));
            let found = with_hash.select(Row::as_select()).first(conn).optional()?;
            found.map(ApiKey::try_from).transpose()
        })
    }

    fn list_of(&mut self, owner: UserId) -> Result<Vec<ApiKey>, StoreError> {
        self.query(|conn| {
            let rows = api_keys::table
                .filter(api_keys::owner_id.eq(owner.0))
                .order(api_keys::id.desc())
                .select(Row::as_select())
                .load(conn)?;
            rows.into_iter().map(ApiKey::try_from).collect()
        })
    }

    fn touch(&mut self, id: i64, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.query(|conn| {
            diesel::update(api_keys::table.find(id))
                .set(api_keys::last_used_at.eq(at))
                .execute(conn)
        })?;
        Ok(())
    }

    fn delete(&mut self, id: i64) -> Result<(), StoreError> {
        self.query(|conn| diesel::delete(api_keys::table.find(id)).execute(conn))?;
        Ok(())
    }
}
