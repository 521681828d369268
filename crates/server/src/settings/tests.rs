//! Tests of the settings: each has a folder and variables of its own.

use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt as _};

use config::{Config, File, FileFormat, Value, ValueKind};
use tempfile::TempDir;

use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// What a server in earnest needs.
const IN_EARNEST: [(&str, &str); 2] = [("SECRET_KEY", KEY), ("ALLOWED_HOSTS", "example.org")];

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

/// The settings with these variables where there is no folder `config`.
fn load(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::load(&variables(pairs), &TempDir::new().unwrap().keep_nothing())
}

/// The settings with these variables and these files in `config`.
fn load_with_files(files: &[(&str, &str)], pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join("config").join(name), text).unwrap();
    }
    Settings::load(&variables(pairs), folder.path())
}

/// The one line that says what is wrong.
fn problem(result: Result<Settings, SettingsError>) -> String {
    let problem = result.unwrap_err().to_string();
    assert!(!problem.contains('\n'), "more than one line: {problem}");
    problem
}

trait KeepNothing {
    fn keep_nothing(self) -> PathBuf;
}

impl KeepNothing for TempDir {
    /// The path of the folder, which is gone.
    fn keep_nothing(self) -> PathBuf {
        let path = self.path().to_owned();
        self.close().unwrap();
        path
    }
}

#[test]
fn every_setting_has_its_documented_default() {
    let folder = Path::new("/nowhere");
    let settings = Settings::load(&Variables::new(), folder).unwrap();

    assert!(settings.debug);
    assert_eq!(settings.secret_key, None);
    assert_eq!(settings.secret_key_fallbacks, []);
    assert_eq!(settings.allowed_hosts, ["localhost", "127.0.0.1", "[::1]"]);
    assert_eq!(
        settings.database_url.reveal(),
        "sqlite:///nowhere/data/mycars.sqlite3"
    );
    assert_eq!(settings.data_dir, Path::new("/nowhere/data"));
    assert_eq!(settings.server.bind.to_string(), "127.0.0.1:8000");
    assert!(settings.server.workers >= 1);
    assert_eq!(settings.server.shutdown_seconds, 30);
    assert_eq!(settings.server.trusted_proxies, TrustedProxies::default());
    assert_eq!(settings.database.pool_size, 8);
    assert_eq!(settings.database.timeout_seconds, 2);
    assert_eq!(settings.tokens.access_minutes, 60);
    assert_eq!(settings.tokens.refresh_minutes, 1440);
    assert!(!settings.tokens.rotate_refresh);
    assert_eq!(settings.passwords.bcrypt_cost, 12);
    assert_eq!(settings.passwords.queue, 64);
    assert!(settings.throttle.enabled);
    assert_eq!(settings.throttle.login, "10/min".parse().unwrap());
    assert_eq!(settings.throttle.register, "20/hour".parse().unwrap());
    assert_eq!(settings.throttle.refresh, "60/min".parse().unwrap());
    assert_eq!(settings.throttle.anon, "300/min".parse().unwrap());
    assert_eq!(settings.throttle.user, "6000/min".parse().unwrap());
    assert_eq!(settings.allowed_origins, AllowedOrigins::Local);
    assert_eq!(settings.log.level, "info");
    assert_eq!(settings.log.format, LogFormat::Text);
    assert_eq!(settings.warnings, [""; 0]);
}

#[test]
fn paths_are_relative_where_the_folder_is_the_working_directory() {
    let settings = Settings::load(&Variables::new(), Path::new("")).unwrap();
    assert_eq!(settings.database_url.reveal(), "sqlite://data/mycars.sqlite3");
}

#[test]
fn default_toml_names_every_key_of_the_settings() {
    fn remove(value: &mut Value, key: &str) {
        let ValueKind::Table(table) = &mut value.kind else {
            panic!("{key} is in no table");
        };
        match key.split_once('.') {
            Some((section, key)) => remove(table.get_mut(section).unwrap(), key),
            None => assert!(table.remove(key).is_some()),
        }
    }
    let default = || {
        Config::builder()
            .add_source(File::from_str(layers::DEFAULT, FileFormat::Toml))
            .build()
            .unwrap()
    };

    assert!(default().try_deserialize::<Given>().is_ok());
    // Each key is asked for: no part of the settings is filled in by the code.
    for key in layers::keys().unwrap().into_keys() {
        let mut config = default();
        remove(&mut config.cache, &key);
        assert!(config.try_deserialize::<Given>().is_err(), "{key}");
    }
}

