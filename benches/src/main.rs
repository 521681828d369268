//! Measures the release binary of My Cars on PostgreSQL and SQLite, beside a bare server that reads the same, and
//! writes a report. `scripts/bench` builds what it needs and runs it; docs/performance.md says what is measured.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what it is for"
)]

mod client;
mod database;
mod load;
mod picture;
mod postgres;
mod process;
mod report;
mod rows;
mod scenarios;
mod site;

use std::{
    collections::BTreeSet,
    error::Error,
    fs::{self, File},
    path::{self, PathBuf},
    process::{Command, ExitCode},
};

use clap::{Parser, ValueEnum};

use crate::{
    database::{Database, Kind, Size},
    load::{Load, output},
    postgres::Cluster,
    process::Programs,
    report::Report,
};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures My Cars on PostgreSQL and SQLite, beside a bare server that reads the same.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// What to measure; everything if nothing is named.
    scenarios: Vec<Scenario>,
    #[command(flatten)]
    load: Load,
    /// How often each row is measured. All that is compared in a row takes turns; what counts is the median.
    #[arg(long, default_value_t = 3)]
    repetitions: u32,
    /// How many users there are.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=99_999))]
    users: u64,
    /// How many cars there are.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..=99_999_999))]
    cars: u64,
    /// The cars of the small database that growth is compared with.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1000..=99_999_999))]
    few_cars: u64,
    /// Only rows whose name contains this.
    #[arg(long, default_value = "")]
    row: String,
    /// How many logins there are at once in a storm.
    #[arg(long, default_value_t = 16)]
    logins: usize,
    /// How many pictures are uploaded while memory is watched, 32 at once.
    #[arg(long, default_value_t = 1000)]
    uploads: usize,
    /// What My Cars logs.
    #[arg(long, default_value = "info")]
    log_level: String,
    /// Uses the databases of the last run again if they are as large.
    #[arg(long)]
    reuse: bool,
    /// Where databases, pictures, logs and the report are: on a real disk.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// The release binary of My Cars.
    #[arg(long, default_value = "target/release/mycars")]
    mycars: PathBuf,
    /// The release binary of the reference.
    #[arg(long, default_value = "target/release/mycars-reference")]
    reference: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// All of them.
    All,
    /// Requests per second, latency, processor time and memory, for each path.
    Rows,
    /// Reads while many log in.
    Storm,
    /// Reads with few cars and with many.
    Growth,
    /// The statements of each request, and how the databases run them.
    Queries,
    /// Idle, and during uploads.
    Memory,
    /// From the start to the first answer.
    Start,
    /// An upload, and what of it is decoding and encoding.
    Upload,
}

/// What every scenario needs.
pub(crate) struct Bench {
    pub(crate) arguments: Arguments,
    pub(crate) programs: Programs,
    pub(crate) cluster: Cluster,
    pub(crate) folder: PathBuf,
    pub(crate) picture: Vec<u8>,
    pub(crate) report: Report,
    /// The folders of the databases that this run has made.
    made: BTreeSet<PathBuf>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Outcome<()> {
    let folder = path::absolute(&arguments.folder)?;
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.try_lock()
        .map_err(|_| format!("another benchmark runs in {}", folder.display()))?;
    let mut bench = Bench {
        programs: Programs {
            mycars: path::absolute(&arguments.mycars)?,
            reference: path::absolute(&arguments.reference)?,
            log_level: arguments.log_level.clone(),
        },
        cluster: Cluster::start(&folder.join("postgres"), !arguments.reuse)?,
        picture: picture::photograph()?,
        report: Report::new(folder.clone()),
        arguments,
        folder,
        made: BTreeSet::new(),
    };
    bench.introduce()?;
    for scenario in Scenario::value_variants() {
        if bench.is_wanted(*scenario) {
            bench.run(*scenario)?;
        }
    }
    bench.report.finish()
}

impl Bench {
    fn is_wanted(&self, scenario: Scenario) -> bool {
        let named = &self.arguments.scenarios;
        named.is_empty() || named.contains(&Scenario::All) || named.contains(&scenario)
    }

