//! How often clients may ask.
//!
//! Counted by GCRA (a leaky bucket): a client may use up its whole number at once, and gets one request back
//! each time that its share of the period has passed: at `10/min`, one every six seconds. Django REST framework
//! remembers each request of the last period instead, so that who used up its number waits for the period to
//! pass. Here a client may begin with nearly twice its number in the first period, but never does better than
//! its rate in the long run, waits less, and costs one number to remember.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    str::FromStr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use mycars_domain::UserId;

use crate::{
    edge::client_addr::{Client, network_of},
    error::ApiError,
};

/// So many requests in a period, in Django REST framework's notation: `10/min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(Quota);

/// The text is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no rate such as 10/min")]
pub struct NoRate;

impl FromStr for Rate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        let (number, period) = text.split_once('/').ok_or(NoRate)?;
        let number: NonZeroU32 = number.trim().parse().map_err(|_| NoRate)?;
        let seconds = match period.trim() {
            "s" | "sec" | "second" => 1,
            "m" | "min" | "minute" => 60,
            "h" | "hour" => 60 * 60,
            "d" | "day" => 24 * 60 * 60,
            _ => return Err(NoRate),
        };
        let quota = Quota::with_period(Duration::from_secs(seconds) / number.get()).ok_or(NoRate)?;
        Ok(Self(quota.allow_burst(number)))
    }
}

/// How often clients may ask, by what they ask for.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// For a token, per address.
    pub login: Rate,
    /// For an account, per address.
    pub register: Rate,
    /// For a fresh token, per address.
    pub refresh: Rate,
    /// For all other requests without a login, per address.
    pub anon: Rate,
    /// For anything else, per user.
    pub user: Rate,
}

/// The rate that a request counts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RateClass {
    /// `login`, per address.
    Login,
    /// `register`, per address.
    Register,
    /// `refresh`, per address.
    Refresh,
    /// `user`, per user; `anon`, per address, without one.
    Standard,
}

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    /// What pages of other sites make the browsers at an address send: it must not use up the rate of their users.
    CrossSite(IpAddr),
    User(UserId),
}

impl Key {
    /// The address of a client, or its network.
    fn address(client: Client) -> Self {
        let network = network_of(client.address);
        if client.is_cross_site {
            Self::CrossSite(network)
        } else {
            Self::Address(network)
        }
    }
}

type Limiter<C> = RateLimiter<Key, HashMapStateStore<Key>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Counts requests.
pub(crate) struct Throttles<C: Clock = DefaultClock> {
    login: Limiter<C>,
    register: Limiter<C>,
    refresh: Limiter<C>,
    anon: Limiter<C>,
    user: Limiter<C>,
    checks: AtomicUsize,
}

/// After so many requests, clients that have their whole number again are forgotten. So what is remembered
/// stays small, and forgetting takes next to nothing of each request's time.
const CHECKS_BEFORE_FORGETTING: usize = 4096;

