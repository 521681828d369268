//! Finds the problems of [`CHECKS`](super::CHECKS) in the settings, the database and the folders.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::{
    Caller,
    images::{self, Ownership},
    ports::{Clock as _, DiskSpace as _},
    status::{self, Backups},
};
use mycars_domain::values::ImagePath;
use mycars_http::{Address, AllowedOrigins, Tls, TlsError};
use mycars_persistence::{Database, Inspection, OpenError, Options};
use mycars_security::SystemClock;

use crate::{
    error::{CommandError, with_causes},
    logging, secret_key,
    settings::{DOTENV_WARNING, Settings, SettingsError, weakness},
    tls, wiring,
};

/// Maximum difference between the clocks of the server and the database.
const MAX_CLOCK_DIFFERENCE: TimeDelta = TimeDelta::seconds(10);

/// Minimum cost of bcrypt, which is also Django's.
const MIN_BCRYPT_COST: u32 = 12;

/// Everything that the checks look at. A fact is `None` if there is nothing to look at yet. Errors are reported by
/// [`unreadable`], or by the check of their kind.
pub(crate) struct Facts {
    settings: Result<Settings, SettingsError>,
    /// TLS, if the settings turn it on.
    tls: Option<Result<Tls, TlsError>>,
    database: Option<Result<Inspection, OpenError>>,
    stored: Option<Result<Stored, String>>,
    /// The reason why the counts in Redis fail.
    redis: Option<String>,
}

/// The facts about an installation in use.
struct Stored {
    /// The pictures that cars refer to and that do not exist.
    missing: Vec<ImagePath>,
    ownership: Ownership,
    /// `None` if no backups are scheduled.
    backups: Option<Backups>,
}

impl Facts {
    /// Gathers the facts about an installation. Changes nothing in it.
    pub(crate) fn gather(settings: Result<Settings, SettingsError>) -> Self {
        let database = settings.as_ref().ok().map(inspect);
        // A new installation has neither tables nor pictures to look at.
        let stored = match (&settings, &database) {
            (Ok(settings), Some(Ok(found))) if found.pending.is_empty() => {
                Some(Stored::read(settings).map_err(|error| with_causes(&error)))
            }
            _ => None,
        };
        let redis = settings.as_ref().ok().and_then(|settings| {
            let rates = wiring::redis_rates(settings).ok()?;
            rates.filter(|_| settings.throttle.enabled)?.check().err()
        });
        let files = settings
            .as_ref()
            .ok()
            .and_then(|settings| settings.server.tls.files());
        Self {
            settings,
            tls: files.map(Tls::load),
            database,
            stored,
            redis: redis.map(|error| error.to_string()),
        }
    }

    /// Returns the end of the certificate's validity.
    fn certificate_until(&self) -> Option<DateTime<Utc>> {
        self.tls.as_ref()?.as_ref().ok()?.not_after()
    }

    fn stored(&self) -> Option<&Stored> {
        self.stored.as_ref()?.as_ref().ok()
    }

    pub(super) fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref().ok()
    }

    /// Returns the reason why the settings are refused, if it is of this kind.
    pub(super) fn refusal(&self, is_kind: fn(&SettingsError) -> bool) -> Option<String> {
        let error = self.settings.as_ref().err()?;
        let kind = match error {
            SettingsError::NotRead(inner) => inner,
            error => error,
        };
        is_kind(kind).then(|| error.to_string())
    }

    fn inspection(&self) -> Option<&Inspection> {
        self.database.as_ref()?.as_ref().ok()
    }

    /// Returns the reason why the database can't be used, if it is of this kind.
    fn database_error(&self, is_kind: fn(&OpenError) -> bool) -> Option<String> {
        let error = self.database.as_ref()?.as_ref().err()?;
        is_kind(error).then(|| error.to_string())
    }
}

impl Stored {
    fn read(settings: &Settings) -> Result<Self, CommandError> {
        let app = wiring::app_without_migrations(settings)?;
        let caller = Caller::system();
        // A folder has a check of its own, which does not create it.
        if settings.media.root.folder().is_none() {
            app.images.check().map_err(images::Error::from)?;
        }
        Ok(Self {
            missing: images::missing(&app, &caller)?,
            ownership: images::ownership(&app, &caller)?,
            backups: status::read(&app, &caller)?.backups,
        })
    }
}

fn inspect(settings: &Settings) -> Result<Inspection, OpenError> {
    let database = Database::parse(settings.database_url.reveal())?;
    let is_data_dir =
        |folder: &Path| std::path::absolute(folder).ok() == std::path::absolute(&settings.data_dir).ok();
    // As the server itself.
    let options = Options {
        accepts_newer: true,
        ..wiring::options(settings)
    };
    match database.inspect(&options) {
        // The start creates the data folder.
        Err(OpenError::NoFolder(folder)) if is_data_dir(Path::new(&folder)) => {
            Ok(Inspection::of_new_file(Database::migrations()))
        }
        inspected => inspected,
    }
}

