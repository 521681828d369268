//! The command line, with the names of Django's commands.

use std::{net::ToSocketAddrs as _, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use mycars_http::Address;

use crate::checks::Level;

/// The My Cars server. Without a command, it runs `runserver`.
#[derive(Debug, Parser)]
#[command(name = "mycars", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Apply pending migrations, then serve until SIGINT or SIGTERM.
    Runserver {
        /// The address to listen on: ADDRESS:PORT, PORT or unix:PATH. Overrides `MYCARS__SERVER__BIND`.
        #[arg(value_name = "ADDR:PORT", value_parser = parse_address)]
        address: Option<Address>,
    },
    /// Apply pending migrations.
    Migrate {
        /// Only print the names of the pending migrations.
        #[arg(long)]
        plan: bool,
    },
    /// Create a superuser.
    Createsuperuser(CreateSuperuser),
    /// Set the password of a user, and revoke their sessions and refresh tokens.
    Changepassword {
        /// The username of the user.
        username: String,
    },
    /// Delete a user with all cars and pictures, and remove their names, addresses and values from the audit log.
    Eraseuser(EraseUser),
    /// Delete expired refresh tokens, as the server itself does every hour.
    Flushexpiredtokens,
    /// Delete expired browser sessions, as the server itself does every hour.
    Clearsessions,
    /// Delete the entries and addresses of the audit log that are older than the settings in `[audit]`.
    Pruneaudit,
    /// Print the OpenAPI document of the API, for client generators.
    Openapi {
        /// The format of the document.
        #[arg(long, value_enum, default_value_t = DocumentFormat::Json)]
        format: DocumentFormat,
    },
    /// Move pictures without a car to the trash, and delete pictures that have been there for more than 30 days.
    #[command(visible_alias = "prunemedia")]
    Sweepmedia(SweepMedia),
    /// Move the pictures to another place.
    #[command(subcommand)]
    Media(Media),
    /// Assign the media folder to this database, after the server has warned about it.
    Adoptmedia,
    /// Check the settings, the database and the folders for problems. Changes nothing.
    Check(Check),
    /// Show the settings.
    #[command(subcommand)]
    Config(Config),
    /// Succeed if a running server is ready to serve.
    Healthcheck {
        /// The URL to ask. By default, /health/ready at the address of the settings. The certificate of an https:// URL is
        /// not verified.
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Write all rows and pictures into an archive, which can be restored into any database. The server may run.
    Backup(Backup),
    /// Restore an archive into an empty database.
    Restore(Restore),
    /// Copy all rows into another, empty database, for example from SQLite to PostgreSQL. Stop the server before.
    CopyDatabase {
        /// The URL of the other database: postgres://… or sqlite://…
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Import all users, cars, pictures and tokens of a Django system into an empty database.
    ImportDjango(Box<ImportDjango>),
}

/// The options of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Run the checks for production as well.
    #[arg(long)]
    pub(crate) deploy: bool,
    /// The level from which problems make the command fail.
    #[arg(long, value_enum, default_value_t = Level::Error)]
    pub(crate) fail_level: Level,
}

/// The commands about settings.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print all settings as TOML, without secrets.
    Show {
        /// Name the source of each value: default, file or variable.
        #[arg(long)]
        sources: bool,
    },
}

/// The options of `backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The new file, or - for the standard output. By default, mycars-TIME.zip in the current folder.
    pub(crate) file: Option<PathBuf>,
    /// Include the key that signs tokens. Anyone who has it can sign a token for any user.
    #[arg(long)]
    pub(crate) with_secret_key: bool,
}

