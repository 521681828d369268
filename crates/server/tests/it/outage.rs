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

/// How many kinds of things a client asks for, one after the other.
const KINDS: usize = 7;

/// How soon the server is back after its database. It tries every second at least.
const BACK: Duration = Duration::from_secs(20);

#[test]
fn database_outage_returns_503_and_recovers() {
    let postgres = PostgresServer::start();
    let installation = Installation::at(&postgres.url()).with("MYCARS__DATABASE__TIMEOUT_SECONDS", "1");
    let server = installation.start();
    let ann = Ann::on(&server);
    let weather = Weather::default();
    let mut clients: Vec<_> = (0..CLIENTS).map(|number| Client::new(&server, number)).collect();
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| client.ask_until_over(&server, &weather));
        }
        // Whatever goes wrong here, the clients come to an end.
        let _over = Over(&weather);
        for how in [Shutdown::Fast, Shutdown::Immediate] {
            weather.lasts_until_asked(CLIENTS * KINDS);
            weather.change();
            ann.is_cut_off_in_the_middle(&server, &postgres, how);
            weather.change();
            ann.is_told_to_wait(&server, how);
            weather.lasts_until_asked(CLIENTS);
            weather.change();
            postgres.start_again();
            ann.is_served_again(&server, how);
            weather.change();
        }
        weather.lasts_until_asked(CLIENTS * KINDS);
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
struct Weather {
    changes: AtomicUsize,
    /// How much was asked and answered since the last change.
    asked: AtomicUsize,
    is_over: AtomicBool,
}

impl Weather {
    fn change(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.asked.store(0, Ordering::SeqCst);
    }

    /// Waits until the clients have asked for so much in this weather.
    fn lasts_until_asked(&self, times: usize) {
        wait_for("the clients to ask", || {
            (self.asked.load(Ordering::SeqCst) >= times).then_some(())
        });
    }

    fn changes(&self) -> usize {
        self.changes.load(Ordering::SeqCst)
    }
}

/// Ends the work of the clients when it is dropped.
struct Over<'w>(&'w Weather);

