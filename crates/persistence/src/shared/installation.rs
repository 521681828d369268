//! The table with the identity of the database. Compiled once for each database.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use mycars_application::ports::{Installation, InstallationRepository, StoreError};

use super::{DB, schema::installation, store::Unit};

/// The id of the only row.
pub(super) const NUMBER: i64 = 1;

#[derive(Queryable, Selectable)]
#[diesel(table_name = installation, check_for_backend(DB))]
pub(super) struct Row {
    id: String,
    created_at: DateTime<Utc>,
}

impl From<Row> for Installation {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            created_at: row.created_at,
        }
    }
}

impl InstallationRepository for Unit<'_> {
    fn find_or_insert(&mut self, new: &Installation) -> Result<Installation, StoreError> {
        let values = (
            installation::number.eq(NUMBER),
            installation::id.eq(&new.id),
            installation::created_at.eq(new.created_at),
        );
        self.query(|conn| {
            diesel::insert_into(installation::table)
                .values(values)
                .on_conflict_do_nothing()
                .execute(conn)
        })?;
        let row: Row = self.query(|conn| {
            installation::table
                .find(NUMBER)
                .select(Row::as_select())
                .first(conn)
        })?;
        Ok(row.into())
    }
}
