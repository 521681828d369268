//! Rate limits of several servers with one database, which count in it or in Redis.

use mycars_testkit::{PostgresServer, RedisServer, Shutdown, TestDatabase};
use serde_json::json;

use crate::support::{
    Installation, Request, Server,
    accounts::{PASSWORD, join, login},
    at_once, wait_for,
};

/// Number of logins that a day has. The next one is given back after more than two hours.
const LOGINS: usize = 10;

fn throttled(installation: Installation) -> Installation {
    installation
        .with("MYCARS__THROTTLE__ENABLED", "true")
        .with("MYCARS__THROTTLE__LOGIN", &format!("{LOGINS}/day"))
}

/// Returns the status of a login with a wrong password. Each number is another username.
fn fail_to_log_in(server: &Server, number: usize) -> u16 {
    let body = json!({"username": format!("user{number}"), "password": "wrong"});
    server.send(&Request::post("/api/token/", &body)).status
}

#[test]
fn logins_over_two_servers_are_limited_together() {
    let installation = throttled(Installation::on(TestDatabase::postgres()));
    let servers = [installation.start(), installation.start()];
    let statuses = at_once(40, |number| fail_to_log_in(&servers[number % 2], number));
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(401), count(429)), (LOGINS, 40 - LOGINS), "{statuses:?}");
    let refused = servers[0].send(&Request::get("/metrics")).text();
    assert!(
        !refused.contains("mycars_throttled_total{scope=\"login\"} 0"),
        "{refused}"
    );
}

#[test]
fn successful_logins_over_two_servers_are_given_back() {
    let installation = throttled(Installation::on(TestDatabase::postgres()));
    let servers = [installation.start(), installation.start()];
    join(&servers[0], "ann");
    for number in 0..3 * LOGINS {
        let answer = servers[number % 2].send(&login("ann", PASSWORD));
        assert_eq!(answer.status, 200, "{number}");
    }
}

#[test]
fn parallel_logins_of_one_user_are_given_back() {
    let installation = Installation::on(TestDatabase::postgres())
        .with("MYCARS__THROTTLE__ENABLED", "true")
        .with("MYCARS__THROTTLE__LOGIN", "100/day")
        .with("MYCARS__THROTTLE__ACCOUNT", "100/day")
        .with("MYCARS__THROTTLE__ACCOUNT_TOTAL", "100/day")
        .with("MYCARS__THROTTLE__PASSWORD", "1000/day");
    let servers = [installation.start(), installation.start()];
    join(&servers[0], "ann");
    for _ in 0..10 {
        let statuses = at_once(16, |number| {
            servers[number % 2].send(&login("ann", PASSWORD)).status
        });
        assert_eq!(statuses, [200; 16]);
    }
    installation.database().assert_none(
        "SELECT * FROM rate_buckets WHERE key NOT LIKE 'password:%' AND key NOT LIKE 'register:%'
            AND whole_at > extract(epoch FROM clock_timestamp()) * 1000000",
    );
    for server in servers {
        let log = server.stop().stderr;
        assert!(!log.contains("counts its own"), "{log}");
    }
}

#[test]
fn logins_without_shared_counts_are_limited_by_each_server() {
    let installation = throttled(Installation::on(TestDatabase::postgres()));
    let server = installation.start();
    installation
        .database()
        .execute("ALTER TABLE rate_buckets RENAME TO missing");
    let statuses: Vec<_> = (0..=LOGINS)
        .map(|number| fail_to_log_in(&server, number))
        .collect();
    assert_eq!(statuses[LOGINS - 1..], [401, 429], "{statuses:?}");
    let log = server.stop().stderr;
    assert_eq!(log.matches("each server counts its own").count(), 1, "{log}");
}

#[test]
fn logins_without_database_are_unavailable() {
    let postgres = PostgresServer::start();
    let installation =
        throttled(Installation::at(&postgres.url())).with("MYCARS__DATABASE__TIMEOUT_SECONDS", "1");
    let server = installation.start();
    postgres.stop(Shutdown::Fast);
    assert_eq!(fail_to_log_in(&server, 0), 503);
    postgres.start_again();
    wait_for("a login", || (fail_to_log_in(&server, 0) == 401).then_some(()));
}

/// Returns an installation whose servers count in Redis.
fn counting_in(redis: &RedisServer) -> Installation {
    throttled(Installation::on(TestDatabase::postgres())).with("MYCARS__THROTTLE__SHARED", &redis.url())
}

#[test]
fn logins_over_two_servers_are_limited_together_in_redis() {
    let redis = RedisServer::start();
    let installation = counting_in(&redis);
    let servers = [installation.start(), installation.start()];
    let statuses = at_once(40, |number| fail_to_log_in(&servers[number % 2], number));
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(401), count(429)), (LOGINS, 40 - LOGINS), "{statuses:?}");
    installation.database().assert_none("SELECT * FROM rate_buckets");
}

#[test]
fn servers_without_redis_count_for_themselves_until_it_is_back() {
    let redis = RedisServer::start();
    let installation = counting_in(&redis).with("MYCARS__THROTTLE__REFRESH", "1000/s");
    let servers = [installation.start(), installation.start()];
    let statuses = at_once(40, |number| {
        if number == 20 {
            redis.kill();
        }
        fail_to_log_in(&servers[number % 2], number)
    });
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert!((LOGINS..=2 * LOGINS).contains(&count(401)), "{statuses:?}");
    assert_eq!(count(401) + count(429), 40, "{statuses:?}");
    let refresh = |server: &Server| {
        let body = json!({"refresh": "no token"});
        assert_eq!(
            server.send(&Request::post("/api/token/refresh/", &body)).status,
            401
        );
    };
    for server in servers.iter().cycle().take(10) {
        refresh(server);
    }
    redis.start_again();
    for server in servers {
        wait_for("counts in Redis", || {
            refresh(&server);
            server.log().contains("are counted together again").then_some(())
        });
        let log = server.stop().stderr;
        assert_eq!(log.matches("each server counts its own").count(), 1, "{log}");
        assert!(!log.contains(RedisServer::PASSWORD), "{log}");
    }
}

#[test]
fn server_starts_without_redis() {
    let redis = RedisServer::start();
    let installation = counting_in(&redis);
    redis.kill();
    let server = installation.start();
    assert_eq!(fail_to_log_in(&server, 0), 401);
}

#[test]
fn logins_in_memory_are_limited_by_each_server() {
    let installation =
        throttled(Installation::on(TestDatabase::postgres())).with("MYCARS__THROTTLE__SHARED", "memory");
    for server in [installation.start(), installation.start()] {
        let statuses: Vec<_> = (0..=LOGINS)
            .map(|number| fail_to_log_in(&server, number))
            .collect();
        assert_eq!(statuses[LOGINS - 1..], [401, 429]);
    }
}
