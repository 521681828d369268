//! The settings. `config/default.toml` describes each setting and has its default; the types here define the allowed
//! values. [`layers`] merges files and variables, and [`values`] parses single values.

mod layers;
mod media;
mod secret;
mod values;

#[cfg(test)]
mod document;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::TimeDelta;
use mycars_application::{housekeeping::AuditRetention, quotas::Quotas};
use mycars_http::{Address, AllowedOrigins, Networks, Rate, TlsFiles, TrustedProxies};
use mycars_persistence::Pooler;
use serde::Deserialize;

pub(crate) use self::{
    layers::ShownSetting,
    media::{Media, MediaRoot},
    secret::{Secret, weakness},
};

/// Allowed hosts in `DEBUG`, if none are set.
const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The file in which Django projects keep their variables. This server only reads the environment.
const DOTENV: &str = ".env";

pub(crate) const DOTENV_WARNING: &str = ".env is not read: export its variables (set -a; . ./.env; set +a), or give the file to your container (--env-file .env)";

/// Maximum of settings in minutes: a century, which can be added to any date.
const MAX_MINUTES: i64 = MAX_DAYS * 24 * 60;

/// Maximum of settings in days: a century.
const MAX_DAYS: i64 = 100 * 365;

/// Maximum of settings in hours: a year.
const MAX_HOURS: i64 = 365 * 24;

/// Maximum of `hsts_seconds`: ten years.
const MAX_HSTS_SECONDS: i64 = 10 * 365 * 24 * 60 * 60;

/// Maximum size of a request with a picture, in bytes.
const MAX_IMAGE_BYTES: i64 = 8 * 1024 * 1024;

/// Maximum memory of all bodies together, in bytes: a tebibyte.
const MAX_BODY_MEMORY: i64 = 1 << 40;

/// Environment variables, by name.
pub(crate) type Variables = BTreeMap<String, String>;

/// The settings after validation. Their `Debug` output hides secrets.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) debug: bool,
    /// Signs tokens; `None` only in `DEBUG`.
    pub(crate) secret_key: Option<Secret>,
    pub(crate) secret_key_fallbacks: Vec<Secret>,
    /// Patterns in lower case; never empty.
    pub(crate) allowed_hosts: Vec<String>,
    /// The URL, which may hold a password.
    pub(crate) database_url: Secret,
    pub(crate) data_dir: PathBuf,
    pub(crate) server: Server,
    /// The URL of this server for the links in mails, without a slash at the end.
    pub(crate) public_url: String,
    pub(crate) mail: Mail,
    pub(crate) accounts: Accounts,
    pub(crate) database: Database,
    pub(crate) tokens: Tokens,
    pub(crate) sessions: Sessions,
    pub(crate) passwords: Passwords,
    pub(crate) media: Media,
    pub(crate) quotas: QuotasPerUser,
    pub(crate) storage: Storage,
    pub(crate) audit: Audit,
    pub(crate) jobs: Jobs,
    pub(crate) backup: Backup,
    pub(crate) lists: Lists,
    pub(crate) throttle: Throttle,
    pub(crate) allowed_origins: AllowedOrigins,
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) telemetry: Telemetry,
    /// Warnings to log at the start, one line each.
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    #[serde(deserialize_with = "values::address")]
    pub(crate) bind: Address,
    #[serde(deserialize_with = "values::workers")]
    pub(crate) workers: usize,
    #[serde(deserialize_with = "values::whole::<0, 3600, _, _>")]
    pub(crate) shutdown_seconds: u64,
    #[serde(deserialize_with = "values::whole::<1, 1_000_000, _, _>")]
    pub(crate) max_connections: usize,
    #[serde(deserialize_with = "values::whole::<0, 1_000_000, _, _>")]
    pub(crate) max_connections_per_address: usize,
    #[serde(deserialize_with = "values::whole::<1, 3600, _, _>")]
    pub(crate) stall_seconds: u64,
    #[serde(deserialize_with = "values::whole::<0, MAX_BODY_MEMORY, _, _>")]
    pub(crate) max_body_memory: usize,
    #[serde(deserialize_with = "values::proxies")]
    pub(crate) trusted_proxies: TrustedProxies,
    #[serde(deserialize_with = "values::whole::<0, MAX_HSTS_SECONDS, _, _>")]
    pub(crate) hsts_seconds: u64,
    #[serde(deserialize_with = "values::public_url")]
    public_url: String,
    pub(crate) tls: ServerTls,
}