#[test]
fn every_documented_variable_works() {
    let settings = load(&[
        ("SECRET_KEY", KEY),
        (
            "SECRET_KEY_FALLBACKS",
            "11111111111111112222222222345678, abcdefghijklmnopqrstuvwxyzabcdef,",
        ),
        ("DEBUG", "off"),
        ("ALLOWED_HOSTS", "Example.org, .example.com ,[::1]"),
        ("DATABASE_URL", "postgres://me:pass@db/cars"),
        ("MYCARS__DATA_DIR", "/var/lib/mycars"),
        ("MYCARS__SERVER__BIND", "[::]:80"),
        ("MYCARS__SERVER__WORKERS", "3"),
        ("MYCARS__SERVER__SHUTDOWN_SECONDS", "5"),
        ("MYCARS__SERVER__TRUSTED_PROXIES", "10.0.0.1, fd00::/8"),
        ("MYCARS__DATABASE__POOL_SIZE", "4"),
        ("MYCARS__DATABASE__TIMEOUT_SECONDS", "9"),
        ("MYCARS__TOKENS__ACCESS_MINUTES", "5"),
        ("MYCARS__TOKENS__REFRESH_MINUTES", "50"),
        ("MYCARS__TOKENS__ROTATE_REFRESH", "true"),
        ("MYCARS__PASSWORDS__BCRYPT_COST", "10"),
        ("MYCARS__PASSWORDS__QUEUE", "7"),
        ("MYCARS__THROTTLE__ENABLED", "false"),
        ("MYCARS__THROTTLE__LOGIN", "1/s"),
        ("MYCARS__THROTTLE__REGISTER", "2/m"),
        ("MYCARS__THROTTLE__REFRESH", "3/hour"),
        ("MYCARS__THROTTLE__ANON", "4/day"),
        ("MYCARS__THROTTLE__USER", "5/minute"),
        (
            "MYCARS__CORS__ALLOWED_ORIGINS",
            "https://app.example.org, http://localhost:3000",
        ),
        ("MYCARS__LOG__LEVEL", "warn,mycars_http=debug"),
        ("MYCARS__LOG__FORMAT", "json"),
        ("MYCARS__METRICS__ALLOWED_NETWORKS", "10.1.0.0/16"),
    ])
    .unwrap();

    assert_eq!(settings.secret_key.unwrap().reveal(), KEY);
    let fallbacks = settings.secret_key_fallbacks.iter().map(Secret::reveal);
    assert_eq!(
        fallbacks.collect::<Vec<_>>(),
        [
            "11111111111111112222222222345678",
            "abcdefghijklmnopqrstuvwxyzabcdef"
        ]
    );
    assert!(!settings.debug);
    assert_eq!(settings.allowed_hosts, ["example.org", ".example.com", "[::1]"]);
    assert_eq!(settings.database_url.reveal(), "postgres://me:pass@db/cars");
    assert_eq!(settings.data_dir, Path::new("/var/lib/mycars"));
    assert_eq!(settings.server.bind.to_string(), "[::]:80");
    assert_eq!(settings.server.workers, 3);
    assert_eq!(settings.server.shutdown_seconds, 5);
    assert_eq!(
        settings.server.trusted_proxies,
        TrustedProxies(Networks::new(&["10.0.0.1".into(), "fd00::/8".into()]).unwrap())
    );
    assert_eq!(
        settings.metrics.allowed_networks,
        Networks::new(&["10.1.0.0/16".into()]).unwrap()
    );
    assert_eq!(settings.database.pool_size, 4);
    assert_eq!(settings.database.timeout_seconds, 9);
    assert_eq!(settings.tokens.access_minutes, 5);
    assert_eq!(settings.tokens.refresh_minutes, 50);
    assert!(settings.tokens.rotate_refresh);
    assert_eq!(settings.passwords.bcrypt_cost, 10);
    assert_eq!(settings.passwords.queue, 7);
    assert!(!settings.throttle.enabled);
    assert_eq!(settings.throttle.login, "1/sec".parse().unwrap());
    assert_eq!(settings.throttle.register, "2/min".parse().unwrap());
    assert_eq!(settings.throttle.refresh, "3/h".parse().unwrap());
    assert_eq!(settings.throttle.anon, "4/d".parse().unwrap());
    assert_eq!(settings.throttle.user, "5/min".parse().unwrap());
    assert_eq!(
        settings.allowed_origins,
        AllowedOrigins::Listed(vec![
            "https://app.example.org".into(),
            "http://localhost:3000".into()
        ])
    );
    assert_eq!(settings.log.level, "warn,mycars_http=debug");
    assert_eq!(settings.log.format, LogFormat::Json);
}

