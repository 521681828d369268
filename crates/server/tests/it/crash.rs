//! Kills the server repeatedly while clients write. Acknowledged writes must exist afterwards, other writes
//! may exist, each picture that a row names must exist, and the audit log must match the rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    Answer, Client, Installation, Request, Server,
    accounts::{join, log_in, new_car},
    http::TINY_JPEG,
    installation::SUPERUSER_PASSWORD,
    on_both_databases,
    random::{Random, how_to_repeat, seed},
};

on_both_databases!(
    acknowledged_writes_survive_every_kill,
    history_matches_cars_after_every_kill,
);

const ROUNDS: usize = 20;

/// Number of kills before the audit log is read.
const ROUNDS_OF_HISTORY: usize = 10;

const WRITERS: usize = 4;

/// Maximum number of cars of a writer: enough for a choice, and few enough to compare all after each round.
const CARS: usize = 8;

/// A time longer than the hour in which the sweep ignores pictures.
const LONG_AGO: Duration = Duration::from_hours(2);

fn acknowledged_writes_survive_every_kill(installation: &Installation) {
    let seed = seed();
    let (server, writers) = write_and_kill(installation, seed, ROUNDS);
    server.stop();
    let orphans = sweep(installation, &writers);
    report(installation, &writers, orphans, seed);
}

fn history_matches_cars_after_every_kill(installation: &Installation) {
    let seed = seed();
    installation.create_superuser("root");
    let (server, writers) = write_and_kill(installation, seed, ROUNDS_OF_HISTORY);
    let there: BTreeMap<_, _> = writers.into_iter().flat_map(|writer| writer.cars).collect();
    let entries = history_of_cars(&server);
    let actions: BTreeSet<_> = entries.iter().map(|entry| text(entry, "action")).collect();
    assert_eq!(actions, ["changed", "created", "deleted"].into());
    match replay(&entries) {
        Ok(told) => assert_eq!(told, there, "{}", how_to_repeat(seed)),
        Err(fault) => panic!("{fault}\n{}", how_to_repeat(seed)),
    }
}

/// Kills the server this many times while writers write, and returns the server that was started last.
fn write_and_kill(installation: &Installation, seed: u64, rounds: usize) -> (Server, Vec<Writer>) {
    let mut server = installation.start();
    let mut writers: Vec<_> = (0..WRITERS)
        .map(|number| Writer::new(&server, seed, number))
        .collect();
    let mut moments = Random::new(seed, WRITERS);
    for round in 1..=rounds {
        let moment = Duration::from_millis(30 + u64::try_from(moments.below(170)).unwrap());
        write_until_killed(&mut writers, server, moment);
        installation.database().wait_until_unused();
        server = installation.start();
        for (number, writer) in writers.iter_mut().enumerate() {
            if let Err(fault) = writer.compare(&server) {
                panic!("round {round}, writer {number}: {fault}\n{}", how_to_repeat(seed));
            }
        }
    }
    (server, writers)
}

/// Lets all writers write, and kills the server after a while.
fn write_until_killed(writers: &mut [Writer], server: Server, moment: Duration) {
    let client = &server.client().clone();
    let is_killed = &AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in writers {
            scope.spawn(|| writer.write_until(client, is_killed));
        }
        thread::sleep(moment);
        is_killed.store(true, Ordering::SeqCst);
        server.kill();
    });
}

/// A user with the acknowledged state of their cars. Only this user writes them, one write at a time, so the
/// expected state is known.
struct Writer {
    access: String,
    number: usize,
    random: Random,
    cars: BTreeMap<i64, Car>,
    /// The write without a response in this round.
    unanswered: Option<Write>,
    figures: Figures,
}

#[derive(Debug, Default)]
struct Figures {
    answered: usize,
    unanswered: usize,
    /// Number of writes without a response that were applied.
    done_unanswered: usize,
    /// Number of answered writes of each kind.
    kinds: BTreeMap<&'static str, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Car {
    license: String,
    mileage: i64,
    image: Option<String>,
}

#[derive(Debug, Clone)]
enum Write {
    Create { license: String },
    Drive { id: i64, mileage: i64 },
    Delete { id: i64 },
    Upload { id: i64 },
    RemoveImage { id: i64 },
}

impl Writer {
    fn new(server: &Server, seed: u64, number: usize) -> Self {
        Self {
            access: join(server, &format!("writer{number}")).access,
            number,
            random: Random::new(seed, number),
            cars: BTreeMap::new(),
            unanswered: None,
            figures: Figures::default(),
        }
    }

    fn write_until(&mut self, client: &Client, is_killed: &AtomicBool) {
        loop {
            let write = self.next();
            match client.send(&write.request(&self.access)) {
                Ok(answer) => self.keep(&write, &answer),
                Err(error) => {
                    assert!(is_killed.load(Ordering::SeqCst), "{write:?}: {error}");
                    self.unanswered = Some(write);
                    self.figures.unanswered += 1;
                    return;
                }
            }
        }
    }

