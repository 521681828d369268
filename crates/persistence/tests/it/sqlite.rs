//! The compile-time options of the bundled SQLite.

use std::collections::BTreeSet;

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl as _, SqliteConnection, sql_query, sql_types::Text,
};

#[derive(QueryableByName)]
struct CompileOption {
    #[diesel(sql_type = Text)]
    compile_options: String,
}

#[test]
fn sqlite_is_compiled_with_the_expected_options() {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    let options: Vec<CompileOption> = sql_query("PRAGMA compile_options").load(&mut conn).unwrap();
    let options: BTreeSet<_> = options.into_iter().map(|option| option.compile_options).collect();
    let is_set = |option: &str| options.contains(option);
    assert!(
        is_set("ENABLE_QPSG") && is_set("DEFAULT_MEMSTATUS=0") && !is_set("ENABLE_MEMORY_MANAGEMENT"),
        "the flags of .cargo/config.toml did not arrive: Cargo reads that file only inside the repository, a variable \
         LIBSQLITE3_FLAGS replaces it, and after a change it needs `cargo clean -p libsqlite3-sys`: {options:?}"
    );
}
