//! The migrations, which exist once for each database.

use std::{collections::BTreeSet, thread};

use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _, sql_query, sql_types,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use mycars_application::ports::StoreError;
use mycars_domain::{
    CarId, Field, UserId,
    values::{FirstName, Mileage, Username},
};
use mycars_persistence::{Database, Options};
use mycars_testkit::{TestDatabase, samples};

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// A column of a table, and whether it is nullable.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, QueryableByName)]
struct Column {
    #[diesel(sql_type = sql_types::Text)]
    name: String,
    #[diesel(sql_type = sql_types::Bool)]
    may_be_null: bool,
}

fn migrate(database: &TestDatabase) -> Vec<String> {
    Database::parse(&database.url())
        .unwrap()
        .migrate(&Options::default())
        .unwrap()
}

fn postgres(database: &TestDatabase) -> PgConnection {
    PgConnection::establish(&database.url()).unwrap()
}

fn sqlite(database: &TestDatabase) -> SqliteConnection {
    SqliteConnection::establish(&database.url().replace("sqlite://", "")).unwrap()
}

/// Direct access to a database, without a port.
trait Raw {
    /// Reverts the last migration.
    fn revert(&mut self);

    /// Reverts migrations until `left` of them remain.
    fn revert_to(&mut self, left: usize) {
        for _ in left..ALL.len() {
            self.revert();
        }
    }

    /// Returns the column `text` of a query.
    fn texts(&mut self, sql: &str) -> Vec<String>;

    /// Returns the error of a statement.
    fn refusal(&mut self, sql: &str) -> String;
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = sql_types::Text)]
    text: String,
}

macro_rules! raw {
    ($connection:ty, $migrations:expr) => {
        impl Raw for $connection {
            fn revert(&mut self) {
                self.revert_last_migration($migrations).unwrap();
            }

            fn texts(&mut self, sql: &str) -> Vec<String> {
                let rows: Vec<Text> = sql_query(sql).load(self).unwrap();
                rows.into_iter().map(|row| row.text).collect()
            }

            fn refusal(&mut self, sql: &str) -> String {
                sql_query(sql).execute(self).expect_err(sql).to_string()
            }
        }
    };
}
raw!(PgConnection, POSTGRES);
raw!(SqliteConnection, SQLITE);

fn both() -> [(TestDatabase, Box<dyn Raw>); 2] {
    let (in_sqlite, in_postgres) = (TestDatabase::sqlite(), TestDatabase::postgres());
    let (of_sqlite, of_postgres) = (sqlite(&in_sqlite), postgres(&in_postgres));
    [
        (in_sqlite, Box::new(of_sqlite)),
        (in_postgres, Box::new(of_postgres)),
    ]
}

fn columns_of_postgres(conn: &mut PgConnection) -> BTreeSet<Column> {
    sql_query(
        "SELECT table_name || '.' || column_name AS name, is_nullable = 'YES' AS may_be_null
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%'",
    )
    .load(conn)
    .unwrap()
    .into_iter()
    .collect()
}

fn columns_of_sqlite(conn: &mut SqliteConnection) -> BTreeSet<Column> {
    sql_query(
        "SELECT tables.name || '.' || columns.name AS name, NOT columns.\"notnull\" AS may_be_null
         FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table' AND tables.name NOT LIKE '\\_\\_%' ESCAPE '\\'
         AND tables.name NOT LIKE 'sqlite%'",
    )
    .load(conn)
    .unwrap()
    .into_iter()
    .collect()
}

/// All migrations, in order.
const ALL: [&str; 21] = [
    "2026-11-23-000001_users",
    "2026-11-23-000002_cars",
    "2026-11-23-000003_refresh_tokens",
    "2026-11-23-000004_sessions",
    "2026-11-24-000005_audit_log",
    "2026-11-24-000006_ended_logins",
    "2026-11-26-000007_installation",
    "2026-11-26-000008_fold_keys",
    "2026-11-26-000009_audit_retention",
    "2026-11-26-000010_image_bytes",
    "2026-11-26-000020_access_ended",
    "2026-11-26-000026_users_admins",
    "2026-11-27-000030_login_families",
    "2026-11-27-000031_api_keys",
    "2026-11-27-000035_audit_erasure",
    "2026-11-27-000036_outbox",
    "2026-11-27-000045_leases",
    "2026-11-27-000046_rate_buckets",
    "2026-11-27-000047_contracts",
    "2026-11-27-000050_email_state",
    "2026-11-27-000062_audit_erasure_checks",
];

