//! Attacks on the availability and on the accounts, with the throttles on; the addresses come from a trusted proxy. Also
//! searches that are expensive on purpose: the server limits their time and serves others meanwhile.

use std::{collections::BTreeSet, thread};

use mycars_application::ports::StoreError;
use mycars_domain::CarId;
use mycars_testkit::TestDatabase;
use serde_json::json;

use crate::support::{
    Answer, Installation, Request, Server,
    accounts::{self, PASSWORD, SUPERUSER_PASSWORD, login, me, new_car, registration},
    at_once,
    browser::{Browser, cookie, form},
    http::TINY_JPEG,
    on_both_databases, on_sqlite,
    raw::Connection,
    wait_for,
};

on_sqlite!(
    wrong_old_passwords_of_one_user_leave_logins_of_others_alone,
    wrong_logins_from_one_address_leave_those_of_others_alone,
    registrations_with_made_up_credentials_leave_logins_alone,
    uploads_of_one_user_leave_those_of_others_alone,
    sixty_users_behind_one_address_log_in,
    networks_of_one_ipv6_customer_count_together,
    attacked_account_can_still_log_in,
    probes_for_taken_values_are_limited,
);

on_both_databases!(
    hostile_search_of_hostile_notes_is_answered,
    search_over_100_characters_is_refused_everywhere,
);

/// More requests than the queue of a slow worker pool has places.
const FLOOD: usize = 70;

/// Number of users that send a request while an attack lasts.
const HONEST: usize = 8;

