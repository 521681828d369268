//! Connects the adapters to the ports of the use-cases.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use mycars_application::{
    App, BackupSettings, MailSettings, SessionSettings, TokenSettings,
    ports::{ImageStore, Mailer, Random as _, SharedRates, StoredRates},
};
use mycars_archive::{Folder, Origin, ZipPackager};
use mycars_mail::{FileMailer, Sender, SmtpMailer};
use mycars_media::{FileImageStore, FreeSpace, JpegProcessor, S3ImageStore};
use mycars_persistence::{Database, Options};
use mycars_redis::RedisRates;
use mycars_security::{DjangoHasher, HmacSigner, JwtCodec, SystemClock, SystemRandom};

use crate::{
    error::CommandError,
    secret_key,
    settings::{MailTransport, MediaRoot, MigrateAt, Secret, Settings, SettingsError, SharedRatesIn},
};

/// Returns the database in the settings, and its options. Creates the data folder, which may hold it.
///
/// # Errors
/// If the URL is not that of a database, or the folder can't be created.
pub(crate) fn database(settings: &Settings) -> Result<(Database, Options), CommandError> {
    secret_key::create_data_dir(&settings.data_dir).map_err(|error| SettingsError::File {
        file: settings.data_dir.display().to_string(),
        problem: format!("{error}; set MYCARS__DATA_DIR to a writable folder"),
    })?;
    Ok((
        Database::parse(settings.database_url.reveal())?,
        options(settings),
    ))
}

/// Returns the options of the database for a command.
pub(crate) fn options(settings: &Settings) -> Options {
    Options {
        pool_size: settings.database.pool_size,
        timeout: Duration::from_secs(settings.database.timeout_seconds),
        statement_timeout: None,
        accepts_newer: false,
        pooler: settings.database.pooler,
        slow_statement: Some(settings.database.slow_statement()),
    }
}

/// Returns the use-cases with the adapters of the settings, for a command: its statements may take any time. Applies
/// pending migrations, and logs them.
///
/// # Errors
/// If the database can't be opened or migrated, or there is no key.
pub(crate) fn app(settings: &Settings) -> Result<App, CommandError> {
    let key = signing_key(settings)?;
    let (database, options) = database(settings)?;
    let (app, applied) = migrated_app(settings, &key, &database, &options, &mut |_| ())?;
    log_migrations(&applied);
    Ok(app)
}

/// Returns the use-cases like [`app`] for a command that signs no token, so that no key is generated for it.
///
/// # Errors
/// If the database can't be opened or migrated.
pub(crate) fn app_without_key(settings: &Settings) -> Result<App, CommandError> {
    let key = Secret::new(SystemRandom.hex(32));
    let (database, options) = database(settings)?;
    let (app, applied) = migrated_app(settings, &key, &database, &options, &mut |_| ())?;
    log_migrations(&applied);
    Ok(app)
}

/// Logs the names of applied migrations as one event.
pub(crate) fn log_migrations(applied: &[String]) {
    match applied {
        [] => {}
        [name] => tracing::info!("applied 1 migration: {name}"),
        [.., last] => tracing::info!("applied {} migrations, the last is {last}", applied.len()),
    }
}

/// Returns the use-cases for the server, and the names of the applied migrations, which are not logged. Calls `before`
/// before migrations are applied. A schema with unknown migrations that only add something is accepted. The time of
/// statements is limited, and the recurring jobs have two connections besides those of the requests, for the job and for
/// its lease, so that neither waits for the other.
///
/// # Errors
/// Those of [`app`].
pub(crate) fn server_app(
    settings: &Settings,
    before: &mut dyn FnMut(&[String]),
) -> Result<(App, Vec<String>), CommandError> {
    let (database, options) = database(settings)?;
    let options = Options {
        pool_size: connections(settings),
        statement_timeout: Some(Duration::from_secs(settings.database.statement_timeout_seconds)),
        accepts_newer: true,
        ..options
    };
    migrated_app(settings, &signing_key(settings)?, &database, &options, before)
}

/// Returns the key that signs tokens, and logs a warning if other users of the machine can read it.
fn signing_key(settings: &Settings) -> Result<Secret, CommandError> {
    let (key, warning) = secret_key::signing_key(settings)?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    Ok(key)
}

fn migrated_app(
    settings: &Settings,
    key: &Secret,
    database: &Database,
    options: &Options,
    before: &mut dyn FnMut(&[String]),
) -> Result<(App, Vec<String>), CommandError> {
    for warning in &settings.warnings {
        tracing::warn!("{warning}");
    }
    let applied = match settings.database.migrate {
        MigrateAt::Start => database.migrate_after(options, before)?,
        MigrateAt::Never => refuse_pending(database.pending_migrations(options)?)?,
    };
    Ok((assemble(settings, key, database, options)?, applied))
}

/// Returns the number of connections that a server opens.
pub(crate) fn connections(settings: &Settings) -> u32 {
    settings.database.pool_size
        + 2 * u32::from(settings.jobs.enabled)
        + u32::from(settings.mail.transport != MailTransport::None)
}

/// Returns the use-cases with one connection to a database whose migrations are applied, for a look at it. No token is
/// signed, so no key is generated.
///
/// # Errors
/// If the database can't be opened.
pub(crate) fn app_without_migrations(settings: &Settings) -> Result<App, CommandError> {
    let database = Database::parse(settings.database_url.reveal())?;
    let options = Options {
        pool_size: 1,
        accepts_newer: true,
        ..options(settings)
    };
    assemble(settings, &Secret::new(SystemRandom.hex(32)), &database, &options)
}

