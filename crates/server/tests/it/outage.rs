//! Stops and restarts PostgreSQL under load: clients get 503 meanwhile, and no acknowledged write is lost.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use mycars_testkit::{PostgresServer, Shutdown};
use serde_json::{Value, json};

use crate::support::{
    Answer, Installation, Request, Server,
    accounts::{PASSWORD, join, login, new_car, plates, registration},
    at_once,
    http::TINY_JPEG,
    wait_for,
};

const CLIENTS: usize = 4;

/// Number of requests in the cycle of a client.
const KINDS: usize = 7;

/// Maximum time until the server is ready after the database is back. It retries at least every second.
const BACK: Duration = Duration::from_secs(20);

#[test]
fn database_outage_returns_503_and_recovers() {
    let postgres = PostgresServer::start();
    let installation = Installation::at(&postgres.url()).with("MYCARS__DATABASE__TIMEOUT_SECONDS", "1");
    let server = installation.start();
    let ann = Ann::on(&server);
    let outage = Outage::default();
    let mut clients: Vec<_> = (0..CLIENTS).map(|number| Client::new(&server, number)).collect();
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| client.send_until_over(&server, &outage));
        }
        // Ends the clients even after a failed assertion.
        let _stop = StopClients(&outage);
        for how in [Shutdown::Fast, Shutdown::Immediate] {
            outage.wait_for_responses(CLIENTS * KINDS);
            outage.change();
            ann.check_interrupted_write(&server, &postgres, how);
            outage.change();
            ann.check_unavailable(&server, how);
            outage.wait_for_responses(CLIENTS);
            outage.change();
            postgres.start_again();
            ann.check_recovery(&server, how);
            outage.change();
        }
        outage.wait_for_responses(CLIENTS * KINDS);
    });
    let faults: Vec<_> = clients
        .iter()
        .flat_map(|client| client.all_faults(&server))
        .collect();
    assert!(
        faults.is_empty(),
        "{} faults, such as\n{}",
        faults.len(),
        faults[..faults.len().min(20)].join("\n")
    );
    let log = server.stop().stderr;
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
    report(&clients);
}

/// The state of the database, which cycles: available, stopping, stopped, starting.
#[derive(Default)]
struct Outage {
    changes: AtomicUsize,
    /// Number of responses since the last change.
    responses: AtomicUsize,
    is_over: AtomicBool,
}

impl Outage {
    fn change(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.responses.store(0, Ordering::SeqCst);
    }

    /// Waits until the clients have received this number of responses in this state.
    fn wait_for_responses(&self, times: usize) {
        wait_for("the responses of the clients", || {
            (self.responses.load(Ordering::SeqCst) >= times).then_some(())
        });
    }

    fn changes(&self) -> usize {
        self.changes.load(Ordering::SeqCst)
    }
}

/// Ends the work of the clients on drop.
struct StopClients<'w>(&'w Outage);

impl Drop for StopClients<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}

/// A client that sends one request to every endpoint during the outage.
struct Ann {
    access: String,
    refresh: String,
    car: Value,
}

impl Ann {
    fn on(server: &Server) -> Self {
        let tokens = join(server, "ann");
        let made = server.send(&new_car(&tokens.access, "B-AB 1")).json(201);
        let path = format!("/api/cars/{}/upload-image/", made["id"]);
        let upload = Request::upload(&path, TINY_JPEG).bearer(&tokens.access);
        Self {
            car: server.send(&upload).json(200),
            access: tokens.access,
            refresh: tokens.refresh,
        }
    }

    /// Stops the database during a write that waits for a locked row.
    fn check_interrupted_write(&self, server: &Server, postgres: &PostgresServer, how: Shutdown) {
        let id = &self.car["id"];
        let drive = Request::new("PATCH", &format!("/api/cars/{id}/"));
        let drive = drive.json(&json!({"mileage": 1})).bearer(&self.access);
        let _locked = postgres.begin(&format!("SELECT FROM cars WHERE id = {id} FOR UPDATE"));
        let answer = thread::scope(|scope| {
            let waiting = scope.spawn(|| server.send(&drive));
            postgres.wait_until_session_is_blocked();
            postgres.stop(how);
            waiting.join().unwrap()
        });
        assert!(
            is_unavailable(&answer),
            "{how:?}, interrupted: {}",
            describe(&drive, &answer)
        );
    }