    fn next(&mut self) -> Write {
        let ids: Vec<i64> = self.cars.keys().copied().collect();
        let choice = self.random.below(10);
        if ids.len() < 2 || ids.len() < CARS && choice < 2 {
            let license = format!("K{} {:x}", self.number, self.random.number() & 0xffff_ffff);
            return Write::Create { license };
        }
        let id = *self.random.pick(&ids);
        match choice {
            0..=2 => Write::Delete { id },
            3..=4 => Write::RemoveImage { id },
            5..=7 => Write::Upload { id },
            _ => Write::Drive {
                id,
                mileage: self.cars[&id].mileage + 1,
            },
        }
    }

    /// Records an acknowledged write.
    fn keep(&mut self, write: &Write, answer: &Answer) {
        assert!(
            (200..300).contains(&answer.status),
            "{write:?}: {} {}",
            answer.status,
            answer.text()
        );
        self.figures.answered += 1;
        *self.figures.kinds.entry(write.kind()).or_default() += 1;
        match *write {
            Write::Create { .. } | Write::Drive { .. } | Write::Upload { .. } => {
                let (id, car) = read(&answer.json(answer.status));
                self.cars.insert(id, car);
            }
            Write::Delete { id } => {
                self.cars.remove(&id);
            }
            Write::RemoveImage { id } => self.cars.get_mut(&id).unwrap().image = None,
        }
    }

    /// Compares the stored cars with the expected ones, and continues from the stored ones.
    fn compare(&mut self, server: &Server) -> Result<(), String> {
        let list = server
            .send(&Request::get("/api/cars/").bearer(&self.access))
            .json(200);
        let found: BTreeMap<_, _> = list.as_array().unwrap().iter().map(read).collect();
        let ids: BTreeSet<_> = self.cars.keys().chain(found.keys()).collect();
        let changed: Vec<_> = ids
            .into_iter()
            .filter(|id| self.cars.get(id) != found.get(id))
            .collect();
        let unanswered = self.unanswered.take();
        for id in &changed {
            let (before, after) = (self.cars.get(id), found.get(id));
            if !unanswered
                .as_ref()
                .is_some_and(|write| write.explains(**id, before, after))
            {
                return Err(format!(
                    "car {id} was {before:?}, and is {after:?} ({unanswered:?})"
                ));
            }
        }
        // One write changes one car.
        if changed.len() > 1 {
            return Err(format!("{changed:?} were changed by {unanswered:?}"));
        }
        self.figures.done_unanswered += changed.len();
        self.cars = found;
        self.images().try_for_each(|image| is_served(server, image))
    }

    fn images(&self) -> impl Iterator<Item = &str> {
        self.cars.values().filter_map(|car| car.image.as_deref())
    }
}

/// Returns the entries of the audit log about cars, the oldest first.
fn history_of_cars(server: &Server) -> Vec<Value> {
    let access = log_in(server, "root", SUPERUSER_PASSWORD).access;
    let mut entries = Vec::new();
    loop {
        let path = format!(
            "/api/admin/history/?object_type=car&ordering=at&limit=500&offset={}",
            entries.len()
        );
        let page = server.send(&Request::get(&path).bearer(&access)).json(200);
        entries.extend(page["results"].as_array().unwrap().iter().cloned());
        if page["next"].is_null() {
            assert_eq!(page["count"], entries.len());
            return entries;
        }
    }
}

/// Returns the cars that follow from the entries: each car is created once and first, each entry begins with
/// the state that the entry before it left, and a deleted car leaves no state.
fn replay(entries: &[Value]) -> Result<BTreeMap<i64, Car>, String> {
    let mut told: BTreeMap<i64, BTreeMap<&str, &Value>> = BTreeMap::new();
    for entry in entries {
        let id = text(entry, "object_id").parse().unwrap();
        let is_new = !told.contains_key(&id);
        let car = told.entry(id).or_default();
        let is_there = !car.is_empty();
        if is_new != (entry["action"] == "created") || is_there == is_new {
            return Err(format!("car {id} was {car:?} before {entry}"));
        }
        for change in entry["changes"].as_array().unwrap() {
            let field = text(change, "field");
            if car.remove(field).unwrap_or(&Value::Null) != &change["before"] {
                return Err(format!("{field} of car {id} was not what it was before {entry}"));
            }
            if !change["after"].is_null() {
                car.insert(field, &change["after"]);
            }
        }
        if car.is_empty() != (entry["action"] == "deleted") {
            return Err(format!("car {id} is {car:?} after {entry}"));
        }
    }
    told.retain(|_, car| !car.is_empty());
    let cars = told.into_iter().map(|(id, car)| {
        let read = Car {
            license: car["license"].as_str().unwrap().to_owned(),
            mileage: car["mileage"].as_i64().unwrap(),
            image: car.get("image").map(|image| image.as_str().unwrap().to_owned()),
        };
        (id, read)
    });
    Ok(cars.collect())
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap()
}

