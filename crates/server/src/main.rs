//! The binary `mycars`: the command line, the settings, and the wiring of adapters and use-cases.

mod checks;
mod cli;
mod commands;
mod console;
mod error;
mod jobs;
mod logging;
mod mail;
mod progress;
mod secret_key;
mod service_manager;
mod settings;
#[cfg_attr(not(feature = "otel"), path = "no_telemetry.rs")]
mod telemetry;
mod tls;
mod wiring;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{cli::Cli, console::Terminal};

fn main() -> ExitCode {
    match commands::run(Cli::parse(), &mut Terminal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::print_error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
