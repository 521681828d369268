//! The sources of the settings. Each layer overrides those before it:
//!
//! 1. the built-in `default.toml`, which has every setting
//! 2. `config/default.toml`
//! 3. the built-in file of the environment `development` or `production`
//! 4. `config/<environment>.toml`
//! 5. environment variables

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use config::{Config, ConfigError, File, FileFormat, Source, Value, ValueKind};
use serde::de::DeserializeOwned;

use super::{SettingsError, Variables};

/// The built-in files, with which the program needs no folder `config`.
pub(super) const BUILT_IN: [(&str, &str); 3] = [
    ("default", DEFAULT),
    ("development", include_str!("../../../../config/development.toml")),
    ("production", include_str!("../../../../config/production.toml")),
];

pub(super) const DEFAULT: &str = include_str!("../../../../config/default.toml");

/// The variable that chooses the environment.
const ENVIRONMENT: &str = "MYCARS_ENVIRONMENT";

/// The prefix of the other variables. It has two underscores because Kubernetes gives every pod variables such as
/// `MYCARS_PORT` for a service named `mycars`.
const PREFIX: &str = "MYCARS__";

/// The settings whose variables have no prefix, because Django projects use these names.
const WITHOUT_PREFIX: [&str; 5] = [
    "secret_key",
    "secret_key_fallbacks",
    "debug",
    "allowed_hosts",
    "database_url",
];

/// Settings with secret values, which neither error messages nor `config show` show.
pub(super) const SECRET: [&str; 7] = [
    "secret_key",
    "secret_key_fallbacks",
    "database_url",
    "media.s3.access_key",
    "media.s3.secret_key",
    "mail.url",
    "throttle.shared",
];

/// The end of the name of a variable that names a file with the value of a setting in [`SECRET`].
const FILE_SUFFIX: &str = "_FILE";

/// Returns the environment variables of a process that are settings.
///
/// # Errors
/// [`SettingsError::Wrong`] if one of them is not valid UTF-8.
pub(super) fn ours(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Variables, SettingsError> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| is_ours(name))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(SettingsError::Wrong {
                name,
                held: "not valid UTF-8".to_owned(),
                expected: "text".to_owned(),
            }),
        })
        .collect()
}

fn is_ours(name: &str) -> bool {
    name == ENVIRONMENT
        || name.starts_with(PREFIX)
        || WITHOUT_PREFIX.iter().any(|key| name == variable(key))
        || secret_in_file(name).is_some()
}

/// Returns the setting whose file a variable names.
fn secret_in_file(name: &str) -> Option<&'static str> {
    let variable = name.strip_suffix(FILE_SUFFIX)?;
    SECRET.into_iter().find(|key| self::variable(key) == variable)
}

/// Returns the name of the environment, which selects a file.
pub(super) fn environment(variables: &Variables) -> &str {
    match variables.get(ENVIRONMENT) {
        Some(name) if !name.is_empty() => name,
        _ => "development",
    }
}

/// Reads and merges all layers.
pub(super) fn merge<T: DeserializeOwned>(
    environment: &str,
    variables: &Variables,
    folder: &Path,
) -> Result<T, SettingsError> {
    let merged = merged(environment, variables, folder)?;
    let root = merged.cache.clone();
    merged.try_deserialize().map_err(|error| explain(error, &root))
}

/// Reads and merges all layers, with the source of each value. The keys are those of settings, but the values may be
/// invalid.
fn merged(environment: &str, variables: &Variables, folder: &Path) -> Result<Config, SettingsError> {
    let keys = keys()?;
    let mut builder = Config::builder();
    for file in files(environment, folder)? {
        builder = builder.add_source(file);
    }
    for (name, key, text) in assignments(variables, &keys, folder)? {
        let value = Value::new(Some(&name), text);
        builder = builder
            .set_override(key, value)
            .map_err(|error| unexpected(&error))?;
    }
    let merged = builder.build().map_err(|error| unexpected(&error))?;
    refuse_unknown(&merged.cache, &keys)?;
    Ok(merged)
}

/// A setting for people to read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ShownSetting {
    /// The name of its section; empty for settings that are in none.
    pub(crate) section: String,
    /// Its name in the section.
    pub(crate) name: String,
    /// Its value as TOML, or `"(hidden)"` if it is a secret.
    pub(crate) value: String,
    /// The variable or the file that sets it, or `default`.
    pub(crate) source: String,
}

