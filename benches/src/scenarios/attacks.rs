//! Attacks on the availability, with the throttles on: the latency of honest users meanwhile, and the memory and the
//! descriptors of the server. A trusted proxy tells the addresses. The tests of the server attack it in smaller ways.

mod load;

use std::{
    fs,
    io::{Cursor, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use image::{GrayImage, ImageFormat};

use self::load::{Honest, Latencies};
use crate::{
    Outcome,
    bench::Bench,
    database::{ADMIN, BUYER, Database, KINDS, OWNER_OF_20, OWNER_OF_1000, username},
    request::Request,
    server::{Server, wait_until_idle},
};

/// Length of an attack.
const LENGTH: Duration = Duration::from_secs(8);

/// Maximum time that the report waits for the descriptors of an attack to be freed.
const FREED_WITHIN: Duration = Duration::from_mins(1);

/// More connections than a queue of a slow worker pool has places.
const FLOOD: usize = 66;

/// The user that attacks.
const EVE: u64 = BUYER;

/// The name of an attack, and its work until the flag is set. It returns the connections that it keeps open.
struct Attack(&'static str, fn(&Target) -> Vec<TcpStream>);

const ATTACKS: &[Attack] = &[
    Attack("none", |_| {
        thread::sleep(LENGTH);
        Vec::new()
    }),
    Attack("40 hostile searches at once", |target| {
        target.repeat(40, false, |_| target.search())
    }),
    Attack("24 hostile searches that hang up", |target| {
        target.repeat(24, true, |_| target.search())
    }),
    Attack("66 wrong old passwords of one user", |target| {
        target.repeat(FLOOD, false, |_| {
            let body = r#"{"old_password":"wrong","new_password":"Harbour-bridge-19"}"#;
            let request = Request::post("/api/change-password/", "application/json", body);
            Request {
                method: "PUT",
                ..request.bearer(&target.eve)
            }
        })
    }),
    Attack("66 logins from 66 addresses that hang up", |target| {
        target.repeat(FLOOD, true, |_| Request::login(&username(EVE)))
    }),
    Attack("66 registrations with a made-up session", |target| {
        target.repeat(FLOOD, false, |_| {
            Request::post("/api/register/", "application/json", r#"{"password":"x"}"#)
                .header("Cookie", "sessionid=x".to_owned())
        })
    }),
    Attack("66 uploads of 40 megapixels of one user", |target| {
        target.repeat(FLOOD, false, |_| target.upload.clone())
    }),
    Attack("520 chunked bodies without end", |target| {
        let head = "POST /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        target.hold(520, head, Some(b"1\r\na\r\n"))
    }),
    Attack("4 bodies without end at full speed", |target| {
        let head = "POST /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
        target.pour(4, head, chunk.as_bytes())
    }),
    Attack("300 bodies of 1 MiB with a made-up token", |target| {
        let head = "POST /api/cars/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer x\r\n\
            Content-Type: application/json\r\nContent-Length: 1048576\r\n\r\n";
        target.hold(300, &format!("{head}{}", "a".repeat((1 << 20) - 1)), None)
    }),
    Attack("30 slow readers of a list of 20 MB", |target| {
        target.hold(30, &target.list("/api/cars/", "application/json"), None)
    }),
    Attack("30 slow readers of it, indented", |target| {
        target.hold(30, &target.list("/api/cars/", "application/json; indent=8"), None)
    }),
    Attack("30 slow readers of its page of 1000", |target| {
        target.hold(30, &target.list("/api/cars/?limit=1000", "text/html"), None)
    }),
    Attack("30 slow readers of the user with these cars", |target| {
        let user = format!("/api/admin/users/{OWNER_OF_1000}/");
        target.hold(30, &get(&target.admin, &user, "application/json"), None)
    }),
];

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let columns = "database | attack | me p50 ms | p99 ms | login p50 ms | p99 ms | upload p50 ms | p99 ms \
        | readiness p99 ms | refused or failed | peak MiB | descriptors before, at the end | freed after s";
    bench
        .report
        .table("Attacks, with the limits that are the default", columns)?;
    for kind in KINDS {
        let database = bench.database(kind, bench.arguments.few_cars)?;
        add_cars(&database)?;
        for attack in ATTACKS {
            let row = format!("{kind} | {}", attack.0);
            if row.contains(&bench.arguments.row) {
                let server = start(bench, &database)?;
                let cells = measure(&server, attack)?;
                bench.report.row(&format!("{row} | {cells}"))?;
            }
        }
    }
    Ok(())
}

/// Gives the attacker 200 cars for hostile searches, and another user 1000 cars of 20 kB.
fn add_cars(database: &Database) -> Outcome<()> {
    let columns =
        "brand, model, year, license, license_key, mileage, notes, search_key, created_at, updated_at";
    for (owner, count, notes) in [(EVE, 200, "a"), (OWNER_OF_1000, 1000, "ü")] {
        let notes = notes.repeat(10_000);
        database.execute(&format!(
            "DELETE FROM cars WHERE owner_id = {owner};
            INSERT INTO cars (owner_id, {columns})
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}),
            long (notes) AS (VALUES ('{notes}'))
            SELECT {owner}, 'Toyota', 'Camry', 2023, 'x-{owner}-' || CAST(i AS TEXT),
                'x-{owner}-' || CAST(i AS TEXT), 0, notes, 'toyota' || notes, {moment}, {moment}
            FROM n CROSS JOIN long",
            moment = "(SELECT created_at FROM users WHERE id = 2)"
        ))?;
    }
    Ok(())
}

/// Starts My Cars with the throttles and quotas of the defaults.
fn start(bench: &Bench, database: &Database) -> Outcome<Server> {
    let mut command = database.command(&bench.arguments.mycars);
    for setting in ["MYCARS__THROTTLE__ENABLED", "MYCARS__QUOTAS__CARS_PER_USER"] {
        command.env_remove(setting);
    }
    command.env("MYCARS__SERVER__TRUSTED_PROXIES", "127.0.0.1");
    Server::start(command, database.folder.join("attacked.log"))
}

/// Attacks a server, and returns the cells of the report.
fn measure(server: &Server, attack: &Attack) -> Outcome<String> {
    let target = Target::new(server)?;
    let honest = Honest::new(server, &target.honest)?;
    wait_until_idle(|| server.cpu())?;
    let before = server.descriptors()?;
    let is_over = AtomicBool::new(false);
    let (held, latencies) = thread::scope(|scope| {
        let attacker = scope.spawn(|| attack.1(&target));
        let latencies = honest.measure(&is_over, scope);
        thread::sleep(LENGTH);
        is_over.store(true, Ordering::Relaxed);
        let latencies: Vec<Latencies> = latencies.into_iter().filter_map(|it| it.join().ok()).collect();
        (attacker.join().unwrap_or_default(), latencies)
    });
    let (ended, during) = (Instant::now(), server.descriptors()?);
    // Few connections of the client stay open.
    while server.descriptors()? > before + 8 && ended.elapsed() < FREED_WITHIN {
        thread::sleep(Duration::from_millis(200));
    }
    let freed = ended.elapsed().as_secs_f64();
    drop(held);
    let peak = server.memory()?[1] * 1e6 / f64::from(1 << 20);
    let cells: Vec<String> = latencies.iter().map(Latencies::cells).collect();
    let failed: Vec<String> = latencies.iter().filter_map(Latencies::failures).collect();
    Ok(format!(
        "{} | {} | {peak:.0} | {before}, {during} | {freed:.1}",
        cells.join(" | "),
        failed.join(", ")
    ))
}

/// A server under attack, and what the attackers have.
struct Target {
    address: String,
    started: Instant,
    /// The access tokens of the attacker, of the user with the long list, and of an admin.
    eve: String,
    owner_of_1000: String,
    admin: String,
    honest: String,
    upload: Request,
    search: String,
}

impl Target {
    fn new(server: &Server) -> Outcome<Self> {
        let client = &server.client;
        let eve = client.token(&username(EVE))?;
        let cars = client.json(&Request::get("/api/cars/?limit=1").bearer(&eve), 0)?;
        let car = format!("/api/cars/{}/", cars["results"][0]["id"]);
        let mut picture = Cursor::new(Vec::new());
        GrayImage::new(8000, 5000).write_to(&mut picture, ImageFormat::Png)?;
        // A server may limit the length.
        let word = |length: usize| format!("/api/cars/?limit=1&search={}b", "a".repeat(length - 1));
        let is_refused = {
            let longest = Request::get(format!("{}&limit=1&brand=none", word(1000))).bearer(&eve);
            client.send(&longest, 0)?.status() == 400
        };
        Ok(Self {
            address: client.url.trim_start_matches("http://").to_owned(),
            upload: Request::upload(&[car], picture.get_ref()).bearer(&eve),
            owner_of_1000: client.token(&username(OWNER_OF_1000))?,
            admin: client.token(ADMIN)?,
            honest: client.token(&username(OWNER_OF_20))?,
            search: word(if is_refused { 100 } else { 1000 }),
            eve,
            started: Instant::now(),
        })
    }

    fn search(&self) -> Request {
        Request::get(&self.search).bearer(&self.eve)
    }

    fn list(&self, path: &str, accept: &str) -> String {
        get(&self.owner_of_1000, path, accept)
    }

    fn lasts(&self) -> bool {
        self.started.elapsed() < LENGTH
    }

    /// Connects, and gives up writing to a server that does not read.
    fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect(&self.address).ok()?;
        stream.set_write_timeout(Some(Duration::from_secs(2))).ok()?;
        stream.set_read_timeout(Some(LENGTH)).ok()?;
        Some(stream)
    }

    /// Sends requests over several connections, each from an address of its own, and waits for each response or hangs
    /// up after 0.3 seconds.
    fn repeat(
        &self,
        connections: usize,
        hangs_up: bool,
        request: impl Fn(usize) -> Request + Sync,
    ) -> Vec<TcpStream> {
        let attack = |number: usize| {
            let request = raw(&request(number), &format!("203.0.113.{number}"));
            while self.lasts() {
                let Some(mut stream) = self.connect() else {
                    continue;
                };
                if stream.write_all(&request).is_err() {
                    continue;
                }
                if hangs_up {
                    thread::sleep(Duration::from_millis(300));
                } else {
                    std::io::copy(&mut stream, &mut std::io::sink()).ok();
                }
            }
        };
        let attack = &attack;
        thread::scope(|scope| (1..=connections).for_each(|number| drop(scope.spawn(move || attack(number)))));
        Vec::new()
    }

    /// Opens connections, sends the beginning of something, and a little more each second. Never reads.
    fn hold(&self, connections: usize, head: &str, more: Option<&[u8]>) -> Vec<TcpStream> {
        let mut open: Vec<TcpStream> = (0..connections).filter_map(|_| self.connect()).collect();
        for stream in &mut open {
            stream.write_all(head.as_bytes()).ok();
        }
        while self.lasts() {
            thread::sleep(Duration::from_secs(1));
            for stream in &mut open {
                stream.write_all(more.unwrap_or_default()).ok();
            }
        }
        open
    }

    /// Sends the same over several connections as fast as the server takes it.
    fn pour(&self, connections: usize, head: &str, chunk: &[u8]) -> Vec<TcpStream> {
        let pour = || {
            while self.lasts() {
                let Some(mut stream) = self.connect() else {
                    continue;
                };
                stream.write_all(head.as_bytes()).ok();
                while self.lasts() && stream.write_all(chunk).is_ok() {}
            }
        };
        thread::scope(|scope| (0..connections).for_each(|_| drop(scope.spawn(pour))));
        Vec::new()
    }
}

fn get(token: &str, path: &str, accept: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nAccept: {accept}\r\n\r\n"
    )
}

/// Returns the bytes of a request from an address, after which the server closes the connection.
fn raw(request: &Request, address: &str) -> Vec<u8> {
    let headers = request.headers.iter();
    let headers: Vec<String> = headers
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Forwarded-For: {address}\r\n\
        Content-Length: {}\r\n{headers}\r\n",
        request.method,
        request.paths[0],
        request.body.len(),
        headers = headers.concat()
    );
    [head.as_bytes(), &request.body].concat()
}

impl Server {
    /// Returns the number of open descriptors.
    fn descriptors(&self) -> Outcome<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.id()))?.count())
    }
}
