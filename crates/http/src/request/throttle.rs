//! Throttling of requests.
//!
//! A request is counted before it waits for a worker. Rates that only failures use up are taken before the work as well,
//! and given back after it, unless the work failed ([`Charges`]). So they limit the number of simultaneous attempts, too.

mod limiter;
mod shared;

use std::{
    cell::Cell,
    collections::hash_map::RandomState,
    hash::BuildHasher as _,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use mycars_application::{
    ports::SharedRates,
    security_log::{Details, SecurityEvent},
};
use mycars_domain::{
    UserId, fold,
    values::{Email, Username},
};

use self::limiter::Limiter;
pub use self::limiter::{NoRate, Rate};
pub(crate) use self::shared::{SharedCharges, SharedRequest};
use crate::{
    edge::client_addr::{Client, network_of},
    error::ApiError,
};

/// The limits of requests.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Logins from one address; those that succeed are given back.
    pub login: Rate,
    /// Failed logins to one account from one address, and wrong old passwords of one user.
    pub account: Rate,
    /// Failed logins to one account from all addresses. Beyond it, each address has one attempt at a time.
    pub account_total: Rate,
    /// Registrations from one address.
    pub register: Rate,
    /// Uses of refresh tokens from one address.
    pub refresh: Rate,
    /// Requests for links by mail, from one address and for one e-mail address.
    pub password_reset: Rate,
    /// Requests of one user that hash a password, and logins to one account from one address.
    pub password: Rate,
    /// Responses to one user that say that a value is taken.
    pub taken: Rate,
    /// Exports of all data about one user, by that user.
    pub export: Rate,
    /// All other requests without credentials from one address.
    pub anon: Rate,
    /// All other requests of one user.
    pub user: Rate,
    /// All requests from one address together.
    pub address: Rate,
    /// Maximum number of jobs of one user that wait or run on a slow worker pool.
    pub user_jobs: usize,
    /// Number of bits of the IPv6 networks that count as one address, at most 128.
    pub ipv6_prefix: u8,
}

impl Limits {
    /// The usual IPv6 network of one customer, in bits.
    pub(crate) const IPV6_PREFIX: u8 = 56;
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
    /// `password_reset`, per address.
    PasswordReset,
    /// `export`, per user.
    Export,
    /// `user`, per user; `anon`, per address, without one.
    Standard,
}

impl RateClass {
    /// Returns whether requests of users are counted by address, too.
    pub(crate) fn is_by_address(self) -> bool {
        self.scope().is_some()
    }

    /// Returns the rate limit of addresses; `None` if users have another one.
    fn scope(self) -> Option<Scope> {
        match self {
            Self::Login => Some(Scope::Login),
            Self::Register => Some(Scope::Register),
            Self::Refresh => Some(Scope::Refresh),
            Self::PasswordReset => Some(Scope::PasswordReset),
            Self::Export | Self::Standard => None,
        }
    }
}

/// A rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Login,
    Account,
    AccountTotal,
    Register,
    Refresh,
    PasswordReset,
    Password,
    Taken,
    Export,
    Anon,
    User,
    Address,
}

impl Scope {
    const ALL: [Self; 12] = [
        Self::Login,
        Self::Account,
        Self::AccountTotal,
        Self::Register,
        Self::Refresh,
        Self::PasswordReset,
        Self::Password,
        Self::Taken,
        Self::Export,
        Self::Anon,
        Self::User,
        Self::Address,
    ];

    /// Returns the name of its setting.
    fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Account => "account",
            Self::AccountTotal => "account_total",
            Self::Register => "register",
            Self::Refresh => "refresh",
            Self::PasswordReset => "password_reset",
            Self::Password => "password",
            Self::Taken => "taken",
            Self::Export => "export",
            Self::Anon => "anon",
            Self::User => "user",
            Self::Address => "address",
        }
    }

    /// Returns the security event that a refusal is.
    fn event(self) -> SecurityEvent {
        match self {
            Self::Login | Self::Account | Self::AccountTotal => SecurityEvent::LoginThrottled,
            _ => SecurityEvent::RateExceeded,
        }
    }
}

/// The client or the account whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// All clients together: the throttles are off.
    All,
    /// A network.
    Address(IpAddr),
    /// Requests that pages of other sites make the browsers of a network send. They must not use up the rate of the
    /// users there.
    CrossSite(IpAddr),
    User(UserId),
    /// The hash of a username, which may belong to no user.
    Account(u64),
    /// The same, from one network.
    AccountFrom(u64, Box<Key>),
}