#[test]
fn migrations_are_applied_once_and_named() {
    for database in [TestDatabase::empty_sqlite(), TestDatabase::empty_postgres()] {
        let applied = migrate(&database);
        assert_eq!(applied, ALL);
        assert_eq!(migrate(&database), [""; 0]);
    }
}

#[test]
fn both_databases_have_the_same_tables_and_columns() {
    let (in_sqlite, in_postgres) = (TestDatabase::sqlite(), TestDatabase::postgres());
    let columns = columns_of_postgres(&mut postgres(&in_postgres));
    assert_eq!(columns, columns_of_sqlite(&mut sqlite(&in_sqlite)));
    assert!(columns.contains(&Column {
        name: "cars.color".into(),
        may_be_null: true
    }));
    assert!(columns.contains(&Column {
        name: "cars.brand".into(),
        may_be_null: false
    }));
}

#[test]
fn on_postgres_migrations_can_be_reverted_and_reapplied() {
    let database = TestDatabase::postgres();
    let mut conn = postgres(&database);
    let before = columns_of_postgres(&mut conn);
    conn.revert_all_migrations(POSTGRES).unwrap();
    assert_eq!(columns_of_postgres(&mut conn), BTreeSet::new());
    assert_eq!(migrate(&database).len(), ALL.len());
    assert_eq!(columns_of_postgres(&mut conn), before);
}

#[test]
fn on_sqlite_migrations_can_be_reverted_and_reapplied() {
    let database = TestDatabase::sqlite();
    let mut conn = sqlite(&database);
    let before = columns_of_sqlite(&mut conn);
    conn.revert_all_migrations(SQLITE).unwrap();
    assert_eq!(columns_of_sqlite(&mut conn), BTreeSet::new());
    assert_eq!(migrate(&database).len(), ALL.len());
    assert_eq!(columns_of_sqlite(&mut conn), before);
}

#[test]
fn instances_that_start_at_once_migrate_once() {
    for database in [TestDatabase::empty_sqlite(), TestDatabase::empty_postgres()] {
        let mut applied: Vec<usize> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| migrate(&database).len())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        applied.sort_unstable();
        assert_eq!(applied, [0, 0, 0, ALL.len()], "{}", database.url());
    }
}

/// A writer that holds a lock on `users` may need other tables as well, which migrations must not hold meanwhile.
#[test]
fn migrations_wait_for_writers_before_they_lock_other_tables() {
    let database = TestDatabase::postgres();
    postgres(&database).revert_to(12);
    let applied = thread::scope(|scope| {
        let mut writer = postgres(&database);
        writer
            .batch_execute("BEGIN; LOCK TABLE users IN ROW EXCLUSIVE MODE")
            .unwrap();
        let migrating = scope.spawn(|| migrate(&database));
        database.wait_until(
            "EXISTS (
                SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            )",
        );
        writer
            .batch_execute(
                "SET LOCAL lock_timeout = 1; LOCK TABLE refresh_tokens IN ROW EXCLUSIVE MODE; COMMIT",
            )
            .unwrap();
        migrating.join().unwrap()
    });
    assert_eq!(applied, ALL[12..]);
}

#[test]
fn failed_migration_reverts_all_and_is_named() {
    for database in [TestDatabase::empty_sqlite(), TestDatabase::empty_postgres()] {
        database.execute("CREATE TABLE refresh_tokens (id INTEGER)");
        let error = Database::parse(&database.url())
            .unwrap()
            .migrate(&Options::default())
            .unwrap_err();
        assert!(error.to_string().contains("000003"), "{error}");
        database.execute("DROP TABLE refresh_tokens");
        assert_eq!(migrate(&database).len(), ALL.len(), "{}", database.url());
    }
}

/// Selects all columns of the tokens.
const TOKENS: &str = "
    SELECT refresh_tokens.id || ' ' || jti || ' ' || coalesce(username, 'nobody') || ' ' || CAST(issued_at AS TEXT)
        || ' ' || CAST(expires_at AS TEXT) || ' ' || coalesce(CAST(revoked_at AS TEXT), 'never') || ' '
        || coalesce(revocation, 'alive') AS text
    FROM refresh_tokens LEFT JOIN users ON users.id = user_id ORDER BY refresh_tokens.id";

/// Selects the users with the time at which their logins ended, from the given column.
fn users(column: &str) -> String {
    format!(
        "SELECT id || ' ' || username || ' ' || coalesce(CAST({column} AS TEXT), 'never') AS text
         FROM users ORDER BY id"
    )
}

