//! The fields of rows in archives, compared with the tables of the databases.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader, Cursor},
};

use zip::ZipArchive;

use crate::support::small_archive;

const SCHEMA: &str = include_str!("../../../persistence/src/schema.rs");

/// Returns the columns of each table, without those that are computed from others, and the number of the only row.
fn columns() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut tables: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let mut table = "";
    for line in SCHEMA.lines().map(str::trim) {
        if let Some((name, key)) = line.split_once(" (")
            && key.ends_with(") {")
        {
            table = name;
            tables.entry(table).or_default();
        } else if let Some((column, _)) = line.split_once(" -> ")
            && !column.ends_with("_key")
            && column != "number"
        {
            tables.entry(table).or_default().insert(column);
        }
    }
    // The first ones have rows only inside of transactions, the next one can be computed again, and the others say what
    // servers do at the moment, or which migrations they need. A restored database sends no old mails.
    for table in [
        "audit_log_pruning",
        "audit_log_erasure",
        "audit_log_addresses",
        "leases",
        "outbox",
        "rate_buckets",
        "contracts",
    ] {
        tables.remove(table);
    }
    tables
}

#[test]
fn archive_has_every_column_of_every_table() {
    let (_, bytes) = small_archive();
    let mut zip = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let columns = columns();
    assert!(columns.len() >= 6, "{columns:?}");
    for (table, columns) in columns {
        let member = zip.by_name(&format!("tables/{table}.jsonl"));
        let member = member.unwrap_or_else(|error| panic!("{table}: {error}"));
        let line = BufReader::new(member).lines().next().unwrap().unwrap();
        let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
        let fields: BTreeSet<&str> = row.keys().map(String::as_str).collect();
        assert_eq!(fields, columns, "{table}");
    }
}