    /// Requests that need the database.
    fn needs_the_database(&self) -> Vec<Request> {
        let car = format!("/api/cars/{}/", self.car["id"]);
        let passwords = json!({"old_password": PASSWORD, "new_password": "Velvet-harbor-42"});
        let refresh = json!({"refresh": self.refresh});
        let private = [
            Request::get("/api/me/"),
            Request::new("PATCH", "/api/me/").json(&json!({"phone": "1"})),
            Request::get("/api/cars/"),
            Request::get("/api/cars/?limit=1&search=toyota"),
            Request::new("OPTIONS", &car),
            Request::get(&car),
            Request::new("PATCH", &car).json(&json!({"mileage": 1})),
            Request::new("DELETE", &car),
            Request::upload(&format!("{car}upload-image/"), TINY_JPEG),
            Request::new("DELETE", &format!("{car}upload-image/")),
            Request::get("/api/admin/users/"),
            Request::new("PUT", "/api/change-password/").json(&passwords),
            Request::post("/api/logout/", &refresh),
        ];
        let public = [
            Request::get("/health/ready"),
            login("ann", PASSWORD),
            registration("eve", "eve@example.com"),
            Request::post("/api/token/refresh/", &refresh),
            Request::post("/api/token/verify/", &json!({"token": self.refresh})),
        ];
        let mut all: Vec<_> = private
            .into_iter()
            .map(|request| request.bearer(&self.access))
            .collect();
        all.push(new_car(&self.access, "B-AB 2"));
        all.extend(public);
        all
    }

    /// Requests that do not need the database, with their expected status.
    fn needs_no_database(&self) -> [(Request, u16); 8] {
        [
            (Request::get("/health/live"), 200),
            (Request::get("/api/"), 200),
            (Request::get(self.car["image"].as_str().unwrap()), 200),
            (Request::get("/api/nothing/"), 404),
            (Request::get("/api/cars/"), 401),
            (Request::get("/api/cars/").bearer("nonsense"), 401),
            (Request::post("/api/register/", &json!([])), 400),
            (Request::new("DELETE", "/api/token/"), 405),
        ]
    }

    fn check_unavailable(&self, server: &Server, how: Shutdown) {
        for (request, expected) in self.needs_no_database() {
            let status = server.send(&request).status;
            assert_eq!(status, expected, "{how:?}: {} {}", request.method, request.path);
        }
        // The result of a check is used for a second.
        wait_for("the check to notice", || {
            (server.send(&Request::get("/health/ready")).status != 200).then_some(())
        });
        let requests = self.needs_the_database();
        let answers = at_once(requests.len(), |number| server.send(&requests[number]));
        let faults: Vec<_> = requests
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| !is_unavailable(answer))
            .map(|(request, answer)| describe(request, answer))
            .collect();
        assert!(faults.is_empty(), "{how:?}, unavailable:\n{}", faults.join("\n"));
    }

    /// Waits until the server has reconnected by itself. From then on, all requests succeed on every connection.
    fn check_recovery(&self, server: &Server, how: Shutdown) {
        let begun = Instant::now();
        wait_for("the server to be ready", || {
            assert!(begun.elapsed() < BACK, "{how:?}: still unavailable");
            (server.send(&Request::get("/health/ready")).status == 200).then_some(())
        });
        let car = format!("/api/cars/{}/", self.car["id"]);
        for mileage in 0..20 {
            for request in [
                Request::get("/api/cars/"),
                Request::new("PATCH", &car).json(&json!({"mileage": mileage})),
            ] {
                let answer = server.send(&request.clone().bearer(&self.access));
                assert_eq!(
                    answer.status,
                    200,
                    "{how:?}, recovered: {}",
                    describe(&request, &answer)
                );
            }
        }
    }
}

/// Returns whether a response is a 503 that tells the client to retry.
fn is_unavailable(answer: &Answer) -> bool {
    answer.status == 503
        && answer
            .header("Retry-After")
            .is_some_and(|seconds| seconds.parse::<u32>().is_ok())
}

fn describe(request: &Request, answer: &Answer) -> String {
    format!(
        "{} {}: {} {}",
        request.method,
        request.path,
        answer.status,
        answer.text()
    )
}