fn start(installation: &Installation) -> Server {
    installation.start_with_all(&[
        ("MYCARS__THROTTLE__ENABLED", "true"),
        ("MYCARS__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        // Slow enough that a queue grows.
        ("MYCARS__PASSWORDS__BCRYPT_COST", "8"),
    ])
}

/// Returns the same request from an address.
fn from(address: &str, request: Request) -> Request {
    request.header("X-Forwarded-For", address)
}

/// Returns the address of a user, or of a computer of an attacker.
fn address(number: usize) -> String {
    format!("198.51.{}.{}", number / 250, number % 250 + 1)
}

/// Registers a user from an address of their own, and returns an access token.
fn join(server: &Server, username: &str, number: usize) -> String {
    register(server, username, number);
    let answer = server.send(&from(&address(number), login(username, PASSWORD)));
    answer.json(200)["access"].as_str().unwrap().to_owned()
}

fn register(server: &Server, username: &str, number: usize) {
    let request = registration(username, &format!("{username}@example.com"));
    server.send(&from(&address(number), request)).json(201);
}

/// Sends the requests of an attacker and those of honest users at the same time. Returns the statuses of both.
fn attack(
    server: &Server,
    attack: impl Fn(usize) -> Request + Sync,
    honest: impl Fn(usize) -> Request + Sync,
) -> (BTreeSet<u16>, BTreeSet<u16>) {
    let answers = at_once(FLOOD + HONEST, |number| {
        let request = number.checked_sub(FLOOD).map_or_else(|| attack(number), &honest);
        server.send(&request)
    });
    let statuses = |answers: &[Answer]| answers.iter().map(|answer| answer.status).collect();
    let (attacker, others) = answers.split_at(FLOOD);
    (statuses(attacker), statuses(others))
}

/// Registers honest users, and returns the login of each of them.
fn honest_logins(server: &Server) -> impl Fn(usize) -> Request + Sync + use<> {
    for number in 0..HONEST {
        register(server, &format!("user{number}"), number);
    }
    |number| from(&address(number), login(&format!("user{number}"), PASSWORD))
}

const ATTACKER: &str = "203.0.113.66";

fn wrong_old_passwords_of_one_user_leave_logins_of_others_alone(installation: &Installation) {
    let server = start(installation);
    let honest = honest_logins(&server);
    let eve = join(&server, "eve", 200);
    let body = json!({"old_password": "wrong", "new_password": "Harbour-bridge-19"});
    let guess = |number| {
        let request = Request::new("PUT", "/api/change-password/")
            .json(&body)
            .bearer(&eve);
        from(&address(300 + number), request)
    };
    let (attacker, honest) = attack(&server, guess, honest);
    assert_eq!(honest, [200].into());
    assert_eq!(attacker, [400, 429].into());
}

fn wrong_logins_from_one_address_leave_those_of_others_alone(installation: &Installation) {
    let server = start(installation);
    let honest = honest_logins(&server);
    let guess = |number| from(ATTACKER, login(&format!("nobody{number}"), "wrong"));
    let (attacker, honest) = attack(&server, guess, honest);
    assert_eq!(honest, [200].into());
    assert_eq!(attacker, [401, 429].into());
}

fn registrations_with_made_up_credentials_leave_logins_alone(installation: &Installation) {
    let server = start(installation);
    let honest = honest_logins(&server);
    let register = |number| {
        let request = Request::post("/api/register/", &json!({"password": "x"}));
        let name = if number % 2 == 0 {
            "Cookie"
        } else {
            "Authorization"
        };
        let made_up = if number % 2 == 0 {
            "sessionid=x"
        } else {
            "Bearer x"
        };
        from(ATTACKER, request.header(name, made_up))
    };
    let (attacker, honest) = attack(&server, register, honest);
    assert_eq!(honest, [200].into());
    assert_eq!(attacker, [400, 401, 429].into());
}

fn uploads_of_one_user_leave_those_of_others_alone(installation: &Installation) {
    let server = start(installation);
    let upload = |username: &str, number| {
        let access = join(&server, username, number);
        let car = server.send(&new_car(&access, username)).json(201)["id"].clone();
        Request::upload(&format!("/api/cars/{car}/upload-image/"), TINY_JPEG).bearer(&access)
    };
    let eves = upload("eve", 200);
    let honest: Vec<_> = (0..HONEST)
        .map(|number| upload(&format!("user{number}"), number))
        .collect();
    let (attacker, honest) = attack(&server, |_| eves.clone(), |number| honest[number].clone());
    assert_eq!(honest, [200].into());
    assert!(attacker.is_subset(&[200, 429].into()), "{attacker:?}");
}

fn sixty_users_behind_one_address_log_in(installation: &Installation) {
    let server = start(installation);
    for number in 0..60 {
        register(&server, &format!("user{number}"), number);
    }
    for group in 0..12 {
        let answers = at_once(5, |number| {
            let username = format!("user{}", 5 * group + number);
            server.send(&from(ATTACKER, login(&username, PASSWORD)))
        });
        for answer in answers {
            answer.json(200);
        }
    }
}

fn networks_of_one_ipv6_customer_count_together(installation: &Installation) {
    let server = start(installation);
    let guess = |network: &str| server.send(&from(network, login("ann", "wrong"))).status;
    let statuses: Vec<_> = (0..40)
        .map(|number| guess(&format!("2001:db8:1:{number:x}::1")))
        .collect();
    assert_eq!(statuses.first(), Some(&401));
    assert_eq!(statuses.last(), Some(&429));
    assert_eq!(guess("2001:db8:2::1"), 401);
}

fn attacked_account_can_still_log_in(installation: &Installation) {
    let server = start(installation);
    register(&server, "ann", 0);
    let guess = |number| server.send(&from(&address(number), login("ann", "wrong"))).status;
    assert!((1..120).all(|number| guess(number) == 401));
    assert_eq!(guess(119), 429, "once from each address");
    let own = server.send(&from(&address(0), login("ann", PASSWORD)));
    assert_eq!(own.status, 200, "{}", own.text());
    let page = server.send(&from(&address(0), Request::get("/api-auth/login/")));
    let token = cookie(&page, "csrftoken").unwrap();
    let fields = [
        ("username", "ann"),
        ("password", PASSWORD),
        ("csrfmiddlewaretoken", &token),
    ];
    let request = form("/api-auth/login/", &fields).header("Cookie", &format!("csrftoken={token}"));
    assert_eq!(server.send(&from(&address(0), request)).status, 302);
    assert!(server.log().contains("account_attacked"), "{}", server.log());
}

fn probes_for_taken_values_are_limited(installation: &Installation) {
    let server = start(installation);
    register(&server, "ann", 0);
    let eve = join(&server, "eve", 200);
    let probe = |body: &serde_json::Value| {
        let request = Request::new("PATCH", "/api/me/").json(body).bearer(&eve);
        server.send(&from(ATTACKER, request)).status
    };
    let car = accounts::add_car(&server, &eve, "B-E 1");
    let taken = json!({"email": "ann@example.com", "first_name": ""});
    let statuses: Vec<_> = (0..80).map(|_| probe(&taken)).collect();
    assert_eq!(statuses.first(), Some(&400));
    assert_eq!(statuses.last(), Some(&429));
    let free = json!({"email": "free@example.com", "first_name": ""});
    assert_eq!(probe(&free), 429, "it must not tell the difference");
    assert_eq!(probe(&json!({"first_name": "Eve"})), 200);
    assert_eq!(probe(&json!({"email": "eve@example.com"})), 200, "the own value");
    let license = |license| {
        let request = Request::new("PATCH", &format!("/api/cars/{car}/")).json(&json!({"license": license}));
        server.send(&from(ATTACKER, request.bearer(&eve))).status
    };
    assert_eq!((license("B-E 1"), license("B-E 2")), (200, 429));
    assert!(server.log().contains("detail=\"taken\""), "{}", server.log());

    installation.create_superuser("root");
    let root = server
        .send(&from(ATTACKER, login("root", SUPERUSER_PASSWORD)))
        .json(200);
    let root = root["access"].as_str().unwrap();
    for _ in 0..80 {
        let request = Request::new("PATCH", "/api/me/").json(&taken).bearer(root);
        assert_eq!(
            server.send(&from(ATTACKER, request)).status,
            400,
            "admins can list all"
        );
    }
}

/// Creates a car whose notes are one letter 10,000 times, and returns its id.
fn hostile_car(server: &Server, access: &str, number: usize) -> i64 {
    let body = json!({
        "brand": "Toyota",
        "model": "Camry",
        "year": 2023,
        "license": format!("B-AB {number}"),
        "notes": "a".repeat(10_000),
    });
    let made = server.send(&Request::post("/api/cars/", &body).bearer(access));
    made.json(201)["id"].as_i64().unwrap()
}

fn hostile_search_of_hostile_notes_is_answered(installation: &Installation) {
    let server = installation.start();
    let ann = accounts::join(&server, "ann");
    let eve = accounts::join(&server, "eve");
    for number in 0..20 {
        hostile_car(&server, &eve.access, number);
    }
    let letters = "a".repeat(99);
    for (word, count) in [
        (format!("{letters}a"), 20),
        (format!("{letters}b"), 0),
        (format!("b{letters}"), 0),
    ] {
        let path = format!("/api/cars/?limit=1&search={word}");
        let found = server.send(&Request::get(&path).bearer(&eve.access)).json(200);
        assert_eq!(found["count"], count, "{word}");
    }
    // Clients that hang up leave their searches behind.
    for _ in 0..24 {
        let mut connection = Connection::to(server.address());
        connection.send(format!(
            "GET /api/cars/?limit=1&search={letters}b HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
            eve.access
        ));
    }
    assert_eq!(me(&server, &ann.access).status, 200);
}

fn search_over_100_characters_is_refused_everywhere(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let ann = accounts::join(&server, "ann");
    let mut root = Browser::new(&server);
    root.log_in("root", SUPERUSER_PASSWORD, "/admin/");
    let query = |length: usize| format!("?search={}", "a".repeat(length));
    let message = "Ensure this value has at most 100 characters.";
    let refused = server.send(&Request::get(&format!("/api/cars/{}", query(101))).bearer(&ann.access));
    assert_eq!(refused.json(400), json!({"search": [message]}));
    for list in [
        "/api/admin/users/",
        "/api/admin/history/",
        "/admin/users/",
        "/admin/cars/",
        "/admin/history/",
        "/admin/tokens/",
    ] {
        let longest = root.get(&format!("{list}{}", query(100)));
        assert_eq!(longest.status, 200, "{list}: {}", longest.text());
        let refused = root.get(&format!("{list}{}", query(101)));
        assert_eq!(refused.status, 400, "{list}");
        assert!(refused.text().contains(message), "{list}: {}", refused.text());
    }
}

/// Returns whether a request waits for a thread that uses the database.
fn has_queue(server: &Server) -> bool {
    let metrics = server.send(&Request::get("/metrics")).text();
    let waiting = metrics
        .lines()
        .find_map(|line| line.strip_prefix("mycars_pool_waiting{pool=\"database\"} "));
    waiting.expect("the metric exists") != "0"
}

/// On PostgreSQL: on SQLite, writes that wait have threads of their own.
#[test]
fn readiness_does_not_wait_for_database_threads() {
    let installation = Installation::on(TestDatabase::postgres());
    let server = installation.start_with("MYCARS__DATABASE__POOL_SIZE", "4");
    let ann = accounts::join(&server, "ann");
    let car = hostile_car(&server, &ann.access, 1);
    let drive = Request::new("PATCH", &format!("/api/cars/{car}/"));
    let drive = &drive.json(&json!({"mileage": 1})).bearer(&ann.access);
    let store = installation.database().store();
    thread::scope(|scope| {
        let waiting = store.write(|unit| {
            unit.cars().find_for_update(CarId(car))?;
            let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| server.send(drive))).collect();
            wait_for("all threads to be busy", || has_queue(&server).then_some(()));
            server.send(&Request::get("/health/ready")).json(200);
            assert!(has_queue(&server), "the threads are still busy");
            Ok::<_, StoreError>(waiting)
        });
        for answer in waiting.unwrap() {
            answer.join().unwrap().json(200);
        }
    });
}

