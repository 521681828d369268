//! Archives of each format, which stay readable for ever.
//!
//! `UPDATE_GOLDEN=1` writes the archive of the current format anew. Only do that before its first release.

use std::fs;

use mycars_application::ports::Table;
use mycars_testkit::store_contract::Rows;

use crate::support::{Pictures, app, memory, open, restore, small_archive};

const FORMAT_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/format-1.zip");

#[test]
fn archive_of_format_1_is_restored() {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(FORMAT_1, small_archive().1).unwrap();
    }
    let bytes = fs::read(FORMAT_1).unwrap();
    let contents = mycars_application::ports::ArchiveReader::contents(&open(&bytes).unwrap()).clone();
    let (store, pictures) = (memory(), Pictures::default());
    restore(&app(store.clone(), &pictures), &bytes).unwrap();
    assert_eq!(pictures.all().len(), 2);
    let restored = Rows::of_store(&*store);
    assert_eq!(restored.rows.len() as u64, contents.all_rows());
    for (table, next_id) in restored.next_ids {
        assert_eq!(next_id, contents.tables[&table].next_id);
        // Format 1 began without API keys.
        assert!(contents.rows(table) > 0 || table == Table::ApiKeys, "{table:?}");
    }
}
