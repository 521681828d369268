//! Parsers of single values, from TOML or from the text of an environment variable. An error is the second half of the
//! sentence "… should be {error}"; [`layers`](super::layers) adds the first.

use std::{path::PathBuf, str::FromStr, thread};

use mycars_http::{Address, AllowedOrigins, BadOrigin, Networks, Rate, TrustedProxies};
use mycars_media::Delivery;
use mycars_persistence::Pooler;
use mycars_redis::RedisRates;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{LogFormat, MediaRoot, MigrateAt, Secret, SharedRatesIn};
use crate::logging;

/// A value as TOML or as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Notation {
    Flag(bool),
    Whole(i64),
    Text(String),
    List(Vec<String>),
}

/// Parses a value by `read`, which returns `None` if the value is not `expected`.
fn read<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &str,
    read: impl FnOnce(Notation) -> Option<T>,
) -> Result<T, D::Error> {
    Notation::deserialize(deserializer)
        .ok()
        .and_then(read)
        .ok_or_else(|| D::Error::custom(expected))
}

/// Parses a value that is text.
fn read_text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &str,
    parse: impl FnOnce(String) -> Option<T>,
) -> Result<T, D::Error> {
    read(deserializer, expected, |value| match value {
        Notation::Text(text) => parse(text),
        _ => None,
    })
}

/// A whole number from `MIN` to `MAX`.
pub(super) fn whole<'de, const MIN: i64, const MAX: i64, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: TryFrom<i64>,
    D: Deserializer<'de>,
{
    let expected = format!("a whole number from {MIN} to {MAX}");
    read(deserializer, &expected, |value| {
        let number = match value {
            Notation::Whole(number) => Some(number),
            Notation::Text(text) => text.trim().parse().ok(),
            _ => None,
        }?;
        (MIN..=MAX).contains(&number).then(|| T::try_from(number).ok())?
    })
}

/// A number of threads; 0 means one per core.
pub(super) fn workers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    whole::<0, 1024, usize, D>(deserializer).map(|workers| match workers {
        0 => cores(),
        workers => workers,
    })
}

/// A number of threads for slow work; 0 means half of the cores, at least one.
pub(super) fn threads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    whole::<0, 1024, usize, D>(deserializer).map(|threads| match threads {
        0 => (cores() / 2).max(1),
        threads => threads,
    })
}

/// A number of threads that decode pictures; 0 means half of the cores, at least two.
pub(super) fn image_threads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    whole::<0, 1024, usize, D>(deserializer).map(|threads| match threads {
        0 => (cores() / 2).max(2),
        threads => threads,
    })
}

/// Returns the number of cores that this process may use.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn to_flag(value: &Notation) -> Option<bool> {
    match value {
        Notation::Flag(flag) => Some(*flag),
        Notation::Whole(1) => Some(true),
        Notation::Whole(0) => Some(false),
        Notation::Text(text) => match text.trim().to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// True or false, in the usual spellings.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    read(deserializer, "true or false", |value| to_flag(&value))
}

/// True, false, or `None` for `auto`.
pub(super) fn flag_or_auto<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    read(deserializer, "true, false or auto", |value| match value {
        Notation::Text(text) if ["", "auto"].contains(&text.trim()) => Some(None),
        value => to_flag(&value).map(Some),
    })
}

/// Any text.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    read_text(deserializer, "text", Some)
}

fn to_list(value: Notation) -> Option<Vec<String>> {
    let items = match value {
        Notation::List(items) => items,
        Notation::Text(text) => text.split(',').map(str::to_owned).collect(),
        _ => return None,
    };
    let trimmed = items.iter().map(|item| item.trim().to_owned());
    Some(trimmed.filter(|item| !item.is_empty()).collect())
}

/// Keys, in a list or separated by commas, without empty items.
pub(super) fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    read(deserializer, "a list of keys", to_list)
}

/// Patterns of hosts, like those of Django's `ALLOWED_HOSTS`, in lower case.
pub(super) fn hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let expected = "host names such as example.org, .example.org, [::1] or *, without scheme and port";
    read(deserializer, expected, |value| {
        let hosts = to_list(value)?;
        let are_hosts = hosts.iter().all(|host| is_host_pattern(host));
        are_hosts.then(|| hosts.iter().map(|host| host.to_lowercase()).collect())
    })
}

fn is_host_pattern(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return std::net::Ipv6Addr::from_str(address).is_ok();
    }
    let name = host.strip_prefix('.').unwrap_or(host);
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    host == "*" || name.split('.').all(is_label)
}

/// The URL of an SQLite or PostgreSQL database, or empty.
pub(super) fn database_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let expected = "sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME";
    let is_url = |text: &str| {
        ["sqlite://", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
    };
    read_text(deserializer, expected, |text| {
        let url = text.trim();
        (url.is_empty() || is_url(url)).then(|| url.to_owned())
    })
}

/// The transport of mails.
pub(super) fn mail_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let expected = "none, files, auto, smtps://USER:PASSWORD@HOST, smtp://USER:PASSWORD@HOST:587?tls=required or \
                    smtp://HOST:25";
    let is_url = |text: &str| {
        ["smtp://", "smtps://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
    };
    read_text(deserializer, expected, |text| {
        let url = text.trim();
        (["none", "files", "auto"].contains(&url) || is_url(url)).then(|| url.to_owned())
    })
}

