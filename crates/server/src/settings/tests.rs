//! Tests of the settings: each has a folder and variables of its own.

use std::{collections::BTreeSet, ffi::OsString, fs, os::unix::ffi::OsStringExt as _};

use tempfile::TempDir;

use super::{
    document::{expected, parsed},
    *,
};

const KEY: &str = "b7c41f90e2a86d35c9f01e7a4d82b563";

/// The minimum of settings for a server outside `DEBUG`.
const PRODUCTION: [(&str, &str); 2] = [("SECRET_KEY", KEY), ("ALLOWED_HOSTS", "example.org")];

/// A folder that does not exist.
const NO_FOLDER: &str = "/nowhere";

/// For each setting, the text of a variable that changes it, and of one that it refuses; without the settings that hide
/// their values and those that take any text.
const VALUES: &[(&str, &str, &str)] = &[
    ("debug", "off", "maybe"),
    ("allowed_hosts", "example.com", "example.org:80"),
    ("data_dir", "/var/lib/mycars", " "),
    ("server.bind", "[::1]:80", "localhost"),
    ("server.workers", "1023", "-1"),
    ("server.shutdown_seconds", "5", "1.5"),
    ("server.max_connections", "100", "0"),
    ("server.max_connections_per_address", "0", "-1"),
    ("server.stall_seconds", "5", "0"),
    ("server.max_body_memory", "0", "-1"),
    ("server.trusted_proxies", "10.0.0.1", "example.org"),
    ("server.hsts_seconds", "60", "-1"),
    (
        "telemetry.otlp_endpoint",
        "http://127.0.0.1:4318",
        "127.0.0.1:4318",
    ),
    ("database.pool_size", "4", "0"),
    ("database.timeout_seconds", "9", "0"),
    ("database.statement_timeout_seconds", "9", "3601"),
    ("database.pooler", "transaction", "session"),
    ("database.migrate", "never", "always"),
    ("database.slow_ms", "0", "-1"),
    ("tokens.access_minutes", "5", "0"),
    ("tokens.refresh_minutes", "50", "99999999999999999999"),
    ("tokens.rotate_refresh", "true", "auto"),
    ("tokens.access_dies_with_login", "true", "auto"),
    ("tokens.reuse_grace_seconds", "10", "3601"),
    ("tokens.email_change_minutes", "5", "-1"),
    ("accounts.require_verified_email", "true", "auto"),
    ("sessions.idle_minutes", "5", "52560001"),
    ("sessions.lifetime_minutes", "50", "0"),
    ("passwords.bcrypt_cost", "10", "3"),
    ("passwords.threads", "1023", "-1"),
    ("passwords.queue", "7", "yes"),
    ("throttle.enabled", "false", "auto"),
    ("throttle.login", "1/s", "10 per minute"),
    ("throttle.account", "2/s", "2/"),
    ("throttle.account_total", "2/s", "-2/s"),
    ("throttle.register", "2/m", "2"),
    ("throttle.refresh", "3/hour", "/min"),
    ("throttle.password", "3/s", "3/month"),
    ("throttle.taken", "3/s", "0/s"),
    ("throttle.export", "3/day", "0/day"),
    ("throttle.anon", "4/day", "4/year"),
    ("throttle.user", "5/minute", "many"),
    ("throttle.address", "6/s", "1.5/s"),
    ("throttle.user_jobs", "3", "0"),
    ("throttle.ipv6_prefix", "64", "129"),
    ("cors.allowed_origins", "http://localhost:1", "localhost"),
    ("log.level", "warn,mycars_http=debug", "inof"),
    ("log.format", "json", "xml"),
    ("metrics.allowed_networks", "10.1.0.0/16", "10.0.0.0/33"),
    ("media.delivery", "redirect", "cdn"),
    ("media.private", "true", "maybe"),
    ("media.max_bytes", "7", "8388609"),
    ("media.max_megapixels", "7", "1001"),
    ("media.threads", "1023", "1025"),
    ("media.s3.endpoint", "https://s3.example.org", "s3.example.org"),
    ("media.s3.path_style", "false", "yes?"),
    ("quotas.cars_per_user", "0", "-1"),
    ("quotas.picture_bytes_per_user", "7", "2 GiB"),
    ("storage.min_free_bytes", "0", "1.5"),
    (
        "server.public_url",
        "https://cars.example.org",
        "cars.example.org",
    ),
    ("throttle.password_reset", "2/hour", "2"),
    ("audit.keep_days", "365", "36501"),
    ("audit.keep_addresses_days", "30", "-1"),
    ("jobs.enabled", "false", "auto"),
    ("jobs.every_seconds", "60", "0"),
    ("jobs.lease_seconds", "3", "0"),
    ("jobs.sweep_hours", "24", "8761"),
    ("backup.every_hours", "24", "8761"),
    ("backup.keep", "30", "0"),
    ("lists.page_size", "7", "1000001"),
    ("lists.max_page_size", "7", "0"),
];

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

