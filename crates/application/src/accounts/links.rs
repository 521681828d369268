//! Links in mails. A link has a token that is signed like all tokens, and stored nowhere. It names the user, expires, and is
//! bound to a state of the user, so that it works once, and dies with each change of the state.

use chrono::{DateTime, TimeDelta, Utc};
use mycars_domain::{Field, User, Violation, Violations};

use super::{
    Error, sessions,
    token::{self, TokenType, Verified},
};
use crate::{
    App, Input, Secret, UpdateMode,
    input::{Checker, required_text},
    ports::{UnitOfWork, Unsignable},
};

/// A kind of link.
pub(super) struct Link {
    pub(super) token_type: TokenType,
    /// Returns all that makes a link invalid when it changes; `None` for users without such a link.
    pub(super) state: fn(&User) -> Option<String>,
}

impl Link {
    /// Returns the token of a link of `user`; `None` if it would be dead already.
    pub(super) fn token(
        &self,
        app: &App,
        user: &User,
        expires_at: DateTime<Utc>,
    ) -> Result<Option<Secret>, Unsignable> {
        let left = expires_at - app.now();
        match self.digest(user) {
            Some(digest) if left >= TimeDelta::seconds(1) => {
                token::issue_bound(app, self.token_type, user.id, digest, left).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns the active user of a valid token.
    pub(super) fn find(&self, app: &App, token: &str) -> Result<Option<User>, Error> {
        let Ok(Verified {
            id, user: Some(user), ..
        }) = token::verify(app, token, Some(self.token_type))
        else {
            return Ok(None);
        };
        let user = app.store.read(|unit| unit.users().find(user))?;
        Ok(user.filter(|user| user.is_active && self.digest(user) == Some(id)))
    }

    /// Returns the active user of the valid token in a field.
    pub(super) fn required(&self, app: &App, token: &Input<String>) -> Result<User, Error> {
        let mut checker = Checker::new(UpdateMode::Full);
        let token = checker.required(Field::Token, token, required_text);
        checker.finish()?;
        self.find(app, &token.unwrap_or_default())?.ok_or_else(invalid)
    }

    /// Locks the user of a valid token, unless another request has used the link meanwhile.
    pub(super) fn lock(&self, unit: &mut dyn UnitOfWork, user: &User) -> Result<User, Error> {
        let now = unit.users().find_for_update(user.id)?;
        let now = now.filter(|now| now.is_active && self.digest(now) == self.digest(user));
        now.ok_or_else(invalid)
    }

    /// Returns a digest of the state, for the token.
    pub(super) fn digest(&self, user: &User) -> Option<String> {
        (self.state)(user).map(|state| sessions::hash(&state))
    }
}

/// Returns the state of a user that changes with the password, the e-mail address, and when all logins are ended.
pub(super) fn login_state(user: &User) -> String {
    let ended = user.logins_ended_at.map_or(0, |at| at.timestamp_micros());
    format!("{}\n{}\n{ended}", user.password.reveal(), user.email)
}

/// Returns whether the logins of a user have been ended since a link was requested. The link that an undo requests when it
/// ends them is not older.
pub(super) fn are_logins_ended_since(user: &User, requested_at: DateTime<Utc>) -> bool {
    user.logins_ended_at.is_some_and(|ended| ended > requested_at)
}

/// Returns the error of a link that is unknown, used or expired.
pub(super) fn invalid() -> Error {
    Violations::one(Field::Token, Violation::InvalidLink).into()
}