/// Puts the adapters behind the ports.
fn assemble(
    settings: &Settings,
    key: &Secret,
    database: &Database,
    options: &Options,
) -> Result<App, CommandError> {
    let fallbacks = || settings.secret_key_fallbacks.iter().map(Secret::reveal);
    Ok(App {
        store: database.connect(options)?,
        hasher: Arc::new(DjangoHasher::new(settings.passwords.bcrypt_cost)?),
        tokens: Arc::new(JwtCodec::new(key.reveal(), fallbacks())?),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        image_processor: Arc::new(JpegProcessor::new(settings.media.max_megapixels)),
        images: images(settings, &settings.media.root)?,
        image_signer: if settings.media.private {
            Some(Arc::new(HmacSigner::new(key.reveal(), fallbacks())?))
        } else {
            None
        },
        disk_space: Arc::new(disk_space(settings)),
        packager: Arc::new(ZipPackager),
        max_image_bytes: settings.media.max_bytes,
        quotas: settings.quotas.quotas(),
        token_settings: TokenSettings {
            access_lifetime: TimeDelta::minutes(settings.tokens.access_minutes),
            refresh_lifetime: TimeDelta::minutes(settings.tokens.refresh_minutes),
            rotate_refresh: settings.tokens.rotate_refresh,
            reuse_grace: TimeDelta::seconds(settings.tokens.reuse_grace_seconds),
            access_dies_with_login: settings.tokens.access_dies_with_login,
            email_change_within: settings.tokens.email_change_within(),
        },
        session_settings: SessionSettings {
            idle: TimeDelta::minutes(settings.sessions.idle_minutes),
            lifetime: TimeDelta::minutes(settings.sessions.lifetime_minutes),
        },
        backups: settings.backup.every().map(|every| BackupSettings {
            every,
            keep: settings.backup.keep,
            store: Arc::new(Folder::new(settings.backup.directory.clone(), origin(database))),
        }),
        mail: mail(settings)?,
    })
}

/// Returns the watch over the disks that the server writes to.
pub(crate) fn disk_space(settings: &Settings) -> FreeSpace {
    FreeSpace::new(written_folders(settings), settings.storage.min_free_bytes)
}

/// Returns the counts of requests that all servers share; `None` if each server counts for itself.
///
/// # Errors
/// If the URL is not that of a database, or of Redis.
pub(crate) fn shared_rates(
    settings: &Settings,
    app: &App,
) -> Result<Option<Arc<dyn SharedRates>>, CommandError> {
    let is_in_database = match &settings.throttle.shared {
        SharedRatesIn::Auto => database(settings)?.0.is_server(),
        SharedRatesIn::Memory => false,
        SharedRatesIn::Database => true,
        SharedRatesIn::Redis(_) => return Ok(redis_rates(settings)?.map(|rates| Arc::new(rates) as _)),
    };
    Ok(is_in_database.then(|| Arc::new(StoredRates(Arc::clone(&app.store))) as _))
}

/// Returns the counts of requests in Redis; `None` if they are elsewhere.
///
/// # Errors
/// If the URL is not that of Redis.
pub(crate) fn redis_rates(settings: &Settings) -> Result<Option<RedisRates>, CommandError> {
    match &settings.throttle.shared {
        SharedRatesIn::Redis(url) => Ok(Some(RedisRates::new(url.reveal())?)),
        _ => Ok(None),
    }
}

fn refuse_pending(pending: Vec<String>) -> Result<Vec<String>, CommandError> {
    match pending.first() {
        None => Ok(pending),
        Some(first) => Err(CommandError::Refused(format!(
            "{} migrations are pending, the first is {first}: run `mycars migrate` (MYCARS__DATABASE__MIGRATE is never)",
            pending.len()
        ))),
    }
}

/// Returns the store of the pictures at a place.
///
/// # Errors
/// If the settings of an S3 store are not valid. It is not asked.
pub(crate) fn images(settings: &Settings, root: &MediaRoot) -> Result<Arc<dyn ImageStore>, CommandError> {
    Ok(match root {
        MediaRoot::Folder(folder) => Arc::new(FileImageStore::new(folder.clone())),
        MediaRoot::Bucket { name, prefix } => {
            settings.media.require_access_key()?;
            Arc::new(S3ImageStore::new(&settings.media.s3(name, prefix))?)
        }
    })
}

/// Returns the adapter for mail of the settings.
fn mail(settings: &Settings) -> Result<Option<MailSettings>, CommandError> {
    let sender = Sender::parse(&settings.mail.from)?;
    let mailer: Arc<dyn Mailer> = match &settings.mail.transport {
        MailTransport::None => return Ok(None),
        MailTransport::Files(folder) => Arc::new(FileMailer::new(folder.clone(), sender)),
        MailTransport::Smtp(url) => Arc::new(SmtpMailer::new(url.reveal(), sender)?),
    };
    Ok(Some(MailSettings {
        mailer,
        reset_url: format!("{}{}", settings.public_url, mycars_http::RESET_LINK),
        verification_url: format!("{}{}", settings.public_url, mycars_http::VERIFICATION_LINK),
        undo_url: format!("{}{}", settings.public_url, mycars_http::UNDO_LINK),
        requires_verified_email: settings.accounts.require_verified_email,
    }))
}

/// Returns the program and the database that archives come from.
pub(crate) fn origin(database: &Database) -> Origin {
    Origin {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: database.kind().to_owned(),
        migrations: Database::migrations(),
    }
}

/// Returns the folders that the server writes to: that of the pictures, if they are in a folder, and that of an SQLite database.
fn written_folders(settings: &Settings) -> Vec<PathBuf> {
    let file = settings.database_url.reveal().strip_prefix("sqlite://");
    let folder = file.and_then(|file| Path::new(file).parent());
    [settings.media.root.folder(), folder]
        .into_iter()
        .flatten()
        .map(Path::to_owned)
        .collect()
}