/// TLS in the server itself, if both files are named.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerTls {
    #[serde(deserialize_with = "values::optional_file")]
    certificate_file: PathBuf,
    #[serde(deserialize_with = "values::optional_file")]
    key_file: PathBuf,
}

impl ServerTls {
    /// Returns the files of the certificate and its key; `None` without TLS.
    pub(crate) fn files(&self) -> Option<TlsFiles> {
        (!self.certificate_file.as_os_str().is_empty()).then(|| TlsFiles {
            certificate: self.certificate_file.clone(),
            key: self.key_file.clone(),
        })
    }

    /// Returns the scheme of the server's URLs.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.files().is_some() { "https" } else { "http" }
    }

    /// Refuses one file without the other, and TLS on a Unix socket.
    fn check(&self, bind: &Address) -> Result<(), SettingsError> {
        let certificate = (CERTIFICATE_FILE, &self.certificate_file);
        let key = (KEY_FILE, &self.key_file);
        for ((missing, path), (given, other)) in [(certificate, key), (key, certificate)] {
            if path.as_os_str().is_empty() && !other.as_os_str().is_empty() {
                return Err(SettingsError::Wrong {
                    name: missing.to_owned(),
                    held: "not set".to_owned(),
                    expected: format!("the path of a file, because {given} is `{}`", other.display()),
                });
            }
        }
        if self.files().is_some() && matches!(bind, Address::Unix(_)) {
            return Err(SettingsError::tls_on_unix_socket());
        }
        Ok(())
    }
}

const CERTIFICATE_FILE: &str = "MYCARS__SERVER__TLS__CERTIFICATE_FILE";

const KEY_FILE: &str = "MYCARS__SERVER__TLS__KEY_FILE";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenMail {
    #[serde(deserialize_with = "values::mail_url")]
    url: String,
    #[serde(deserialize_with = "values::text")]
    from: String,
}

/// How mails are sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum MailTransport {
    None,
    /// As files in this folder.
    Files(PathBuf),
    /// To the mail server of this URL, which may hold a password.
    Smtp(Secret),
}

#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) transport: MailTransport,
    pub(crate) from: String,
}

impl GivenMail {
    fn is_off(&self, debug: bool) -> bool {
        self.url == "none" || (self.url == "auto" && !debug)
    }

