//! The checks of `mycars check`, as data: the problem, the reason why it matters, and the remedy. `docs/checks.md` lists
//! them.

mod find;

use std::fmt;

use clap::ValueEnum;

pub(crate) use self::find::Facts;
use self::find::{
    backups_are_overdue, backups_without_jobs, broad_proxies, certificate_expires_soon,
    certificate_has_expired, cheap_hashes, clear_text_database, clear_text_redis, clock_differs,
    closed_database, cors_over_http, disk_is_full, key_file_is_readable, key_is_its_own_fallback,
    metrics_for_all, missing_pictures, no_proxies, other_media, pending_migrations, pool_too_large,
    readable_database, redis_is_away, security_log_is_off, tls_key_is_readable, unread_dotenv, unreadable,
    unreadable_settings, unsuitable_database, unusable_certificate, unusable_url, unwritable_backups,
    unwritable_data, unwritable_media, weak_key_in_debug,
};
use crate::settings::SettingsError;
use mycars_http::AllowedOrigins;

/// How serious a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    /// The server works, but something needs attention.
    Warning,
    /// The server does not start, or requests fail.
    Error,
}

/// A check. Its id never gets another meaning.
pub(crate) struct Check {
    /// `mycars.E001` for an error, `mycars.W001` for a warning.
    pub(crate) id: &'static str,
    /// Whether it concerns production only, and is skipped without `--deploy`.
    pub(crate) is_for_production: bool,
    /// The problem in general.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only the document, which a test writes, has it")
    )]
    pub(crate) problem: &'static str,
    /// The reason why the problem matters.
    pub(crate) why: &'static str,
    /// The command or the setting that solves it.
    pub(crate) remedy: &'static str,
    /// Returns the problem in particular, if there is one.
    find: fn(&Facts) -> Option<String>,
}

/// A problem that a check has found.
pub(crate) struct Finding {
    pub(crate) check: &'static Check,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Check { id, why, remedy, .. } = self.check;
        write!(
            formatter,
            "{id}: {}\n    Why: {why}\n    Fix: {remedy}",
            self.what
        )
    }
}

/// Runs the checks, those for production only if they are asked for, and returns what they found.
pub(crate) fn run(facts: &Facts, for_production: bool) -> Vec<Finding> {
    CHECKS
        .iter()
        .filter(|check| for_production || !check.is_for_production)
        .filter_map(|check| {
            Some(Finding {
                check,
                what: (check.find)(facts)?,
            })
        })
        .collect()
}

impl Check {
    /// Returns the level, which is part of the id.
    pub(crate) fn level(&self) -> Level {
        if self.id.starts_with("mycars.E") {
            Level::Error
        } else {
            Level::Warning
        }
    }

    const fn new(
        id: &'static str,
        problem: &'static str,
        why: &'static str,
        remedy: &'static str,
        find: fn(&Facts) -> Option<String>,
    ) -> Self {
        Self {
            id,
            is_for_production: false,
            problem,
            why,
            remedy,
            find,
        }
    }

    const fn for_production(self) -> Self {
        Self {
            is_for_production: true,
            ..self
        }
    }
}