/// Returns all settings, those without a section first, then by section and name.
///
/// # Errors
/// [`SettingsError`] if a source can't be read, or names an unknown setting.
pub(super) fn shown(variables: &Variables, folder: &Path) -> Result<Vec<ShownSetting>, SettingsError> {
    let environment = environment(variables);
    let merged = merged(environment, variables, folder)?;
    let built_in = BUILT_IN.iter().find(|(name, _)| *name == environment);
    let built_in = built_in.map(|(_, text)| read(File::from_str(text, FileFormat::Toml), environment));
    let built_in = built_in.transpose()?;
    let is_of_environment = |key: &str| {
        built_in
            .as_ref()
            .is_some_and(|file| leaves(&file.cache, "").iter().any(|(found, _)| found == key))
    };
    let mut shown: Vec<ShownSetting> = leaves(&merged.cache, "")
        .into_iter()
        .map(|(key, value)| {
            let (section, name) = key.rsplit_once('.').unwrap_or(("", &key));
            ShownSetting {
                section: section.to_owned(),
                name: name.to_owned(),
                value: toml(&key, value),
                source: match value.origin() {
                    Some(source) => source.to_owned(),
                    None if is_of_environment(&key) => format!("default of the environment {environment}"),
                    None => "default".to_owned(),
                },
            }
        })
        .collect();
    shown.sort_by(|one, other| (&one.section, &one.name).cmp(&(&other.section, &other.name)));
    Ok(shown)
}

/// Returns a value as TOML. Secrets that are set are hidden, unless they are built in.
fn toml(key: &str, value: &Value) -> String {
    let is_set = value.origin().is_some()
        && match &value.kind {
            ValueKind::String(text) => !text.is_empty(),
            ValueKind::Array(items) => !items.is_empty(),
            _ => true,
        };
    // Any URL may hold a password.
    let has_credentials =
        matches!(&value.kind, ValueKind::String(text) if text.contains("://") && text.contains('@'));
    if is_set && (SECRET.contains(&key) || has_credentials) {
        return "\"(hidden)\"".to_owned();
    }
    match &value.kind {
        // Strings of JSON are strings of TOML, too.
        ValueKind::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        ValueKind::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| toml(key, item)).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

/// Returns the keys of all settings, such as `server.bind`, with the names of their variables.
pub(super) fn keys() -> Result<BTreeMap<String, String>, SettingsError> {
    let default = read(
        File::from_str(DEFAULT, FileFormat::Toml),
        "the built-in default.toml",
    )?;
    Ok(leaves(&default.cache, "")
        .into_iter()
        .map(|(key, _)| (key.clone(), variable(&key)))
        .collect())
}

/// Returns the name of the variable of a setting.
pub(super) fn variable(key: &str) -> String {
    if WITHOUT_PREFIX.contains(&key) {
        key.to_uppercase()
    } else {
        format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
    }
}

fn files(environment: &str, folder: &Path) -> Result<Vec<Config>, SettingsError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !environment.chars().all(is_name) {
        return Err(SettingsError::NoEnvironment(environment.to_owned()));
    }
    let mut files = Vec::new();
    for name in ["default", environment] {
        let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
        if let Some((_, text)) = built_in {
            let source = File::from_str(text, FileFormat::Toml);
            files.push(read(source, &format!("the built-in {name}.toml"))?);
        }
        let path = folder.join("config").join(format!("{name}.toml"));
        if exists(&path)? {
            let label = path.display().to_string();
            files.push(read(File::from(path).format(FileFormat::Toml), &label)?);
        } else if built_in.is_none() {
            return Err(SettingsError::NoEnvironment(name.to_owned()));
        }
    }
    Ok(files)
}

fn exists(path: &Path) -> Result<bool, SettingsError> {
    path.try_exists().map_err(|error| SettingsError::File {
        file: path.display().to_string(),
        problem: error.to_string(),
    })
}

fn read(source: impl Source + Send + Sync + 'static, label: &str) -> Result<Config, SettingsError> {
    Config::builder()
        .add_source(source)
        .build()
        .map_err(|error| SettingsError::File {
            file: label.to_owned(),
            problem: in_one_line(&error),
        })
}

/// Returns the position and the message of a TOML error, without the lines between, which quote the file and its secrets.
fn in_one_line(error: &ConfigError) -> String {
    let text = match error {
        ConfigError::FileParse { cause, .. } => cause.to_string(),
        other => other.to_string(),
    };
    let mut lines = text.lines().filter(|line| !line.is_empty());
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("{first}: {last}"),
        (first, _) => first.unwrap_or_default().to_owned(),
    }
}

/// Returns the variables that are set, with the keys of their settings. An empty variable counts as not set. A secret may
/// be in the file that another variable names.
fn assignments(
    variables: &Variables,
    keys: &BTreeMap<String, String>,
    folder: &Path,
) -> Result<Vec<(String, String, String)>, SettingsError> {
    let mut assignments = Vec::new();
    for (name, text) in variables
        .iter()
        .filter(|(name, _)| is_ours(name) && *name != ENVIRONMENT)
    {
        let key = keys.iter().find(|(_, variable)| *variable == name);
        match (key, secret_in_file(name)) {
            (None, None) => return Err(unknown_variable(name, keys)),
            _ if text.is_empty() => {}
            (Some((key, _)), _) => assignments.push((name.clone(), key.clone(), text.clone())),
            (None, Some(key)) => {
                refuse_second_value(name, key, variables)?;
                assignments.push((name.clone(), key.to_owned(), read_secret(&folder.join(text))?));
            }
        }
    }
    Ok(assignments)
}