#[test]
fn migration_ended_logins_keeps_tokens_and_users() {
    for (database, mut raw) in both() {
        raw.revert_to(5);
        database.execute(
            "INSERT INTO users (id, username, username_key, email, email_key, first_name, last_name, role,
                 is_active, is_superuser, password, search_key, password_changed_at, date_joined, created_at, updated_at)
             VALUES (1, 'ann', 'ann', 'a', 'a', '', '', 'client', true, false, '!', '', '2026-11-23 08:30:00.5+00:00',
                 '2026-11-23 08:30:00+00:00', '2026-11-23 08:30:00+00:00', '2026-11-23 08:30:00+00:00'),
                 (2, 'eve', 'eve', 'e', 'e', '', '', 'client', true, false, '!', '', NULL,
                 '2026-11-23 08:30:00+00:00', '2026-11-23 08:30:00+00:00', '2026-11-23 08:30:00+00:00');
             INSERT INTO refresh_tokens (id, jti, user_id, issued_at, expires_at, revoked_at, revocation)
             VALUES (3, 'alive', 1, '2026-11-23 08:30:00+00:00', '2026-11-24 08:30:00+00:00', NULL, NULL),
                 (5, 'given up', 2, '2026-11-23 08:30:00.1+00:00', '2026-11-24 08:30:00+00:00',
                 '2026-11-23 09:30:00.123456+00:00', 'logged_out'),
                 (7, 'orphaned', NULL, '2026-11-23 08:30:00.2+00:00', '2026-11-24 08:30:00+00:00',
                 '2026-11-23 09:30:00+00:00', 'password_changed')",
        );
        let (tokens, before) = (raw.texts(TOKENS), raw.texts(&users("password_changed_at")));
        assert_eq!((tokens.len(), before.len()), (3, 2));

        assert_eq!(migrate(&database), ALL[5..]);
        assert_eq!(raw.texts(TOKENS), tokens);
        assert_eq!(raw.texts(&users("logins_ended_at")), before);

        database.execute("UPDATE refresh_tokens SET revocation = 'revoked' WHERE id = 5");
        raw.revert_to(5);
        let known_before: Vec<String> = tokens
            .iter()
            .map(|token| token.replace("logged_out", "password_changed"))
            .collect();
        assert_eq!(raw.texts(TOKENS), known_before);
        assert_eq!(raw.texts(&users("password_changed_at")), before);
        let refusal = raw.refusal("UPDATE refresh_tokens SET revocation = 'revoked' WHERE id = 5");
        assert!(refusal.contains("refresh_tokens_revocation_known"), "{refusal}");

        assert_eq!(migrate(&database), ALL[5..]);
        database.execute("DELETE FROM users WHERE id = 1");
        assert!(raw.texts(TOKENS)[0].starts_with("3 alive nobody "));
    }
}

/// The clause with which PostgreSQL accepts a value for an identity column.
const OVERRIDING: &str = "OVERRIDING SYSTEM VALUE";

#[test]
fn audit_log_is_append_only_in_the_database() {
    // PostgreSQL generates the ids, and accepts others only with this clause.
    let insert = |[verb, overriding, actor, rest]: [&str; 4]| {
        format!(
            "{verb} INTO audit_log (id, at, action, object_type, object_id, object_name, actor_name, channel, changes,
                 search_key) {overriding}
             VALUES (9, '2026-11-23 08:30:00+00:00', 'created', 'car', '7', 'Golf', '{actor}', 'api', '[]', '') {rest}"
        )
    };
    let overwriting = "ON CONFLICT (id) DO UPDATE SET actor_name = 'eve'";
    let update = "UPDATE audit_log SET actor_name = 'eve'";
    let replacements = [
        [
            insert(["INSERT OR REPLACE", "", "eve", ""]),
            insert(["INSERT", "", "eve", overwriting]),
        ],
        [
            "TRUNCATE audit_log".to_owned(),
            insert(["INSERT", OVERRIDING, "eve", overwriting]),
        ],
    ];
    let overriding = ["", OVERRIDING];
    for (((database, mut raw), replacements), overriding) in
        both().into_iter().zip(replacements).zip(overriding)
    {
        database.execute(&insert(["INSERT", overriding, "ann", ""]));
        let entry = "SELECT id || ' ' || actor_name AS text FROM audit_log";
        for sql in [
            "DELETE FROM audit_log",
            "DELETE FROM audit_log WHERE id = 9",
            update,
        ]
        .map(str::to_owned)
        .into_iter()
        .chain(replacements)
        {
            let refusal = raw.refusal(&sql);
            assert!(refusal.contains("append-only"), "{sql}: {refusal}");
            assert_eq!(raw.texts(entry), ["9 ann"], "{sql}");
        }
        database.execute(
            "INSERT INTO audit_log (at, action, object_type, object_id, object_name, actor_name, channel, changes,
                 search_key)
             SELECT at, action, object_type, object_id, object_name, 'bob', channel, changes, search_key FROM audit_log",
        );
        assert_eq!(raw.texts(&format!("{entry} WHERE actor_name = 'bob'")).len(), 1);
        // Reverting the migrations drops the table with its triggers.
        raw.revert_to(4);
        assert_eq!(migrate(&database), ALL[4..]);
    }
}

