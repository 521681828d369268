//! The clock of the operating system.

use chrono::{DateTime, SubsecRound as _, Utc};
use mycars_application::ports::Clock;

/// The clock of the operating system, in whole microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the adapter of the `Clock` port reads the time"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_returns_system_time_in_microseconds() {
        let since_epoch = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let now = SystemClock.now();
        assert!(now.timestamp().abs_diff(i64::try_from(since_epoch).unwrap()) <= 1);
        assert_eq!(now.timestamp_subsec_nanos() % 1_000, 0);
    }
}
