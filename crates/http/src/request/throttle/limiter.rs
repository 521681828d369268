//! Counts requests by the generic cell rate algorithm: a leaky bucket for each client (decision record 0008).

use std::{
    collections::HashMap,
    num::NonZeroU32,
    str::FromStr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use mycars_application::ports::RateLimit;

use super::{Clock, Key};

/// A number of requests in a period, in Django REST framework's notation: `10/min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The number of requests that may come at once.
    burst: NonZeroU32,
    /// The time after which one request is given back.
    interval: Duration,
}

/// The text is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no rate such as 10/min")]
pub struct NoRate;

impl FromStr for Rate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        let (number, period) = text.split_once('/').ok_or(NoRate)?;
        let burst: NonZeroU32 = number.trim().parse().map_err(|_| NoRate)?;
        let seconds = match period.trim() {
            "s" | "sec" | "second" => 1,
            "m" | "min" | "minute" => 60,
            "h" | "hour" => 60 * 60,
            "d" | "day" => 24 * 60 * 60,
            _ => return Err(NoRate),
        };
        let interval = Duration::from_secs(seconds) / burst.get();
        if interval.is_zero() {
            return Err(NoRate);
        }
        Ok(Self { burst, interval })
    }
}

/// The buckets of all clients for one rate.
pub(super) struct Limiter {
    rate: Rate,
    clock: Clock,
    /// The time at which each client has its whole number of requests again.
    whole_at: Mutex<HashMap<Key, Duration>>,
    refused: AtomicU64,
}

impl Limiter {
    pub(super) fn new(rate: Rate, clock: Clock) -> Self {
        Self {
            rate,
            clock,
            whole_at: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes a request from the bucket of a client. Returns the time at which it is given back at the latest.
    ///
    /// # Errors
    /// The time to wait, if the bucket is empty.
    pub(super) fn take(&self, key: &Key) -> Result<Duration, Duration> {
        self.take_below(key, self.rate.burst.get())
    }

    /// Takes a request from the bucket of a client, which must be whole, like [`take`](Self::take).
    ///
    /// # Errors
    /// The time to wait, if the bucket is not whole.
    pub(super) fn take_only(&self, key: &Key) -> Result<Duration, Duration> {
        self.take_below(key, 1)
    }

    fn take_below(&self, key: &Key, burst: u32) -> Result<Duration, Duration> {
        let now = (self.clock)();
        let mut buckets = self.buckets();
        let whole_at = buckets.get(key).copied().unwrap_or_default().max(now);
        let allowed_at = whole_at.saturating_sub(self.rate.interval * (burst - 1));
        let wait = allowed_at.saturating_sub(now);
        if !wait.is_zero() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(wait);
        }
        let whole_at = whole_at + self.rate.interval;
        buckets.insert(key.clone(), whole_at);
        Ok(whole_at)
    }

    /// Returns the time at which a request is given back at the latest that was taken just now.
    pub(super) fn refilled_at(&self, key: &Key) -> Duration {
        self.buckets().get(key).copied().unwrap_or_default()
    }

    /// Gives a request back that was taken, as far as time has not given it back.
    pub(super) fn give_back(&self, key: &Key, refilled_at: Duration) {
        let left = refilled_at.saturating_sub((self.clock)()).min(self.rate.interval);
        if let Some(whole_at) = self.buckets().get_mut(key) {
            *whole_at = whole_at.saturating_sub(left);
        }
    }

    /// Forgets the clients whose buckets are whole.
    pub(super) fn forget(&self) {
        let now = (self.clock)();
        let mut buckets = self.buckets();
        buckets.retain(|_, whole_at| *whole_at > now);
        buckets.shrink_to_fit();
    }

    /// Returns the limit in the form of the shared counts.
    pub(super) fn limit(&self) -> RateLimit {
        RateLimit {
            burst: self.rate.burst.get(),
            interval: TimeDelta::from_std(self.rate.interval).unwrap_or(TimeDelta::MAX),
        }
    }

    /// Counts a request that the shared counts refused.
    pub(super) fn count_refusal(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of requests that were refused so far.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        self.buckets().len()
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<Key, Duration>> {
        self.whole_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_as_in_django_rest_framework() {
        let rate = |text: &str| text.parse::<Rate>();
        for (texts, seconds) in [
            (["5/s", "5/sec", " 5 / second "], 1),
            (["5/m", "5/min", "5/minute"], 60),
            (["5/h", "5/hour", "05/hour"], 3600),
            (["5/d", "5/day", "+5/day"], 86400),
        ] {
            for text in texts {
                let rate = rate(text).unwrap();
                assert_eq!(rate.burst.get(), 5, "{text}");
                assert_eq!(rate.interval * 5, Duration::from_secs(seconds), "{text}");
            }
        }
        for text in [
            "",
            "6",
            "6/",
            "/min",
            "0/min",
            "-1/min",
            "1.5/min",
            "6/week",
            "6/min/2",
            "4294967295/s",
        ] {
            assert_eq!(rate(text), Err(NoRate), "{text}");
        }
    }
}