/// Loads the settings with these variables where there is no folder `config`.
fn load(pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::load(&variables(pairs), Path::new(NO_FOLDER))
}

/// Loads the settings with these variables and these files in `config`.
fn load_with_files(files: &[(&str, &str)], pairs: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join("config").join(name), text).unwrap();
    }
    Settings::load(&variables(pairs), folder.path())
}

/// Returns the text of the error, which is one line.
fn problem(result: Result<Settings, SettingsError>) -> String {
    let problem = result.unwrap_err().to_string();
    assert!(!problem.contains('\n'), "more than one line: {problem}");
    problem
}

#[test]
fn settings_without_variables_follow_from_the_folder() {
    let settings = load(&[]).unwrap();
    assert!(settings.debug);
    assert_eq!(settings.secret_key, None);
    assert_eq!(settings.allowed_hosts, ["localhost", "127.0.0.1", "[::1]"]);
    assert_eq!(
        settings.database_url.reveal(),
        "sqlite:///nowhere/data/mycars.sqlite3"
    );
    assert_eq!(settings.data_dir, Path::new("/nowhere/data"));
    assert_eq!(
        settings.media.root.folder(),
        Some(Path::new("/nowhere/data/media"))
    );
    assert_eq!(settings.backup.directory, Path::new("/nowhere/data/backups"));
    assert!((1..1023).contains(&settings.server.workers));
    let half = settings.server.workers / 2;
    assert_eq!(settings.passwords.threads, half.max(1));
    assert_eq!(settings.media.threads, half.max(2));
    assert_eq!(settings.allowed_origins, AllowedOrigins::Local);
    assert_eq!(settings.warnings, [""; 0]);
}

#[test]
fn paths_in_working_directory_stay_relative() {
    let settings = Settings::load(&Variables::new(), Path::new("")).unwrap();
    assert_eq!(settings.database_url.reveal(), "sqlite://data/mycars.sqlite3");
}

#[test]
fn default_toml_has_every_key_of_the_settings() {
    let given = |toml: &str| parsed(toml).try_deserialize::<Given>();
    assert!(given(layers::DEFAULT).is_ok());
    // Each key is required: no default is in the code.
    let is_setting = |line: &&str| !line.starts_with('#') && line.contains(" = ");
    for line in layers::DEFAULT.lines().filter(is_setting) {
        let rest = layers::DEFAULT.replace(&format!("\n{line}\n"), "\n");
        assert!(given(&rest).is_err(), "{line}");
    }
}

#[test]
fn variable_of_each_setting_changes_it() {
    let printed = |variable: &[(&str, &str)]| {
        let variables = [&[("DEBUG", "true")], &PRODUCTION[..], variable].concat();
        format!("{:?}", load(&variables).unwrap())
    };
    let hidden = [
        "secret_key",
        "secret_key_fallbacks",
        "database_url",
        "mail.url",
        "mail.from",
        "media.root",
        "media.s3.region",
        "media.s3.access_key",
        "media.s3.secret_key",
        "backup.directory",
        "throttle.shared",
        "server.tls.certificate_file",
        "server.tls.key_file",
    ];
    let values = VALUES.iter().map(|(key, ..)| *key);
    let keys: BTreeSet<String> = values.chain(hidden).map(str::to_owned).collect();
    assert_eq!(keys, layers::keys().unwrap().into_keys().collect());
    for &(key, text, _) in VALUES {
        assert_ne!(printed(&[]), printed(&[(&layers::variable(key), text)]), "{key}");
    }
}