    fn settle(self, debug: bool, data_dir: &Path) -> Mail {
        let transport = match self.url.as_str() {
            _ if self.is_off(debug) => MailTransport::None,
            "auto" | "files" => MailTransport::Files(data_dir.join("mail")),
            _ => MailTransport::Smtp(Secret::new(self.url)),
        };
        Mail {
            transport,
            from: self.from,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accounts {
    #[serde(deserialize_with = "values::flag")]
    pub(crate) require_verified_email: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    #[serde(deserialize_with = "values::whole::<1, 1000, _, _>")]
    pub(crate) pool_size: u32,
    #[serde(deserialize_with = "values::whole::<1, 3600, _, _>")]
    pub(crate) timeout_seconds: u64,
    #[serde(deserialize_with = "values::whole::<1, 3600, _, _>")]
    pub(crate) statement_timeout_seconds: u64,
    #[serde(deserialize_with = "values::pooler")]
    pub(crate) pooler: Pooler,
    #[serde(deserialize_with = "values::migrate_at")]
    pub(crate) migrate: MigrateAt,
    #[serde(deserialize_with = "values::whole::<0, 3_600_000, _, _>")]
    slow_ms: u64,
}

impl Database {
    /// Returns the time from which statements are logged.
    pub(crate) fn slow_statement(&self) -> Duration {
        match self.slow_ms {
            0 => Duration::MAX,
            slow_ms => Duration::from_millis(slow_ms),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tokens {
    #[serde(deserialize_with = "values::whole::<1, MAX_MINUTES, _, _>")]
    pub(crate) access_minutes: i64,
    #[serde(deserialize_with = "values::whole::<1, MAX_MINUTES, _, _>")]
    pub(crate) refresh_minutes: i64,
    #[serde(deserialize_with = "values::flag")]
    pub(crate) rotate_refresh: bool,
    #[serde(deserialize_with = "values::whole::<0, 3600, _, _>")]
    pub(crate) reuse_grace_seconds: i64,
    #[serde(deserialize_with = "values::flag")]
    pub(crate) access_dies_with_login: bool,
    #[serde(deserialize_with = "values::whole::<0, MAX_MINUTES, _, _>")]
    email_change_minutes: i64,
}

impl Tokens {
    /// Returns the time after a login in which users may change their own e-mail address.
    pub(crate) fn email_change_within(&self) -> Option<TimeDelta> {
        (self.email_change_minutes > 0).then(|| TimeDelta::minutes(self.email_change_minutes))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sessions {
    #[serde(deserialize_with = "values::whole::<1, MAX_MINUTES, _, _>")]
    pub(crate) idle_minutes: i64,
    #[serde(deserialize_with = "values::whole::<1, MAX_MINUTES, _, _>")]
    pub(crate) lifetime_minutes: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Passwords {
    #[serde(deserialize_with = "values::whole::<4, 31, _, _>")]
    pub(crate) bcrypt_cost: u32,
    #[serde(deserialize_with = "values::threads")]
    pub(crate) threads: usize,
    #[serde(deserialize_with = "values::whole::<1, 100_000, _, _>")]
    pub(crate) queue: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Throttle {
    #[serde(deserialize_with = "values::flag")]
    pub(crate) enabled: bool,
    #[serde(deserialize_with = "values::shared_rates")]
    pub(crate) shared: SharedRatesIn,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) login: Rate,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) account: Rate,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) account_total: Rate,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) register: Rate,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) refresh: Rate,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) password_reset: Rate,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) password: Rate,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) taken: Rate,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) export: Rate,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) anon: Rate,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) user: Rate,
    #[serde(deserialize_with = "values::rate")]
    pub(crate) address: Rate,
    #[serde(deserialize_with = "values::whole::<1, 1000, _, _>")]
    pub(crate) user_jobs: usize,
    #[serde(deserialize_with = "values::whole::<1, 128, _, _>")]
    pub(crate) ipv6_prefix: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cors {
    #[serde(deserialize_with = "values::origins")]
    allowed_origins: AllowedOrigins,
}

