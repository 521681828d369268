//! Counts of requests that all servers share, in Redis.
//!
//! A bucket is a key with the time at which it is whole again, by the clock of Redis. A script decides and counts in one
//! step, as the statement of a database does. The key expires when the bucket is whole.

use std::{
    io::{self, ErrorKind},
    net::IpAddr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::ports::{RateLimit, RateRepository, SharedRates, StoreError};
use redis::{
    Client, Connection, ConnectionAddr, FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation,
};
use rustls::crypto::ring;

/// Maximum time that a request waits for Redis, with all its counts.
const TIMEOUT: Duration = Duration::from_millis(250);
/// Time after a failure in which all counts fail at once. After it, one request finds out whether Redis responds again.
const AWAY: Duration = Duration::from_secs(1);
/// Maximum number of idle connections.
const MAX_IDLE: usize = 16;
/// Start of all keys, which Redis may keep for other programs as well.
const PREFIX: &str = "mycars:rates:";

/// The reason why counts in Redis fail. Its text holds no password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no URL of Redis.
    #[error("this is no URL of a Redis server, such as redis://:PASSWORD@HOST:6379")]
    Url(#[source] RedisError),
    /// Redis can't be reached, does not respond in time, or refuses the command.
    #[error("Redis at {server} failed: {cause}")]
    Failed {
        /// The address of the server.
        server: String,
        /// The failure.
        cause: RedisError,
    },
    /// Redis has failed a moment ago, and was not asked.
    #[error("Redis at {0} failed a moment ago")]
    Away(String),
}

/// The servers count for themselves meanwhile, so the requests need not fail.
impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        Self::Other(error.into())
    }
}

/// Opens a connection. May take longer than the given time: the lookup of a host name has no limit, and each of its
/// addresses has the whole time.
type Connect = dyn Fn(&Client, Duration) -> RedisResult<Connection> + Send + Sync;

/// The counts in a Redis server.
pub struct RedisRates {
    client: Client,
    connect: Arc<Connect>,
    turns: Arc<Turns>,
    take: Script,
    give_back: Script,
    idle: Mutex<Vec<Connection>>,
    /// The end of the time in which counts fail at once; `None` if the last one succeeded.
    away_until: Mutex<Option<Instant>>,
    away: Duration,
}

impl RedisRates {
    /// Returns the counts in the server with this URL. Opens no connection.
    ///
    /// # Errors
    /// [`Error::Url`].
    pub fn new(url: &str) -> Result<Self, Error> {
        // The client of Redis takes the cryptography of the process. It is no error if that is chosen already.
        ring::default_provider().install_default().ok();
        Ok(Self {
            client: Client::open(url).map_err(Error::Url)?,
            connect: Arc::new(Client::get_connection_with_timeout),
            turns: Arc::default(),
            take: Script::new(include_str!("scripts/take.lua")),
            give_back: Script::new(include_str!("scripts/give_back.lua")),
            idle: Mutex::default(),
            away_until: Mutex::default(),
            away: AWAY,
        })
    }

    /// Counts a request and gives it back.
    ///
    /// # Errors
    /// If the server can't be reached, or refuses what counts need.
    pub fn check(&self) -> Result<(), Error> {
        let (key, interval, tolerance) = ("check", 1_000_000, i64::MAX / 4);
        let mut session = self.session()?;
        let (_, whole_at): (bool, i64) = session.call(&self.take, key, [interval, tolerance])?;
        session.call(&self.give_back, key, [interval, whole_at])
    }

    /// Returns whether the password is sent to another machine without TLS.
    #[must_use]
    pub fn exposes_password(&self) -> bool {
        let server = self.client.get_connection_info();
        let ConnectionAddr::Tcp(host, _) = server.addr() else {
            return false;
        };
        let is_here =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        server.redis_settings().password().is_some() && !is_here
    }