impl<C: Clock + Clone> Throttles<C> {
    pub(crate) fn new(rates: &Rates, clock: &C) -> Self {
        let limiter = |rate: Rate| RateLimiter::hashmap_with_clock(rate.0, clock.clone());
        Self {
            login: limiter(rates.login),
            register: limiter(rates.register),
            refresh: limiter(rates.refresh),
            anon: limiter(rates.anon),
            user: limiter(rates.user),
            checks: AtomicUsize::new(0),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`ApiError::Throttled`] if it is one too many.
    pub(crate) fn check(
        &self,
        rate: RateClass,
        client: Client,
        user: Option<UserId>,
    ) -> Result<(), ApiError> {
        let address = Key::address(client);
        let (limiter, key) = match (rate, user) {
            (RateClass::Login, _) => (&self.login, address),
            (RateClass::Register, _) => (&self.register, address),
            (RateClass::Refresh, _) => (&self.refresh, address),
            (RateClass::Standard, Some(user)) => (&self.user, Key::User(user)),
            (RateClass::Standard, None) => (&self.anon, address),
        };
        self.take(limiter, &key)
    }

    /// Counts a request that is refused before it is known what it asks for.
    ///
    /// # Errors
    /// [`ApiError::Throttled`] if it is one too many.
    pub(crate) fn check_anonymous(&self, client: Client) -> Result<(), ApiError> {
        self.take(&self.anon, &Key::address(client))
    }

    fn take(&self, limiter: &Limiter<C>, key: &Key) -> Result<(), ApiError> {
        self.forget_now_and_then();
        limiter
            .check_key(key)
            .map_err(|until| refusal(&until, limiter.clock()))
    }

    fn forget_now_and_then(&self) {
        let checks = self.checks.fetch_add(1, Ordering::Relaxed);
        if checks % CHECKS_BEFORE_FORGETTING == CHECKS_BEFORE_FORGETTING - 1 {
            for limiter in [&self.login, &self.register, &self.refresh, &self.anon, &self.user] {
                limiter.retain_recent();
                limiter.shrink_to_fit();
            }
        }
    }
}

/// Tells the client to wait, in whole seconds, rounded up.
fn refusal<C: Clock>(until: &NotUntil<C::Instant>, clock: &C) -> ApiError {
    let wait = until.wait_time_from(clock.now());
    ApiError::Throttled((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::{RateClass::*, *};

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn throttles() -> (Throttles<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let rate = |text: &str| text.parse().unwrap();
        let rates = Rates {
            login: rate("2/min"),
            register: rate("1/hour"),
            refresh: rate("3/min"),
            anon: rate("4/min"),
            user: rate("5/min"),
        };
        (Throttles::new(&rates, &clock), clock)
    }

    fn client(address: IpAddr) -> Client {
        Client {
            address,
            is_https: false,
            is_cross_site: false,
        }
    }

    impl Throttles<FakeRelativeClock> {
        /// Asks once; answers how long to wait if that is refused.
        fn ask(&self, rate: RateClass, address: IpAddr, user: Option<i64>) -> Option<u64> {
            self.ask_as(client(address), rate, user)
        }

        fn ask_as(&self, client: Client, rate: RateClass, user: Option<i64>) -> Option<u64> {
            match self.check(rate, client, user.map(UserId)) {
                Ok(()) => None,
                Err(ApiError::Throttled(seconds)) => Some(seconds),
                Err(error) => panic!("{error:?}"),
            }
        }

        /// How often one may ask at once.
        fn burst(&self, rate: RateClass, user: Option<i64>) -> usize {
            let asking = || self.ask(rate, ADDRESS, user);
            std::iter::repeat_with(asking).take_while(Option::is_none).count()
        }

        fn remembered(&self) -> usize {
            self.login.len() + self.anon.len()
        }
    }

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
                let Rate(quota) = rate(text).unwrap();
                assert_eq!(quota.burst_size().get(), 5, "{text}");
                assert_eq!(
                    quota.replenish_interval() * 5,
                    Duration::from_secs(seconds),
                    "{text}"
                );
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

    #[test]
    fn what_is_asked_for_decides_which_rate_counts() {
        let (throttles, _) = throttles();
        assert_eq!(throttles.burst(Login, None), 2);
        assert_eq!(throttles.burst(Register, None), 1);
        assert_eq!(throttles.burst(Refresh, None), 3);
        assert_eq!(throttles.burst(Standard, None), 4);
        assert_eq!(throttles.burst(Standard, Some(1)), 5);
        assert_eq!(throttles.burst(Standard, None), 0, "anon is used up");
    }

    #[test]
    fn users_are_counted_each_and_others_by_address() {
        let (throttles, _) = throttles();
        assert_eq!(throttles.burst(Standard, Some(1)), 5);
        assert_eq!(throttles.burst(Standard, Some(1)), 0);
        assert_eq!(throttles.burst(Standard, Some(2)), 5);
        assert_eq!(throttles.burst(Register, Some(3)), 1);
        assert_eq!(throttles.burst(Register, Some(4)), 0, "per address");
    }

    #[test]
    fn cross_site_requests_leave_the_rates_of_an_address_alone() {
        let (throttles, _) = throttles();
        let cross_site = Client {
            is_cross_site: true,
            ..client(ADDRESS)
        };
        for (rate, limit) in [(Login, 2), (Register, 1), (Refresh, 3), (Standard, 4)] {
            let asking = || throttles.ask_as(cross_site, rate, None);
            let allowed = std::iter::repeat_with(asking).take_while(Option::is_none).count();
            assert_eq!(allowed, limit, "{rate:?} has the same limit");
            assert_eq!(throttles.burst(rate, None), limit, "{rate:?}");
        }
    }

    #[test]
    fn refused_requests_count_as_anonymous() {
        let (throttles, _) = throttles();
        let refused = || throttles.check_anonymous(client(ADDRESS));
        assert_eq!(
            std::iter::repeat_with(refused).take_while(Result::is_ok).count(),
            4
        );
        assert_eq!(throttles.burst(Standard, None), 0);
        assert_eq!(throttles.burst(Login, None), 2);
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let (throttles, _) = throttles();
        let register = |address: &str| {
            let address = address.parse().unwrap();
            throttles.ask(Register, address, None).is_none()
        };
        assert!(register("2001:db8:1:1::1"));
        assert!(!register("2001:db8:1:1:ffff::2"));
        assert!(register("2001:db8:1:2::1"));
        assert!(register("192.0.2.1"));
        assert!(register("192.0.2.2"));
    }

    #[test]
    fn who_waits_as_long_as_told_may_ask_again() {
        let (throttles, clock) = throttles();
        let log_in = || throttles.ask(Login, ADDRESS, None);
        assert_eq!((log_in(), log_in(), log_in()), (None, None, Some(30)));
        clock.advance(Duration::from_millis(500));
        assert_eq!(log_in(), Some(30), "rounded up");
        clock.advance(Duration::from_millis(28_600));
        assert_eq!(log_in(), Some(1));
        clock.advance(Duration::from_secs(1));
        assert_eq!((log_in(), log_in()), (None, Some(30)), "one at a time");
        clock.advance(Duration::from_hours(1));
        assert_eq!((log_in(), log_in(), log_in()), (None, None, Some(30)));
    }

    #[test]
    fn clients_that_stay_away_are_forgotten() {
        let (throttles, clock) = throttles();
        for number in 0..1000 {
            throttles.ask(Login, IpAddr::V4(number.into()), None);
        }
        assert_eq!(throttles.remembered(), 1000);
        clock.advance(Duration::from_hours(1));
        for _ in 0..CHECKS_BEFORE_FORGETTING {
            throttles.ask(Standard, ADDRESS, Some(1));
        }
        assert_eq!(throttles.remembered(), 0);
    }
}
