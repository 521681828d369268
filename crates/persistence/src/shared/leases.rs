//! The table of leases. Compiled once for each database.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use mycars_application::ports::{Lease, LeaseRepository, StoreError};

use super::{database_time, schema::leases, store::Unit};

type Row = (String, String, DateTime<Utc>, DateTime<Utc>);

impl LeaseRepository for Unit<'_> {
    fn list(&mut self) -> Result<Vec<Lease>, StoreError> {
        let now = self.query(database_time)?;
        let rows: Vec<Row> = self.query(|conn| leases::table.order(leases::name).load(conn))?;
        let seen_now = |(name, holder, held_until, due_at): Row| Lease {
            name,
            holder,
            held_for: held_until - now,
            due_in: due_at - now,
        };
        Ok(rows.into_iter().map(seen_now).collect())
    }

    fn take(
        &mut self,
        name: &str,
        holder: &str,
        lifetime: TimeDelta,
        every: TimeDelta,
    ) -> Result<bool, StoreError> {
        let now = self.query(database_time)?;
        let first = (
            leases::name.eq(name),
            leases::holder.eq(""),
            leases::held_until.eq(now),
            leases::due_at.eq(now + every),
        );
        let is_due = leases::due_at
            .le(now)
            .or(leases::due_at.gt(now + every + Lease::TOLERANCE));
        let available = leases::table
            .find(name)
            .filter(leases::held_until.le(now))
            .filter(is_due);
        let taken = self.query(|conn| {
            diesel::insert_into(leases::table)
                .values(first)
                .on_conflict_do_nothing()
                .execute(conn)?;
            diesel::update(available)
                .set((leases::holder.eq(holder), leases::held_until.eq(now + lifetime)))
                .execute(conn)
        })?;
        Ok(taken == 1)
    }

    fn renew(&mut self, name: &str, holder: &str, lifetime: TimeDelta) -> Result<bool, StoreError> {
        let now = self.query(database_time)?;
        let renewed = self.query(|conn| {
            diesel::update(leases::table.find(name).filter(leases::holder.eq(holder)))
                .set(leases::held_until.eq(now + lifetime))
                .execute(conn)
        })?;
        Ok(renewed == 1)
    }

    fn release(&mut self, name: &str, holder: &str, due_in: Option<TimeDelta>) -> Result<(), StoreError> {
        let now = self.query(database_time)?;
        self.query(|conn| {
            diesel::update(leases::table.find(name).filter(leases::holder.eq(holder)))
                .set((
                    leases::held_until.eq(now),
                    due_in.map(|due_in| leases::due_at.eq(now + due_in)),
                ))
                .execute(conn)
        })?;
        Ok(())
    }
}
