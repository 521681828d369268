//! Checks CSV files of cars by the rules of My Cars. An example of another program that reuses the domain: it knows the
//! value objects and their rules, and nothing of users, databases and HTTP.
//!
//! - [`check`]: reads rows and holds them against the domain.
//! - [`words`]: what a person reads, in this program's own words.
//! - This file: options, files, exit codes.

mod check;
mod words;

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, ErrorKind, Read, Write},
    process::ExitCode,
    time::SystemTime,
};

use chrono::{DateTime, Datelike as _, Utc};

/// The status where some row is not fine, as `grep` and linters have it for what they found.
const FAULTS: u8 = 1;
/// The status where there is no answer: wrong options, or a file that can't be read as one of cars.
const NO_ANSWER: u8 = 2;

/// What the command line asks for.
enum Command {
    Help,
    Version,
    Check { path: Option<OsString>, year: i32 },
}

fn main() -> ExitCode {
    match parse(env::args_os().skip(1)).and_then(|command| run(&command, &mut io::stdout().lock())) {
        Ok(code) => code,
        Err(message) => {
            // Where standard error is closed, nobody is left to tell.
            writeln!(io::stderr(), "car-import: {message}").ok();
            ExitCode::from(NO_ANSWER)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let (mut path, mut year) = (None, None);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("-h" | "--help") => return Ok(Command::Help),
            Some("-V" | "--version") => return Ok(Command::Version),
            Some("--year") => year = Some(parse_year(arguments.next())?),
            Some(option) if option.starts_with('-') && option != "-" => {
                return Err(format!("there is no option `{option}`; see `car-import --help`"));
            }
            _ if path.is_none() => path = Some(argument),
            _ => return Err("one file at a time; see `car-import --help`".into()),
        }
    }
    Ok(Command::Check {
        path: path.filter(|path| path != "-"),
        year: year.unwrap_or_else(current_year),
    })
}

fn parse_year(argument: Option<OsString>) -> Result<i32, String> {
    argument
        .and_then(|text| text.to_str()?.parse().ok())
        .filter(|year| (1886..=9999).contains(year))
        .ok_or_else(|| "`--year` wants a calendar year after it, such as 2026".into())
}

/// The domain reads no clock: whoever asks it about a year says which one it is. A program's edge is where that is known.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock is read once, here, and everything behind takes the year as an argument"
)]
fn current_year() -> i32 {
    DateTime::<Utc>::from(SystemTime::now()).year()
}

fn run(command: &Command, output: &mut impl Write) -> Result<ExitCode, String> {
    let written = match command {
        Command::Help => output
            .write_all(words::HELP.as_bytes())
            .map(|()| ExitCode::SUCCESS),
        Command::Version => {
            writeln!(output, "car-import {}", env!("CARGO_PKG_VERSION")).map(|()| ExitCode::SUCCESS)
        }
        Command::Check { path, year } => {
            let name = path
                .as_ref()
                .map_or("<stdin>".into(), |path| path.to_string_lossy());
            let report = open(path.as_ref())
                .map_err(check::FileError::Unreadable)
                .and_then(|file| check::check(file, *year))
                .map_err(|error| format!("{name}: {}", words::file_error(&error)))?;
            print(&report, &name, output)
        }
    };
    written.or_else(|error| match error.kind() {
        // Whoever read the output has seen enough.
        ErrorKind::BrokenPipe => Ok(ExitCode::from(NO_ANSWER)),
        _ => Err(format!("the output can't be written: {error}")),
    })
}

fn open(path: Option<&OsString>) -> io::Result<Box<dyn Read>> {
    Ok(match path {
        Some(path) => Box::new(File::open(path)?),
        None => Box::new(io::stdin()),
    })
}

/// Prints one line for each fault, as compilers do it, so that editors find the place; then a summary.
fn print(report: &check::Report, name: &str, output: &mut impl Write) -> io::Result<ExitCode> {
    for row in &report.faulty {
        for fault in &row.faults {
            writeln!(output, "{name}:{}: {}", row.line, words::fault(fault))?;
        }
    }
    writeln!(output, "{name}: {}", words::summary(report))?;
    output.flush()?;
    Ok(if report.faulty.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAULTS)
    })
}
