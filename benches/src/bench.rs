//! The state that all scenarios share: the arguments, the PostgreSQL server, the databases, the report.

use std::{
    collections::BTreeSet,
    fs::File,
    io,
    path::{self, Path, PathBuf},
    process::Command,
};

use clap::{Parser, ValueEnum, value_parser};

use crate::{
    Outcome,
    database::{Database, Kind},
    load::{Load, Results, output},
    photograph,
    postgres::Cluster,
    report::Report,
    request::Request,
    server::Server,
};

/// Measures My Cars on PostgreSQL and SQLite, next to a bare reference server that reads the same cars.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// The scenarios to run [default: all].
    pub(crate) scenarios: Vec<Scenario>,
    #[command(flatten)]
    pub(crate) load: Load,
    /// Number of measurements of each row. The programs that are compared take turns; the median counts.
    #[arg(long, default_value_t = 3)]
    pub(crate) repetitions: usize,
    /// Number of users.
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u64).range(100..=99_999))]
    pub(crate) users: u64,
    /// Number of cars.
    #[arg(long, default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1000..=99_999_999))]
    pub(crate) cars: u64,
    /// Number of cars in the small database of the scenario `growth`.
    #[arg(long, default_value_t = 1000, value_parser = value_parser!(u64).range(1000..=99_999_999))]
    pub(crate) few_cars: u64,
    /// Measures only rows whose name contains this text.
    #[arg(long, default_value = "")]
    pub(crate) row: String,
    /// Number of concurrent logins in the scenario `storm`.
    #[arg(long, default_value_t = 16)]
    pub(crate) logins: usize,
    /// Number of uploads in the scenario `memory`.
    #[arg(long, default_value_t = 1000)]
    pub(crate) uploads: usize,
    /// Reuses the databases of the last run if they have the same size.
    #[arg(long)]
    pub(crate) reuse: bool,
    /// The folder of the databases, the logs and the report, on a real disk.
    #[arg(long, default_value = "target/bench", value_parser = absolute)]
    pub(crate) folder: PathBuf,
    /// The release binary of My Cars.
    #[arg(long, default_value = "target/release/mycars", value_parser = absolute)]
    pub(crate) mycars: PathBuf,
    /// The release binary of the reference server.
    #[arg(long, default_value = "target/release/mycars-reference", value_parser = absolute)]
    pub(crate) reference: PathBuf,
    /// Log level of My Cars.
    #[arg(long, default_value = "info")]
    log_level: String,
    /// Another setting of My Cars, such as `MYCARS__PASSWORDS__THREADS=2`.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
}

fn variable(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("it has no =")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn absolute(path: &str) -> io::Result<PathBuf> {
    path::absolute(path)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Throughput, latency, processor time and memory for each path.
    Rows,
    /// Reads during many concurrent logins.
    Storm,
    /// Reads with few cars and with many cars.
    Growth,
    /// The statements of each request, and their plans.
    Queries,
    /// Memory when idle, and during uploads.
    Memory,
    /// Time until the server is ready.
    Start,
    /// Time of an upload, compared with decoding and encoding alone.
    Upload,
    /// Latency of honest users, memory and descriptors during attacks.
    Attacks,
    /// Latency of writes during backups.
    Backups,
    /// Requests for a new password of known and unknown e-mail addresses.
    Resets,
}

pub(crate) struct Bench {
    pub(crate) arguments: Arguments,
    pub(crate) cluster: Cluster,
    pub(crate) photograph: Vec<u8>,
    pub(crate) report: Report,
    /// The folders of the databases that are ready.
    ready: BTreeSet<PathBuf>,
}

impl Bench {
    pub(crate) fn new(arguments: Arguments) -> Outcome<Self> {
        let folder = &arguments.folder;
        let mut bench = Self {
            cluster: Cluster::start(&folder.join("postgres"), arguments.reuse)?,
            photograph: photograph::jpeg()?,
            report: Report(File::create(folder.join("report.md"))?),
            arguments,
            ready: BTreeSet::new(),
        };
        bench.report.add(&bench.introduction())?;
        Ok(bench)
    }

    /// Describes the machine, the programs and the arguments.
    fn introduction(&self) -> String {
        let commands = [
            "nproc",
            "uname -sr",
            "postgres --version",
            "rustc --version",
            "git describe --always --dirty",
        ];
        let run = |command: &&str| output(Command::new("sh").args(["-c", command])).unwrap_or_default();
        let output: Vec<String> = commands.iter().map(run).collect();
        let bytes = self.photograph.len();
        format!(
            "# Benchmark\n\n```text\n{}{:#?}\nphotograph: {bytes} bytes\n```",
            output.concat(),
            self.arguments
        )
    }

    /// Returns the database with this number of cars, and creates it on the first call.
    pub(crate) fn database(&mut self, kind: Kind, cars: u64) -> Outcome<Database> {
        let arguments = &self.arguments;
        let database = Database::new(kind, &self.cluster, &arguments.folder, arguments.users, cars);
        if !self.ready.contains(&database.folder) {
            database.create(&arguments.mycars, &self.cluster, arguments.reuse)?;
            self.ready.insert(database.folder.clone());
        }
        Ok(database)
    }

    /// Starts My Cars or the reference server.
    pub(crate) fn serve(&self, program: &Path, database: &Database) -> Outcome<Server> {
        let mut command = database.command(program);
        command.env("MYCARS__LOG__LEVEL", &self.arguments.log_level);
        command.envs(self.arguments.variables.iter().cloned());
        let name = program.file_name().unwrap_or_default();
        Server::start(command, database.folder.join(name).with_extension("log"))
    }

    /// Measures a server with the load of the arguments.
    pub(crate) fn wrk(&self, server: &Server, request: &Request) -> Outcome<Results> {
        let arguments = &self.arguments;
        server.truncate_log()?;
        arguments.load.wrk(&arguments.folder, &server.client.url, request)
    }
}
