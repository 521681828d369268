//! The command line: Django's commands under their own names.

use std::net::{SocketAddr, ToSocketAddrs as _};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The car-management server. Without a command it serves, as `runserver` does.
#[derive(Debug, Parser)]
#[command(name = "mycars", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Apply pending migrations, then serve until told to stop.
    Runserver {
        /// Where to listen: ADDRESS:PORT or PORT alone. The default is a setting, 127.0.0.1:8000 at first.
        #[arg(value_name = "ADDR:PORT", value_parser = parse_address)]
        address: Option<SocketAddr>,
    },
    /// Apply pending migrations.
    Migrate,
    /// Make a user who has every right.
    Createsuperuser(CreateSuperuser),
    /// Set somebody's password, and end their logins.
    Changepassword {
        /// Whose.
        username: String,
    },
    /// Forget refresh tokens that have expired. Run it now and then, for example once a day.
    Flushexpiredtokens,
    /// Forget browsers' logins whose time is over. Run it now and then, for example once a day.
    Clearsessions,
    /// Print the OpenAPI document of the API, for generators of clients.
    Openapi {
        /// What to write it in.
        #[arg(long, value_enum, default_value_t = DocumentFormat::Json)]
        format: DocumentFormat,
    },
    /// Move pictures that no car has any more to the trash, and delete what has been there for more than 30 days.
    Sweepmedia(SweepMedia),
    /// Accept the media folder as that of this database, after the server has warned about it.
    Adoptmedia,
}

/// How `sweepmedia` sweeps.
#[derive(Debug, Args)]
pub(crate) struct SweepMedia {
    /// Only print what would be moved and deleted.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Sweep even if the pictures seem to belong to another database.
    #[arg(long)]
    pub(crate) force: bool,
}

/// What a document can be written in.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DocumentFormat {
    Json,
    Yaml,
}

/// What `createsuperuser` is told instead of asking.
#[derive(Debug, Default, Args)]
pub(crate) struct CreateSuperuser {
    /// The name to log in with.
    #[arg(long)]
    pub(crate) username: Option<String>,
    /// The e-mail address.
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// The first name; may be left out.
    #[arg(long)]
    pub(crate) first_name: Option<String>,
    /// The last name; may be left out.
    #[arg(long)]
    pub(crate) last_name: Option<String>,
    /// Ask nothing. The password is taken from `MYCARS_SUPERUSER_PASSWORD` or `DJANGO_SUPERUSER_PASSWORD`;
    /// without either nobody can log in until `changepassword` sets one.
    #[arg(long, visible_alias = "no-input")]
    pub(crate) noinput: bool,
}

/// Reads `8001`, `0.0.0.0:8000`, `[::]:8000` or `localhost:8000`.
fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let address = if text.contains(':') {
        text.to_owned()
    } else {
        format!("127.0.0.1:{text}")
    };
    address
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| "it should be ADDRESS:PORT or PORT, for example 0.0.0.0:8000 or 8001".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_address_may_be_a_port_alone() {
        let address = |text| parse_address(text).map(|address| address.to_string());
        assert_eq!(address("8001"), Ok("127.0.0.1:8001".into()));
        assert_eq!(address("0.0.0.0:80"), Ok("0.0.0.0:80".into()));
        assert_eq!(address("[::1]:80"), Ok("[::1]:80".into()));
        for wrong in ["", "eighty", "127.0.0.1:", "127.0.0.1:99999", "1.2.3.4.5:80"] {
            assert!(parse_address(wrong).is_err(), "{wrong:?}");
        }
    }
}
