//! Counts of requests that all servers share, for the rates of few, expensive requests: logins, registrations, uses of
//! refresh tokens, hashes of passwords and exports.
//!
//! A request has been counted in this process before. So if the shared counts fail, the limits of this process still hold,
//! and a client that exceeds them never reaches the shared counts. All functions may block.

use std::{
    cell::Cell,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use mycars_application::{
    ports::{RateLimit, RateRepository, SharedRates, StoreError},
    security_log::SecurityEvent,
};
use mycars_domain::{UserId, values::Username};

use super::{Attempt, Details, Key, RateClass, Scope, Throttles, email_key, refusal, sender};
use crate::{digest::sha256_hex, edge::client_addr::Client, error::ApiError};

/// A request that shared rates may limit.
pub(crate) struct SharedRequest {
    pub(crate) client: Client,
    pub(crate) rate: Option<RateClass>,
    /// The user, if the request hashes a password.
    pub(crate) hashes_for: Option<UserId>,
    /// The user, if the request exports their data.
    pub(crate) exports_for: Option<UserId>,
    pub(crate) attempt: Option<Attempt>,
}

/// Requests that were taken from shared buckets. They are given back on drop, unless they were
/// [committed](Self::commit).
#[derive(Default)]
pub(crate) struct SharedCharges {
    rates: Option<Arc<dyn SharedRates>>,
    taken: Vec<Taken>,
    is_committed: Cell<bool>,
}

struct Taken {
    key: String,
    limit: RateLimit,
    whole_at: DateTime<Utc>,
}

impl SharedCharges {
    /// Lets the requests stay counted.
    pub(crate) fn commit(&self) {
        self.is_committed.set(true);
    }
}

impl Drop for SharedCharges {
    fn drop(&mut self) {
        let Some(rates) = &self.rates else { return };
        if self.is_committed.get() || self.taken.is_empty() {
            return;
        }
        if let Err(error) = rates.run(&mut |rates| give_back(rates, &self.taken)) {
            tracing::debug!(%error, "could not give back requests that all servers count");
        }
    }
}

/// The time to wait for a request of this rate.
type Refused = (Scope, Duration);

impl Throttles {
    /// Lets the servers with the same `rates` count together.
    pub(crate) fn sharing(self, rates: Option<Arc<dyn SharedRates>>) -> Self {
        Self {
            shared: rates,
            ..self
        }
    }

    /// Counts a request that this process has counted, for all servers. If the counts fail, the request is admitted.
    ///
    /// # Errors
    /// [`ApiError::Throttled`] if a rate is exceeded; [`ApiError::Unavailable`] if the database does not respond.
    pub(crate) fn charge_shared(&self, request: &SharedRequest) -> Result<SharedCharges, ApiError> {
        let Some(rates) = self.shared.as_ref().filter(|_| request.is_limited()) else {
            return Ok(SharedCharges::default());
        };
        let mut result = Ok(Vec::new());
        let done = rates.run(&mut |rates| {
            result = self.take_shared(rates, request)?;
            Ok(())
        });
        self.note_shared(&done);
        match done {
            Ok(()) => {}
            // The request itself needs the database as well, and would wait for it once more.
            Err(error @ StoreError::Unavailable(_)) => return Err(ApiError::Unavailable(error.into())),
            Err(_) => return Ok(SharedCharges::default()),
        }
        match result {
            Ok(taken) => Ok(SharedCharges {
                rates: Some(Arc::clone(rates)),
                taken,
                is_committed: Cell::default(),
            }),
            Err((scope, wait)) => {
                self.limiter(scope).count_refusal();
                Err(refusal(scope, &request.sender(), wait))
            }
        }
    }

    /// Takes all requests in the order in which this process does, and returns those that are given back unless the
    /// password was wrong.
    fn take_shared(
        &self,
        rates: &mut dyn RateRepository,
        request: &SharedRequest,
    ) -> Result<Result<Vec<Taken>, Refused>, StoreError> {
        let address = client_key(&self.address(request.client));
        let mut login = None;
        let counted = [
            request
                .rate
                .and_then(RateClass::scope)
                .map(|scope| (scope, address.clone())),
            request
                .hashes_for
                .map(|user| (Scope::Password, client_key(&Key::User(user)))),
            request
                .exports_for
                .map(|user| (Scope::Export, client_key(&Key::User(user)))),
        ];
        for (scope, client) in counted.into_iter().flatten() {
            match self.take_from(rates, scope, &client, None)? {
                Ok(taken) => login = Some(taken).filter(|_| scope == Scope::Login).or(login),
                Err(wait) => return Ok(Err((scope, wait))),
            }
        }
        let username = match &request.attempt {
            None => return Ok(Ok(Vec::new())),
            Some(Attempt::OldPassword(user)) => {
                let taken = self.take_from(rates, Scope::Account, &client_key(&Key::User(*user)), None)?;
                return Ok(taken
                    .map(|taken| vec![taken])
                    .map_err(|wait| (Scope::Account, wait)));
            }
            Some(Attempt::Mail(email)) => return self.take_shared_mail(rates, email),
            Some(Attempt::NewEmail(user, email)) => {
                let user = client_key(&Key::User(*user));
                return match self.take_from(rates, Scope::PasswordReset, &user, None)? {
                    Ok(_) => self.take_shared_mail(rates, email),
                    Err(wait) => Ok(Err((Scope::PasswordReset, wait))),
                };
            }
            Some(Attempt::Login(username)) => username,
        };
        let account = account_key(username);
        let here = format!("{account}@{address}");
        if let Err(wait) = self.take_from(rates, Scope::Password, &here, None)? {
            return Ok(Err((Scope::Password, wait)));
        }
        let total = self.take_from(rates, Scope::AccountTotal, &account, None)?.ok();
        // An address that has not failed always has one attempt.
        let burst = if total.is_some() {
            None
        } else {
            self.limiter(Scope::AccountTotal).count_refusal();
            SecurityEvent::AccountAttacked.log(&request.sender());
            Some(1)
        };
        match self.take_from(rates, Scope::Account, &here, burst)? {
            // In the order of taking: transactions that lock the same buckets in another order block each other.
            Ok(attempt) => Ok(Ok(login.into_iter().chain(total).chain([attempt]).collect())),
            Err(wait) => {
                give_back(rates, total.as_slice())?;
                Ok(Err((Scope::Account, wait)))
            }
        }
    }

    /// Takes a mail to an e-mail address, which is never given back.
    fn take_shared_mail(
        &self,
        rates: &mut dyn RateRepository,
        email: &str,
    ) -> Result<Result<Vec<Taken>, Refused>, StoreError> {
        let taken = self.take_from(rates, Scope::PasswordReset, &account_key(&email_key(email)), None)?;
        Ok(taken
            .map(|_| Vec::new())
            .map_err(|wait| (Scope::PasswordReset, wait)))
    }

    /// Takes a request from the bucket of a client, which holds `burst` requests instead of those of the rate.
    fn take_from(
        &self,
        rates: &mut dyn RateRepository,
        scope: Scope,
        client: &str,
        burst: Option<u32>,
    ) -> Result<Result<Taken, Duration>, StoreError> {
        let limit = self.limiter(scope).limit();
        let limit = RateLimit {
            burst: burst.unwrap_or(limit.burst),
            ..limit
        };
        let key = format!("{}:{client}", scope.name());
        Ok(match rates.take(&key, limit)? {
            Ok(whole_at) => Ok(Taken { key, limit, whole_at }),
            Err(wait) => Err(wait.to_std().unwrap_or_default()),
        })
    }

    /// Logs once that the shared counts can't be reached, and once that they can again.
    fn note_shared<T>(&self, done: &Result<T, StoreError>) {
        let was_away = self.shared_is_away.swap(done.is_err(), Ordering::Relaxed);
        match done {
            Err(error) if !was_away => {
                // The place may be another one than the database, which the error names.
                let error =
                    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
                tracing::warn!(
                    error,
                    "the requests of all servers can't be counted together, so each server counts its own"
                );
            }
            Ok(_) if was_away => tracing::info!("the requests of all servers are counted together again"),
            _ => {}
        }
    }
}

impl SharedRequest {
    fn is_limited(&self) -> bool {
        self.rate.is_some_and(RateClass::is_by_address)
            || self.hashes_for.or(self.exports_for).is_some()
            || self.attempt.is_some()
    }

    fn sender(&self) -> Details<'_> {
        let user = match self.attempt {
            Some(Attempt::OldPassword(user)) => Some(user),
            _ => self.hashes_for.or(self.exports_for),
        };
        let account = match &self.attempt {
            Some(Attempt::Login(username)) => Some(username.as_str()),
            _ => None,
        };
        Details {
            account,
            ..sender(self.client, user)
        }
    }
}

