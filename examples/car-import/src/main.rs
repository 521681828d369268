//! Checks CSV files of cars by the rules of My Cars. This is an example of a program that reuses the domain: it uses
//! the value objects and their rules, but no users, databases or HTTP.
//!
//! - [`check`]: reads rows and checks them with the domain.
//! - [`messages`]: the texts for users.
//! - This file: options, files, exit codes.

mod check;
mod messages;

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, ErrorKind, Read, Write},
    process::ExitCode,
    time::SystemTime,
};

use chrono::{DateTime, Datelike as _, Utc};

/// Exit status if some rows have faults, as in `grep` and linters.
const FAULTS: u8 = 1;
/// Exit status if nothing was checked: wrong options, or a file that cannot be read as a file of cars.
const NO_ANSWER: u8 = 2;

/// The parsed command line.
enum Command {
    Help,
    Version,
    Check { path: Option<OsString>, year: i32 },
}

fn main() -> ExitCode {
    match parse(env::args_os().skip(1)).and_then(|command| run(&command, &mut io::stdout().lock())) {
        Ok(code) => code,
        Err(message) => {
            // If standard error is closed, the message cannot be reported.
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

/// Returns the current year. The domain reads no clock, so its callers pass the year.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock is read only here; all other functions take the year as an argument"
)]
fn current_year() -> i32 {
    DateTime::<Utc>::from(SystemTime::now()).year()
}

fn run(command: &Command, output: &mut impl Write) -> Result<ExitCode, String> {
    let written = match command {
        Command::Help => output
            .write_all(messages::HELP.as_bytes())
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
                .map_err(|error| format!("{name}: {}", messages::file_error(&error)))?;
            print(&report, &name, output)
        }
    };
    written.or_else(|error| match error.kind() {
        // The reader of the output closed it, for example `head`.
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

/// Prints one line for each fault in the format of compilers, which editors can parse, and a summary.
fn print(report: &check::Report, name: &str, output: &mut impl Write) -> io::Result<ExitCode> {
    for row in &report.faulty {
        for fault in &row.faults {
            writeln!(output, "{name}:{}: {}", row.line, messages::fault(fault))?;
        }
    }
    writeln!(output, "{name}: {}", messages::summary(report))?;
    output.flush()?;
    Ok(if report.faulty.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAULTS)
    })
}
