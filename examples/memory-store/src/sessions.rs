//! The logins of browsers.

use chrono::{DateTime, Utc};
use mycars_application::ports::{Session, SessionRepository, StoreError};
use mycars_domain::UserId;

use crate::{Result, Unit, query::forget};

impl SessionRepository for Unit {
    fn insert(&mut self, session: &Session) -> Result<()> {
        self.change(|state| {
            state.check_owner(session.user)?;
            match state.sessions.insert(session.key_hash.clone(), session.clone()) {
                Some(_) => Err(StoreError::Other("a session has this key already".into())),
                None => Ok(()),
            }
        })
    }

    fn find(&mut self, key_hash: &str) -> Result<Option<Session>> {
        Ok(self.state.sessions.get(key_hash).cloned())
    }

    fn touch(&mut self, key_hash: &str, at: DateTime<Utc>) -> Result<()> {
        self.change(|state| {
            if let Some(session) = state.sessions.get_mut(key_hash) {
                session.last_seen_at = at;
            }
            Ok(())
        })
    }

    fn delete(&mut self, key_hash: &str) -> Result<()> {
        self.change(|state| Ok(state.sessions.remove(key_hash))).map(drop)
    }

    fn delete_all_of(&mut self, user: UserId) -> Result<usize> {
        self.change(|state| Ok(forget(&mut state.sessions, |session| session.user == user)))
    }

    fn count_of(&mut self, users: &[UserId]) -> Result<u64> {
        let sessions = self.state.sessions.values();
        Ok(sessions.filter(|session| users.contains(&session.user)).count() as u64)
    }

    fn delete_expired(&mut self, seen_before: DateTime<Utc>, created_before: DateTime<Utc>) -> Result<usize> {
        let is_over =
            |session: &Session| session.last_seen_at <= seen_before || session.created_at <= created_before;
        self.change(|state| Ok(forget(&mut state.sessions, is_over)))
    }
}
