//! The migrations, which exist once for each database.

use std::{collections::BTreeSet, thread};

use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query, sql_types,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use mycars_persistence::{Database, Options};
use mycars_testkit::TestDatabase;

const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");
const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// A column of a table, and whether it may be null.
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

/// Every migration, in order.
const ALL: [&str; 4] = [
    "2026-11-23-000001_users",
    "2026-11-23-000002_cars",
    "2026-11-23-000003_refresh_tokens",
    "2026-11-23-000004_sessions",
];

#[test]
fn they_are_applied_once_and_named() {
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
fn on_postgres_they_can_be_taken_back_and_applied_again() {
    let database = TestDatabase::postgres();
    let mut conn = postgres(&database);
    let before = columns_of_postgres(&mut conn);
    conn.revert_all_migrations(POSTGRES).unwrap();
    assert_eq!(columns_of_postgres(&mut conn), BTreeSet::new());
    assert_eq!(migrate(&database).len(), ALL.len());
    assert_eq!(columns_of_postgres(&mut conn), before);
}

#[test]
fn on_sqlite_they_can_be_taken_back_and_applied_again() {
    let database = TestDatabase::sqlite();
    let mut conn = sqlite(&database);
    let before = columns_of_sqlite(&mut conn);
    conn.revert_all_migrations(SQLITE).unwrap();
    assert_eq!(columns_of_sqlite(&mut conn), BTreeSet::new());
    assert_eq!(migrate(&database).len(), ALL.len());
    assert_eq!(columns_of_sqlite(&mut conn), before);
}

#[test]
fn several_instances_may_start_at_once() {
    for database in [TestDatabase::empty_sqlite(), TestDatabase::empty_postgres()] {
        let mut applied: Vec<usize> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| migrate(&database).len())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        applied.sort_unstable();
        assert_eq!(applied, [0, 0, 0, ALL.len()], "{}", database.url());
    }
}

#[test]
fn one_that_fails_undoes_them_all_and_is_named() {
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
