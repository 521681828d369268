//! Points in time in queries.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, Timelike as _, Utc};

/// A date, or a date with a time, in ISO 8601, as Django reads them. Without an offset it is in UTC.
///
/// It is a span of time: a date covers the whole day, and a time its microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Start, inclusive.
    start: DateTime<Utc>,
    /// End, exclusive.
    end: DateTime<Utc>,
}

impl Moment {
    /// Parses `2026-11-24`, `2026-11-24T18:30`, `2026-11-24 18:30:00.25Z`, `2026-11-24T18:30:00+01:00`. Years have four
    /// digits, so that both databases can store the result.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (start, length) = match text.split_at_checked(DATE.len())? {
            (day, "") => (date(day)?.and_time(NaiveTime::MIN).and_utc(), DAY),
            (day, rest) => {
                let (time, offset) = split_offset(rest.strip_prefix(['T', 't', ' '])?);
                let local = date(day)?.and_time(time_of_day(time)?);
                let moment = local.and_local_timezone(offset_of(offset)?).single()?;
                (moment.to_utc(), MICROSECOND)
            }
        };
        let is_kept = (FIRST..=LAST).contains(&start);
        is_kept.then(|| Self {
            start,
            end: (start + length).min(LAST),
        })
    }

    pub(super) fn start(self) -> DateTime<Utc> {
        self.start
    }

    pub(super) fn end(self) -> DateTime<Utc> {
        self.end
    }
}

/// Format of a date; a zero stands for any digit.
const DATE: &str = "0000-00-00";
const DAY: chrono::TimeDelta = chrono::TimeDelta::days(1);
const MICROSECOND: chrono::TimeDelta = chrono::TimeDelta::microseconds(1);

/// The beginning of the year 1.
const FIRST: DateTime<Utc> = at(1, 1, 1, NaiveTime::MIN);
/// The last microsecond of the year 9999.
const LAST: DateTime<Utc> = match NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999) {
    Some(time) => at(9999, 12, 31, time),
    None => DateTime::UNIX_EPOCH,
};

const fn at(year: i32, month: u32, day: u32, time: NaiveTime) -> DateTime<Utc> {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date.and_time(time).and_utc(),
        None => DateTime::UNIX_EPOCH,
    }
}

/// Returns whether a text has digits where `shape` has zeros, and is equal to it elsewhere. (chrono also accepts
/// blanks, signs and too few digits.)
fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

fn date(text: &str) -> Option<NaiveDate> {
    has_shape(text, DATE).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())?
}

/// Parses a time of day without a leap second. Digits of the fraction after microseconds are ignored.
fn time_of_day(text: &str) -> Option<NaiveTime> {
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let time = match fraction {
        None if has_shape(whole, "00:00") => NaiveTime::parse_from_str(whole, "%H:%M"),
        _ if has_shape(whole, "00:00:00") => NaiveTime::parse_from_str(whole, "%H:%M:%S"),
        _ => return None,
    };
    let time = time.ok().filter(|time| time.nanosecond() == 0)?;
    let is_fraction = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let microseconds: u32 = match fraction {
        None => 0,
        Some(digits) if is_fraction(digits) => format!("{digits:0<6}").get(..6)?.parse().ok()?,
        Some(_) => return None,
    };
    time.with_nanosecond(microseconds * 1000)
}

/// Splits a time from the offset after it, which may be empty.
fn split_offset(text: &str) -> (&str, &str) {
    let start = text.find(['Z', 'z', '+', '-']).unwrap_or(text.len());
    text.split_at_checked(start).unwrap_or((text, ""))
}