/// The changes of an entry after its user was erased.
const HIDDEN: [&str; 4] = [
    r#"["brand",null,{"hidden":true}]"#,
    r#"["notes",{"hidden":true},{"hidden":true}]"#,
    r#"["year",1,true]"#,
    r#"["role","a","b"]"#,
];

/// Returns changes that differ from [`HIDDEN`] in one place.
fn forged_changes() -> Vec<String> {
    let forged = [
        (0, r#"["brand",null,"Audi"]"#),
        (0, r#"["model",null,{"hidden":true}]"#),
        (0, r#"["brand",{"hidden":true},{"hidden":true}]"#),
        (1, r#"["notes",{"hidden":"no"},{"hidden":true}]"#),
        (2, r#"["year",{"hidden":true},true]"#),
        (2, r#"["year",1,{"hidden":true}]"#),
        (2, r#"["year",1]"#),
        (2, r#"["year",1,true,"more"]"#),
        (2, r#"["year",1,true],["year",1,true]"#),
        (3, r#"["role","a",{"hidden":true}]"#),
        (3, "4"),
    ];
    let with = |(place, change): (usize, &'static str)| {
        let mut changes = HIDDEN;
        changes[place] = change;
        format!("[{}]", changes.join(","))
    };
    forged.map(with).into()
}

/// By hand, entries can be changed only as far as a transaction of the program has marked.
#[test]
fn audit_log_forgets_only_marked_texts() {
    for (database, mut raw) in both() {
        database.execute(
            "INSERT INTO audit_log (at, action, object_type, object_id, object_name, owner_id, actor_id, actor_name,
                 channel, address, changes, search_key)
             VALUES ('2026-11-23 08:30:00+00:00', 'changed', 'car', '7', 'Golf', 1, 2, 'bob', 'api', '192.0.2.1',
                     '[[\"brand\",null,\"VW\"],[\"notes\",{\"excerpt\":\"\\u0000\"},\"b\"],[\"year\",1,true],[\"role\",\"a\",\"b\"]]', ''),
                 ('2026-11-23 08:30:00+00:00', 'changed', 'car', '8', 'Polo', 3, NULL, 'eve', 'api', '192.0.2.1', '[]', '')",
        );
        let forget_address = "UPDATE audit_log SET address = NULL";
        let hidden = format!("[{}]", HIDDEN.join(","));
        let rename = |id: i64| {
            format!(
                "UPDATE audit_log SET object_name = 'erased user 1', changes = '{hidden}' WHERE object_id = '{id}'"
            )
        };
        let refuse = |raw: &mut dyn Raw, sql: &str| {
            let refusal = raw.refusal(sql);
            assert!(refusal.contains("append-only"), "{sql}: {refusal}");
        };
        refuse(&mut *raw, forget_address);
        refuse(&mut *raw, &rename(7));

        for user in [1, 2] {
            database.execute(&format!(
                "INSERT INTO audit_log_erasure (number, user_id) VALUES (1, {user})"
            ));
            for column in [
                "at = '2026-11-23 08:30:01+00:00'",
                "action = 'deleted'",
                "object_name = 'forged'",
                "actor_name = 'forged'",
                "address = '192.0.2.9'",
                "request_id = 'forged'",
                "owner_id = 3",
                "actor_id = 3",
            ] {
                refuse(
                    &mut *raw,
                    &format!("UPDATE audit_log SET {column} WHERE object_id = '7'"),
                );
            }
            for changes in forged_changes() {
                refuse(
                    &mut *raw,
                    &format!("UPDATE audit_log SET changes = '{changes}' WHERE object_id = '7'"),
                );
            }
            refuse(&mut *raw, &rename(8));
            if user == 1 {
                let author = "UPDATE audit_log SET actor_name = 'erased user 1'";
                refuse(&mut *raw, &format!("{author} WHERE object_id = '7'"));
                database.execute(&rename(7));
            } else {
                // The author is erased, not the owner of the object.
                refuse(
                    &mut *raw,
                    "UPDATE audit_log SET object_name = 'erased user 2' WHERE object_id = '7'",
                );
                database.execute("UPDATE audit_log SET actor_name = 'erased user 2' WHERE object_id = '7'");
            }
            database.execute("DELETE FROM audit_log_erasure");
        }
        let changes = "SELECT changes AS text FROM audit_log WHERE object_id = '7'";
        assert_eq!(raw.texts(changes), [hidden.as_str()]);

        database.execute(
            "INSERT INTO audit_log_addresses (number, forgotten_below) SELECT 1, max(id) FROM audit_log",
        );
        refuse(&mut *raw, forget_address);
        refuse(&mut *raw, &rename(7));
        refuse(
            &mut *raw,
            "UPDATE audit_log SET address = '192.0.2.2' WHERE object_id = '7'",
        );
        database.execute(&format!("{forget_address} WHERE object_id = '7'"));
        let texts = "SELECT object_name || ' ' || coalesce(address, '-') AS text FROM audit_log ORDER BY id";
        assert_eq!(raw.texts(texts), ["erased user 1 -", "Polo 192.0.2.1"]);

        database.execute(
            "INSERT INTO audit_log (at, action, object_type, object_id, object_name, actor_name, channel, changes,
                 search_key)
             VALUES ('2026-11-23 08:30:00+00:00', 'erased', 'user', '1', 'x', 'ann', 'api', '[]', '')",
        );
        raw.revert_to(12);
        assert_eq!(raw.texts(texts), ["erased user 1 -", "Polo 192.0.2.1"]);
        refuse(&mut *raw, &rename(7));
        refuse(&mut *raw, "DELETE FROM audit_log");
        migrate(&database);
        refuse(&mut *raw, &rename(7));
    }
}

#[test]
fn migration_audit_retention_keeps_entries_and_constraints() {
    let insert = |kind: &str| {
        format!(
            "INSERT INTO audit_log (at, action, object_type, object_id, object_name, actor_name, channel, changes,
                 search_key)
             VALUES ('2026-11-23 08:30:00+00:00', 'created', '{kind}', '7', 'Golf', 'ann', 'api', '[]', '')"
        )
    };
    let unknown = "audit_log_object_type_known";
    let kinds = "SELECT object_type AS text FROM audit_log ORDER BY id";
    for (database, mut raw) in both() {
        raw.revert_to(8);
        assert!(raw.refusal(&insert("audit_log")).contains(unknown));
        database.execute(&insert("car"));
        migrate(&database);
        database.execute(&insert("audit_log"));
        assert!(raw.refusal(&insert("wheel")).contains(unknown));
        assert_eq!(raw.texts(kinds), ["car", "audit_log"]);

        // Deletions by hand are refused, except of the entries that a transaction has marked.
        let delete_all = "DELETE FROM audit_log";
        for sql in [delete_all, "DELETE FROM audit_log WHERE object_type = 'car'"] {
            assert!(raw.refusal(sql).contains("append-only"), "{sql}");
        }
        database.execute("INSERT INTO audit_log_pruning (number, below) SELECT 1, max(id) FROM audit_log");
        assert!(raw.refusal(delete_all).contains("append-only"));
        assert!(
            raw.refusal("UPDATE audit_log SET changes = ''")
                .contains("append-only")
        );
        assert_eq!(raw.texts(kinds), ["car", "audit_log"]);
        database.execute("DELETE FROM audit_log_pruning");

        raw.revert_to(8);
        assert_eq!(raw.texts(kinds), ["car"]);
        assert!(raw.refusal(&insert("audit_log")).contains(unknown));
        assert!(raw.refusal(delete_all).contains("append-only"));
        migrate(&database);
        database.execute(&insert("audit_log"));
    }
    let (database, mut raw) = both().into_iter().next().unwrap();
    raw.revert_to(8);
    migrate(&database);
    let check = "SELECT integrity_check AS text FROM pragma_integrity_check";
    assert_eq!(raw.texts(check), ["ok"]);
}

/// Inserts rows with the keys of the former rule, lower case, instead of [`mycars_domain::fold`].
fn insert_lower_case_rows(database: &TestDatabase) {
    for (id, username) in [
        (1, "Diyarbakır"),
        (2, "Straße"),
        (3, "STRASSE"),
        (4, "ann"),
        (5, "Ｂob"),
    ] {
        let lower = username.to_lowercase();
        database.execute(&format!(
            "INSERT INTO users (id, username, username_key, email, email_key, first_name, last_name, role,
                 is_active, is_superuser, password, search_key, date_joined, created_at, updated_at)
             VALUES ({id}, '{username}', '{lower}', '{username}@example.com', '{lower}@example.com', 'Ⅷ', 'ẞ', 'client',
                 true, false, '!', '{lower}', '2026-11-23 08:30:00+00:00', '2026-11-23 08:30:00+00:00',
                 '2026-11-23 08:30:00+00:00')"
        ));
    }
    // More cars than one batch, and two plates that differ only by the former rule.
    for id in 1..=450 {
        let plate = match id {
            7 => "GAẞ 9".to_owned(),
            440 => "gass 9".to_owned(),
            _ => format!("İ {id}"),
        };
        database.execute(&format!(
            "INSERT INTO cars (id, owner_id, brand, model, year, license, license_key, mileage, notes, search_key,
                 created_at, updated_at)
             VALUES ({id}, 1, 'Tofaş', 'Şahin', 1990, '{plate}', '{}', 5, 'Cafe\u{301}', 'stale',
                 '2026-11-23 08:30:00+00:00', '2026-11-23 08:30:00+00:00')",
            plate.to_lowercase()
        ));
    }
    database.execute(
        "INSERT INTO audit_log (at, action, object_type, object_id, object_name, actor_name, channel, changes,
             search_key)
         VALUES ('2026-11-23 08:30:00+00:00', 'created', 'user', '2', 'Straße', 'ann', 'api', '[]', 'straße\nann')",
    );
}

const KEYS: &str = "
    SELECT id || ' ' || username || ' ' || username_key || ' ' || email_key || ' ' || search_key AS text FROM users
    ORDER BY id";
const PLATES: &str = "
    SELECT id || ' ' || license || ' ' || license_key || ' ' || search_key AS text FROM cars
    WHERE id IN (1, 7, 440, 450) ORDER BY id";

#[test]
fn keys_are_folded_and_collisions_keep_their_rows() {
    for (database, mut raw) in both() {
        raw.revert_to(6);
        insert_lower_case_rows(&database);
        assert_eq!(migrate(&database), ALL[6..], "{}", database.url());
        let expected = [
            "1 Diyarbakır diyarbakir diyarbakir@example.com diyarbakir\ndiyarbakir@example.com\nviii\nss\n",
            "2 Straße Straße Straße@example.com strasse\nstrasse@example.com\nviii\nss\n",
            "3 STRASSE strasse strasse@example.com strasse\nstrasse@example.com\nviii\nss\n",
            "4 ann ann ann@example.com ann\nann@example.com\nviii\nss\n",
            "5 Ｂob bob bob@example.com bob\nbob@example.com\nviii\nss\n",
        ];
        assert_eq!(raw.texts(KEYS), expected);
        assert_eq!(
            raw.texts(PLATES),
            [
                "1 İ 1 i 1 tofaş\nşahin\ni 1\n\ncafé",
                "7 GAẞ 9 GAẞ 9 tofaş\nşahin\ngass 9\n\ncafé",
                "440 gass 9 gass 9 tofaş\nşahin\ngass 9\n\ncafé",
                "450 İ 450 i 450 tofaş\nşahin\ni 450\n\ncafé",
            ]
        );
        assert_eq!(
            raw.texts("SELECT search_key AS text FROM audit_log"),
            ["strasse\nann"]
        );
        let refusal = raw.refusal("UPDATE audit_log SET search_key = ''");
        assert!(refusal.contains("append-only"), "{refusal}");

        // The same again, as after rows were copied from another system.
        database.execute("UPDATE users SET search_key = 'stale' WHERE id = 4");
        database.execute("DELETE FROM __diesel_schema_migrations WHERE version = '20261126000008'");
        assert_eq!(migrate(&database), ALL[7..=7]);
        assert_eq!(raw.texts(KEYS), expected);
    }
}

#[test]
fn rows_with_colliding_keys_can_be_found_and_changed() {
    for (database, mut raw) in both() {
        raw.revert_to(6);
        insert_lower_case_rows(&database);
        migrate(&database);
        let store = database.store();
        for (id, name) in [(2, "Straße"), (3, "STRASSE"), (1, "Diyarbakır")] {
            let by_name = store.read(|unit| unit.users().find_by_username(name)).unwrap();
            assert_eq!(by_name.map(|user| user.id), Some(UserId(id)), "{name}");
            let any_case = store.read(|unit| {
                unit.users()
                    .find_in_any_case(&Username::from_storage(name.into()))
            });
            assert_eq!(any_case.unwrap().map(|user| user.id), Some(UserId(id)), "{name}");
        }
        let by_other_case = store
            .read(|unit| unit.users().find_by_username("straße"))
            .unwrap();
        assert_eq!(by_other_case, None);
        for (name, except, is_taken) in [
            ("Straße", None, true),
            ("Straße", Some(3), true),
            ("strasse", Some(3), false),
            ("strasse", Some(2), true),
            ("DIYARBAKIR", None, true),
        ] {
            let username = Username::from_storage(name.into());
            let taken = store.read(|unit| unit.users().username_is_taken(&username, except.map(UserId)));
            assert_eq!(taken.unwrap(), is_taken, "{name} {except:?}");
        }

        // Updates of other columns keep both names and keys.
        for id in [2, 3] {
            store
                .write(|unit| {
                    let mut user = unit.users().find(UserId(id))?.unwrap();
                    user.first_name = FirstName::from_storage("Ann".into());
                    unit.users().update(&user)
                })
                .unwrap();
        }
        store
            .write(|unit| {
                let mut car = unit.cars().find(CarId(7))?.unwrap();
                car.mileage = Mileage::from_storage(6);
                unit.cars().update(&car)
            })
            .unwrap();
        // The exact text of a plate is taken, even if its key is not the fold.
        let taken = store.write(|unit| {
            // PostgreSQL would use the id 1 again, because the rows were inserted with ids.
            unit.cars().delete(CarId(1))?;
            unit.cars().delete(CarId(440))?;
            unit.cars().insert(&samples::new_car(UserId(1), "GAẞ 9"))
        });
        assert!(
            matches!(taken, Err(StoreError::Taken(Field::License))),
            "{taken:?}"
        );
        let names =
            "SELECT username_key || ' ' || first_name AS text FROM users WHERE id IN (2, 3) ORDER BY id";
        assert_eq!(raw.texts(names), ["Straße Ann", "strasse Ann"]);

        // A new name gets its own key.
        store
            .write(|unit| {
                let mut user = unit.users().find(UserId(2))?.unwrap();
                user.username = Username::from_storage("Gaße".into());
                unit.users().update(&user)
            })
            .unwrap();
        assert_eq!(raw.texts(names), ["gasse Ann", "strasse Ann"]);
    }
}

/// The last migration before the rule below, which the tables of all older versions have.
const BEFORE_THE_RULE: &str = "2026-11-26-000026_users_admins";

/// Returns the statements of a migration, in upper case, without comments and without the bodies of functions.
fn statements(sql: &str) -> Vec<String> {
    let lines = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join(" ").to_uppercase();
    let text = text.split("$$").step_by(2).collect::<Vec<_>>().join("BODY");
    let (mut statements, mut trigger) = (Vec::new(), String::new());
    for part in text.split(';') {
        let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
        // Triggers of SQLite consist of statements.
        if !trigger.is_empty() || part.starts_with("CREATE TRIGGER") && part.contains(" BEGIN ") {
            trigger += &part;
            if part == "END" {
                statements.push(std::mem::take(&mut trigger));
            }
        } else if !part.is_empty() {
            statements.push(part);
        }
    }
    statements.extend(Some(trigger).filter(|rest| !rest.is_empty()));
    statements
}

fn words(statement: &str) -> Vec<&str> {
    let words = statement.split([' ', '(']);
    words.filter(|word| !word.is_empty()).collect()
}

/// Splits the actions of ALTER TABLE, or other text, at the commas outside of parentheses.
fn split_at_commas(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let split = |c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    };
    text.split(split).collect()
}

/// Returns whether servers of an older version certainly survive a statement. `created` are the tables that its migration
/// creates.
fn is_expansion(statement: &str, created: &[&str]) -> bool {
    match words(statement)[..] {
        ["CREATE", "TABLE" | "INDEX" | "FUNCTION" | "TRIGGER", ..]
        | ["CREATE", "UNLOGGED", "TABLE", ..]
        // The function of a trigger, which a migration may replace like the trigger.
        | ["CREATE", "OR", "REPLACE", "FUNCTION", ..]
        | ["DROP", "INDEX" | "TRIGGER", ..]
        | ["INSERT", "INTO", ..]
        // The only way to change a constraint of SQLite without copying the table.
        | ["PRAGMA", "WRITABLE_SCHEMA", ..]
        | ["UPDATE", "SQLITE_MASTER", ..] => true,
        ["CREATE", "UNIQUE", "INDEX", _, "ON", table, ..] => created.contains(&table),
        ["ALTER", "TABLE", table, ..] => {
            let actions = statement.split_once(table).map_or("", |(_, actions)| actions);
            // A constraint is replaced in order to admit further values.
            split_at_commas(actions).into_iter().all(|action| match words(action)[..] {
                ["ADD", "COLUMN", ..] => !action.contains(" NOT NULL") || action.contains(" DEFAULT "),
                ["DROP", "CONSTRAINT", name] => statement.contains(&format!("ADD CONSTRAINT {name} CHECK")),
                ["ADD", "CONSTRAINT", name, "CHECK", ..] => statement.contains(&format!("DROP CONSTRAINT {name},")),
                _ => false,
            })
        }
        _ => false,
    }
}

/// Returns the statements of a migration that a server of an older version may not survive.
fn contractions(sql: &str) -> Vec<String> {
    let mut statements = statements(sql);
    let all = statements.clone();
    let created: Vec<&str> = all
        .iter()
        .filter_map(|statement| match words(statement)[..] {
            ["CREATE", "TABLE", table, ..] | ["CREATE", "UNLOGGED", "TABLE", table, ..] => Some(table),
            _ => None,
        })
        .collect();
    statements.retain(|statement| !is_expansion(statement, &created));
    statements
}

#[test]
fn contractions_are_found() {
    for sql in [
        "DROP TABLE cars;",
        "CREATE TABLE a (b INT);\n-- text\nDROP TABLE IF EXISTS\n cars",
        "ALTER TABLE cars DROP COLUMN vin",
        "ALTER TABLE cars DROP vin",
        "ALTER TABLE cars ADD a INT NOT NULL, ADD b INT DEFAULT 0",
        "CREATE UNIQUE INDEX one_vin ON cars (vin)",
        "DO $$ BEGIN EXECUTE 'DROP TABLE cars'",
        "ALTER TABLE cars RENAME COLUMN vin TO vins",
        "alter table cars rename to autos",
        "ALTER TABLE cars ALTER COLUMN vin TYPE INT",
        "ALTER TABLE cars ALTER vin SET NOT NULL",
        "ALTER TABLE cars ADD COLUMN size BIGINT NOT NULL",
        "ALTER TABLE cars DROP CONSTRAINT known",
        "ALTER TABLE cars ADD CONSTRAINT known CHECK (color = 'red')",
        "ALTER TABLE cars ADD COLUMN a INT, DISABLE TRIGGER ALL",
        "UPDATE cars SET vin = NULL",
        "CREATE TRIGGER a BEFORE UPDATE ON b BEGIN SELECT 1; END; DELETE FROM b",
        "GRANT ALL ON cars TO PUBLIC",
    ] {
        assert_eq!(contractions(sql).len(), 1, "{sql}");
    }
    for sql in [
        "CREATE TABLE a (b TEXT NOT NULL)",
        "CREATE TABLE a (b TEXT); CREATE UNIQUE INDEX c ON a (b)",
        "ALTER TABLE cars ADD COLUMN size BIGINT",
        "ALTER TABLE cars ADD COLUMN size BIGINT NOT NULL DEFAULT 0",
        "-- DROP TABLE cars;",
        "ALTER TABLE cars DROP CONSTRAINT known, ADD CONSTRAINT known CHECK (color IN ('red', 'blue'))",
        "DROP TRIGGER a ON b; DROP INDEX c",
        "CREATE TRIGGER a BEFORE UPDATE ON b BEGIN SELECT 1; DELETE FROM c; END;",
        "CREATE FUNCTION a() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM b; END $$;",
        "ALTER TABLE cars ADD COLUMN color TEXT CHECK (color IN ('red', 'blue')), ADD COLUMN size INT",
    ] {
        assert_eq!(contractions(sql), [""; 0], "{sql}");
    }
}

/// During a rolling update, servers of the version before run beside those of the new one.
#[test]
fn migrations_only_expand_unless_they_name_their_contract() {
    let released = include_str!("../../../../migrations/released").lines();
    let released: Vec<(&str, &str)> = released
        .filter_map(|line| match words(line)[..] {
            [version, last, _hash] => Some((version, last)),
            _ => None,
        })
        .collect();
    for database in ["postgres", "sqlite"] {
        for name in Database::migrations() {
            if name.as_str() <= BEFORE_THE_RULE {
                continue;
            }
            let path = format!(
                "{}/../../migrations/{database}/{name}/up.sql",
                env!("CARGO_MANIFEST_DIR")
            );
            let sql = std::fs::read_to_string(&path).unwrap();
            let found = contractions(&sql);
            let since = sql
                .lines()
                .find_map(|line| line.strip_prefix("-- contract: since "));
            // The release since which no server needs it came before the migration.
            let is_released = released
                .iter()
                .any(|(version, last)| Some(*version) == since && *last < name.as_str());
            let is_marked =
                is_released && sql.contains(&format!("INSERT INTO contracts (migration) VALUES ('{name}')"));
            assert!(
                found.is_empty() || is_marked,
                "{database}/{name} removes what servers of the version before may need: {found:?}. Let the release \
                 before stop using it, and add `-- contract: since VERSION` with that release and \
                 `INSERT INTO contracts (migration) VALUES ('{name}');`"
            );
        }
    }
}