impl Cors {
    /// Allows front ends on this machine in `DEBUG`, if no origins are set.
    fn settle(self, debug: bool) -> AllowedOrigins {
        match self.allowed_origins {
            AllowedOrigins::Listed(origins) if debug && origins.is_empty() => AllowedOrigins::Local,
            origins => origins,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotasPerUser {
    #[serde(deserialize_with = "values::whole::<0, { i64::MAX }, _, _>")]
    cars_per_user: u64,
    #[serde(deserialize_with = "values::whole::<0, { i64::MAX }, _, _>")]
    picture_bytes_per_user: u64,
}

impl QuotasPerUser {
    pub(crate) fn quotas(&self) -> Quotas {
        let limit = |limit: u64| Some(limit).filter(|limit| *limit > 0);
        Quotas {
            cars: limit(self.cars_per_user),
            picture_bytes: limit(self.picture_bytes_per_user),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Storage {
    #[serde(deserialize_with = "values::whole::<0, { i64::MAX }, _, _>")]
    pub(crate) min_free_bytes: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    #[serde(deserialize_with = "values::whole::<0, MAX_DAYS, _, _>")]
    keep_days: i64,
    #[serde(deserialize_with = "values::whole::<0, MAX_DAYS, _, _>")]
    keep_addresses_days: i64,
}

impl Audit {
    pub(crate) fn retention(&self) -> AuditRetention {
        let days = |days: i64| (days > 0).then(|| TimeDelta::days(days));
        AuditRetention {
            entries: days(self.keep_days),
            addresses: days(self.keep_addresses_days),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Jobs {
    #[serde(deserialize_with = "values::flag")]
    pub(crate) enabled: bool,
    #[serde(deserialize_with = "values::whole::<1, 2_592_000, _, _>")]
    pub(crate) every_seconds: u64,
    #[serde(deserialize_with = "values::whole::<1, 3600, _, _>")]
    pub(crate) lease_seconds: u64,
    #[serde(deserialize_with = "values::whole::<0, MAX_HOURS, _, _>")]
    pub(crate) sweep_hours: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backup {
    #[serde(deserialize_with = "values::whole::<0, MAX_HOURS, _, _>")]
    every_hours: i64,
    #[serde(deserialize_with = "values::whole::<1, 100_000, _, _>")]
    pub(crate) keep: usize,
    #[serde(deserialize_with = "values::optional_path")]
    pub(crate) directory: PathBuf,
}

impl Backup {
    /// Returns the interval of scheduled backups; `None` if they are turned off.
    pub(crate) fn every(&self) -> Option<TimeDelta> {
        (self.every_hours > 0).then(|| TimeDelta::hours(self.every_hours))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lists {
    #[serde(deserialize_with = "values::whole::<0, 1_000_000, _, _>")]
    pub(crate) page_size: u32,
    #[serde(deserialize_with = "values::whole::<1, 1_000_000, _, _>")]
    pub(crate) max_page_size: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metrics {
    #[serde(deserialize_with = "values::networks")]
    pub(crate) allowed_networks: Networks,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Telemetry {
    #[serde(deserialize_with = "values::collector_url")]
    otlp_endpoint: String,
}

impl Telemetry {
    /// Returns the URL of the collector of traces; `None` if traces are off.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        Some(&*self.otlp_endpoint).filter(|url| !url.is_empty())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    #[serde(deserialize_with = "values::log_level")]
    pub(crate) level: String,
    #[serde(deserialize_with = "values::log_format")]
    pub(crate) format: LogFormat,
}

/// When pending migrations are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MigrateAt {
    /// By each start of the server, and by each command that uses the database.
    Start,
    /// By the command `migrate` alone.
    Never,
}

/// The place where the servers count requests together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SharedRatesIn {
    /// The database if it is PostgreSQL.
    Auto,
    /// None: each server counts for itself.
    Memory,
    Database,
    /// The Redis server with this URL.
    Redis(Secret),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// The reason why settings are refused. Its text is one line that says what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("Unknown setting {name}. {advice}")]
    Unknown { name: String, advice: String },
    #[error("{name} is {held}, but should be {expected}")]
    Wrong {
        name: String,
        held: String,
        expected: String,
    },
    #[error("{file} can't be used: {problem}")]
    File { file: String, problem: String },
    #[error("MYCARS_ENVIRONMENT is {0:?}, but there is no file config/{0}.toml")]
    NoEnvironment(String),
    #[error(
        "SECRET_KEY is not set: set it to {ADVICE}; or set DEBUG=true if only this machine can reach the server"
    )]
    NoKey,
    #[error("{variable} holds a weak key, {weakness}: use {ADVICE}")]
    WeakKey {
        variable: &'static str,
        weakness: &'static str,
    },
    #[error(
        "ALLOWED_HOSTS is not set: set it to the host names of this server, separated by commas, for \
         example ALLOWED_HOSTS=example.org,www.example.org"
    )]
    NoHosts,
    #[error(
        "an S3 store needs an access key, but MYCARS__MEDIA__S3__ACCESS_KEY or MYCARS__MEDIA__S3__SECRET_KEY is not set: \
         set both, or name files that hold them (MYCARS__MEDIA__S3__SECRET_KEY_FILE)"
    )]
    NoAccessKey,
    #[error(
        "MYCARS__MAIL__URL is set, but not MYCARS__SERVER__PUBLIC_URL: set it to the URL of this server for the links in \
         mails, for example https://cars.example.org"
    )]
    NoPublicUrl,
    #[error(
        "MYCARS__ACCOUNTS__REQUIRE_VERIFIED_EMAIL is true, but mail is turned off: set MYCARS__MAIL__URL to a mail server, \
         and MYCARS__SERVER__PUBLIC_URL to the URL of this server"
    )]
    VerifiedEmailWithoutMail,
    #[error(
        "DEBUG is on, although MYCARS_ENVIRONMENT is production: set DEBUG=false, or for development \
         MYCARS_ENVIRONMENT=development"
    )]
    DebugInProduction,
    #[error(
        "DEBUG is on, although other machines may reach {0}: set DEBUG=false with SECRET_KEY and ALLOWED_HOSTS, or \
         listen on this machine alone, for example MYCARS__SERVER__BIND=127.0.0.1:8000"
    )]
    DebugInPublic(Address),
    #[error("{0}; {warning}", warning = DOTENV_WARNING)]
    NotRead(Box<SettingsError>),
}