/// A client's share of the worker pools.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub(crate) key: Key,
    /// Maximum number of jobs that wait or run on a slow pool.
    pub(crate) max_jobs: usize,
}

impl Share {
    /// The share of all clients together, which has no limit.
    pub(crate) const ALL: Self = Self {
        key: Key::All,
        max_jobs: usize::MAX,
    };
}

/// An attempt to guess a password, until it succeeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// A login with this username.
    Login(String),
    /// The user's own old password.
    OldPassword(UserId),
    /// None: a request for a mail to this e-mail address, which may be no user's. It is never given back, so that no
    /// address gets many mails, from however many clients they are requested.
    Mail(String),
    /// None: a mail to this e-mail address that a user wants to have. It is never given back, either.
    NewEmail(UserId, String),
}

/// Requests that were taken from buckets. They are given back on drop, whatever ended the request, unless they were
/// [committed](Self::commit).
#[derive(Default)]
pub(crate) struct Charges {
    taken: Vec<Charge>,
    is_committed: Cell<bool>,
}

/// A request that was taken from a bucket.
struct Charge {
    limiter: Arc<Limiter>,
    key: Key,
    refilled_at: Duration,
}

impl Charges {
    /// Lets the requests stay counted.
    pub(crate) fn commit(&self) {
        self.is_committed.set(true);
    }

    fn add(&mut self, limiter: &Arc<Limiter>, key: Key, refilled_at: Duration) {
        self.taken.push(Charge {
            limiter: Arc::clone(limiter),
            key,
            refilled_at,
        });
    }
}

impl Drop for Charges {
    fn drop(&mut self) {
        if !self.is_committed.get() {
            for charge in &self.taken {
                charge.limiter.give_back(&charge.key, charge.refilled_at);
            }
        }
    }
}

/// Counts requests.
pub(crate) struct Throttles {
    limiters: [Arc<Limiter>; Scope::ALL.len()],
    user_jobs: usize,
    ipv6_prefix: u8,
    usernames: RandomState,
    checks: AtomicUsize,
    /// The counts of all servers; `None` if this one counts for itself.
    shared: Option<Arc<dyn SharedRates>>,
    shared_is_away: AtomicBool,
}

/// Returns the time since some moment in the past.
type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Number of checks between two removals of clients with a whole bucket. It limits the memory, and hardly delays
/// requests.
const CHECKS_BEFORE_FORGETTING: usize = 4096;

impl Throttles {
    pub(crate) fn new(limits: &Limits) -> Self {
        let start = Instant::now();
        let clock: Clock = Arc::new(move || start.elapsed());
        Self::with_clock(limits, &clock)
    }