/// The URL of this server, or empty.
pub(super) fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let expected = "the URL of this server, such as https://cars.example.org";
    let is_url = |text: &str| {
        let host = text.strip_prefix("https://").or(text.strip_prefix("http://"));
        host.is_some_and(|host| !host.is_empty() && !host.contains(['?', '#', ' ']))
    };
    read_text(deserializer, expected, |text| {
        let url = text.trim();
        (url.is_empty() || is_url(url)).then(|| url.to_owned())
    })
}

/// The path of a folder.
pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    read_text(deserializer, "the path of a folder", |text| {
        (!text.trim().is_empty()).then(|| PathBuf::from(text))
    })
}

/// The path of a folder, or empty.
pub(super) fn optional_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    read_text(deserializer, "the path of a folder", |text| {
        Some(PathBuf::from(text.trim()))
    })
}

/// The path of a file, or empty.
pub(super) fn optional_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    read_text(deserializer, "the path of a file", |text| {
        Some(PathBuf::from(text.trim()))
    })
}

/// The folder or bucket of the pictures; `None` if it is empty.
pub(super) fn media_root<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<MediaRoot>, D::Error> {
    let expected = "the path of a folder, or s3://BUCKET or s3://BUCKET/PREFIX";
    read_text(deserializer, expected, |text| MediaRoot::parse(text.trim()))
}

/// How clients get pictures.
pub(super) fn delivery<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Delivery, D::Error> {
    read_text(deserializer, "proxy or redirect", |text| match text.trim() {
        "proxy" => Some(Delivery::Proxy),
        "redirect" => Some(Delivery::Redirect),
        _ => None,
    })
}

/// The URL of a collector of traces, or empty.
pub(super) fn collector_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    read_text(deserializer, "a URL such as http://127.0.0.1:4318", |text| {
        let url = text.trim();
        let is_url = url.strip_prefix("http://").is_some_and(|host| !host.is_empty());
        (url.is_empty() || is_url && !url.contains('@')).then(|| url.to_owned())
    })
}

/// The URL of a server, or empty.
pub(super) fn server_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    read_text(deserializer, "a URL such as https://s3.example.org", |text| {
        let url = text.trim();
        let is_url = |scheme| url.strip_prefix(scheme).is_some_and(|host| !host.is_empty());
        let is_usable = (is_url("https://") || is_url("http://")) && !url.contains('@');
        (url.is_empty() || is_usable).then(|| url.to_owned())
    })
}

/// A secret text.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    text(deserializer).map(Secret::new)
}

/// An IP address and a port, or the path of a socket.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    let expected = "an IP address and a port such as 127.0.0.1:8000, 0.0.0.0:8000 or [::]:8000, or the path of a \
                    socket such as unix:/run/mycars.sock";
    read_text(deserializer, expected, |text| text.trim().parse().ok())
}

/// Addresses and networks.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Networks, D::Error> {
    let expected = "IP addresses and networks such as 10.0.0.1, 10.0.0.0/8 or fd00::/8";
    read(deserializer, expected, |value| Networks::new(&to_list(value)?))
}

/// Addresses and networks of proxies, and `unix`.
pub(super) fn proxies<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TrustedProxies, D::Error> {
    let expected = "IP addresses and networks such as 10.0.0.1, 10.0.0.0/8 or fd00::/8, or unix";
    read(deserializer, expected, |value| {
        TrustedProxies::new(&to_list(value)?)
    })
}

/// A rate limit.
pub(super) fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
    read_text(
        deserializer,
        "a rate such as 10/s, 10/min, 10/hour or 10/day",
        |text| text.parse().ok(),
    )
}

/// Origins as browsers send them, or `*`.
pub(super) fn origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AllowedOrigins, D::Error> {
    let list = read(deserializer, &BadOrigin::NoOrigin.to_string(), to_list)?;
    AllowedOrigins::new(&list).map_err(D::Error::custom)
}

/// A level of the log, or directives.
pub(super) fn log_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let expected = "off, error, warn, info, debug or trace, or directives such as info,mycars_http=debug";
    read_text(deserializer, expected, |text| {
        logging::filter(&text).is_some().then_some(text)
    })
}

/// When migrations are applied.
pub(super) fn migrate_at<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MigrateAt, D::Error> {
    read_text(deserializer, "start or never", |text| match text.trim() {
        "start" => Some(MigrateAt::Start),
        "never" => Some(MigrateAt::Never),
        _ => None,
    })
}

/// The connection pooler in front of PostgreSQL.
pub(super) fn pooler<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pooler, D::Error> {
    read_text(deserializer, "none or transaction", |text| match text.trim() {
        "none" => Some(Pooler::None),
        "transaction" => Some(Pooler::Transaction),
        _ => None,
    })
}

/// The place where servers count requests together.
pub(super) fn shared_rates<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SharedRatesIn, D::Error> {
    let expected = "auto, memory, database, redis://:PASSWORD@HOST:6379 or rediss://:PASSWORD@HOST:6379";
    read_text(deserializer, expected, |text| match text.trim() {
        "auto" => Some(SharedRatesIn::Auto),
        "memory" => Some(SharedRatesIn::Memory),
        "database" => Some(SharedRatesIn::Database),
        url => RedisRates::new(url)
            .is_ok()
            .then(|| SharedRatesIn::Redis(Secret::new(url.to_owned()))),
    })
}

/// The format of the log.
pub(super) fn log_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogFormat, D::Error> {
    read_text(deserializer, "text or json", |text| match text.trim() {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    })
}