#[test]
fn later_layers_override_earlier_ones() {
    let default = (
        "default.toml",
        "[database]\npool_size = 1\n[tokens]\naccess_minutes = 1\n[log]\nlevel = \"warn\"",
    );
    let development = (
        "development.toml",
        "[tokens]\naccess_minutes = 2\nrefresh_minutes = 2",
    );
    let settings = load_with_files(
        &[default, development],
        &[("MYCARS__TOKENS__REFRESH_MINUTES", "3")],
    )
    .unwrap();

    assert_eq!(settings.log.level, "warn");
    assert_eq!(settings.database.pool_size, 1);
    assert_eq!(settings.tokens.access_minutes, 2);
    assert_eq!(settings.tokens.refresh_minutes, 3);
    assert_eq!(settings.passwords.bcrypt_cost, 12);
}

#[test]
fn production_is_built_in_and_no_place_to_debug() {
    let production = ("MYCARS_ENVIRONMENT", "production");
    assert_eq!(load(&[production]).unwrap_err(), SettingsError::NoKey);

    let settings = load(&[production, IN_EARNEST[0], IN_EARNEST[1]]).unwrap();
    assert!(!settings.debug);
    assert_eq!(settings.log.format, LogFormat::Json);

    // Not even a file that forgets to say so makes it one.
    let auto = ("production.toml", "debug = \"auto\"");
    assert_eq!(
        load_with_files(&[auto], &[production]).unwrap_err(),
        SettingsError::NoKey
    );
}