pub(super) fn unreadable_settings(facts: &Facts) -> Option<String> {
    facts.refusal(|error| {
        matches!(
            error,
            SettingsError::File { .. } | SettingsError::NoEnvironment(_)
        )
    })
}

pub(super) fn unusable_url(facts: &Facts) -> Option<String> {
    facts.database_error(|error| !matches!(error, OpenError::Closed { .. } | OpenError::Unsuitable { .. }))
}

pub(super) fn closed_database(facts: &Facts) -> Option<String> {
    facts.database_error(|error| matches!(error, OpenError::Closed { .. }))
}

pub(super) fn unsuitable_database(facts: &Facts) -> Option<String> {
    facts.database_error(|error| matches!(error, OpenError::Unsuitable { .. }))
}

pub(super) fn unwritable_data(facts: &Facts) -> Option<String> {
    unwritable(&facts.settings()?.data_dir)
}

pub(super) fn unwritable_media(facts: &Facts) -> Option<String> {
    unwritable(facts.settings()?.media.root.folder()?)
}

pub(super) fn unwritable_backups(facts: &Facts) -> Option<String> {
    let backup = &facts.settings()?.backup;
    backup.every().and_then(|_| unwritable(&backup.directory))
}

/// Writes a file without a name to a folder, or to the nearest one above it that exists. Returns the reason if that
/// fails.
fn unwritable(folder: &Path) -> Option<String> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let present = folder.ancestors().find(|folder| folder.exists())?;
    let error = tempfile::tempfile_in(present).err()?;
    Some(format!("`{}` can't be written: {error}", folder.display()))
}

pub(super) fn disk_is_full(facts: &Facts) -> Option<String> {
    let error = wiring::disk_space(facts.settings()?).check().err()?;
    Some(with_causes(&error))
}

pub(super) fn backups_without_jobs(facts: &Facts) -> Option<String> {
    let settings = facts.settings()?;
    (settings.backup.every().is_some() && !settings.jobs.enabled)
        .then(|| "backup.every_hours is set, but jobs.enabled is false".to_owned())
}

pub(super) fn pending_migrations(facts: &Facts) -> Option<String> {
    let found = facts.inspection().filter(|found| !found.is_new)?;
    (!found.pending.is_empty()).then(|| format!("pending: {}", found.pending.join(", ")))
}

pub(super) fn clock_differs(facts: &Facts) -> Option<String> {
    let difference = facts.inspection()?.now? - SystemClock.now();
    (difference.abs() > MAX_CLOCK_DIFFERENCE).then(|| {
        format!(
            "the clock of the database differs by {} s",
            difference.num_seconds()
        )
    })
}

pub(super) fn unreadable(facts: &Facts) -> Option<String> {
    facts.stored.as_ref()?.as_ref().err().cloned()
}

pub(super) fn missing_pictures(facts: &Facts) -> Option<String> {
    let missing = &facts.stored()?.missing;
    let first = missing.first()?;
    Some(format!(
        "{} pictures of cars do not exist, such as {first}",
        missing.len()
    ))
}

pub(super) fn other_media(facts: &Facts) -> Option<String> {
    let root = &facts.settings()?.media.root;
    match facts.stored()?.ownership {
        Ownership::Same | Ownership::Unclaimed => None,
        Ownership::Other => Some(format!("`{root}` belongs to another database")),
        Ownership::Unproven => Some(format!("the database refers to none of the pictures in `{root}`")),
    }
}

pub(super) fn backups_are_overdue(facts: &Facts) -> Option<String> {
    let backups = facts.stored()?.backups.as_ref()?;
    backups.are_overdue.then(|| match &backups.newest {
        Ok(Some(newest)) => format!("the newest scheduled backup is of {}", newest.created_at),
        Ok(None) => "there is no scheduled backup".to_owned(),
        Err(error) => format!("the scheduled backups can't be listed: {}", with_causes(&**error)),
    })
}

pub(super) fn unread_dotenv(facts: &Facts) -> Option<String> {
    let warnings = &facts.settings()?.warnings;
    warnings
        .iter()
        .find(|warning| *warning == DOTENV_WARNING)
        .cloned()
}

pub(super) fn weak_key_in_debug(facts: &Facts) -> Option<String> {
    let settings = facts.settings()?;
    let mut keys = settings.secret_key.iter().chain(&settings.secret_key_fallbacks);
    let weakness = keys.find_map(|key| weakness(key.reveal()))?;
    Some(format!(
        "SECRET_KEY or SECRET_KEY_FALLBACKS holds a weak key, {weakness}"
    ))
}

pub(super) fn key_file_is_readable(facts: &Facts) -> Option<String> {
    let settings = facts.settings()?;
    let is_used = settings.secret_key.is_none();
    is_used.then(|| readable_by_others(&settings.data_dir.join(secret_key::FILE_NAME)))?
}

