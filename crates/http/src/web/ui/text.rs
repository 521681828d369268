//! Times, sizes and counts as text.

use chrono::{DateTime, SecondsFormat, Utc};

/// A point in time, shown in UTC.
pub(crate) struct Time(pub(crate) DateTime<Utc>);

impl Time {
    pub(crate) fn iso(&self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    pub(crate) fn minute(&self) -> String {
        self.0.format("%Y-%m-%d %H:%M").to_string()
    }

    pub(crate) fn short(&self) -> String {
        self.0.format("%Y-%m-%d %H:%M:%S").to_string()
    }

    pub(crate) fn long(&self) -> String {
        self.0.format("%Y-%m-%d %H:%M:%S%.6f UTC").to_string()
    }
}

/// Formats a number of bytes in the largest unit that fits.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut whole = count;
    let mut tenths = 0;
    let mut unit = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    let unit = UNITS.get(unit).unwrap_or(&"");
    if tenths == 0 {
        format!("{whole} {unit}")
    } else {
        format!("{whole}.{tenths} {unit}")
    }
}

/// Formats a count with its noun: “1 car”, “2 cars”.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_formatted_in_the_largest_unit_that_fits() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 * 1024 * 1024), "5 MiB");
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
    }
}