#[test]
fn an_environment_of_ones_own_needs_a_file() {
    let staging = ("MYCARS_ENVIRONMENT", "staging");
    let file = ("staging.toml", "[tokens]\naccess_minutes = 7");
    let settings = load_with_files(&[file], &[staging]).unwrap();
    assert_eq!(settings.tokens.access_minutes, 7);

    assert_eq!(
        problem(load(&[staging])),
        "MYCARS_ENVIRONMENT is \"staging\", but there is no file config/staging.toml"
    );
    for name in ["../secrets", "/etc/passwd", "a\nb", " ", "a.b"] {
        let environment = [("MYCARS_ENVIRONMENT", name)];
        assert_eq!(
            load(&environment).unwrap_err(),
            SettingsError::NoEnvironment(name.to_owned())
        );
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let all_empty: Vec<(String, String)> = layers::keys()
        .unwrap()
        .into_values()
        .map(|variable| (variable, String::new()))
        .chain([("MYCARS_ENVIRONMENT".to_owned(), String::new())])
        .collect();
    let folder = Path::new("/nowhere");
    let settings = Settings::load(&all_empty.into_iter().collect(), folder).unwrap();
    let defaults = Settings::load(&Variables::new(), folder).unwrap();
    assert_eq!(format!("{settings:?}"), format!("{defaults:?}"));
}

#[test]
fn the_variables_of_others_are_none_of_ours() {
    let settings = load(&[
        ("PATH", "/bin"),
        ("MYCARS_PORT", "tcp://10.0.0.1:80"),
        ("MYCARS_SERVICE_HOST", "10.0.0.1"),
        ("mycars__server__bind", "nonsense"),
        ("debug", "nonsense"),
    ]);
    assert!(settings.is_ok());
}

#[test]
fn of_a_process_only_our_variables_are_looked_at_and_those_are_text() {
    let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let theirs = [
        ("PATH".into(), bytes(b"\xff")),
        (bytes(b"MYCARS__\xff"), "1".into()),
    ];
    let ours = [
        ("DEBUG".into(), "1".into()),
        ("MYCARS__DATA_DIR".into(), "/x".into()),
    ];
    let found = layers::ours(theirs.into_iter().chain(ours)).unwrap();
    assert_eq!(found, variables(&[("DEBUG", "1"), ("MYCARS__DATA_DIR", "/x")]));

    let error = layers::ours([("SECRET_KEY".into(), bytes(b"abc\xff"))].into_iter()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "SECRET_KEY is not valid UTF-8, but should be text"
    );
}

#[test]
fn unknown_variable_suggests_the_closest_setting() {
    for (name, suggestion) in [
        ("MYCARS__SERVER__BNID", "MYCARS__SERVER__BIND"),
        ("MYCARS__SERVER__BIND__PORT", "MYCARS__SERVER__BIND"),
        ("MYCARS__SERVER__BIND[0]", "MYCARS__SERVER__BIND"),
        ("MYCARS__SERVR__BIND", "MYCARS__SERVER__BIND"),
        ("MYCARS__SECRET_KEY", "SECRET_KEY"),
        ("MYCARS__TOKENS__ACCESS", "MYCARS__TOKENS__ACCESS_MINUTES"),
    ] {
        // An empty variable may be a typing error as well.
        for text in ["", "1"] {
            assert_eq!(
                problem(load(&[(name, text)])),
                format!("Unknown setting `{name}`. Did you mean `{suggestion}`?")
            );
        }
    }
    for name in ["MYCARS__", "MYCARS__ü", "MYCARS__VERBOSITY"] {
        assert_eq!(
            problem(load(&[(name, "1")])),
            format!("Unknown setting `{name}`. docs/configuration.md lists all settings.")
        );
    }
}

#[test]
fn unknown_key_is_named_with_its_file() {
    for (text, key, advice) in [
        ("[server]\nbnid = 1", "server.bnid", "Did you mean `server.bind`?"),
        ("[servr]\nbind = 1", "servr.bind", "Did you mean `server.bind`?"),
        ("server = 1", "server", "Did you mean `server.bind`?"),
        (
            "[server.bind]\nport = 1",
            "server.bind.port",
            "Did you mean `server.bind`?",
        ),
        (
            "databse_url = \"sqlite://x\"",
            "databse_url",
            "Did you mean `database_url`?",
        ),
        ("\"\" = 1", "", "docs/configuration.md lists all settings."),
    ] {
        let problem = problem(load_with_files(&[("default.toml", text)], &[]));
        assert!(
            problem.starts_with(&format!("Unknown setting `{key}` in ")),
            "{problem}"
        );
        assert!(
            problem.ends_with(&format!("config/default.toml. {advice}")),
            "{problem}"
        );
    }
}

#[test]
fn a_wrong_variable_is_named_with_what_it_holds_and_what_it_should_be() {
    for (name, text, expected) in [
        ("DEBUG", "maybe", "true, false or auto"),
        (
            "MYCARS__SERVER__BIND",
            "localhost",
            "an IP address and a port such as 127.0.0.1:8000, 0.0.0.0:8000 or [::]:8000",
        ),
        ("MYCARS__SERVER__WORKERS", "-1", "a whole number from 0 to 1024"),
        (
            "MYCARS__SERVER__SHUTDOWN_SECONDS",
            "1.5",
            "a whole number from 0 to 3600",
        ),
        (
            "MYCARS__SERVER__TRUSTED_PROXIES",
            "10.0.0.1, proxy.example.org",
            "IP addresses and networks such as 10.0.0.1, 10.0.0.0/8 or fd00::/8",
        ),
        (
            "MYCARS__METRICS__ALLOWED_NETWORKS",
            "10.0.0.0/33",
            "IP addresses and networks such as 10.0.0.1, 10.0.0.0/8 or fd00::/8",
        ),
        (
            "MYCARS__DATABASE__POOL_SIZE",
            "0",
            "a whole number from 1 to 1000",
        ),
        (
            "MYCARS__DATABASE__TIMEOUT_SECONDS",
            "0",
            "a whole number from 1 to 3600",
        ),
        (
            "MYCARS__TOKENS__ACCESS_MINUTES",
            "0",
            "a whole number from 1 to 52560000",
        ),
        (
            "MYCARS__TOKENS__REFRESH_MINUTES",
            "99999999999999999999",
            "a whole number from 1 to 52560000",
        ),
        ("MYCARS__TOKENS__ROTATE_REFRESH", "auto", "true or false"),
        (
            "MYCARS__PASSWORDS__BCRYPT_COST",
            "3",
            "a whole number from 4 to 31",
        ),
        (
            "MYCARS__PASSWORDS__BCRYPT_COST",
            "32",
            "a whole number from 4 to 31",
        ),
        (
            "MYCARS__PASSWORDS__QUEUE",
            "yes",
            "a whole number from 1 to 100000",
        ),
        ("MYCARS__THROTTLE__ENABLED", "auto", "true or false"),
        (
            "MYCARS__THROTTLE__LOGIN",
            "10 per minute",
            "a rate such as 10/s, 10/min, 10/hour or 10/day",
        ),
        (
            "MYCARS__CORS__ALLOWED_ORIGINS",
            "app.example.org",
            "origins such as https://app.example.org or http://localhost:3000, without a path, or *",
        ),
        (
            "MYCARS__CORS__ALLOWED_ORIGINS",
            "https://app.example.org:443",
            "https://app.example.org, as browsers write it",
        ),
        (
            "MYCARS__CORS__ALLOWED_ORIGINS",
            "http://localhost:3000,https://*.example.org",
            "a list of all origins in full, such as https://app.example.org: * stands alone, for all of them",
        ),
        (
            "MYCARS__LOG__LEVEL",
            "inof",
            "off, error, warn, info, debug or trace, or directives such as info,mycars_http=debug",
        ),
        ("MYCARS__LOG__FORMAT", "xml", "text or json"),
        ("MYCARS__DATA_DIR", " ", "the path of a folder"),
    ] {
        assert_eq!(
            problem(load(&[(name, text)])),
            format!("{name} is {text:?}, but should be {expected}")
        );
    }
}

#[test]
fn a_wrong_key_is_named_with_its_file() {
    for (text, start, end) in [
        (
            "[database]\npool_size = 1.5",
            "database.pool_size in ",
            "is 1.5, but should be a whole number from 1 to 1000",
        ),
        (
            "[database]\npool_size = true",
            "database.pool_size in ",
            "is true, but should be a whole number from 1 to 1000",
        ),
        (
            "[database]\npool_size = [8]",
            "database.pool_size in ",
            "is a list, but should be a whole number from 1 to 1000",
        ),
        (
            "data_dir = \"\"",
            "data_dir in ",
            "is \"\", but should be the path of a folder",
        ),
        (
            "debug = 2",
            "debug in ",
            "is 2, but should be true, false or auto",
        ),
        (
            "secret_key_fallbacks = [1]",
            "secret_key_fallbacks in ",
            "should be a list of keys",
        ),
    ] {
        let problem = problem(load_with_files(&[("development.toml", text)], &[]));
        assert!(problem.starts_with(start), "{problem}");
        assert!(problem.ends_with(end), "{problem}");
        assert!(problem.contains("config/development.toml is "), "{problem}");
    }
    assert_eq!(
        problem(load_with_files(&[("default.toml", "data_dir = {}")], &[])),
        "data_dir is a section, but should be the path of a folder"
    );
}

#[test]
fn a_file_that_is_no_toml_is_named_without_what_is_in_it() {
    let text = "[database]\npool_size = 8\nsecret_key = \"hunter2\nhunter3";
    let problem = problem(load_with_files(&[("default.toml", text)], &[]));
    assert!(
        problem.contains("config/default.toml can't be used: TOML parse error at line 4"),
        "{problem}"
    );
    assert!(!problem.contains("hunter"), "{problem}");
}

#[test]
fn flags_are_written_in_the_usual_ways() {
    for (text, flag) in [
        ("true", true),
        ("TRUE", true),
        ("1", true),
        ("yes", true),
        ("on", true),
        (" True ", true),
        ("false", false),
        ("False", false),
        ("0", false),
        ("no", false),
        ("off", false),
    ] {
        let settings = load(&[("DEBUG", text), IN_EARNEST[0], IN_EARNEST[1]]).unwrap();
        assert_eq!(settings.debug, flag, "{text}");
    }
    for text in ["true", "1", "\"on\""] {
        let file = format!("debug = {text}");
        let settings = load_with_files(&[("default.toml", &file)], &IN_EARNEST).unwrap();
        assert!(settings.debug, "{text}");
    }
}

#[test]
fn without_word_of_it_only_a_first_try_on_loopback_is_debugged() {
    let settles = |pairs: &[(&str, &str)]| match load(pairs) {
        Ok(settings) => settings.debug,
        // Who may not debug has to set more.
        Err(SettingsError::NoKey | SettingsError::NoHosts) => false,
        Err(error) => panic!("{error}"),
    };
    for pairs in [
        &[][..],
        &[("MYCARS__SERVER__BIND", "127.0.0.9:1")],
        &[("MYCARS__SERVER__BIND", "[::1]:1")],
        &[("MYCARS__SERVER__BIND", "[::ffff:127.0.0.1]:1")],
        &[("MYCARS__LOG__FORMAT", "json")],
        &[
            ("DEBUG", "true"),
            ("SECRET_KEY", KEY),
            ("DATABASE_URL", "sqlite://x"),
        ],
        &[("DEBUG", "true"), ("MYCARS_ENVIRONMENT", "production")],
        &[("DEBUG", "true"), ("MYCARS__SERVER__BIND", "0.0.0.0:1")],
    ] {
        assert!(settles(pairs), "{pairs:?}");
    }
    for pairs in [
        &[("SECRET_KEY", KEY)][..],
        &[("ALLOWED_HOSTS", "example.org")],
        &[("DATABASE_URL", "sqlite://x")],
        &[("MYCARS_ENVIRONMENT", "production")],
        &[("MYCARS__SERVER__BIND", "0.0.0.0:8000")],
        &[("MYCARS__SERVER__BIND", "[::]:8000")],
        &[("DEBUG", "false")],
        &[("DEBUG", "auto"), ("SECRET_KEY", KEY)],
    ] {
        assert!(!settles(pairs), "{pairs:?}");
    }
    let file = ("default.toml", "allowed_hosts = [\"example.org\"]");
    assert_eq!(load_with_files(&[file], &[]).unwrap_err(), SettingsError::NoKey);
}

#[test]
fn outside_of_debug_a_key_that_is_missing_or_weak_stops_the_start() {
    let start = |key: &str| load(&[("DEBUG", "0"), ("ALLOWED_HOSTS", "*"), ("SECRET_KEY", key)]);
    assert_eq!(
        problem(start("")),
        "SECRET_KEY is not set: set it to at least 32 characters that nobody can guess, for example what this \
         prints: openssl rand -hex 32; or set DEBUG=true if only this machine can reach the server"
    );
    assert_eq!(
        problem(start("short")),
        "SECRET_KEY holds a weak key, one of fewer than 32 characters: use at least 32 characters that nobody \
         can guess, for example what this prints: openssl rand -hex 32"
    );
    assert!(start(KEY).is_ok());

    let fallbacks = format!("{KEY},django-insecure-0123456789abcdef0123456789");
    let weak_fallback = load(&[("SECRET_KEY_FALLBACKS", &fallbacks), IN_EARNEST[0], IN_EARNEST[1]]);
    assert!(
        problem(weak_fallback).starts_with("SECRET_KEY_FALLBACKS holds a weak key, one that Django made")
    );
}

#[test]
fn outside_of_debug_hosts_must_be_set() {
    for hosts in ["", ",", " , "] {
        assert_eq!(
            problem(load(&[("SECRET_KEY", KEY), ("ALLOWED_HOSTS", hosts)])),
            "ALLOWED_HOSTS is not set: set it to the names this server is reached by, separated by commas, for \
             example ALLOWED_HOSTS=example.org,www.example.org"
        );
    }
}

#[test]
fn while_debugging_danger_is_only_warned_about() {
    let settings = load(&[
        ("DEBUG", "true"),
        ("SECRET_KEY", "short"),
        ("MYCARS__SERVER__BIND", "0.0.0.0:8000"),
    ])
    .unwrap();
    assert_eq!(settings.secret_key.unwrap().reveal(), "short");
    assert_eq!(settings.warnings.len(), 2, "{:?}", settings.warnings);
    assert!(settings.warnings[0].starts_with("SECRET_KEY holds a weak key, one of fewer than 32 characters"));
    assert!(settings.warnings[1].starts_with("DEBUG is on, and 0.0.0.0:8000"));
}

#[test]
fn dotenv_file_in_working_directory_is_warned_about() {
    let warnings = |make: fn(&Path), pairs: &[(&str, &str)]| {
        let folder = TempDir::new().unwrap();
        make(&folder.path().join(".env"));
        let settings = Settings::load(&variables(pairs), folder.path()).unwrap();
        assert_ne!(
            settings.allowed_hosts,
            ["dotenv.example.org"],
            "the file is not read"
        );
        settings.warnings
    };
    let file = |path: &Path| fs::write(path, "ALLOWED_HOSTS=dotenv.example.org\n").unwrap();
    for pairs in [&[][..], &IN_EARNEST] {
        assert_eq!(
            warnings(file, pairs),
            [
                ".env is not read: export its variables (set -a; . ./.env; set +a), or give the file to your \
                 container (--env-file .env)"
            ]
        );
        // Some virtual environments of Python have this name.
        assert_eq!(warnings(|path| fs::create_dir(path).unwrap(), pairs), [""; 0]);
        assert_eq!(warnings(|_| (), pairs), [""; 0]);
    }
}

#[test]
fn missing_setting_error_mentions_dotenv_file() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(".env"), "SECRET_KEY=from-dotenv\n").unwrap();
    let problem = |pairs: &[(&str, &str)]| problem(Settings::load(&variables(pairs), folder.path()));
    for missing in [&[("DEBUG", "false")][..], &[("SECRET_KEY", KEY)]] {
        assert!(problem(missing).contains("; .env is not read: export its variables"));
    }
    for wrong in [
        &[("DEBUG", "false"), ("SECRET_KEY", "short")][..],
        &[("DEBUG", "maybe")],
    ] {
        assert!(!problem(wrong).contains(".env"));
    }
}