impl Drop for Over<'_> {
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
    fn is_cut_off_in_the_middle(&self, server: &Server, postgres: &PostgresServer, how: Shutdown) {
        let id = &self.car["id"];
        let drive = Request::new("PATCH", &format!("/api/cars/{id}/"));
        let drive = drive.json(&json!({"mileage": 1})).bearer(&self.access);
        let _locked = postgres.begin(&format!("SELECT FROM cars WHERE id = {id} FOR UPDATE"));
        let answer = thread::scope(|scope| {
            let waiting = scope.spawn(|| server.send(&drive));
            postgres.wait_until_somebody_is_locked_out();
            postgres.stop(how);
            waiting.join().unwrap()
        });
        assert!(
            is_come_back_later(&answer),
            "{how:?}, cut off: {}",
            say(&drive, &answer)
        );
    }

    /// Requests that need the database.
    fn needs_the_database(&self) -> Vec<Request> {
        let car = format!("/api/cars/{}/", self.car["id"]);
        let passwords = json!({"old_password": PASSWORD, "new_password": "Velvet-harbor-42"});
        let refresh = json!({"refresh": self.refresh});
        let hers = [
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
        let anybodys = [
            Request::get("/health/ready"),
            login("ann", PASSWORD),
            registration("eve", "eve@example.com"),
            Request::post("/api/token/refresh/", &refresh),
            Request::post("/api/token/verify/", &json!({"token": self.refresh})),
        ];
        let mut all: Vec<_> = hers
            .into_iter()
            .map(|request| request.bearer(&self.access))
            .collect();
        all.push(new_car(&self.access, "B-AB 2"));
        all.extend(anybodys);
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

    fn is_told_to_wait(&self, server: &Server, how: Shutdown) {
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
            .filter(|(_, answer)| !is_come_back_later(answer))
            .map(|(request, answer)| say(request, answer))
            .collect();
        assert!(faults.is_empty(), "{how:?}, away:\n{}", faults.join("\n"));
    }

    /// The server finds the database again by itself; from then on all is well, whichever connection is used.
    fn is_served_again(&self, server: &Server, how: Shutdown) {
        let begun = Instant::now();
        wait_for("the server to be ready", || {
            assert!(begun.elapsed() < BACK, "{how:?}: still away");
            (server.send(&Request::get("/health/ready")).status == 200).then_some(())
        });
        let car = format!("/api/cars/{}/", self.car["id"]);
        for mileage in 0..20 {
            for request in [
                Request::get("/api/cars/"),
                Request::new("PATCH", &car).json(&json!({"mileage": mileage})),
            ] {
                let answer = server.send(&request.clone().bearer(&self.access));
                assert_eq!(answer.status, 200, "{how:?}, back: {}", say(&request, &answer));
            }
        }
    }
}

/// Returns whether a response is a 503 that tells the client to retry.
fn is_come_back_later(answer: &Answer) -> bool {
    answer.status == 503
        && answer
            .header("Retry-After")
            .is_some_and(|seconds| seconds.parse::<u32>().is_ok())
}

fn say(request: &Request, answer: &Answer) -> String {
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
    asked: usize,
    /// The plates of the cars that were made, as far as it was answered.
    plates: BTreeSet<String>,
    /// The mileage in the last response, and the last one that was sent.
    told: usize,
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
            asked: 0,
            plates: BTreeSet::new(),
            told: 0,
            wanted: 0,
            statuses: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    fn ask_until_over(&mut self, server: &Server, weather: &Weather) {
        while !weather.is_over.load(Ordering::SeqCst) {
            self.asked += 1;
            let request = self.request();
            let before = weather.changes();
            let answer = server.send(&request);
            let after = weather.changes();
            if before == after {
                weather.asked.fetch_add(1, Ordering::SeqCst);
            }
            self.note(&answer);
            let when = when(before, after);
            *self.statuses.entry((when, answer.status)).or_default() += 1;
            if !is_fine(when, &answer) {
                self.faults.push(format!("{when}: {}", say(&request, &answer)));
            }
        }
    }

    fn request(&mut self) -> Request {
        let car = format!("/api/cars/{}/", self.car);
        let request = match self.asked % KINDS {
            0 => return new_car(&self.access, &format!("C{} {}", self.number, self.asked)),
            1 => {
                self.wanted = self.asked;
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
        match (self.asked % KINDS, answer.status) {
            (0, 201) => {
                self.plates.insert(format!("C{} {}", self.number, self.asked));
            }
            (1, 200) => self.told = self.wanted,
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
        if ![Some(self.told), Some(self.wanted)].contains(&mileage) {
            faults.push(format!(
                "{mileage:?} is neither {} nor {}",
                self.told, self.wanted
            ));
        }
        faults
    }
}

/// When something was asked, by the weather before and after.
fn when(before: usize, after: usize) -> &'static str {
    match before % 4 {
        0 if before == after => "there",
        2 if before == after => "away",
        _ => "between",
    }
}

/// While the database goes and comes, some get through and others don't.
fn is_fine(when: &str, answer: &Answer) -> bool {
    let is_done = matches!(answer.status, 200 | 201);
    match when {
        "there" => is_done,
        "away" => is_come_back_later(answer),
        _ => is_done || is_come_back_later(answer),
    }
}

/// Prints the result for `--nocapture`, and checks that the outage happened under load.
#[expect(
    clippy::print_stderr,
    reason = "only whoever asks for it sees what a test prints"
)]
fn report(clients: &[Client]) {
    let mut statuses: BTreeMap<_, usize> = BTreeMap::new();
    for client in clients {
        for (key, count) in &client.statuses {
            *statuses.entry(*key).or_default() += count;
        }
    }
    let made: usize = clients.iter().map(|client| client.plates.len()).sum();
    eprintln!("answers by time and status: {statuses:?}; {made} cars were made");
    for key in [("there", 200), ("there", 201), ("away", 503)] {
        assert!(
            statuses.contains_key(&key),
            "{key:?} was never seen: {statuses:?}"
        );
    }
}
