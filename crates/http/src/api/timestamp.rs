//! Timestamps as Django REST framework writes them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serializer;

/// Formats a time as RFC 3339 in UTC with `Z`, and with microseconds only if they are not zero (wire contract, section
/// 1).
pub(crate) fn write(time: DateTime<Utc>) -> String {
    let precision = if time.timestamp_subsec_micros() == 0 {
        SecondsFormat::Secs
    } else {
        SecondsFormat::Micros
    };
    time.to_rfc3339_opts(precision, true)
}

/// Serializes a time, for `#[serde(serialize_with)]`.
pub(crate) fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&write(*time))
}

/// Serializes an optional time, for `#[serde(serialize_with)]`.
#[expect(clippy::ref_option, reason = "serde passes a reference")]
pub(crate) fn serialize_option<S: Serializer>(
    time: &Option<DateTime<Utc>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serialize(time, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_are_written_only_when_they_are_not_zero() {
        let written = |micros| write(DateTime::from_timestamp_micros(micros).unwrap());
        assert_eq!(written(1_762_770_600_000_000), "2025-11-10T10:30:00Z");
        assert_eq!(written(1_762_770_600_120_000), "2025-11-10T10:30:00.120000Z");
        assert_eq!(written(1_762_770_600_000_001), "2025-11-10T10:30:00.000001Z");
    }
}