fn is_served(server: &Server, image: &str) -> Result<(), String> {
    let answer = server.send(&Request::get(image));
    let is_jpeg = answer.body.starts_with(&[0xff, 0xd8]) && answer.body.ends_with(&[0xff, 0xd9]);
    if answer.status == 200 && is_jpeg {
        return Ok(());
    }
    Err(format!(
        "{image} is named by a row: {} {:?}",
        answer.status,
        answer.text()
    ))
}

fn read(car: &Value) -> (i64, Car) {
    let text = |name: &str| car[name].as_str().map(str::to_owned);
    let read = Car {
        license: text("license").unwrap(),
        mileage: car["mileage"].as_i64().unwrap(),
        image: text("image"),
    };
    (car["id"].as_i64().unwrap(), read)
}

impl Write {
    fn request(&self, access: &str) -> Request {
        let car = |method: &str, id: &i64| Request::new(method, &format!("/api/cars/{id}/"));
        let image = |id: &i64| format!("/api/cars/{id}/upload-image/");
        match self {
            Self::Create { license } => return new_car(access, license),
            Self::Drive { id, mileage } => car("PATCH", id).json(&json!({"mileage": mileage})),
            Self::Delete { id } => car("DELETE", id),
            Self::Upload { id } => Request::upload(&image(id), TINY_JPEG),
            Self::RemoveImage { id } => Request::new("DELETE", &image(id)),
        }
        .bearer(access)
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Drive { .. } => "drive",
            Self::Delete { .. } => "delete",
            Self::Upload { .. } => "upload",
            Self::RemoveImage { .. } => "remove image",
        }
    }

    /// Returns whether the write would turn a car into the stored one, completely.
    fn explains(&self, car: i64, before: Option<&Car>, after: Option<&Car>) -> bool {
        match (self, before, after) {
            (Self::Create { license }, None, Some(after)) => after.license == *license && after.mileage == 0,
            (Self::Delete { id }, Some(_), None) => *id == car,
            (Self::Drive { id, mileage }, Some(before), Some(after)) => {
                *id == car
                    && *after
                        == Car {
                            mileage: *mileage,
                            ..before.clone()
                        }
            }
            (Self::Upload { id }, Some(before), Some(after)) => {
                let image = after.image.clone();
                *id == car
                    && image.is_some()
                    && *after
                        == Car {
                            image,
                            ..before.clone()
                        }
            }
            (Self::RemoveImage { id }, Some(before), Some(after)) => {
                *id == car
                    && *after
                        == Car {
                            image: None,
                            ..before.clone()
                        }
            }
            _ => false,
        }
    }
}

/// Sweeps the media folder after all leftovers are old enough, and returns their number. Only pictures that
/// rows name may remain.
fn sweep(installation: &Installation, writers: &[Writer]) -> usize {
    let folder = installation.path("data/media/cars");
    // Leftovers of the last kill: a picture without a row, and a partial file.
    for name in ["car_1_0123456789abcdef0123456789abcdef.jpg", ".tmp-Xy12Zz"] {
        fs::write(folder.join(name), TINY_JPEG).unwrap();
    }
    age(&folder);
    let before = files(&folder);
    let named = writers
        .iter()
        .flat_map(Writer::images)
        .map(|image| image.rsplit_once('/').unwrap().1.to_owned());
    let named: BTreeSet<_> = named.collect();
    let orphans = before
        .difference(&named)
        .filter(|name| !name.starts_with('.'))
        .count();
    let said = installation.run(&["sweepmedia", "--force"]).success();
    assert!(said.starts_with(&format!("Moved {orphans} picture")), "{said}");
    assert_eq!(files(&folder), named);
    orphans
}

fn files(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = File::options().append(true).open(entry.unwrap().path()).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - LONG_AGO).unwrap();
    }
}

/// Prints the result for `--nocapture`, and checks that there were writes that had to survive.
#[expect(clippy::print_stderr, reason = "shown only with --nocapture")]
fn report(installation: &Installation, writers: &[Writer], orphans: usize, seed: u64) {
    let mut all = Figures::default();
    for Writer { figures, .. } in writers {
        all.answered += figures.answered;
        all.unanswered += figures.unanswered;
        all.done_unanswered += figures.done_unanswered;
        for (kind, count) in &figures.kinds {
            *all.kinds.entry(kind).or_default() += count;
        }
    }
    let database = installation.database().url();
    let scheme = database.split(':').next().unwrap();
    let line = format!("{scheme}: {ROUNDS} kills, {all:?}, {orphans} orphans swept, seed {seed}");
    eprintln!("{line}");
    assert_eq!(all.kinds.len(), 5, "not every kind of write was answered: {line}");
    assert!(all.answered >= ROUNDS * WRITERS, "too few writes: {line}");
}
