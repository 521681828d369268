//! The error of a command, in one line.

use std::io;

use mycars_application::{accounts, backup, images, users};
use mycars_domain::{Field, Violation, Violations};
use mycars_http::messages;

use crate::settings::SettingsError;

/// The reason why a command failed. Its text is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Database(#[from] mycars_persistence::OpenError),
    #[error(transparent)]
    Cost(#[from] mycars_security::CostOutOfRange),
    #[error(transparent)]
    Key(#[from] mycars_security::EmptyKey),
    #[error("MYCARS__MEDIA__ROOT can't be used: {0}")]
    S3(#[from] mycars_media::S3Error),
    #[error("MYCARS__THROTTLE__SHARED can't be used: {0}")]
    Redis(#[from] mycars_redis::Error),
    #[error(transparent)]
    Mail(#[from] mycars_mail::SettingsError),
    /// The command refuses its input or its environment.
    #[error("{0}")]
    Refused(String),
    /// A use-case failed.
    #[error("{}", with_causes(.0))]
    Failed(accounts::Error),
    /// A use-case without fields failed.
    #[error("{}", with_causes(.0))]
    FailedTask(#[from] mycars_application::Error),
    /// A use-case about users failed.
    #[error("{}", with_causes(.0))]
    Users(#[from] users::Error),
    /// A use-case about pictures failed.
    #[error("{}", with_causes(.0))]
    Images(#[from] images::Error),
    /// A copy of pictures failed.
    #[error("{}", with_causes(.0))]
    CopiedImages(#[from] images::CopyError),
    /// A backup, restore or copy failed.
    #[error("{}", with_advice(.0))]
    Backup(#[from] backup::Error),
    /// A file is no archive.
    #[error("{}", with_causes(.0))]
    Archive(#[from] mycars_archive::ArchiveError),
    /// The terminal failed, or its input ended.
    #[error("Operation cancelled.")]
    Cancelled(#[from] io::Error),
}

impl CommandError {
    /// The refusal of the value of a field.
    pub(crate) fn invalid(field: Field, violations: &[Violation]) -> Self {
        Self::Refused(labelled(field, violations))
    }
}

impl From<accounts::Error> for CommandError {
    fn from(error: accounts::Error) -> Self {
        match error {
            accounts::Error::Invalid(violations) => Self::Refused(all_labelled(&violations)),
            other => Self::Failed(other),
        }
    }
}

/// Returns the messages of a field's violations in one line.
pub(crate) fn describe(field: Field, violations: &[Violation]) -> String {
    let messages: Vec<String> = violations
        .iter()
        .map(|violation| messages::violation(field, violation))
        .collect();
    messages.join(" ")
}

fn labelled(field: Field, violations: &[Violation]) -> String {
    format!("{}: {}", messages::name(field), describe(field, violations))
}

fn all_labelled(violations: &Violations) -> String {
    let lines: Vec<String> = violations
        .iter()
        .map(|(field, violations)| labelled(field, violations))
        .collect();
    lines.join(" ")
}

/// Returns the error of a backup, restore or copy, and what to do.
fn with_advice(error: &backup::Error) -> String {
    let advice = match error {
        backup::Error::NotEmpty(_) => "nothing was changed: use a new database",
        backup::Error::OtherImages => {
            "nothing was changed: set MYCARS__MEDIA__ROOT to another folder, or run `mycars adoptmedia` if the folder \
             belongs to the empty database"
        }
        backup::Error::ImageDiffers(_) => {
            "the database was not changed: set MYCARS__MEDIA__ROOT to another folder"
        }
        _ => return with_causes(error),
    };
    format!("{error}; {advice}")
}

/// Returns an error and its causes in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !line.ends_with(&cause_text) {
            line = format!("{line}: {cause_text}");
        }
        source = cause.source();
    }
    line
}
