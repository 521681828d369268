//! Delete the oldest entries of the audit log, and the addresses in old entries.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use mycars_domain::{
    Action, Field, Target,
    audit::{self, Change, Object, Value},
    policy,
};

use crate::{App, Caller, Error, audit::entry, housekeeping::BATCH, ports::PrunedEntries};

/// Deletes the entries that are older than `retention`, counted in whole days (UTC), and returns their number. Each
/// transaction also writes an entry about what it deleted.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::Store`], and what was deleted before stays
/// deleted.
pub fn prune(app: &App, caller: &Caller, retention: TimeDelta) -> Result<u64, Error> {
    policy::check(&caller.actor, Action::PruneAuditLog, Target::NOTHING)?;
    let before = start_of(app, retention);
    let mut total = 0;
    loop {
        let pruned = app.store.write(|unit| {
            let Some(pruned) = unit.audit_log().delete_oldest(before, BATCH)? else {
                return Ok(None);
            };
            let object = Object::audit_log(pruned.last, before);
            let entry = entry(
                app,
                caller,
                audit::Action::Deleted,
                object,
                vec![number_of(pruned)],
            );
            unit.audit_log().append(&[entry])?;
            Ok::<_, Error>(Some(pruned))
        })?;
        match pruned {
            Some(PrunedEntries { count, .. }) => total += count,
            None => return Ok(total),
        }
    }
}

/// Removes the addresses from the entries that are older than `retention`, counted in whole days (UTC), and returns the
/// number of these entries.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::Store`], and what was removed before stays removed.
pub fn forget_addresses(app: &App, caller: &Caller, retention: TimeDelta) -> Result<u64, Error> {
    policy::check(&caller.actor, Action::PruneAuditLog, Target::NOTHING)?;
    let before = start_of(app, retention);
    let mut total = 0;
    loop {
        let forgotten = app
            .store
            .write(|unit| Ok::<_, Error>(unit.audit_log().forget_addresses(before, BATCH)?))?;
        total += forgotten;
        if forgotten == 0 {
            return Ok(total);
        }
    }
}

/// Returns the start of the first day that a retention keeps.
fn start_of(app: &App, retention: TimeDelta) -> DateTime<Utc> {
    let oldest_kept = app.now() - retention;
    oldest_kept.date_naive().and_time(NaiveTime::MIN).and_utc()
}

fn number_of(pruned: PrunedEntries) -> Change {
    Change {
        field: Field::Entries,
        before: Value::Number(i64::try_from(pruned.count).unwrap_or(i64::MAX)),
        after: Value::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use mycars_domain::audit::ObjectType;

    use super::*;
    use crate::{mocks::Mocks, ports::StoreError};

    const YEAR: TimeDelta = TimeDelta::days(365);

    /// Mocks in which each call deletes the next of these numbers of entries. `None` is a failure.
    fn with_batches(batches: &'static [Option<u64>]) -> Mocks {
        let mut mocks = Mocks::new();
        let mut batches = batches.iter();
        let mut last = 0;
        mocks
            .unit
            .audit_log
            .expect_delete_oldest()
            .withf(|before, at_most| {
                let year_ago = DateTime::parse_from_rfc3339("2025-11-23T00:00:00Z").unwrap();
                (*before, *at_most) == (year_ago.to_utc(), BATCH)
            })
            .returning(move |_, _| match batches.next() {
                Some(Some(count)) => {
                    last += 10;
                    Ok(Some(PrunedEntries { count: *count, last }))
                }
                Some(None) => Err(StoreError::Unavailable("away".into())),
                None => Ok(None),
            });
        mocks
    }

    #[test]
    fn each_batch_of_deleted_entries_is_recorded() {
        let (app, store) = with_batches(&[Some(5000), Some(7)]).into_app();
        assert_eq!(prune(&app, &Caller::system(), YEAR).unwrap(), 5007);
        assert_eq!(store.commits(), 3);
        let recorded: Vec<_> = store
            .entries()
            .into_iter()
            .map(|entry| (entry.action, entry.object, entry.author.name, entry.changes))
            .collect();
        let expected = [(5000, "10"), (7, "20")].map(|(count, id)| {
            let object = Object {
                kind: ObjectType::AuditLog,
                id: id.into(),
                name: "entries before 2025-11-23".into(),
                owner: None,
            };
            let change = Change {
                field: Field::Entries,
                before: Value::Number(count),
                after: Value::Nothing,
            };
            (audit::Action::Deleted, object, "system".to_owned(), vec![change])
        });
        assert_eq!(recorded, expected);
    }

    #[test]
    fn prune_without_old_entries_records_nothing() {
        let (app, store) = with_batches(&[]).into_app();
        assert_eq!(prune(&app, &Caller::system(), YEAR).unwrap(), 0);
        assert_eq!(store.entries(), []);
    }

    #[test]
    fn failed_batch_ends_the_pruning() {
        let (app, store) = with_batches(&[Some(5000), None]).into_app();
        let failed = prune(&app, &Caller::system(), YEAR);
        assert!(matches!(failed, Err(Error::Store(_))));
        assert_eq!(store.entries().len(), 1);
    }

    #[test]
    fn addresses_are_forgotten_in_batches_without_an_entry() {
        let mut mocks = Mocks::new();
        let mut batches = [5000, 7, 0].into_iter();
        mocks
            .unit
            .audit_log
            .expect_forget_addresses()
            .withf(|before, at_most| {
                let month_ago = DateTime::parse_from_rfc3339("2026-10-24T00:00:00Z").unwrap();
                (*before, *at_most) == (month_ago.to_utc(), BATCH)
            })
            .returning(move |_, _| Ok(batches.next().unwrap()));
        let (app, store) = mocks.into_app();
        let forgotten = forget_addresses(&app, &Caller::system(), TimeDelta::days(30));
        assert_eq!(forgotten.unwrap(), 5007);
        assert_eq!((store.commits(), store.entries()), (3, vec![]));
    }
}