    fn session(&self) -> Result<Session<'_>, Error> {
        if !self.may_ask() {
            return Err(Error::Away(self.server()));
        }
        Ok(Session {
            rates: self,
            connection: None,
            deadline: Instant::now() + TIMEOUT,
        })
    }

    /// Returns whether Redis may be asked. After a failure, one of many requests asks at a time.
    fn may_ask(&self) -> bool {
        let mut away_until = self.away_until();
        let now = Instant::now();
        if away_until.is_some_and(|until| now < until) {
            return false;
        }
        *away_until = away_until.map(|_| now + self.away);
        true
    }

    fn server(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn away_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.away_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedRates for RedisRates {
    fn run(
        &self,
        work: &mut dyn FnMut(&mut dyn RateRepository) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut session = self.session()?;
        let result = work(&mut session);
        if let Some(connection) = session.connection {
            let mut idle = self.idle();
            if idle.len() < MAX_IDLE {
                idle.push(connection);
            }
        }
        result
    }
}

/// The use of a connection by one request.
struct Session<'a> {
    rates: &'a RedisRates,
    /// `None` before the first command and after a failure.
    connection: Option<Connection>,
    deadline: Instant,
}

impl Session<'_> {
    fn call<T: FromRedisValue>(
        &mut self,
        script: &Script,
        key: &str,
        arguments: [i64; 2],
    ) -> Result<T, Error> {
        let mut call = script.key(format!("{PREFIX}{key}"));
        call.arg(&arguments);
        let result = match self.connection.take().or_else(|| self.rates.idle().pop()) {
            None => self.connect_and_send(&call),
            Some(connection) => match self.send(&call, connection) {
                // The server has closed the idle connection.
                Err(error) if error.is_connection_dropped() => self.connect_and_send(&call),
                sent => sent,
            },
        };
        match result {
            Ok(value) => {
                *self.rates.away_until() = None;
                Ok(value)
            }
            Err(cause) => {
                *self.rates.away_until() = Some(Instant::now() + self.rates.away);
                // They mostly fail as well, for example if the server has become a replica.
                self.rates.idle().clear();
                let server = self.rates.server();
                Err(Error::Failed { server, cause })
            }
        }
    }

    fn connect_and_send<T: FromRedisValue>(&mut self, call: &ScriptInvocation<'_>) -> RedisResult<T> {
        let connection = self.connect()?;
        self.send(call, connection)
    }

    /// Opens a connection on another thread, which goes on alone if it takes too long.
    fn connect(&self) -> RedisResult<Connection> {
        let turn = Turn::wait_for(&self.rates.turns, self.time_left()).ok_or_else(timed_out)?;
        let (result, connected) = mpsc::sync_channel(1);
        let (client, connect) = (self.rates.client.clone(), Arc::clone(&self.rates.connect));
        let left = self.time_left();
        thread::Builder::new().name("redis".into()).spawn(move || {
            let _turn = turn;
            // The receiver is gone if the request has given up.
            let _ = result.send(connect(&client, left));
        })?;
        connected
            .recv_timeout(self.time_left())
            .unwrap_or_else(|_| Err(timed_out()))
    }

    /// Sends a command, and keeps the connection if there was a response.
    fn send<T: FromRedisValue>(
        &mut self,
        call: &ScriptInvocation<'_>,
        mut connection: Connection,
    ) -> RedisResult<T> {
        let left = Some(self.time_left());
        connection.set_write_timeout(left)?;
        connection.set_read_timeout(left)?;
        let value = call.invoke(&mut connection)?;
        self.connection = Some(connection);
        Ok(value)
    }

    /// Returns the time until the deadline, which is never zero: that would mean no time limit.
    fn time_left(&self) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        left.max(Duration::from_millis(1))
    }
}

fn timed_out() -> RedisError {
    io::Error::from(ErrorKind::TimedOut).into()
}

/// The turns of attempts to connect: one at a time, so that attempts that hang occupy one thread.
#[derive(Default)]
struct Turns {
    is_taken: Mutex<bool>,
    is_free: Condvar,
}

/// The turn of one attempt, which ends on drop.
struct Turn(Arc<Turns>);

impl Turn {
    /// Returns the next turn; `None` if the time ends before.
    fn wait_for(turns: &Arc<Turns>, time: Duration) -> Option<Self> {
        let is_taken = turns.is_taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut is_taken, waited) = turns
            .is_free
            .wait_timeout_while(is_taken, time, |is_taken| *is_taken)
            .unwrap_or_else(PoisonError::into_inner);
        (!waited.timed_out()).then(|| {
            *is_taken = true;
            Self(Arc::clone(turns))
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.is_taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.is_free.notify_one();
    }
}

impl RateRepository for Session<'_> {
    fn take(&mut self, key: &str, limit: RateLimit) -> Result<Result<DateTime<Utc>, TimeDelta>, StoreError> {
        let times = [microseconds(limit.interval), microseconds(limit.tolerance())];
        let (is_taken, time): (bool, i64) = self.call(&self.rates.take, key, times)?;
        Ok(if is_taken {
            Ok(DateTime::from_timestamp_micros(time).unwrap_or(DateTime::<Utc>::MAX_UTC))
        } else {
            Err(TimeDelta::microseconds(time.max(1)))
        })
    }