fn offset_of(text: &str) -> Option<FixedOffset> {
    let (sign, digits) = match text {
        "" | "Z" | "z" => return FixedOffset::east_opt(0),
        _ if text.starts_with('-') => (-1, &text[1..]),
        _ => (1, text.strip_prefix('+')?),
    };
    let is_offset = ["00", "0000", "00:00"]
        .iter()
        .any(|shape| has_shape(digits, shape));
    let hours: i32 = digits.get(..2).filter(|_| is_offset)?.parse().ok()?;
    let minutes: i32 = match digits.get(2..)?.trim_start_matches(':') {
        "" => 0,
        minutes => minutes.parse().ok()?,
    };
    let is_clock = hours < 24 && minutes < 60;
    is_clock.then(|| FixedOffset::east_opt(sign * (hours * 60 + minutes) * 60))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::timestamp;

    /// Returns both ends of the span.
    fn read(text: &str) -> Option<(String, String)> {
        Moment::parse(text).map(|moment| (timestamp::write(moment.start()), timestamp::write(moment.end())))
    }

    fn span(start: &str, end: &str) -> (String, String) {
        (start.to_owned(), end.to_owned())
    }

    #[test]
    fn date_is_the_whole_day() {
        assert_eq!(
            read("2026-11-24"),
            Some(span("2026-11-24T00:00:00Z", "2026-11-25T00:00:00Z"))
        );
        assert_eq!(
            read("2024-02-29"),
            Some(span("2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"))
        );
    }

    #[test]
    fn time_is_one_microsecond_and_in_utc_by_default() {
        let half_past_six = Some(span("2026-11-24T18:30:00Z", "2026-11-24T18:30:00.000001Z"));
        for same in [
            "2026-11-24T18:30",
            "2026-11-24 18:30",
            "2026-11-24t18:30:00z",
            "2026-11-24T18:30:00Z",
            "2026-11-24T18:30:00.000",
            "2026-11-24T18:30:00.0000009Z",
            "2026-11-24T19:30:00+01:00",
            "2026-11-24T19:30+0100",
            "2026-11-24T19:30+01",
            "2026-11-25T00:00:00.0+05:30",
            "2026-11-24T15:00:00,0-03:30",
        ] {
            assert_eq!(read(same), half_past_six, "{same}");
        }
        assert_eq!(
            read("2026-11-24T18:30:00.25Z"),
            Some(span("2026-11-24T18:30:00.250000Z", "2026-11-24T18:30:00.250001Z"))
        );
        assert_eq!(
            read("2026-11-24T18:30:59.999999").unwrap().1,
            "2026-11-24T18:31:00Z"
        );
    }

    #[test]
    fn times_are_limited_to_the_years_1_to_9999() {
        assert!(read("0001-01-01").is_some());
        assert_eq!(read("9999-12-31").unwrap().1, "9999-12-31T23:59:59.999999Z");
        for beyond in [
            "0000-12-31",
            "0001-01-01T00:00+00:01",
            "9999-12-31T23:59-00:01",
            "12026-01-01",
            "-2026-01-01",
        ] {
            assert_eq!(read(beyond), None, "{beyond}");
        }
    }

    #[test]
    fn invalid_date_is_none() {
        for wrong in [
            "",
            "yesterday",
            "2026",
            "2026-11",
            "2026-1-2",
            "2026-13-01",
            "2026-02-30",
            "20261124",
            "24.11.2026",
            "2026-11-24T",
            "2026-11-24T18",
            "2026-11-24T24:00",
            "2026-11-24T18:60",
            "2026-11-24T18:30:60",
            "2026-11-24T1:30",
            "2026-11-24T+1:30",
            "2026-11-24T18:30.5",
            "2026-11-24T18:30:00.",
            "2026-11-24T18:30:00.x",
            "2026-11-24T18:30:00 01:00",
            "2026-11-24T18:30:00+1",
            "2026-11-24T18:30:00+24:00",
            "2026-11-24T18:30:00+01:60",
            "2026-11-24T18:30:00+01:00Z",
            "2026-11-24T18:30:00ZZ",
            "2026-11-2\u{664}",
            "2026-11-24\u{a0}18:30",
            "2026-11-24T18:30:00-0\u{e9}",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