/// A client that sends one request after the other.
struct Client {
    number: usize,
    access: String,
    car: i64,
    sent: usize,
    /// The plates of the cars whose creation was acknowledged.
    plates: BTreeSet<String>,
    /// The mileage in the last response, and the last one that was sent.
    acknowledged: usize,
    wanted: usize,
    /// Number of responses by status and state.
    statuses: BTreeMap<(&'static str, u16), usize>,
    faults: Vec<String>,
}

impl Client {
    fn new(server: &Server, number: usize) -> Self {
        let access = join(server, &format!("client{number}")).access;
        let car = server.send(&new_car(&access, &format!("C{number}"))).json(201);
        Self {
            number,
            access,
            car: car["id"].as_i64().unwrap(),
            sent: 0,
            plates: BTreeSet::new(),
            acknowledged: 0,
            wanted: 0,
            statuses: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    fn send_until_over(&mut self, server: &Server, outage: &Outage) {
        while !outage.is_over.load(Ordering::SeqCst) {
            self.sent += 1;
            let request = self.request();
            let before = outage.changes();
            let answer = server.send(&request);
            let after = outage.changes();
            if before == after {
                outage.responses.fetch_add(1, Ordering::SeqCst);
            }
            self.note(&answer);
            let when = state_during(before, after);
            *self.statuses.entry((when, answer.status)).or_default() += 1;
            if !is_allowed(when, &answer) {
                self.faults
                    .push(format!("{when}: {}", describe(&request, &answer)));
            }
        }
    }

    fn request(&mut self) -> Request {
        let car = format!("/api/cars/{}/", self.car);
        let request = match self.sent % KINDS {
            0 => return new_car(&self.access, &format!("C{} {}", self.number, self.sent)),
            1 => {
                self.wanted = self.sent;
                Request::new("PATCH", &car).json(&json!({"mileage": self.wanted}))
            }
            2 => return login(&format!("client{}", self.number), PASSWORD),
            3 => Request::get("/api/cars/?limit=3&ordering=-mileage"),
            4 => Request::upload(&format!("{car}upload-image/"), TINY_JPEG),
            5 => Request::get(&car),
            _ => Request::get("/api/me/"),
        };
        request.bearer(&self.access)
    }

    /// Records the write if it was acknowledged.
    fn note(&mut self, answer: &Answer) {
        match (self.sent % KINDS, answer.status) {
            (0, 201) => {
                self.plates.insert(format!("C{} {}", self.number, self.sent));
            }
            (1, 200) => self.acknowledged = self.wanted,
            _ => {}
        }
    }

    /// Returns the faults during and after the outage.
    fn all_faults(&self, server: &Server) -> Vec<String> {
        let mut faults = self.faults.clone();
        let found: BTreeSet<_> = plates(server, &self.access).into_iter().collect();
        faults.extend(
            self.plates
                .difference(&found)
                .map(|plate| format!("{plate} is lost")),
        );
        let path = format!("/api/cars/{}/", self.car);
        let car = server.send(&Request::get(&path).bearer(&self.access)).json(200);
        let mileage = car["mileage"]
            .as_u64()
            .and_then(|mileage| mileage.try_into().ok());
        if ![Some(self.acknowledged), Some(self.wanted)].contains(&mileage) {
            faults.push(format!(
                "{mileage:?} is neither {} nor {}",
                self.acknowledged, self.wanted
            ));
        }
        faults
    }
}

/// Returns the state of the database before and after a request.
fn state_during(before: usize, after: usize) -> &'static str {
    match before % 4 {
        0 if before == after => "available",
        2 if before == after => "unavailable",
        _ => "changing",
    }
}

/// Returns whether a response is allowed: while the database stops or starts, both success and 503 are.
fn is_allowed(when: &str, answer: &Answer) -> bool {
    let is_done = matches!(answer.status, 200 | 201);
    match when {
        "available" => is_done,
        "unavailable" => is_unavailable(answer),
        _ => is_done || is_unavailable(answer),
    }
}

/// Prints the result for `--nocapture`, and checks that the outage happened under load.
#[expect(clippy::print_stderr, reason = "shown only with --nocapture")]
fn report(clients: &[Client]) {
    let mut statuses: BTreeMap<_, usize> = BTreeMap::new();
    for client in clients {
        for (key, count) in &client.statuses {
            *statuses.entry(*key).or_default() += count;
        }
    }
    let made: usize = clients.iter().map(|client| client.plates.len()).sum();
    eprintln!("answers by time and status: {statuses:?}; {made} cars were made");
    for key in [("available", 200), ("available", 201), ("unavailable", 503)] {
        assert!(
            statuses.contains_key(&key),
            "{key:?} was never seen: {statuses:?}"
        );
    }
}