#[test]
fn hosts_are_names_addresses_and_patterns() {
    for host in [
        "example.org",
        "EXAMPLE.org",
        ".example.org",
        "a-b_c.example",
        "localhost",
        "10.0.0.1",
        "[::1]",
        "[2001:db8::1]",
        "*",
        "xn--bcher-kva.example",
    ] {
        let settings = load(&[("ALLOWED_HOSTS", host), ("SECRET_KEY", KEY)]).unwrap();
        assert_eq!(settings.allowed_hosts, [host.to_lowercase()]);
    }
    for host in [
        "https://example.org",
        "example.org:8000",
        "example.org/",
        "*.example.org",
        "::1",
        "[::1",
        "[x]",
        "two words",
        ".",
        "..a",
        "a..b",
        "bücher.example",
        "good.example,bad/one",
    ] {
        assert_eq!(
            problem(load(&[("ALLOWED_HOSTS", host), ("SECRET_KEY", KEY)])),
            format!(
                "ALLOWED_HOSTS is {host:?}, but should be host names such as example.org, .example.org, [::1] \
                 or *, without scheme and port"
            )
        );
    }
}

#[test]
fn other_sites_use_the_api_only_if_they_are_named_except_local_ones_while_debugging() {
    let origins = |debug: &str, origins: &str| {
        let pairs = [
            IN_EARNEST[0],
            IN_EARNEST[1],
            ("DEBUG", debug),
            ("MYCARS__CORS__ALLOWED_ORIGINS", origins),
        ];
        load(&pairs).unwrap().allowed_origins
    };
    let listed = AllowedOrigins::Listed(vec!["https://app.example.org".into()]);
    assert_eq!(origins("false", ""), AllowedOrigins::Listed(Vec::new()));
    assert_eq!(origins("true", ""), AllowedOrigins::Local);
    for debug in ["true", "false"] {
        assert_eq!(origins(debug, "https://app.example.org"), listed);
        assert_eq!(origins(debug, "*"), AllowedOrigins::Any);
    }
}