#[test]
fn statement_over_its_timeout_returns_503_and_is_logged_once() {
    let installation = Installation::on(TestDatabase::postgres());
    let server = installation.start();
    let ann = accounts::join(&server, "ann");
    let car = hostile_car(&server, &ann.access, 1);
    server.stop();
    let server = installation.start_with("MYCARS__DATABASE__STATEMENT_TIMEOUT_SECONDS", "1");
    let drive = Request::new("PATCH", &format!("/api/cars/{car}/"));
    let drive = drive.json(&json!({"mileage": 1})).bearer(&ann.access);
    let cancelled = installation.database().store().write(|unit| {
        unit.cars().find_for_update(CarId(car))?;
        Ok::<_, StoreError>(server.send(&drive))
    });
    let cancelled = cancelled.unwrap();
    let detail = "The service is not available right now. Please try again later.";
    assert_eq!(cancelled.json(503), json!({"detail": detail}));
    assert_eq!(cancelled.header("Retry-After").as_deref(), Some("2"));
    server.send(&drive).json(200);
    let metrics = server.send(&Request::get("/metrics")).text();
    let counted = "http_route=\"/api/cars/{car_id}/\",http_response_status_code=\"503\"";
    assert!(metrics.contains(counted), "{metrics}");
    let log = server.stop().stderr;
    assert_eq!(log.matches("statement timeout").count(), 1, "{log}");
}