pub(super) fn readable_database(facts: &Facts) -> Option<String> {
    let database = Database::parse(facts.settings()?.database_url.reveal()).ok()?;
    readable_by_others(database.file()?)
}

/// Returns the problem with a file that other users of this machine can read or write.
fn readable_by_others(path: &Path) -> Option<String> {
    with_mode(path, 0o077)
}

/// Returns the problem with a file whose mode has one of these bits.
fn with_mode(path: &Path, too_open: u32) -> Option<String> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & too_open != 0).then(|| format!("`{}` has the mode {:o}", path.display(), mode & 0o777))
}

pub(super) fn pool_too_large(facts: &Facts) -> Option<String> {
    let max = facts.inspection()?.max_connections?;
    let settings = facts.settings()?;
    let pool = wiring::connections(settings);
    (i64::from(max) < i64::from(pool))
        .then(|| format!("one server opens {pool} connections, but PostgreSQL allows {max} to all together"))
}

pub(super) fn key_is_its_own_fallback(facts: &Facts) -> Option<String> {
    let settings = facts.settings()?;
    let is_fallback = settings
        .secret_key_fallbacks
        .contains(settings.secret_key.as_ref()?);
    is_fallback.then(|| "SECRET_KEY_FALLBACKS contains SECRET_KEY".to_owned())
}

pub(super) fn redis_is_away(facts: &Facts) -> Option<String> {
    facts.redis.clone()
}

pub(super) fn no_proxies(facts: &Facts) -> Option<String> {
    let server = &facts.settings()?.server;
    match server.bind {
        _ if server.tls.files().is_some() => None,
        Address::Unix(_) => (!server.trusted_proxies.has_unix).then(|| {
            "server.bind is a Unix socket, but server.trusted_proxies does not contain unix".to_owned()
        }),
        Address::Tcp(_) => {
            (server.trusted_proxies.networks.is_empty()).then(|| "server.trusted_proxies is empty".to_owned())
        }
    }
}

pub(super) fn unusable_certificate(facts: &Facts) -> Option<String> {
    Some(facts.tls.as_ref()?.as_ref().err()?.to_string())
}

pub(super) fn tls_key_is_readable(facts: &Facts) -> Option<String> {
    /// Other users have rights, or the group may write: it may read, because the key may belong to root.
    const TOO_OPEN: u32 = 0o027;
    with_mode(&facts.settings()?.server.tls.files()?.key, TOO_OPEN)
}

pub(super) fn certificate_has_expired(facts: &Facts) -> Option<String> {
    let not_after = facts.certificate_until()?;
    (not_after <= SystemClock.now()).then(|| format!("the certificate expired at {not_after}"))
}

pub(super) fn certificate_expires_soon(facts: &Facts) -> Option<String> {
    let not_after = facts.certificate_until()?;
    let left = not_after - SystemClock.now();
    (left > TimeDelta::zero() && left <= tls::RENEWAL)
        .then(|| format!("the certificate expires at {not_after}"))
}

pub(super) fn broad_proxies(facts: &Facts) -> Option<String> {
    let trusts_all = facts
        .settings()?
        .server
        .trusted_proxies
        .networks
        .have_all_addresses();
    trusts_all.then(|| "server.trusted_proxies has all addresses".to_owned())
}

pub(super) fn cors_over_http(facts: &Facts) -> Option<String> {
    let AllowedOrigins::Listed(origins) = &facts.settings()?.allowed_origins else {
        return None;
    };
    let origin = origins.iter().find(|origin| origin.starts_with("http://"))?;
    Some(format!("cors.allowed_origins contains {origin}"))
}

pub(super) fn metrics_for_all(facts: &Facts) -> Option<String> {
    let has_all = facts.settings()?.metrics.allowed_networks.have_all_addresses();
    has_all.then(|| "metrics.allowed_networks has all addresses".to_owned())
}

pub(super) fn cheap_hashes(facts: &Facts) -> Option<String> {
    let cost = facts.settings()?.passwords.bcrypt_cost;
    (cost < MIN_BCRYPT_COST).then(|| format!("passwords.bcrypt_cost is {cost}, less than {MIN_BCRYPT_COST}"))
}

pub(super) fn security_log_is_off(facts: &Facts) -> Option<String> {
    let level = &facts.settings()?.log.level;
    (!logging::has_security_events(level)).then(|| format!("log.level is {level}"))
}

pub(super) fn clear_text_database(facts: &Facts) -> Option<String> {
    let is_unencrypted = facts.inspection()?.is_unencrypted;
    is_unencrypted.then(|| "the connection to PostgreSQL at a public address has no TLS".to_owned())
}

pub(super) fn clear_text_redis(facts: &Facts) -> Option<String> {
    let rates = wiring::redis_rates(facts.settings()?).ok()??;
    rates
        .exposes_password()
        .then(|| "throttle.shared has a password, but no TLS".to_owned())
}