impl SettingsError {
    /// Returns the error about TLS on a Unix socket.
    pub(crate) fn tls_on_unix_socket() -> Self {
        Self::Wrong {
            name: CERTIFICATE_FILE.to_owned(),
            held: "set".to_owned(),
            expected: "empty, because the server listens on a Unix socket: its proxy has TLS".to_owned(),
        }
    }

    /// Adds to the error about a missing setting that `.env` is not read, if there is one.
    fn hinting_at_dotenv(self, has_dotenv: bool) -> Self {
        match self {
            Self::NoKey | Self::NoHosts if has_dotenv => Self::NotRead(Box::new(self)),
            other => other,
        }
    }
}

const ADVICE: &str = "at least 32 random characters, for example the output of: openssl rand -hex 32";

/// The merged values, before defaults that depend on other settings: exactly the keys of `default.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(deserialize_with = "values::flag_or_auto")]
    debug: Option<bool>,
    #[serde(deserialize_with = "values::text")]
    secret_key: String,
    #[serde(deserialize_with = "values::keys")]
    secret_key_fallbacks: Vec<String>,
    #[serde(deserialize_with = "values::hosts")]
    allowed_hosts: Vec<String>,
    #[serde(deserialize_with = "values::database_url")]
    database_url: String,
    #[serde(deserialize_with = "values::path")]
    data_dir: PathBuf,
    server: Server,
    mail: GivenMail,
    accounts: Accounts,
    database: Database,
    tokens: Tokens,
    sessions: Sessions,
    passwords: Passwords,
    media: media::GivenMedia,
    quotas: QuotasPerUser,
    storage: Storage,
    audit: Audit,
    jobs: Jobs,
    backup: Backup,
    lists: Lists,
    throttle: Throttle,
    cors: Cors,
    log: Log,
    metrics: Metrics,
    telemetry: Telemetry,
}

impl Settings {
    /// Loads the settings of this process from its folder and its environment. `bind`, from the command line,
    /// overrides the address.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub(crate) fn of_process(bind: Option<Address>) -> Result<Self, SettingsError> {
        let mut variables = layers::ours(std::env::vars_os())?;
        if let Some(bind) = bind {
            variables.insert("MYCARS__SERVER__BIND".to_owned(), bind.to_string());
        }
        Self::load(&variables, Path::new(""))
    }

    /// Returns the address of the server in the settings of this process, and the scheme of its URLs, even if other
    /// values are invalid.
    ///
    /// # Errors
    /// [`SettingsError`] if the address is wrong, or a setting is unknown.
    pub(crate) fn bind_of_process() -> Result<(Address, &'static str), SettingsError> {
        #[derive(Deserialize)]
        struct Given {
            server: Server,
        }
        #[derive(Deserialize)]
        struct Server {
            #[serde(deserialize_with = "values::address")]
            bind: Address,
            tls: ServerTls,
        }
        let variables = layers::ours(std::env::vars_os())?;
        let given: Given = layers::merge(layers::environment(&variables), &variables, Path::new(""))?;
        let scheme = given.server.tls.scheme();
        Ok((given.server.bind, scheme))
    }

    /// Returns the settings of this process for people to read, whether their values are valid or not.
    ///
    /// # Errors
    /// [`SettingsError`] if a source can't be read, or names an unknown setting.
    pub(crate) fn shown_of_process() -> Result<Vec<ShownSetting>, SettingsError> {
        layers::shown(&layers::ours(std::env::vars_os())?, Path::new(""))
    }

    /// Loads the settings from the folder `config` in `folder`, if there is one, and from `variables`. Relative
    /// paths are relative to `folder`. Writes nothing.
    ///
    /// # Errors
    /// [`SettingsError`] if a setting is unknown or wrong, or if one is missing that is required outside `DEBUG`.
    pub(crate) fn load(variables: &Variables, folder: &Path) -> Result<Self, SettingsError> {
        let environment = layers::environment(variables);
        let given: Given = layers::merge(environment, variables, folder)?;
        let debug = given
            .debug
            .unwrap_or_else(|| environment != "production" && given.is_first_try());
        given.server.tls.check(&given.server.bind)?;
        let has_dotenv = folder.join(DOTENV).is_file();
        let mut warnings: Vec<String> = if debug {
            given.check_debug(environment)?;
            given.weak_keys().map(|error| error.to_string()).collect()
        } else {
            given
                .check_production()
                .map_err(|error| error.hinting_at_dotenv(has_dotenv))?;
            Vec::new()
        };
        if has_dotenv {
            warnings.push(DOTENV_WARNING.to_owned());
        }
        if given.accounts.require_verified_email && given.mail.is_off(debug) {
            return Err(SettingsError::VerifiedEmailWithoutMail);
        }
        Ok(given.settle(debug, warnings, folder))
    }
}

