//! The audit log.

use mycars_application::{
    lists::{HistoryCount, HistoryQuery},
    ports::AuditLog,
};
use mycars_domain::audit::{Entry, NewEntry};

use crate::{
    Result, State, Unit, next,
    query::{finds, paged, tally, with_keys},
};

/// Whether an entry is what a query asks for.
fn is_asked_for(entry: &NewEntry, query: &HistoryQuery) -> bool {
    let object = &entry.object;
    finds(&query.search, &[&object.name, &entry.author.name])
        && query.action.is_none_or(|action| entry.action == action)
        && query.object_type.is_none_or(|kind| object.kind == kind)
        && query.object_id.as_ref().is_none_or(|id| object.id == *id)
        && query.owner.is_none_or(|owner| object.owner == Some(owner))
        && query.actor.is_none_or(|actor| entry.author.id == Some(actor))
        && query.since.is_none_or(|since| entry.at >= since)
        && query.until.is_none_or(|until| entry.at < until)
}

impl State {
    fn found_entries(&self, query: &HistoryQuery) -> Vec<&Entry> {
        let entries = self.audit_log.values();
        let mut found: Vec<_> = entries.filter(|kept| is_asked_for(&kept.entry, query)).collect();
        if !query.oldest_first {
            found.reverse();
        }
        found
    }
}

impl AuditLog for Unit {
    fn append(&mut self, entries: &[NewEntry]) -> Result<()> {
        self.change(|state| {
            for entry in entries {
                let (id, entry) = (next(&mut state.last_ids.audit_log), entry.clone());
                state.audit_log.insert(id, Entry { id, entry });
            }
            Ok(())
        })
    }

    fn list(&mut self, query: &HistoryQuery) -> Result<Vec<Entry>> {
        Ok(paged(self.state.found_entries(query), query.page))
    }

    fn count(&mut self, query: &HistoryQuery) -> Result<u64> {
        Ok(self.state.found_entries(query).len() as u64)
    }

    fn ids(&mut self, query: &HistoryQuery) -> Result<Vec<i64>> {
        let found = self.state.found_entries(query);
        Ok(found.iter().map(|kept| kept.id).collect())
    }

    fn find_all(&mut self, ids: &[i64]) -> Result<Vec<Entry>> {
        Ok(with_keys(&self.state.audit_log, ids))
    }

    fn counts(&mut self, query: &HistoryQuery) -> Result<Vec<HistoryCount>> {
        let mut aside = query.clone();
        (aside.action, aside.object_type) = (None, None);
        let found = self.state.found_entries(&aside).into_iter();
        let alike = |((action, object_type), count)| HistoryCount {
            action,
            object_type,
            count,
        };
        let counted = tally(found.map(|kept| (kept.entry.action, kept.entry.object.kind)));
        Ok(counted.into_iter().map(alike).collect())
    }
}