    fn with_clock(limits: &Limits, clock: &Clock) -> Self {
        let rate = |scope| match scope {
            Scope::Login => limits.login,
            Scope::Account => limits.account,
            Scope::AccountTotal => limits.account_total,
            Scope::Register => limits.register,
            Scope::Refresh => limits.refresh,
            Scope::PasswordReset => limits.password_reset,
            Scope::Password => limits.password,
            Scope::Taken => limits.taken,
            Scope::Export => limits.export,
            Scope::Anon => limits.anon,
            Scope::User => limits.user,
            Scope::Address => limits.address,
        };
        Self {
            limiters: Scope::ALL.map(|scope| Arc::new(Limiter::new(rate(scope), Arc::clone(clock)))),
            user_jobs: limits.user_jobs,
            ipv6_prefix: limits.ipv6_prefix,
            usernames: RandomState::new(),
            checks: AtomicUsize::new(0),
            shared: None,
            shared_is_away: AtomicBool::new(false),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`ApiError::Throttled`] if the rate is exceeded.
    pub(crate) fn check(
        &self,
        rate: RateClass,
        client: Client,
        user: Option<UserId>,
    ) -> Result<(), ApiError> {
        let scope = match (rate.scope(), user) {
            (Some(scope), _) => scope,
            (None, Some(id)) => {
                let scope = if rate == RateClass::Export {
                    Scope::Export
                } else {
                    Scope::User
                };
                return self.count(scope, &Key::User(id), &sender(client, user));
            }
            (None, None) => Scope::Anon,
        };
        self.count(scope, &self.address(client), &sender(client, user))
    }

    /// Counts a request that is refused before its route is known.
    ///
    /// # Errors
    /// [`ApiError::Throttled`] if the rate is exceeded.
    pub(crate) fn check_anonymous(&self, client: Client) -> Result<(), ApiError> {
        self.count(Scope::Anon, &self.address(client), &sender(client, None))
    }

    /// Counts any request by its address.
    ///
    /// # Errors
    /// [`ApiError::Throttled`] if it is one too many.
    pub(crate) fn check_address(&self, client: Client) -> Result<(), ApiError> {
        self.count(Scope::Address, &self.address(client), &sender(client, None))
    }

    /// Counts a request of a user that hashes a password.
    ///
    /// # Errors
    /// [`ApiError::Throttled`] if it is one too many.
    pub(crate) fn check_password(&self, client: Client, user: UserId) -> Result<(), ApiError> {
        self.count(Scope::Password, &Key::User(user), &sender(client, Some(user)))
    }

    /// Counts an attempt to guess a password as failed, unless the charges are dropped. A login must have been counted
    /// with [`check`](Self::check). Logins to one account from one address are counted whether they fail or not,
    /// because each one hashes a password and stores a login.
    ///
    /// # Errors
    /// [`ApiError::Throttled`] after too many failures or logins. The login itself stays counted then.
    pub(crate) fn charge_attempt(&self, attempt: &Attempt, client: Client) -> Result<Charges, ApiError> {
        let username = match attempt {
            Attempt::Login(username) => username,
            Attempt::OldPassword(user) => {
                return self.charge(Scope::Account, Key::User(*user), &sender(client, Some(*user)));
            }
            Attempt::Mail(email) => {
                self.take_mail(email, &sender(client, None))?;
                return Ok(Charges::default());
            }
            Attempt::NewEmail(user, email) => {
                let sender = sender(client, Some(*user));
                self.take(Scope::PasswordReset, &Key::User(*user), &sender)?;
                self.take_mail(email, &sender)?;
                return Ok(Charges::default());
            }
        };
        let sender = Details {
            account: Some(username),
            ..sender(client, None)
        };
        let address = self.address(client);
        let account = self.usernames.hash_one(Username::normalize(username));
        let here = Key::AccountFrom(account, Box::new(address.clone()));
        self.count(Scope::Password, &here, &sender)?;
        // Others must not be able to lock the user out: an address that has not failed always has one attempt.
        let mut charges = Charges::default();
        let limiter = self.limiter(Scope::Account);
        let (total, of_all) = (Key::Account(account), self.limiter(Scope::AccountTotal));
        let taken = if let Ok(refilled_at) = of_all.take(&total) {
            charges.add(of_all, total, refilled_at);
            limiter.take(&here)
        } else {
            SecurityEvent::AccountAttacked.log(&sender);
            limiter.take_only(&here)
        };
        let refilled_at = taken.map_err(|wait| refusal(Scope::Account, &sender, wait))?;
        charges.add(limiter, here, refilled_at);
        let logins = self.limiter(Scope::Login);
        let refilled_at = logins.refilled_at(&address);
        charges.add(logins, address, refilled_at);
        Ok(charges)
    }

    /// Counts a request of a user as one whose response says that a value is taken, unless the charges are dropped.
    ///
    /// # Errors
    /// [`ApiError::Throttled`] after too many such responses.
    pub(crate) fn charge_probe(&self, client: Client, user: UserId) -> Result<Charges, ApiError> {
        self.charge(Scope::Taken, Key::User(user), &sender(client, Some(user)))
    }

    /// Returns the share of the worker pools that a request counts to.
    pub(crate) fn share(&self, client: Client, user: Option<UserId>) -> Share {
        match user {
            Some(user) => Share {
                key: Key::User(user),
                max_jobs: self.user_jobs,
            },
            None => Share {
                key: self.address(client),
                max_jobs: usize::MAX,
            },
        }
    }

    /// Returns the number of requests that each rate limit has refused, by the name of its setting.
    pub(crate) fn refused(&self) -> [(&'static str, u64); Scope::ALL.len()] {
        Scope::ALL.map(|scope| (scope.name(), self.limiter(scope).refused()))
    }

    fn charge(&self, scope: Scope, key: Key, sender: &Details<'_>) -> Result<Charges, ApiError> {
        let refilled_at = self.take(scope, &key, sender)?;
        let mut charges = Charges::default();
        charges.add(self.limiter(scope), key, refilled_at);
        Ok(charges)
    }

    fn count(&self, scope: Scope, key: &Key, sender: &Details<'_>) -> Result<(), ApiError> {
        self.take(scope, key, sender).map(drop)
    }

    /// Counts a mail to an e-mail address.
    fn take_mail(&self, email: &str, sender: &Details<'_>) -> Result<(), ApiError> {
        let address = Key::Account(self.usernames.hash_one(email_key(email)));
        self.count(Scope::PasswordReset, &address, sender)
    }

    fn take(&self, scope: Scope, key: &Key, sender: &Details<'_>) -> Result<Duration, ApiError> {
        self.remove_idle_clients();
        let taken = self.limiter(scope).take(key);
        taken.map_err(|wait| refusal(scope, sender, wait))
    }

    fn limiter(&self, scope: Scope) -> &Arc<Limiter> {
        &self.limiters[scope as usize]
    }

    /// Returns the key of a client without a user. An IPv6 client has as many addresses of its network as it likes.
    fn address(&self, client: Client) -> Key {
        let network = network_of(client.address, self.ipv6_prefix);
        if client.is_cross_site {
            Key::CrossSite(network)
        } else {
            Key::Address(network)
        }
    }

    fn remove_idle_clients(&self) {
        let checks = self.checks.fetch_add(1, Ordering::Relaxed);
        if checks % CHECKS_BEFORE_FORGETTING == CHECKS_BEFORE_FORGETTING - 1 {
            for limiter in &self.limiters {
                limiter.forget();
            }
        }
    }
}

/// Returns the key of an e-mail address as the use-case reads it.
fn email_key(email: &str) -> String {
    Email::parse(email).map_or_else(|_| fold(email), |email| email.key())
}

/// Returns the sender of a request, for the security log.
fn sender(client: Client, user: Option<UserId>) -> Details<'static> {
    Details {
        address: Some(client.address),
        user_id: user,
        ..Details::default()
    }
}

/// Logs a refusal, and returns the error with the time to wait in whole seconds, rounded up.
fn refusal(scope: Scope, sender: &Details<'_>, wait: Duration) -> ApiError {
    scope.event().log(&Details {
        detail: Some(scope.name()),
        ..*sender
    });
    ApiError::Throttled((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, atomic::AtomicU64};

    use super::{RateClass::*, *};

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    /// A clock that stands still until it is advanced.
    #[derive(Clone, Default)]
    struct FakeClock(Arc<AtomicU64>);

    impl FakeClock {
        fn advance(&self, time: Duration) {
            let nanoseconds = time.as_nanos().try_into().unwrap();
            self.0.fetch_add(nanoseconds, Ordering::Relaxed);
        }
    }

    fn throttles() -> (Throttles, FakeClock) {
        let clock = FakeClock::default();
        let nanoseconds = Arc::clone(&clock.0);
        let now: Clock = Arc::new(move || Duration::from_nanos(nanoseconds.load(Ordering::Relaxed)));
        (Throttles::with_clock(&limits(), &now), clock)
    }

    /// Returns small limits, each of another number.
    pub(crate) fn limits() -> Limits {
        let rate = |text: &str| text.parse().unwrap();
        Limits {
            login: rate("2/min"),
            account: rate("3/hour"),
            account_total: rate("5/hour"),
            register: rate("1/hour"),
            refresh: rate("3/min"),
            password_reset: rate("7/hour"),
            password: rate("6/min"),
            taken: rate("2/hour"),
            export: rate("8/hour"),
            anon: rate("4/min"),
            user: rate("5/min"),
            address: rate("9/min"),
            user_jobs: 2,
            ipv6_prefix: 56,
        }
    }

    fn client(address: IpAddr) -> Client {
        Client {
            address,
            is_https: false,
            is_cross_site: false,
        }
    }

    fn address(number: u32) -> Client {
        client(IpAddr::V4(number.into()))
    }

    /// Returns the seconds to wait if this is a refusal.
    fn seconds<T>(result: Result<T, ApiError>) -> Option<u64> {
        match result {
            Ok(_) => None,
            Err(ApiError::Throttled(seconds)) => Some(seconds),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Counts the requests that are allowed at once.
    fn burst<T>(ask: impl FnMut() -> Result<T, ApiError>) -> usize {
        std::iter::repeat_with(ask).take_while(Result::is_ok).count()
    }

    fn committed(charges: Result<Charges, ApiError>) -> Result<(), ApiError> {
        charges.map(|charges| charges.commit())
    }

    impl Throttles {
        fn burst(&self, rate: RateClass, user: Option<i64>) -> usize {
            burst(|| self.check(rate, client(ADDRESS), user.map(UserId)))
        }

        /// Makes an attempt that fails.
        fn attempt(&self, username: &str, client: Client) -> Result<(), ApiError> {
            committed(self.charge_attempt(&Attempt::Login(username.into()), client))
        }

        fn remembered(&self) -> usize {
            self.limiters.iter().map(|limiter| limiter.remembered()).sum()
        }
    }

    #[test]
    fn each_class_of_requests_has_a_rate_of_its_own() {
        let (throttles, _) = throttles();
        assert_eq!(throttles.burst(Login, None), 2);
        assert_eq!(throttles.burst(Register, None), 1);
        assert_eq!(throttles.burst(Refresh, None), 3);
        assert_eq!(throttles.burst(Standard, None), 4);
        assert_eq!(throttles.burst(Standard, Some(1)), 5);
        assert_eq!(throttles.burst(Export, Some(1)), 8);
        assert_eq!(throttles.burst(Export, Some(2)), 8, "per user");
        assert_eq!(throttles.burst(Standard, None), 0, "anon is used up");
        assert_eq!(burst(|| throttles.check_password(client(ADDRESS), UserId(1))), 6);
        assert_eq!(burst(|| throttles.check_address(client(ADDRESS))), 9);
    }

    #[test]
    fn users_are_counted_by_id_and_others_by_address() {
        let (throttles, _) = throttles();
        assert_eq!(throttles.burst(Standard, Some(1)), 5);
        assert_eq!(throttles.burst(Standard, Some(1)), 0);
        assert_eq!(throttles.burst(Standard, Some(2)), 5);
        assert_eq!(throttles.burst(Register, Some(3)), 1);
        assert_eq!(throttles.burst(Register, Some(4)), 0, "per address");
    }

    #[test]
    fn cross_site_requests_do_not_use_up_an_addresss_rates() {
        let (throttles, _) = throttles();
        let cross_site = Client {
            is_cross_site: true,
            ..client(ADDRESS)
        };
        for (rate, limit) in [(Login, 2), (Register, 1), (Refresh, 3), (Standard, 4)] {
            let allowed = burst(|| throttles.check(rate, cross_site, None));
            assert_eq!(allowed, limit, "{rate:?} has the same limit");
            assert_eq!(throttles.burst(rate, None), limit, "{rate:?}");
        }
        assert_eq!(burst(|| throttles.attempt("ann", cross_site)), 3);
        assert_eq!(
            burst(|| throttles.attempt("ann", client(ADDRESS))),
            2,
            "of five in all"
        );
    }

    #[test]
    fn refused_requests_count_as_anonymous() {
        let (throttles, _) = throttles();
        assert_eq!(burst(|| throttles.check_anonymous(client(ADDRESS))), 4);
        assert_eq!(throttles.burst(Standard, None), 0);
        assert_eq!(throttles.burst(Login, None), 2);
    }

    #[test]
    fn ipv6_client_is_its_network() {
        let (throttles, _) = throttles();
        let register = |address: &str| {
            let client = client(address.parse().unwrap());
            throttles.check(Register, client, None).is_ok()
        };
        assert!(register("2001:db8:1:1::1"));
        assert!(!register("2001:db8:1:1:ffff::2"));
        assert!(!register("2001:db8:1:ff::1"), "the same 56 bits");
        assert!(register("2001:db8:1:100::1"));
        assert!(register("192.0.2.1"));
        assert!(register("192.0.2.2"));
    }

    #[test]
    fn throttled_client_may_ask_again_after_the_wait() {
        let (throttles, clock) = throttles();
        let log_in = || seconds(throttles.check(Login, client(ADDRESS), None));
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
    fn successful_logins_from_one_address_are_not_limited() {
        let (throttles, _) = throttles();
        for user in 0..60 {
            throttles.check(Login, client(ADDRESS), None).unwrap();
            let attempt = Attempt::Login(format!("user{user}"));
            drop(throttles.charge_attempt(&attempt, client(ADDRESS)).unwrap());
        }
        assert_eq!(throttles.burst(Login, None), 2);
    }

    #[test]
    fn successful_logins_to_one_account_from_one_address_are_limited() {
        let (throttles, _) = throttles();
        let attempt = |client| throttles.charge_attempt(&Attempt::Login("ann".into()), client);
        assert_eq!(burst(|| attempt(address(1))), 6);
        assert_eq!(burst(|| attempt(address(2))), 6, "others can't lock the user out");
    }

    #[test]
    fn attempts_count_until_they_are_dropped() {
        let (throttles, _) = throttles();
        let attempt = |attempt: &Attempt| throttles.charge_attempt(attempt, client(ADDRESS));
        for kind in [Attempt::Login("ann".into()), Attempt::OldPassword(UserId(1))] {
            let in_flight: Vec<_> = std::iter::repeat_with(|| attempt(&kind)).take(3).collect();
            assert!(in_flight.iter().all(Result::is_ok));
            assert!(attempt(&kind).is_err(), "{kind:?}");
            drop(in_flight);
            assert!(attempt(&kind).is_ok(), "{kind:?}");
        }
    }

    #[test]
    fn attempt_that_time_gave_back_is_not_given_back_again() {
        let (throttles, clock) = throttles();
        let attempt = || throttles.charge_attempt(&Attempt::OldPassword(UserId(1)), client(ADDRESS));
        let slow = attempt().unwrap();
        clock.advance(Duration::from_mins(20));
        assert_eq!(burst(|| committed(attempt())), 3);
        drop(slow);
        assert_eq!(burst(|| committed(attempt())), 0, "the failures stay counted");
        clock.advance(Duration::from_hours(1));
        let slow = attempt().unwrap();
        clock.advance(Duration::from_mins(10));
        assert_eq!(burst(|| committed(attempt())), 2);
        drop(slow);
        assert_eq!(
            burst(|| committed(attempt())),
            1,
            "half of it was given back by time"
        );
    }

    #[test]
    fn failed_logins_to_one_account_from_one_address_are_limited() {
        let (throttles, clock) = throttles();
        assert_eq!(burst(|| throttles.attempt("ann", client(ADDRESS))), 3);
        assert_eq!(
            seconds(throttles.attempt(" \u{ff41}nn ", client(ADDRESS))),
            Some(1200),
            "ann"
        );
        assert_eq!(seconds(throttles.attempt("bob", client(ADDRESS))), None);
        assert_eq!(seconds(throttles.attempt("ann", address(1))), None);
        clock.advance(Duration::from_mins(20));
        assert_eq!(burst(|| throttles.attempt("ann", client(ADDRESS))), 1);
    }

    #[test]
    fn attacked_account_has_one_attempt_from_each_other_address() {
        let (throttles, _) = throttles();
        for number in 0..5 {
            throttles.attempt("ann", address(number)).unwrap();
        }
        assert_eq!(
            burst(|| throttles.attempt("ann", address(0))),
            0,
            "it has failed already"
        );
        for number in 5..10 {
            assert_eq!(burst(|| throttles.attempt("ann", address(number))), 1);
        }
        let own = Attempt::Login("ann".into());
        drop(throttles.charge_attempt(&own, client(ADDRESS)).unwrap());
        assert_eq!(burst(|| throttles.attempt("ann", client(ADDRESS))), 1);
    }

    #[test]
    fn wrong_old_passwords_of_one_user_are_limited() {
        let (throttles, _) = throttles();
        let attempt = |user| throttles.charge_attempt(&Attempt::OldPassword(UserId(user)), client(ADDRESS));
        drop(attempt(1).unwrap());
        assert_eq!(burst(|| committed(attempt(1))), 3);
        assert_eq!(burst(|| committed(attempt(2))), 3);
    }

    /// One user must not be able to lock out all others at their address.
    #[test]
    fn taken_values_are_counted_by_user() {
        let (throttles, _) = throttles();
        let probe = |client, user| throttles.charge_probe(client, UserId(user));
        drop(probe(address(1), 1).unwrap());
        assert_eq!(burst(|| committed(probe(address(1), 1))), 2);
        assert_eq!(burst(|| committed(probe(address(2), 1))), 0, "the same user");
        assert_eq!(burst(|| committed(probe(address(1), 2))), 2, "the same address");
    }

    #[test]
    fn refusals_are_counted_by_setting() {
        let (throttles, _) = throttles();
        throttles.burst(Login, None);
        throttles.burst(Standard, Some(1));
        let refused = throttles.refused();
        let refused: Vec<_> = refused.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(refused, [&("login", 1), &("user", 1)]);
    }

    #[test]
    fn clients_that_stay_away_are_forgotten() {
        let (throttles, clock) = throttles();
        for number in 0..1000 {
            throttles.check(Login, address(number), None).unwrap();
        }
        assert_eq!(throttles.remembered(), 1000);
        clock.advance(Duration::from_hours(1));
        for _ in 0..CHECKS_BEFORE_FORGETTING {
            drop(throttles.check(Standard, client(ADDRESS), Some(UserId(1))));
        }
        assert_eq!(throttles.remembered(), 1, "the client that asked last");
    }
}