fn give_back(rates: &mut dyn RateRepository, taken: &[Taken]) -> Result<(), StoreError> {
    taken
        .iter()
        .try_for_each(|taken| rates.give_back(&taken.key, taken.limit, taken.whole_at))
}

/// Returns a key of a client that is the same in all servers.
fn client_key(key: &Key) -> String {
    match key {
        Key::Address(address) => address.to_string(),
        Key::CrossSite(address) => format!("cross-site {address}"),
        Key::User(user) => format!("user {user}"),
        Key::All | Key::Account(_) | Key::AccountFrom(..) => String::new(),
    }
}

/// Returns a hash of a username, which may be long, and which readers of the counts need not know.
fn account_key(username: &str) -> String {
    sha256_hex(Username::normalize(username).as_bytes(), 16)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use memory_store::MemoryStore;
    use mycars_application::ports::StoredRates;

    use super::{super::tests::limits, *};

    const CLIENT: Client = Client {
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        is_https: false,
        is_cross_site: false,
    };

    /// Returns the throttles of two servers.
    fn servers() -> [Throttles; 2] {
        let store = Arc::new(MemoryStore::new(Duration::from_mins(1)));
        [(); 2].map(|()| Throttles::new(&limits()).sharing(Some(Arc::new(StoredRates(store.clone())))))
    }

    fn request(attempt: Option<Attempt>) -> SharedRequest {
        SharedRequest {
            client: CLIENT,
            rate: attempt.is_none().then_some(RateClass::Login),
            hashes_for: None,
            exports_for: None,
            attempt,
        }
    }

    fn login(username: &str) -> SharedRequest {
        request(Some(Attempt::Login(username.to_owned())))
    }

    /// Returns how many of many requests to the servers in turn succeed.
    fn admitted(servers: &[Throttles; 2], request: &SharedRequest) -> usize {
        let admit = |number: usize| {
            let charges = servers[number % 2].charge_shared(request);
            charges.inspect(SharedCharges::commit).is_ok()
        };
        (0..40).filter(|number| admit(*number)).count()
    }

    #[test]
    fn servers_share_their_counts() {
        let servers = servers();
        assert_eq!(admitted(&servers, &request(None)), 2, "logins from one address");
        assert_eq!(
            admitted(&servers, &login("ann")),
            3,
            "failed logins to one account"
        );
        assert_eq!(admitted(&servers, &login(" \u{ff41}nn ")), 0, "the same account");
        assert_eq!(admitted(&servers, &login("bob")), 3);
        let own = request(Some(Attempt::OldPassword(UserId(7))));
        assert_eq!(admitted(&servers, &own), 3, "wrong old passwords");
        let export = SharedRequest {
            exports_for: Some(UserId(7)),
            rate: Some(RateClass::Export),
            ..request(None)
        };
        assert_eq!(admitted(&servers, &export), 8, "exports of one user");
        let refused = servers[0].refused();
        assert!(refused.contains(&("login", 19)), "{refused:?}");
    }

    #[test]
    fn charges_that_are_dropped_are_given_back() {
        let servers = servers();
        for _ in 0..20 {
            drop(
                servers[0]
                    .charge_shared(&request(Some(Attempt::OldPassword(UserId(7)))))
                    .unwrap(),
            );
        }
        let both = || SharedRequest {
            rate: Some(RateClass::Login),
            ..login("ann")
        };
        for _ in 0..3 {
            drop(servers[0].charge_shared(&both()).unwrap());
        }
        assert_eq!(admitted(&servers, &both()), 2);
    }

    #[test]
    fn standard_requests_are_not_shared() {
        let servers = servers();
        let standard = SharedRequest {
            rate: Some(RateClass::Standard),
            ..request(Some(Attempt::OldPassword(UserId(7))))
        };
        let standard = SharedRequest {
            attempt: None,
            ..standard
        };
        assert_eq!(admitted(&servers, &standard), 40);
    }

    /// Shared counts that fail.
    struct Away(fn() -> StoreError);

    impl SharedRates for Away {
        fn run(
            &self,
            _work: &mut dyn FnMut(&mut dyn RateRepository) -> Result<(), StoreError>,
        ) -> Result<(), StoreError> {
            Err((self.0)())
        }
    }

    #[test]
    fn without_shared_counts_the_limits_of_the_process_hold() {
        let throttles = |error| Throttles::new(&limits()).sharing(Some(Arc::new(Away(error))));
        let failing = throttles(|| StoreError::Other("no right".into()));
        assert!(failing.charge_shared(&login("ann")).is_ok());
        let away = throttles(|| StoreError::Unavailable("away".into()));
        let refused = away.charge_shared(&login("ann")).err();
        assert!(matches!(refused, Some(ApiError::Unavailable(_))));
    }
}