/// All checks, in the order of their output. The remedies of settings name the variables, as the errors of a start do.
pub(crate) const CHECKS: [Check; 48] = [
    Check::new(
        "mycars.E001",
        "A variable or a key of a file names no setting.",
        "The server does not start: a mistyped setting would have no effect.",
        "correct the name, or remove it: docs/configuration.md lists all settings",
        |facts| facts.refusal(|error| matches!(error, SettingsError::Unknown { .. })),
    ),
    Check::new(
        "mycars.E002",
        "A setting has an invalid value.",
        "The server does not start.",
        "correct the value; `mycars config show --sources` shows where others come from",
        |facts| facts.refusal(|error| matches!(error, SettingsError::Wrong { .. })),
    ),
    Check::new(
        "mycars.E003",
        "A file of settings is missing or can't be read.",
        "The server does not start.",
        "correct the file, or MYCARS_ENVIRONMENT",
        unreadable_settings,
    ),
    Check::new(
        "mycars.E004",
        "SECRET_KEY is not set outside of DEBUG.",
        "The server does not start: it could not sign tokens.",
        "export SECRET_KEY=$(openssl rand -hex 32), and keep it: a new key ends all logins",
        |facts| facts.refusal(|error| matches!(error, SettingsError::NoKey)),
    ),
    Check::new(
        "mycars.E005",
        "SECRET_KEY or SECRET_KEY_FALLBACKS holds a weak key outside of DEBUG.",
        "Anyone who guesses the key can sign a token for any user.",
        "export SECRET_KEY=$(openssl rand -hex 32)",
        |facts| facts.refusal(|error| matches!(error, SettingsError::WeakKey { .. })),
    ),
    Check::new(
        "mycars.E006",
        "ALLOWED_HOSTS is not set outside of DEBUG.",
        "The server does not start: a forged Host header would reach links.",
        "export ALLOWED_HOSTS=cars.example.org",
        |facts| facts.refusal(|error| matches!(error, SettingsError::NoHosts)),
    ),
    Check::new(
        "mycars.E007",
        "DEBUG is on in the environment production.",
        "The server does not start: DEBUG allows weak keys and all local hosts.",
        "export DEBUG=false",
        |facts| facts.refusal(|error| matches!(error, SettingsError::DebugInProduction)),
    ),
    Check::new(
        "mycars.E008",
        "DEBUG is on at an address that other machines can reach.",
        "The server does not start: DEBUG is for this machine alone.",
        "export DEBUG=false, or MYCARS__SERVER__BIND=127.0.0.1:8000",
        |facts| facts.refusal(|error| matches!(error, SettingsError::DebugInPublic(_))),
    ),
    Check::new(
        "mycars.E009",
        "Mail is turned on without the URL of this server.",
        "The server does not start: links in mails would lead nowhere.",
        "export MYCARS__SERVER__PUBLIC_URL=https://cars.example.org",
        |facts| facts.refusal(|error| matches!(error, SettingsError::NoPublicUrl)),
    ),
    Check::new(
        "mycars.E010",
        "DATABASE_URL is not the URL of a database.",
        "The server does not start.",
        "export DATABASE_URL=postgres://USER:PASSWORD@HOST/NAME or sqlite://PATH",
        unusable_url,
    ),
    Check::new(
        "mycars.E011",
        "The database can't be opened.",
        "The server does not start.",
        "psql \"$DATABASE_URL\" -c 'SELECT 1' shows whether the server runs and accepts this user",
        closed_database,
    ),
    Check::new(
        "mycars.E012",
        "The database does not meet the requirements: version, encoding, rights, pooler, or a newer schema.",
        "The server does not start, or requests would fail at random.",
        "see the problem: it names the remedy; docs/operation.md lists the requirements",
        unsuitable_database,
    ),
    Check::new(
        "mycars.E013",
        "The data folder can't be written.",
        "The SQLite database and generated keys have no place.",
        "create the folder for the user of the server, or export MYCARS__DATA_DIR=/var/lib/mycars",
        unwritable_data,
    ),
    Check::new(
        "mycars.E014",
        "The folder of the pictures can't be written.",
        "Uploads of pictures fail.",
        "create the folder for the user of the server, or export MYCARS__MEDIA__ROOT=/var/lib/mycars/media",
        unwritable_media,
    ),
    Check::new(
        "mycars.E015",
        "A disk has less free space than storage.min_free_bytes.",
        "Requests that add data get status 503.",
        "delete what is not needed, or lower MYCARS__STORAGE__MIN_FREE_BYTES",
        disk_is_full,
    ),
    Check::new(
        "mycars.E016",
        "The folder of the scheduled backups can't be written.",
        "No backup is made.",
        "create the folder for the user of the server, or export MYCARS__BACKUP__DIRECTORY=/mnt/backups/mycars",
        unwritable_backups,
    ),
    Check::new(
        "mycars.E017",
        "Backups are scheduled, but the recurring jobs, which make them, are turned off.",
        "No backup is made.",
        "export MYCARS__JOBS__ENABLED=true, or MYCARS__BACKUP__EVERY_HOURS=0 with `mycars backup` by cron",
        backups_without_jobs,
    ),
    Check::new(
        "mycars.E018",
        "The rows, the pictures or the backups can't be read.",
        "Requests for them fail, and the other checks of them were skipped.",
        "correct the cause that the problem names, and run the check again",
        unreadable,
    ),
    Check::new(
        "mycars.E019",
        "The certificate or the key of the server's TLS can't be used.",
        "The server does not start.",
        "name the files of one certificate in MYCARS__SERVER__TLS__CERTIFICATE_FILE and …__KEY_FILE, readable for the server",
        unusable_certificate,
    ),
    Check::new(
        "mycars.E020",
        "The certificate of the server's TLS has expired.",
        "Clients refuse the connection.",
        "renew the certificate, then kill -HUP the server, which reads it again",
        certificate_has_expired,
    ),
    Check::new(
        "mycars.E021",
        "Users must verify their e-mail addresses, but mail is turned off.",
        "The server does not start: users could neither verify an address nor log in.",
        "export MYCARS__MAIL__URL=smtps://USER:PASSWORD@HOST and MYCARS__SERVER__PUBLIC_URL=https://cars.example.org",
        |facts| facts.refusal(|error| matches!(error, SettingsError::VerifiedEmailWithoutMail)),
    ),
    Check::new(
        "mycars.W001",
        "Migrations of a database in use are pending.",
        "The next start applies them, and an older version of the server may then refuse to start.",
        "mycars backup && mycars migrate",
        pending_migrations,
    ),
    Check::new(
        "mycars.W002",
        "The clock of the database differs from that of this machine.",
        "Tokens, sessions and throttles of several servers expire at different times.",
        "timedatectl set-ntp true, on both machines",
        clock_differs,
    ),
    Check::new(
        "mycars.W003",
        "Cars refer to pictures that do not exist.",
        "Clients get 404 for these pictures.",
        "restore the folder of the pictures from a backup, or correct MYCARS__MEDIA__ROOT",
        missing_pictures,
    ),
    Check::new(
        "mycars.W004",
        "The folder of the pictures belongs to another database.",
        "A sweep of either database would move the pictures of the other to the trash.",
        "correct DATABASE_URL or MYCARS__MEDIA__ROOT, or type `mycars adoptmedia` if they belong together",
        other_media,
    ),
    Check::new(
        "mycars.W005",
        "The newest scheduled backup is older than twice the interval, or there is none.",
        "A loss of the database would lose all later changes.",
        "mycars backup; the log says why the job back_up failed",
        backups_are_overdue,
    ),
    Check::new(
        "mycars.W006",
        "Other users of this machine can read the generated key.",
        "They can sign a token for any user.",
        "chmod 600 data/secret_key",
        key_file_is_readable,
    ),
    Check::new(
        "mycars.W007",
        "Other users of this machine can read the SQLite database.",
        "They can read personal data and hashes of passwords.",
        "chmod 600 data/mycars.sqlite3*",
        readable_database,
    ),
    Check::new(
        "mycars.W008",
        "There is a file .env, which is not read.",
        "Its settings have no effect.",
        "set -a; . ./.env; set +a",
        unread_dotenv,
    ),
    Check::new(
        "mycars.W009",
        "A key is weak, which is allowed in DEBUG alone.",
        "Anyone who guesses the key can sign a token for any user.",
        "export SECRET_KEY=$(openssl rand -hex 32)",
        weak_key_in_debug,
    ),
    Check::new(
        "mycars.W010",
        "PostgreSQL allows fewer connections than one server opens.",
        "Requests time out while they wait for a connection, and get status 503.",
        "lower MYCARS__DATABASE__POOL_SIZE, or raise max_connections of PostgreSQL",
        pool_too_large,
    ),
    Check::new(
        "mycars.W011",
        "SECRET_KEY_FALLBACKS contains SECRET_KEY.",
        "The list is for former keys; the key was probably not replaced.",
        "export SECRET_KEY=$(openssl rand -hex 32)",
        key_is_its_own_fallback,
    ),
    Check::new(
        "mycars.W012",
        "The certificate of the server's TLS expires within 14 days.",
        "Renewal seems to fail, and clients will refuse the connection.",
        "renew the certificate, then kill -HUP the server, which reads it again",
        certificate_expires_soon,
    ),
    Check::new(
        "mycars.W013",
        "Redis, where the servers count requests together, does not respond.",
        "Each server counts for itself, so that several servers admit several times as many logins.",
        "start Redis, or correct MYCARS__THROTTLE__SHARED or MYCARS__THROTTLE__SHARED_FILE",
        redis_is_away,
    ),
    Check::new(
        "mycars.W014",
        "Other users of this machine can read or write the key of the server's TLS.",
        "They can pose as the server.",
        "chmod 640 the file in MYCARS__SERVER__TLS__KEY_FILE, and chgrp it to a group of the server alone",
        tls_key_is_readable,
    ),
    Check::new(
        "mycars.W020",
        "DEBUG is on.",
        "Weak keys and all local hosts and origins are allowed.",
        "export MYCARS_ENVIRONMENT=production",
        |facts| facts.settings()?.debug.then(|| "DEBUG is on".to_owned()),
    )
    .for_production(),
    Check::new(
        "mycars.W021",
        "ALLOWED_HOSTS allows any host.",
        "A forged Host header reaches links.",
        "export ALLOWED_HOSTS=cars.example.org",
        |facts| {
            let hosts = &facts.settings()?.allowed_hosts;
            hosts
                .iter()
                .any(|host| host == "*")
                .then(|| "ALLOWED_HOSTS contains *".to_owned())
        },
    )
    .for_production(),
    Check::new(
        "mycars.W022",
        "No proxy is trusted, and the server itself has no TLS.",
        "There is no HTTPS; behind a proxy, all clients share one throttle and browsers can't log in.",
        "export MYCARS__SERVER__TRUSTED_PROXIES=127.0.0.1, the address of the proxy that terminates HTTPS, or unix for one that connects to a Unix socket",
        no_proxies,
    )
    .for_production(),
    Check::new(
        "mycars.W023",
        "All addresses are trusted as proxies.",
        "Every client can forge its address, and so bypass throttles and the log.",
        "export MYCARS__SERVER__TRUSTED_PROXIES=127.0.0.1, the address of the proxy alone",
        broad_proxies,
    )
    .for_production(),
    Check::new(
        "mycars.W024",
        "HSTS is turned off.",
        "The first request of a visit has no HTTPS, so attackers in the network can read and change it.",
        "unset MYCARS__SERVER__HSTS_SECONDS, as soon as the site is to stay on HTTPS",
        |facts| {
            (facts.settings()?.server.hsts_seconds == 0).then(|| "server.hsts_seconds is 0".to_owned())
        },
    )
    .for_production(),
    Check::new(
        "mycars.W025",
        "Scripts of all origins may use the API.",
        "Any site that a user visits can use the API from the user's network.",
        "export MYCARS__CORS__ALLOWED_ORIGINS=https://app.example.org",
        |facts| {
            matches!(facts.settings()?.allowed_origins, AllowedOrigins::Any)
                .then(|| "cors.allowed_origins is *".to_owned())
        },
    )
    .for_production(),
    Check::new(
        "mycars.W026",
        "Scripts of an origin without HTTPS may use the API.",
        "Attackers in the network can change these scripts.",
        "export MYCARS__CORS__ALLOWED_ORIGINS=https://app.example.org",
        cors_over_http,
    )
    .for_production(),
    Check::new(
        "mycars.W027",
        "The throttles are turned off.",
        "Passwords can be guessed without a limit, and one client can stop the others.",
        "unset MYCARS__THROTTLE__ENABLED",
        |facts| (!facts.settings()?.throttle.enabled).then(|| "throttle.enabled is false".to_owned()),
    )
    .for_production(),
    Check::new(
        "mycars.W028",
        "All addresses may read the metrics.",
        "Anyone can see how the server is used.",
        "export MYCARS__METRICS__ALLOWED_NETWORKS=127.0.0.1,::1",
        metrics_for_all,
    )
    .for_production(),
    Check::new(
        "mycars.W029",
        "Hashes of passwords are cheap.",
        "Passwords are easy to guess if others get the database.",
        "unset MYCARS__PASSWORDS__BCRYPT_COST",
        cheap_hashes,
    )
    .for_production(),
    Check::new(
        "mycars.W030",
        "The log drops security events.",
        "Attacks leave no trace, and fail2ban has nothing to read.",
        "export MYCARS__LOG__LEVEL=error,mycars::security=info",
        security_log_is_off,
    )
    .for_production(),
    Check::new(
        "mycars.W031",
        "The connection to PostgreSQL at a public address has no encryption.",
        "Attackers in the network can read personal data and hashes of passwords.",
        "export DATABASE_URL='postgres://…?sslmode=verify-full&sslrootcert=system', with the feature pg-tls",
        clear_text_database,
    )
    .for_production(),
    Check::new(
        "mycars.W032",
        "The password of a Redis server on another machine is sent without encryption.",
        "Attackers in the network can read the password and reset the throttles.",
        "export MYCARS__THROTTLE__SHARED=rediss://:PASSWORD@HOST:6379, with TLS in Redis",
        clear_text_redis,
    )
    .for_production(),
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, env, fmt::Write as _, fs};

    use super::*;

    const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/checks.md");

    /// The line before the generated part; the rest is written by hand.
    const BEGIN: &str =
        "<!-- The checks: generated by UPDATE_DOCS=1 cargo test -p mycars-server checks -->\n";

    #[test]
    fn checks_document_is_current() {
        let document = fs::read_to_string(DOCUMENT).unwrap();
        let (before, _) = document.split_once(BEGIN).unwrap();
        let mut current =
            format!("{before}{BEGIN}\n| id | problem | why it matters | what to type |\n|---|---|---|---|\n");
        for check in &CHECKS {
            let Check {
                id,
                problem,
                why,
                remedy,
                ..
            } = check;
            let mark = if check.is_for_production {
                " (`--deploy`)"
            } else {
                ""
            };
            writeln!(current, "| `{id}`{mark} | {problem} | {why} | {remedy} |").unwrap();
        }
        if env::var("UPDATE_DOCS").is_ok_and(|update| update == "1") {
            fs::write(DOCUMENT, current).unwrap();
        } else {
            assert!(
                document == current,
                "docs/checks.md differs from the checks: UPDATE_DOCS=1 cargo test -p mycars-server checks"
            );
        }
    }

    #[test]
    fn ids_are_unique_and_in_order() {
        let ids: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
        let sorted: Vec<&str> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        assert_eq!(ids, sorted);
    }
}