    fn run(&mut self, scenario: Scenario) -> Outcome<()> {
        match scenario {
            Scenario::All => Ok(()),
            Scenario::Rows => scenarios::rows::run(self),
            Scenario::Storm => scenarios::storm::run(self),
            Scenario::Growth => scenarios::growth::run(self),
            Scenario::Queries => scenarios::queries::run(self),
            Scenario::Memory => scenarios::memory::run(self),
            Scenario::Start => scenarios::start::run(self),
            Scenario::Upload => scenarios::upload::run(self),
        }
    }

    /// Says what is measured, and on what.
    fn introduce(&mut self) -> Outcome<()> {
        let said = |program: &str, arguments: &[&str]| {
            output(Command::new(program).args(arguments)).map_or_else(
                |_| "unknown".to_owned(),
                |text| text.lines().next().unwrap_or_default().trim().to_owned(),
            )
        };
        let cores = std::thread::available_parallelism()?;
        let postgres = self.cluster.binaries.join("postgres").display().to_string();
        let arguments = &self.arguments;
        let lines = [
            format!("- {cores} cores, Linux {}", said("uname", &["-r"])),
            format!(
                "- {}; {}; {}",
                said(&postgres, &["--version"]),
                said("rustc", &["--version"]),
                wrk_version()
            ),
            format!("- commit {}", said("git", &["describe", "--always", "--dirty"])),
            format!(
                "- load: wrk with {} thread(s), {} connections kept alive, {} s, {} repetition(s), medians",
                arguments.load.threads,
                arguments.load.connections,
                arguments.load.seconds,
                arguments.repetitions
            ),
            format!(
                "- My Cars: production settings, log level `{}` as JSON to a file, throttles off, bcrypt with its \
                 default cost",
                arguments.log_level
            ),
            "- PostgreSQL: default settings, fsync and synchronous_commit on, through a socket; SQLite: WAL, \
             synchronous = FULL"
                .to_owned(),
            format!("- {} users, {} cars", arguments.users, arguments.cars),
            format!("- the picture: 4000 × 3000 pixels, {} bytes", self.picture.len()),
        ];
        self.report.line(&format!("# Benchmark\n\n{}", lines.join("\n")))
    }

    /// A database with all the cars, made where it is not there yet.
    pub(crate) fn database(&mut self, kind: Kind) -> Outcome<Database> {
        self.database_of(kind, "large", self.arguments.cars)
    }

    /// A database with few cars.
    pub(crate) fn small_database(&mut self, kind: Kind) -> Outcome<Database> {
        self.database_of(kind, "small", self.arguments.few_cars)
    }

    fn database_of(&mut self, kind: Kind, name: &str, cars: u64) -> Outcome<Database> {
        let folder = self.folder.join(match kind {
            Kind::Postgres => format!("postgres-{name}"),
            Kind::Sqlite => format!("sqlite-{name}"),
        });
        let database = Database {
            kind,
            url: match kind {
                Kind::Postgres => self.cluster.url(name),
                Kind::Sqlite => format!("sqlite://{}", folder.join("cars.sqlite3").display()),
            },
            folder,
            size: Size {
                users: self.arguments.users,
                cars,
            },
        };
        if self.made.insert(database.folder.clone()) {
            database.make(&self.programs, &self.cluster, self.arguments.reuse)?;
            fs::write(database.folder.join("photograph.jpg"), &self.picture)?;
        }
        Ok(database)
    }
}

fn wrk_version() -> String {
    // It ends with an error after it has said so.
    let said = Command::new("wrk").arg("-v").output();
    let text = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let words: Vec<String> = text
        .unwrap_or_default()
        .split_whitespace()
        .take(2)
        .map(str::to_owned)
        .collect();
    words.join(" ")
}