impl Given {
    /// Returns whether no key, hosts or database are set, and only this machine can reach the server.
    fn is_first_try(&self) -> bool {
        self.secret_key.is_empty()
            && self.allowed_hosts.is_empty()
            && self.database_url.is_empty()
            && self.server.bind.is_local()
    }

    fn check_production(&self) -> Result<(), SettingsError> {
        if self.secret_key.is_empty() {
            return Err(SettingsError::NoKey);
        }
        if let Some(weak_key) = self.weak_keys().next() {
            return Err(weak_key);
        }
        if self.allowed_hosts.is_empty() {
            return Err(SettingsError::NoHosts);
        }
        if self.server.public_url.is_empty() && !["auto", "none"].contains(&self.mail.url.as_str()) {
            return Err(SettingsError::NoPublicUrl);
        }
        Ok(())
    }

    fn check_debug(&self, environment: &str) -> Result<(), SettingsError> {
        if environment == "production" {
            return Err(SettingsError::DebugInProduction);
        }
        if !self.server.bind.is_local() {
            return Err(SettingsError::DebugInPublic(self.server.bind.clone()));
        }
        Ok(())
    }

    fn weak_keys(&self) -> impl Iterator<Item = SettingsError> {
        let key = (!self.secret_key.is_empty()).then_some(("SECRET_KEY", &self.secret_key));
        let fallbacks = self
            .secret_key_fallbacks
            .iter()
            .map(|key| ("SECRET_KEY_FALLBACKS", key));
        key.into_iter().chain(fallbacks).filter_map(|(variable, key)| {
            weakness(key).map(|weakness| SettingsError::WeakKey { variable, weakness })
        })
    }

    fn settle(self, debug: bool, warnings: Vec<String>, folder: &Path) -> Settings {
        let data_dir = folder.join(self.data_dir);
        let database_url = if self.database_url.is_empty() {
            format!("sqlite://{}", data_dir.join("mycars.sqlite3").display())
        } else {
            self.database_url
        };
        let media = self.media.settle(folder, &data_dir);
        let directory = &self.backup.directory;
        let directory = if directory.as_os_str().is_empty() {
            data_dir.join("backups")
        } else {
            folder.join(directory)
        };
        let backup = Backup {
            directory,
            ..self.backup
        };
        let allowed_hosts = if self.allowed_hosts.is_empty() {
            LOCAL_HOSTS.map(str::to_owned).to_vec()
        } else {
            self.allowed_hosts
        };
        Settings {
            debug,
            secret_key: Some(self.secret_key)
                .filter(|key| !key.is_empty())
                .map(Secret::new),
            secret_key_fallbacks: self.secret_key_fallbacks.into_iter().map(Secret::new).collect(),
            allowed_hosts,
            database_url: Secret::new(database_url),
            public_url: if self.server.public_url.is_empty() {
                match &self.server.bind {
                    Address::Tcp(address) => format!("{}://{address}", self.server.tls.scheme()),
                    Address::Unix(_) => "http://localhost".to_owned(),
                }
            } else {
                self.server.public_url.trim_end_matches('/').to_owned()
            },
            mail: self.mail.settle(debug, &data_dir),
            data_dir,
            server: self.server,
            accounts: self.accounts,
            database: self.database,
            tokens: self.tokens,
            sessions: self.sessions,
            passwords: self.passwords,
            media,
            quotas: self.quotas,
            storage: self.storage,
            audit: self.audit,
            jobs: self.jobs,
            backup,
            lists: self.lists,
            throttle: self.throttle,
            allowed_origins: self.cors.settle(debug),
            log: self.log,
            metrics: self.metrics,
            telemetry: self.telemetry,
            warnings,
        }
    }
}