#[test]
fn variables_of_secrets_lists_and_rates_are_parsed() {
    let settings = load(&[
        ("SECRET_KEY", KEY),
        (
            "SECRET_KEY_FALLBACKS",
            "d4e80c1b97f2a635e1c07b94d6a8f352, 9a3f6c20d7b1e584f02c8d95a6e3b71c,",
        ),
        ("ALLOWED_HOSTS", "Example.org, .example.com ,[::1]"),
        ("MYCARS__MEDIA__ROOT", "pictures"),
        ("MYCARS__THROTTLE__USER", "5/minute"),
        ("MYCARS__SERVER__TRUSTED_PROXIES", "10.0.0.1, fd00::/8,unix"),
        ("MYCARS__SERVER__WORKERS", "3"),
    ])
    .unwrap();
    assert!(!settings.debug);
    assert_eq!(settings.secret_key.unwrap().reveal(), KEY);
    let fallbacks: Vec<_> = settings.secret_key_fallbacks.iter().map(Secret::reveal).collect();
    assert_eq!(
        fallbacks,
        [
            "d4e80c1b97f2a635e1c07b94d6a8f352",
            "9a3f6c20d7b1e584f02c8d95a6e3b71c"
        ]
    );
    assert_eq!(settings.allowed_hosts, ["example.org", ".example.com", "[::1]"]);
    assert_eq!(settings.media.root.folder(), Some(Path::new("/nowhere/pictures")));
    assert_eq!(settings.throttle.user, "5/min".parse().unwrap());
    let proxies = TrustedProxies::new(&["10.0.0.1".into(), "fd00::/8".into(), "unix".into()]).unwrap();
    assert_eq!(settings.server.trusted_proxies, proxies);
    assert_eq!(settings.server.workers, 3);
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
fn production_environment_turns_debug_off() {
    let production = ("MYCARS_ENVIRONMENT", "production");
    assert_eq!(load(&[production]).unwrap_err(), SettingsError::NoKey);

    let settings = load(&[production, PRODUCTION[0], PRODUCTION[1]]).unwrap();
    assert!(!settings.debug);
    assert_eq!(settings.log.format, LogFormat::Json);

    // A file of the environment without `debug = false` does not turn it on.
    let auto = ("production.toml", "debug = \"auto\"");
    assert_eq!(
        load_with_files(&[auto], &[production]).unwrap_err(),
        SettingsError::NoKey
    );
}

#[test]
fn custom_environment_without_file_is_refused() {
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
fn mail_is_files_in_debug_and_off_otherwise() {
    let transport = |pairs: &[(&str, &str)]| load(pairs).unwrap().mail.transport;
    let files = MailTransport::Files("/nowhere/data/mail".into());
    assert_eq!(transport(&[]), files);
    assert_eq!(transport(&PRODUCTION), MailTransport::None);
    let url = "smtps://ann:s3cret@mail.example.org";
    let mail = [("MYCARS__MAIL__URL", url)];
    assert_eq!(transport(&mail), MailTransport::Smtp(Secret::new(url.into())));
    let in_production = [&PRODUCTION[..], &mail].concat();
    assert_eq!(load(&in_production).unwrap_err(), SettingsError::NoPublicUrl);
    let public = ("MYCARS__SERVER__PUBLIC_URL", "https://cars.example.org/");
    let settings = load(&[&in_production[..], &[public]].concat()).unwrap();
    assert_eq!(settings.public_url, "https://cars.example.org");
    assert!(!format!("{settings:?}").contains("s3cret"));
    let wrong = problem(load(&[(
        "MYCARS__MAIL__URL",
        "http://ann:s3cret@mail.example.org",
    )]));
    assert!(!wrong.contains("s3cret"), "{wrong}");
}

#[test]
fn verified_emails_without_mail_are_refused() {
    let required = ("MYCARS__ACCOUNTS__REQUIRE_VERIFIED_EMAIL", "true");
    let url = |url| ("MYCARS__MAIL__URL", url);
    let public = ("MYCARS__SERVER__PUBLIC_URL", "https://cars.example.org");
    let in_production = |more: &[(&str, &str)]| load(&[&PRODUCTION[..], &[required], more].concat());
    let refused = SettingsError::VerifiedEmailWithoutMail;
    assert_eq!(in_production(&[]).unwrap_err(), refused);
    assert_eq!(load(&[required, url("none")]).unwrap_err(), refused);
    assert_eq!(
        in_production(&[url("files")]).unwrap_err(),
        SettingsError::NoPublicUrl
    );
    assert!(load(&[required]).is_ok() && in_production(&[url("files"), public]).is_ok());
}

#[test]
fn empty_variable_counts_as_not_set() {
    let variables = layers::keys().unwrap().into_values();
    let variables = variables.chain(["MYCARS_ENVIRONMENT".to_owned()]);
    let empty = variables.map(|variable| (variable, String::new())).collect();
    let settings = Settings::load(&empty, Path::new(NO_FOLDER)).unwrap();
    assert_eq!(format!("{settings:?}"), format!("{:?}", load(&[]).unwrap()));
}

#[test]
fn variables_of_other_programs_are_ignored() {
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
fn variable_of_setting_that_is_not_utf8_is_refused() {
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
        ("MYCARS__SERVR__PORT", "MYCARS__SERVER__BIND"),
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
fn wrong_variable_is_reported_with_value_and_expectation() {
    for &(key, _, text) in VALUES {
        let name = layers::variable(key);
        assert_eq!(
            problem(load(&[(&name, text)])),
            format!("{name} is {text:?}, but should be {}", expected(key))
        );
    }
}

#[test]
fn whole_number_out_of_bounds_is_refused() {
    for text in ["3", "32", "-4", "4.0", "99999999999999999999", "four"] {
        assert_eq!(
            problem(load(&[("MYCARS__PASSWORDS__BCRYPT_COST", text)])),
            format!("MYCARS__PASSWORDS__BCRYPT_COST is {text:?}, but should be a whole number from 4 to 31")
        );
    }
}

#[test]
fn wrong_origin_is_reported_with_advice() {
    for (text, advice) in [
        (
            "https://app.example.org:443",
            "https://app.example.org, as browsers write it",
        ),
        (
            "http://localhost:3000,https://*.example.org",
            "a list of all origins in full, such as https://app.example.org: * stands alone, for all of them",
        ),
    ] {
        assert_eq!(
            problem(load(&[("MYCARS__CORS__ALLOWED_ORIGINS", text)])),
            format!("MYCARS__CORS__ALLOWED_ORIGINS is {text:?}, but should be {advice}")
        );
    }
}

#[test]
fn wrong_key_is_reported_with_its_file() {
    for (text, key, held) in [
        ("[database]\npool_size = 1.5", "database.pool_size", "1.5"),
        ("[database]\npool_size = true", "database.pool_size", "true"),
        ("[database]\npool_size = [8]", "database.pool_size", "a list"),
        ("data_dir = \"\"", "data_dir", "\"\""),
        ("debug = 2", "debug", "2"),
        (
            "secret_key_fallbacks = [1]",
            "secret_key_fallbacks",
            "something else (which is not shown here)",
        ),
    ] {
        let problem = problem(load_with_files(&[("development.toml", text)], &[]));
        assert!(problem.starts_with(&format!("{key} in ")), "{problem}");
        let expected = expected(key);
        let end = format!("config/development.toml is {held}, but should be {expected}");
        assert!(problem.ends_with(&end), "{problem}");
    }
    assert_eq!(
        problem(load_with_files(&[("default.toml", "data_dir = {}")], &[])),
        "data_dir is a section, but should be the path of a folder"
    );
}

#[test]
fn malformed_file_is_reported_without_its_content() {
    let text = "[database]\npool_size = 8\nsecret_key = \"hunter2\nhunter3";
    let problem = problem(load_with_files(&[("default.toml", text)], &[]));
    assert!(
        problem.contains("config/default.toml can't be used: TOML parse error at line 4"),
        "{problem}"
    );
    assert!(!problem.contains("hunter"), "{problem}");
}

#[test]
fn flag_takes_usual_spellings() {
    let debug = |text: &str| {
        load(&[("DEBUG", text), PRODUCTION[0], PRODUCTION[1]])
            .unwrap()
            .debug
    };
    assert!(
        ["true", "TRUE", "1", "yes", "on", " True "]
            .into_iter()
            .all(debug)
    );
    assert!(!["false", "False", "0", "no", "off"].into_iter().any(debug));
    for text in ["true", "1", "\"on\""] {
        let file = format!("debug = {text}");
        let settings = load_with_files(&[("default.toml", &file)], &PRODUCTION).unwrap();
        assert!(settings.debug, "{text}");
    }
}

#[test]
fn debug_auto_is_on_only_on_loopback_without_other_settings() {
    let settles = |pairs: &[(&str, &str)]| match load(pairs) {
        Ok(settings) => settings.debug,
        // Outside of DEBUG, more settings are required.
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
fn missing_or_weak_key_outside_debug_is_refused() {
    let start = |key: &str| load(&[("DEBUG", "0"), ("ALLOWED_HOSTS", "*"), ("SECRET_KEY", key)]);
    assert_eq!(
        problem(start("")),
        "SECRET_KEY is not set: set it to at least 32 random characters, for example the output of: openssl rand \
         -hex 32; or set DEBUG=true if only this machine can reach the server"
    );
    assert_eq!(
        problem(start("short")),
        "SECRET_KEY holds a weak key, which has fewer than 32 characters: use at least 32 random characters, for \
         example the output of: openssl rand -hex 32"
    );
    assert!(start(KEY).is_ok());

    let fallbacks = format!("{KEY},django-insecure-b7c41f90e2a86d35c9f01e7a4d");
    let weak_fallback = load(&[("SECRET_KEY_FALLBACKS", &fallbacks), PRODUCTION[0], PRODUCTION[1]]);
    assert!(
        problem(weak_fallback)
            .starts_with("SECRET_KEY_FALLBACKS holds a weak key, which begins with django-insecure-")
    );
}

#[test]
fn missing_hosts_outside_debug_are_refused() {
    for hosts in ["", ",", " , "] {
        assert_eq!(
            problem(load(&[("SECRET_KEY", KEY), ("ALLOWED_HOSTS", hosts)])),
            "ALLOWED_HOSTS is not set: set it to the host names of this server, separated by commas, for \
             example ALLOWED_HOSTS=example.org,www.example.org"
        );
    }
}

#[test]
fn weak_key_in_debug_is_a_warning() {
    let settings = load(&[("DEBUG", "true"), ("SECRET_KEY", "short")]).unwrap();
    assert_eq!(settings.secret_key.unwrap().reveal(), "short");
    assert_eq!(settings.warnings.len(), 1, "{:?}", settings.warnings);
    assert!(
        settings.warnings[0].starts_with("SECRET_KEY holds a weak key, which has fewer than 32 characters")
    );
}

#[test]
fn debug_in_production_or_on_public_address_is_refused() {
    let debug = |more: (&str, &str)| load(&[("DEBUG", "true"), PRODUCTION[0], PRODUCTION[1], more]);
    assert_eq!(
        problem(debug(("MYCARS_ENVIRONMENT", "production"))),
        "DEBUG is on, although MYCARS_ENVIRONMENT is production: set DEBUG=false, or for development \
         MYCARS_ENVIRONMENT=development"
    );
    for address in [
        "0.0.0.0:8000",
        "[::]:8000",
        "192.168.1.20:8000",
        "[2001:db8::1]:8000",
    ] {
        assert_eq!(
            problem(debug(("MYCARS__SERVER__BIND", address))),
            format!(
                "DEBUG is on, although other machines may reach {address}: set DEBUG=false with SECRET_KEY and \
                 ALLOWED_HOSTS, or listen on this machine alone, for example MYCARS__SERVER__BIND=127.0.0.1:8000"
            )
        );
    }
    for address in [
        "127.0.0.1:8000",
        "127.0.0.9:0",
        "[::1]:8000",
        "[::ffff:127.0.0.1]:1",
    ] {
        assert!(
            debug(("MYCARS__SERVER__BIND", address)).unwrap().debug,
            "{address}"
        );
    }
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
    for pairs in [&[][..], &PRODUCTION] {
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
fn host_takes_names_addresses_and_patterns() {
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
fn origins_not_set_are_local_in_debug_and_none_otherwise() {
    let origins = |debug: &str, origins: &str| {
        let pairs = [
            PRODUCTION[0],
            PRODUCTION[1],
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
fn database_url_takes_sqlite_and_postgres_alone() {
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
fn debug_output_of_settings_hides_secrets() {
    let settings = load(&[
        ("SECRET_KEY", KEY),
        ("SECRET_KEY_FALLBACKS", "5e0a9d3b71c64f28a17e93d0b85c2f46"),
        ("DATABASE_URL", "postgres://me:hunter2@db/cars"),
        ("ALLOWED_HOSTS", "*"),
    ])
    .unwrap();
    let printed = format!("{settings:?} {settings:#?}");
    for secret in [KEY, "5e0a9d3b71c64f28", "hunter2"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn media_root_is_a_folder_or_a_bucket() {
    let root = |text: &str| {
        let settings = load(&[("DEBUG", "true"), ("MYCARS__MEDIA__ROOT", text)]);
        settings.map(|settings| settings.media.root.to_string())
    };
    assert_eq!(root("/srv/pictures").unwrap(), "/srv/pictures");
    assert_eq!(root("s3://bucket").unwrap(), "s3://bucket");
    assert_eq!(root("s3://bucket/a b/\u{fc}/").unwrap(), "s3://bucket/a b/\u{fc}");
    for wrong in ["s3://", "s3:///prefix", "s3://bucket/../other"] {
        let error = root(wrong).unwrap_err().to_string();
        assert!(error.contains("s3://BUCKET"), "{error}");
    }
}

/// A text that each setting either takes or refuses.
const MARKER: &str = "Zk4vLq9rXw2mTb7hJc5nGd8sPf3yAe6u";

#[test]
fn settings_that_hide_their_values_are_secrets() {
    for (key, variable) in layers::keys().unwrap() {
        let variables = [
            &[("DEBUG", "true")],
            &PRODUCTION[..],
            &[(variable.as_str(), MARKER)],
        ]
        .concat();
        let printed = match load(&variables) {
            Ok(settings) => format!("{settings:?}"),
            Err(error) => error.to_string(),
        };
        // Host names become lower case.
        let is_hidden = !printed.to_lowercase().contains(&MARKER.to_lowercase());
        assert_eq!(is_hidden, layers::SECRET.contains(&&*key), "{key}: {printed}");
    }
}

#[test]
fn s3_settings_have_defaults_of_aws_and_of_other_stores() {
    let s3 = |variables: &[(&str, &str)]| {
        let keys = [
            ("DEBUG", "true"),
            ("MYCARS__MEDIA__S3__REGION", "eu-west-1"),
            ("MYCARS__MEDIA__S3__ACCESS_KEY", "id"),
            ("MYCARS__MEDIA__S3__SECRET_KEY", "s3cr3t"),
        ];
        let settings = load(&[&keys, variables].concat()).unwrap();
        settings.media.require_access_key().unwrap();
        assert!(!format!("{settings:?}").contains("s3cr3t"));
        settings.media.s3("bucket", "")
    };
    let aws = s3(&[]);
    assert_eq!(aws.endpoint, "https://s3.eu-west-1.amazonaws.com");
    assert!(!aws.path_style);
    let other = s3(&[("MYCARS__MEDIA__S3__ENDPOINT", "http://minio:9000")]);
    assert_eq!(other.endpoint, "http://minio:9000");
    assert!(other.path_style);
    assert_eq!((&*other.access_key, &*other.secret_key), ("id", "s3cr3t"));
}

#[test]
fn s3_store_without_access_key_is_refused() {
    let settings = load(&[("DEBUG", "true")]).unwrap();
    let error = settings.media.require_access_key().unwrap_err().to_string();
    assert!(error.contains("MYCARS__MEDIA__S3__ACCESS_KEY"), "{error}");
}

#[test]
fn secrets_may_be_in_files() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("key"), format!("{KEY}\n")).unwrap();
    let load = |pairs: &[(&str, &str)]| Settings::load(&variables(pairs), folder.path());
    let hosts = ("ALLOWED_HOSTS", "example.org");
    let settings = load(&[hosts, ("SECRET_KEY_FILE", "key")]).unwrap();
    assert_eq!(settings.secret_key.unwrap().reveal(), KEY);

    let both = load(&[hosts, ("SECRET_KEY_FILE", "key"), ("SECRET_KEY", KEY)]);
    let error = both.unwrap_err().to_string();
    assert!(
        error.contains("SECRET_KEY_FILE") && !error.contains(KEY),
        "{error}"
    );
    let missing = load(&[hosts, ("SECRET_KEY_FILE", "nothing")]);
    assert!(missing.unwrap_err().to_string().contains("nothing"));
    let no_secret = load(&[hosts, ("MYCARS__LOG__LEVEL_FILE", "key")]);
    assert!(no_secret.unwrap_err().to_string().contains("Unknown setting"));
}

#[test]
fn secrets_by_name_are_hidden() {
    for key in layers::keys().unwrap().into_keys() {
        let name = key.rsplit('.').next().unwrap();
        let is_secret = ["secret", "access_key", "_password", "credentials"]
            .iter()
            .any(|part| name.contains(part));
        assert!(
            !is_secret || layers::SECRET.contains(&&*key),
            "{key} is missing in layers::SECRET"
        );
    }
}
