//! Lists and applies migrations. Compiled once for each database.

use std::collections::BTreeSet;

use diesel::{
    QueryDsl as _, QueryResult, QueryableByName, RunQueryDsl as _,
    connection::{AnsiTransactionManager, TransactionManager as _},
    migration::MigrationSource,
    sql_query,
    sql_types::{Bool, Text},
};
use diesel_migrations::MigrationHarness as _;
use mycars_application::ports::BoxError;

use super::{Conn, DB, HAS_MIGRATIONS, MIGRATIONS, begin_migrations, keys, schema::contracts};
use crate::{
    error::Failure,
    options::Options,
    requirements::{newer_contract, newer_schema},
};

/// The version of the migration that creates the table of contracts.
const CONTRACTS: &str = "20261127000047";

/// Applies the pending migrations in one transaction. If this fails, the connection is closed before the commit, and
/// the database rolls back.
pub(super) fn apply_pending(conn: &mut Conn, options: Options) -> Result<Vec<String>, BoxError> {
    begin_migrations(conn, options)?;
    let pending = conn.pending_migrations(MIGRATIONS)?;
    for migration in &pending {
        conn.run_migration(migration)?;
    }
    let names: Vec<String> = pending
        .iter()
        .map(|migration| migration.name().to_string())
        .collect();
    // The keys are computed last, when all columns of the schema exist.
    if names.iter().any(|name| name == keys::MIGRATION) {
        keys::fold_all(conn)?;
    }
    AnsiTransactionManager::commit_transaction(conn)?;
    Ok(names)
}

/// Returns the names of the known migrations.
pub(crate) fn known_migrations() -> Vec<String> {
    let known = MigrationSource::<DB>::migrations(&MIGRATIONS).unwrap_or_default();
    known
        .iter()
        .map(|migration| migration.name().to_string())
        .collect()
}

/// Returns the names of the known migrations that are not applied. Fails if unknown migrations are applied, which a newer
/// version has added, unless the options accept them and they only added something.
pub(super) fn pending_names(conn: &mut Conn, options: Options) -> Result<Vec<String>, Failure> {
    let migrations = MigrationSource::<DB>::migrations(&MIGRATIONS).map_err(Failure::Opening)?;
    let known: BTreeSet<String> = migrations
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    let applied = applied(conn)?;
    if let Some(problem) = newer_schema(&applied, &known) {
        // Without this table, nothing says what unknown migrations did.
        if !options.accepts_newer || !applied.contains(CONTRACTS) {
            return Err(Failure::Unsuitable(problem));
        }
        let contracts: BTreeSet<String> = contracts::table
            .select(contracts::migration)
            .load::<String>(conn)?
            .into_iter()
            .collect();
        if let Some(problem) = newer_contract(&contracts, &known_migrations().into_iter().collect()) {
            return Err(Failure::Unsuitable(problem));
        }
    }
    Ok(migrations
        .iter()
        .filter(|migration| !applied.contains(&migration.name().version().to_string()))
        .map(|migration| migration.name().to_string())
        .collect())
}

/// Returns the problem with a database that has migrations which this version does not know.
pub(super) fn unknown_migrations(conn: &mut Conn) -> QueryResult<Option<String>> {
    let known = MigrationSource::<DB>::migrations(&MIGRATIONS).unwrap_or_default();
    let versions = known
        .iter()
        .map(|migration| migration.name().version().to_string());
    Ok(newer_schema(&applied(conn)?, &versions.collect()))
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Returns the versions of the applied migrations. In contrast to Diesel's own function, this creates no table.
fn applied(conn: &mut Conn) -> QueryResult<BTreeSet<String>> {
    let table: Found = sql_query(HAS_MIGRATIONS).get_result(conn)?;
    if !table.found {
        return Ok(BTreeSet::new());
    }
    let rows: Vec<Applied> = sql_query("SELECT version FROM __diesel_schema_migrations").load(conn)?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}