#[test]
fn a_database_is_sqlite_or_postgres() {
    for url in [
        "sqlite://cars.db",
        "sqlite:///var/cars.db",
        "postgres://db/cars",
        "postgresql:///cars",
    ] {
        let settings = load(&[("DATABASE_URL", url), ("DEBUG", "1")]).unwrap();
        assert_eq!(settings.database_url.reveal(), url);
    }
    for url in [
        "mysql://me:hunter2@db/cars",
        "cars.db",
        "sqlite://",
        "sqlite:cars.db",
    ] {
        assert_eq!(
            problem(load(&[("DATABASE_URL", url), ("DEBUG", "1")])),
            "DATABASE_URL is something else (which is not shown here), but should be sqlite://PATH or \
             postgres://USER:PASSWORD@HOST/NAME"
        );
    }
}

#[test]
fn secrets_are_never_printed() {
    let settings = load(&[
        ("SECRET_KEY", KEY),
        ("SECRET_KEY_FALLBACKS", "fedcba9876543210fedcba9876543210"),
        ("DATABASE_URL", "postgres://me:hunter2@db/cars"),
        ("ALLOWED_HOSTS", "*"),
    ])
    .unwrap();
    let printed = format!("{settings:?} {settings:#?}");
    for secret in [KEY, "fedcba9876543210", "hunter2"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