/// The options of `restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The archive.
    pub(crate) file: PathBuf,
    /// Do everything, and roll it back.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// The options of `import-django`.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each one is a flag of the command line"
)]
pub(crate) struct ImportDjango {
    /// The URL of the Django system's database, which is only read: postgres://… or sqlite://…
    #[arg(long, value_name = "URL")]
    pub(crate) from: String,
    /// The folder of the pictures, Django's `MEDIA_ROOT`.
    #[arg(long, value_name = "DIR")]
    pub(crate) media: Option<PathBuf>,
    /// Import cars without their pictures.
    #[arg(long, conflicts_with = "media")]
    pub(crate) without_pictures: bool,
    /// Only list the problems, one line for each row. The exit status is 1 if there are any.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) check: bool,
    /// Do everything, but store no picture, and roll back.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The label of the Django app with the cars, if several apps have cars.
    #[arg(long, value_name = "LABEL")]
    pub(crate) app: Option<String>,
    /// The role of staff members that are neither superusers nor admins.
    #[arg(long, value_name = "ROLE", value_parser = ["client", "admin"])]
    pub(crate) staff_role: Option<String>,
    /// Replace e-mail addresses that are missing, or that a user with a lower id has, by user-ID@DOMAIN.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) email_domain: Option<String>,
    /// Keep values that the API refuses, as far as the database can store them.
    #[arg(long)]
    pub(crate) keep_invalid: bool,
    /// Keep users whose password can't be verified. They need `changepassword` before they can log in.
    #[arg(long)]
    pub(crate) keep_unverifiable_passwords: bool,
}

/// The options of `eraseuser`.
#[derive(Debug, Args)]
pub(crate) struct EraseUser {
    /// The username of the user.
    #[arg(required_unless_present = "id", conflicts_with = "id")]
    pub(crate) username: Option<String>,
    /// The id of the user, for a user that was deleted before.
    #[arg(long)]
    pub(crate) id: Option<i64>,
    /// Do not ask for confirmation.
    #[arg(long, visible_alias = "no-input")]
    pub(crate) noinput: bool,
}

/// The commands about the place of the pictures.
#[derive(Debug, Subcommand)]
pub(crate) enum Media {
    /// Copy all pictures to another place, and compare the copies. Run it again after an interruption. Set
    /// `MYCARS__MEDIA__ROOT` to the new place afterwards.
    Move {
        /// The new place: a folder, or `s3://BUCKET/PREFIX`.
        #[arg(long, value_name = "PLACE")]
        to: String,
        /// Delete each picture in the old place when its copy is verified. Stop the server before.
        #[arg(long)]
        delete: bool,
    },
}

/// The options of `sweepmedia`.
#[derive(Debug, Args)]
pub(crate) struct SweepMedia {
    /// Only print which pictures would be moved and deleted.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Skip the safety checks, for example if the pictures seem to belong to another database.
    #[arg(long)]
    pub(crate) force: bool,
}

/// The format of a document.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DocumentFormat {
    Json,
    Yaml,
}

/// The options of `createsuperuser`.
#[derive(Debug, Default, Args)]
pub(crate) struct CreateSuperuser {
    /// The username.
    #[arg(long)]
    pub(crate) username: Option<String>,
    /// The e-mail address.
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// The first name; optional.
    #[arg(long)]
    pub(crate) first_name: Option<String>,
    /// The last name; optional.
    #[arg(long)]
    pub(crate) last_name: Option<String>,
    /// Do not prompt. The password is taken from `MYCARS_SUPERUSER_PASSWORD` or `DJANGO_SUPERUSER_PASSWORD`.
    /// Without either, the user can't log in until `changepassword` sets a password.
    #[arg(long, visible_alias = "no-input")]
    pub(crate) noinput: bool,
}

/// Parses `8001`, `0.0.0.0:8000`, `[::]:8000`, `localhost:8000` or `unix:mycars.sock`.
fn parse_address(text: &str) -> Result<Address, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let address = if text.contains(':') {
        text.to_owned()
    } else {
        format!("127.0.0.1:{text}")
    };
    address
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .map(Address::Tcp)
        .ok_or_else(|| {
            "expected ADDRESS:PORT, PORT or unix:PATH, for example 0.0.0.0:8000 or 8001".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn address_takes_port_alone() {
        let address = |text| parse_address(text).map(|address| address.to_string());
        assert_eq!(address("8001"), Ok("127.0.0.1:8001".into()));
        assert_eq!(address("0.0.0.0:80"), Ok("0.0.0.0:80".into()));
        assert_eq!(address("[::1]:80"), Ok("[::1]:80".into()));
        assert_eq!(address("unix:mycars.sock"), Ok("unix:mycars.sock".into()));
        for wrong in [
            "",
            "eighty",
            "unix:",
            "127.0.0.1:",
            "127.0.0.1:99999",
            "1.2.3.4.5:80",
        ] {
            assert!(parse_address(wrong).is_err(), "{wrong:?}");
        }
    }
}
