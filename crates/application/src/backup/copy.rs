//! Copy all rows into another database.

use std::collections::BTreeMap;

use mycars_domain::{Action, Target, policy};

use super::{Error, OnProgress, Progress, complete, count_rows, read_table, require_empty};
use crate::{
    App, Caller,
    ports::{Store, Table, TableContents},
};

/// Copies all rows of the app's store into an empty one, in one transaction, and returns their numbers. The pictures
/// stay: both databases name the same ones, and have the same identity.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::NotEmpty`]; [`Error::Store`];
/// [`Error::Incomplete`].
pub fn copy(
    app: &App,
    caller: &Caller,
    target: &dyn Store,
    on_progress: &mut OnProgress<'_>,
) -> Result<BTreeMap<Table, TableContents>, Error> {
    policy::check(&caller.actor, Action::BackUp, Target::NOTHING)?;
    app.store.snapshot(|from| {
        target.write(|to| {
            require_empty(to)?;
            on_progress(Progress::Rows(count_rows(from)?));
            let mut tables = BTreeMap::new();
            for table in Table::ALL {
                let contents = read_table(from, table, on_progress, &mut |rows| {
                    to.rows().insert(rows).map_err(Error::Store)
                })?;
                tables.insert(table, contents);
            }
            complete(to, &tables)?;
            Ok(tables)
        })
    })
}
