//! The table of rate buckets. Compiled once for each database.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    OptionalExtension as _, QueryableByName, RunQueryDsl as _, sql_query,
    sql_types::{BigInt, Text},
};
use mycars_application::ports::{RateLimit, RateRepository, StoreError};

use super::{GREATEST, LEAST, NOW_MICROSECONDS as NOW, SKIP_LOCKED, store::Unit};

#[derive(QueryableByName)]
struct Microseconds {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

impl RateRepository for Unit<'_> {
    fn take(&mut self, key: &str, limit: RateLimit) -> Result<Result<DateTime<Utc>, TimeDelta>, StoreError> {
        let (interval, tolerance) = (microseconds(limit.interval), microseconds(limit.tolerance()));
        // One statement decides and counts, so that concurrent callers wait for each other at the row.
        let take = format!(
            "INSERT INTO rate_buckets (key, whole_at) VALUES ($1, {NOW} + {interval})
             ON CONFLICT (key) DO UPDATE SET whole_at = {GREATEST}(rate_buckets.whole_at, {NOW}) + {interval}
             WHERE rate_buckets.whole_at - {tolerance} <= {NOW}
             RETURNING whole_at AS value"
        );
        let taken: Option<Microseconds> =
            self.query(|conn| sql_query(take).bind::<Text, _>(key).get_result(conn).optional())?;
        if let Some(taken) = taken {
            return Ok(Ok(
                DateTime::from_timestamp_micros(taken.value).unwrap_or(DateTime::<Utc>::MAX_UTC)
            ));
        }
        let wait = format!("SELECT whole_at - {tolerance} - {NOW} AS value FROM rate_buckets WHERE key = $1");
        let wait: Microseconds = self.query(|conn| sql_query(wait).bind::<Text, _>(key).get_result(conn))?;
        Ok(Err(TimeDelta::microseconds(wait.value.max(1))))
    }

    fn give_back(&mut self, key: &str, limit: RateLimit, whole_at: DateTime<Utc>) -> Result<(), StoreError> {
        let (interval, whole_at) = (microseconds(limit.interval), whole_at.timestamp_micros());
        let give_back = format!(
            "UPDATE rate_buckets SET whole_at = whole_at - {LEAST}({interval}, {whole_at} - {NOW})
             WHERE key = $1 AND {whole_at} > {NOW}"
        );
        self.query(|conn| sql_query(give_back).bind::<Text, _>(key).execute(conn))?;
        Ok(())
    }

    fn delete_whole(&mut self, at_most: u32) -> Result<usize, StoreError> {
        let delete = format!(
            "DELETE FROM rate_buckets WHERE whole_at <= {NOW} AND key IN (
                 SELECT key FROM rate_buckets WHERE whole_at <= {NOW} LIMIT {at_most} {SKIP_LOCKED}
             )"
        );
        self.query(|conn| sql_query(delete).execute(conn))
    }
}

fn microseconds(time: TimeDelta) -> i64 {
    time.num_microseconds().unwrap_or(i64::MAX / 4)
}