    fn give_back(&mut self, key: &str, limit: RateLimit, whole_at: DateTime<Utc>) -> Result<(), StoreError> {
        let times = [microseconds(limit.interval), whole_at.timestamp_micros()];
        Ok(self.call(&self.rates.give_back, key, times)?)
    }

    /// Does nothing: keys expire when their buckets are whole.
    fn delete_whole(&mut self, _: u32) -> Result<usize, StoreError> {
        Ok(0)
    }
}

fn microseconds(time: TimeDelta) -> i64 {
    time.num_microseconds().unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    };

    use mycars_testkit::{RedisServer, rates_contract::RatesFixture};
    use rcgen::{CertificateParams, KeyPair};
    use redis::TlsCertificates;

    use super::*;

    const LIMIT: RateLimit = RateLimit {
        burst: 2,
        interval: TimeDelta::minutes(1),
    };

    /// Counts in a server for one test.
    struct InRedis {
        rates: Arc<RedisRates>,
        server: RedisServer,
    }

    impl RatesFixture for InRedis {
        fn rates(&self) -> Arc<dyn SharedRates> {
            self.rates.clone()
        }
    }

    fn in_redis() -> InRedis {
        in_redis_away_for(AWAY)
    }

    fn in_redis_away_for(away: Duration) -> InRedis {
        let server = RedisServer::start();
        let rates = RedisRates {
            away,
            ..RedisRates::new(&server.url()).unwrap()
        };
        InRedis {
            rates: Arc::new(rates),
            server,
        }
    }

    mycars_testkit::rates_contract!(in_redis);

    /// Returns a number that a command of Redis returns.
    fn ask(rates: &RedisRates, command: &str, arguments: &[&str]) -> i64 {
        let mut connection = rates.client.get_connection().unwrap();
        redis::cmd(command).arg(arguments).query(&mut connection).unwrap()
    }

    fn take(rates: &RedisRates) -> Result<bool, String> {
        let mut is_taken = false;
        let done = rates.run(&mut |rates| {
            is_taken = rates.take("a", LIMIT)?.is_ok();
            Ok(())
        });
        done.map(|()| is_taken).map_err(|error| match error {
            StoreError::Other(cause) => cause.to_string(),
            other => panic!("{other}"),
        })
    }

    #[test]
    fn keys_expire_with_their_buckets() {
        let InRedis {
            rates,
            server: _server,
        } = in_redis();
        assert_eq!(take(&rates), Ok(true));
        let expires_in = ask(&rates, "PTTL", &["mycars:rates:a"]);
        assert!((50_000..=60_000).contains(&expires_in), "{expires_in} ms");
        assert_eq!(ask(&rates, "DBSIZE", &[]), 1);
    }

    #[test]
    fn check_leaves_no_key() {
        let InRedis { rates, server } = in_redis_away_for(Duration::ZERO);
        rates.check().unwrap();
        assert_eq!(ask(&rates, "DBSIZE", &[]), 0);
        server.kill();
        assert!(rates.check().is_err());
    }

    #[test]
    fn failed_server_is_not_asked_for_a_while() {
        let InRedis { rates, server } = in_redis_away_for(Duration::from_hours(1));
        server.kill();
        let refused = take(&rates).unwrap_err();
        assert!(refused.contains("failed: "), "{refused}");
        assert!(!refused.contains(RedisServer::PASSWORD), "{refused}");
        server.start_again();
        assert!(take(&rates).unwrap_err().contains("a moment ago"));
    }

    #[test]
    fn counts_go_on_when_the_server_is_back() {
        let InRedis { rates, server } = in_redis_away_for(Duration::ZERO);
        assert_eq!(take(&rates), Ok(true));
        server.kill();
        assert!(take(&rates).is_err());
        server.start_again();
        assert_eq!(take(&rates), Ok(true));
    }

    #[test]
    fn restart_of_the_server_fails_no_count() {
        let InRedis { rates, server } = in_redis_away_for(Duration::from_hours(1));
        assert_eq!(take(&rates), Ok(true));
        server.kill();
        server.start_again();
        assert_eq!(take(&rates), Ok(true));
    }

    #[test]
    fn server_that_does_not_respond_fails() {
        let InRedis { rates, server } = in_redis_away_for(Duration::ZERO);
        assert_eq!(take(&rates), Ok(true));
        server.pause();
        assert!(take(&rates).is_err(), "with an open connection");
        assert!(take(&rates).is_err(), "with a new connection");
        server.resume();
        assert!(take(&rates).is_ok());
    }

    #[test]
    fn attempt_to_connect_that_hangs_delays_no_further_request() {
        let InRedis { rates, server } = in_redis_away_for(Duration::ZERO);
        let (attempts, release) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(2)));
        let (counted, hanging) = (Arc::clone(&attempts), Arc::clone(&release));
        let rates = RedisRates {
            connect: Arc::new(move |client, _| {
                if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                    hanging.wait();
                }
                client.get_connection()
            }),
            ..Arc::into_inner(rates).unwrap()
        };
        assert!(take(&rates).unwrap_err().contains("timed out"));
        assert!(take(&rates).unwrap_err().contains("timed out"));
        assert_eq!(attempts.load(Ordering::SeqCst), 1);
        release.wait();
        assert_eq!(take(&rates), Ok(true));
        drop(server);
    }

    /// Counts on so many connections at once, which are idle afterwards.
    fn open(rates: &RedisRates, connections: usize) {
        let opened = rates.run(&mut |unit| {
            unit.take("b", LIMIT)?.ok();
            if connections > 1 {
                open(rates, connections - 1);
            }
            Ok(())
        });
        opened.unwrap();
    }

    #[test]
    fn failure_discards_all_idle_connections() {
        let InRedis {
            rates,
            server: _server,
        } = in_redis_away_for(Duration::ZERO);
        open(&rates, 3);
        assert_eq!(rates.idle().len(), 3);
        let become_replica = |of: [&str; 2]| {
            let mut connection = rates.client.get_connection().unwrap();
            redis::cmd("REPLICAOF").arg(&of).exec(&mut connection).unwrap();
        };
        become_replica(["127.0.0.1", "1"]);
        let refused = take(&rates).unwrap_err();
        assert!(refused.to_lowercase().contains("read"), "{refused}");
        assert!(rates.idle().is_empty());
        become_replica(["NO", "ONE"]);
        assert_eq!(take(&rates), Ok(true));
    }

    #[test]
    fn server_with_tls_counts_if_its_certificate_is_trusted() {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        let server = RedisServer::start_with_tls(&certificate, &key.serialize_pem());
        let trusting = TlsCertificates {
            client_tls: None,
            root_cert: Some(certificate.into_bytes()),
        };
        let rates = RedisRates {
            client: Client::build_with_tls(server.url(), trusting).unwrap(),
            ..RedisRates::new(&server.url()).unwrap()
        };
        assert_eq!(take(&rates), Ok(true));
        assert!(take(&RedisRates::new(&server.url()).unwrap()).is_err());
    }

    #[test]
    fn password_is_exposed_without_tls_to_another_machine() {
        for (url, expected) in [
            ("redis://:hunter2@redis.example.org", true),
            ("redis://:hunter2@192.0.2.1:6379", true),
            ("redis://redis.example.org", false),
            ("redis://:hunter2@127.0.0.1", false),
            ("redis://:hunter2@[::1]", false),
            ("redis://:hunter2@localhost", false),
            ("rediss://:hunter2@redis.example.org", false),
        ] {
            assert_eq!(
                RedisRates::new(url).unwrap().exposes_password(),
                expected,
                "{url}"
            );
        }
    }

    #[test]
    fn wrong_password_or_url_is_an_error() {
        let InRedis { rates, server } = in_redis();
        let url = server.url().replace(RedisServer::PASSWORD, "wrong");
        let refused = take(&RedisRates::new(&url).unwrap()).unwrap_err();
        assert!(refused.contains("authentication failed"), "{refused}");
        drop(rates);
        assert!(RedisRates::new("http://localhost").is_err());
    }
}