/// Refuses a secret that is in a variable and in a file.
fn refuse_second_value(name: &str, key: &str, variables: &Variables) -> Result<(), SettingsError> {
    let variable = variable(key);
    match variables.get(&variable) {
        Some(text) if !text.is_empty() => Err(SettingsError::Wrong {
            name: name.to_owned(),
            held: format!("set, and so is {variable}"),
            expected: "the only one of the two".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Reads a secret from a file, without the end of its line.
fn read_secret(path: &Path) -> Result<String, SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|error| SettingsError::File {
        file: path.display().to_string(),
        problem: error.to_string(),
    })?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(SettingsError::File {
            file: path.display().to_string(),
            problem: "it is empty".to_owned(),
        });
    }
    Ok(secret.to_owned())
}

fn unknown_variable(name: &str, keys: &BTreeMap<String, String>) -> SettingsError {
    let key = name
        .strip_prefix(PREFIX)
        .unwrap_or(name)
        .replace("__", ".")
        .to_lowercase();
    SettingsError::Unknown {
        name: format!("`{name}`"),
        advice: advice(closest(&key, keys).map(|(_, variable)| variable)),
    }
}

fn refuse_unknown(root: &Value, keys: &BTreeMap<String, String>) -> Result<(), SettingsError> {
    match leaves(root, "")
        .into_iter()
        .find(|(key, _)| !keys.contains_key(key))
    {
        None => Ok(()),
        Some((key, value)) => Err(SettingsError::Unknown {
            name: format!("`{key}` in {}", value.origin().unwrap_or_default()),
            advice: advice(closest(&key, keys).map(|(key, _)| key)),
        }),
    }
}

/// Minimum similarity (Jaro-Winkler, 0 to 1) of an unknown key to the setting that is suggested instead.
const MIN_SIMILARITY: f64 = 0.85;

/// Returns the key, and the variable, of the setting whose key is most similar to `key`.
fn closest<'a>(key: &str, keys: &'a BTreeMap<String, String>) -> Option<(&'a String, &'a String)> {
    // The setting that holds the host and the port.
    let key = ["host", "port"]
        .iter()
        .find_map(|name| Some(format!("{}bind", key.strip_suffix(name)?)))
        .unwrap_or_else(|| key.to_owned());
    let similarity = |known: &str| strsim::jaro_winkler(&key, known);
    keys.iter()
        .filter(|(known, _)| similarity(known) >= MIN_SIMILARITY)
        .max_by(|(one, _), (other, _)| similarity(one).total_cmp(&similarity(other)))
}

fn advice(suggestion: Option<&String>) -> String {
    suggestion.map_or_else(
        || "docs/configuration.md lists all settings.".to_owned(),
        |suggestion| format!("Did you mean `{suggestion}`?"),
    )
}

/// Returns all values that are not tables, with their keys.
fn leaves<'a>(value: &'a Value, key: &str) -> Vec<(String, &'a Value)> {
    let ValueKind::Table(table) = &value.kind else {
        return vec![(key.to_owned(), value)];
    };
    let key_of = |name: &str| {
        if key.is_empty() {
            name.to_owned()
        } else {
            format!("{key}.{name}")
        }
    };
    table
        .iter()
        .flat_map(|(name, value)| leaves(value, &key_of(name)))
        .collect()
}

/// Names the source of a wrong value, the value, and what it should be.
pub(super) fn explain(error: ConfigError, root: &Value) -> SettingsError {
    let ConfigError::At {
        error: expected,
        key: Some(key),
        ..
    } = error
    else {
        return unexpected(&error);
    };
    let leaves = leaves(root, "");
    let value = leaves
        .iter()
        .find(|(leaf, _)| *leaf == key)
        .map(|(_, value)| *value);
    let name = match value.and_then(Value::origin) {
        Some(variable) if is_ours(variable) => variable.to_owned(),
        Some(file) => format!("{key} in {file}"),
        // The file of a section in place of a value is not known.
        None => key.clone(),
    };
    SettingsError::Wrong {
        name,
        held: held(&key, value),
        expected: expected.to_string(),
    }
}

fn held(key: &str, value: Option<&Value>) -> String {
    match value.map(|value| &value.kind) {
        _ if SECRET.contains(&key) => "something else (which is not shown here)".to_owned(),
        Some(ValueKind::String(text)) => format!("{text:?}"),
        Some(ValueKind::Array(_)) => "a list".to_owned(),
        Some(other) => other.to_string(),
        None => "a section".to_owned(),
    }
}

/// Wraps an error that no file and no variable can cause.
fn unexpected(error: &ConfigError) -> SettingsError {
    SettingsError::File {
        file: "the configuration".to_owned(),
        problem: in_one_line(error),
    }
}
