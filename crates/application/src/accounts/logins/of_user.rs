//! The logins of a user: those of programs, which are families of refresh tokens, and those of browsers, which are
//! sessions. Users see and end their own, admins those of others.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use mycars_domain::{Action, Denied, Rank, Target, User, UserId, audit::Object, policy};

use super::drop_pending_email;
use crate::{
    App, Caller, Error,
    accounts::{
        Credential,
        sessions::hash,
        token::{self, TokenType},
    },
    audit::{self, EndedLogins},
    ports::{Device, ListedSession, ListedToken, RefreshToken, Revocation, StoreError, UnitOfWork},
};

/// Maximum number of logins of each kind in a list.
const LISTED: u32 = 200;

/// The kind of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginKind {
    /// A program's login, with a refresh token.
    Token,
    /// A browser's login, with a session.
    Session,
}

impl LoginKind {
    /// Returns the name of the kind: the variant's name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
        }
    }
}

/// The id of a login in a list: the kind, and the number of a token or session. As a number it is positive, even for a
/// token and odd for a session.
///
/// ```
/// use mycars_application::accounts::logins::{LoginId, LoginKind};
///
/// let id = LoginId { kind: LoginKind::Session, row: 7 };
/// assert_eq!((id.number(), LoginId::of(15)), (15, id));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginId {
    /// The kind.
    pub kind: LoginKind,
    /// The number of the row.
    pub row: i64,
}

impl LoginId {
    /// Returns the id as a number.
    #[must_use]
    pub fn number(self) -> i64 {
        let bit = i64::from(self.kind == LoginKind::Session);
        self.row.saturating_mul(2).saturating_add(bit)
    }

    /// Returns the id with this number.
    #[must_use]
    pub fn of(number: i64) -> Self {
        let kind = if number % 2 == 0 {
            LoginKind::Token
        } else {
            LoginKind::Session
        };
        Self {
            kind,
            row: number.div_euclid(2),
        }
    }
}

/// A login in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The id. That of a program's login may change when its refresh token is rotated; the old one stays usable.
    pub id: LoginId,
    /// Time of the login.
    pub since: DateTime<Utc>,
    /// Time of the last request of a browser, or of the last use of a refresh token.
    pub last_seen: DateTime<Utc>,
    /// The program that logged in, if it is known.
    pub device: Device,
    /// Whether the request was made with this login.
    pub is_current: bool,
}

/// Returns the logins of a user that have not ended, the last used first. `credential` is that of the request.
///
/// # Errors
/// [`Error::Denied`] for callers that may not see them; [`Error::Store`].
pub fn list_of(
    app: &App,
    caller: &Caller,
    owner: UserId,
    credential: Option<&Credential>,
) -> Result<Vec<Login>, Error> {
    policy::check(
        &caller.actor,
        Action::ReadLogins,
        Target::user(owner, Rank::Client),
    )?;
    let current = Current::of(app, credential);
    app.store.read(|unit| {
        let mut numbers = unit.refresh_tokens().logins_of(owner, app.now())?;
        numbers.truncate(LISTED as usize);
        let mut logins = current.of_programs(unit, &numbers)?;
        logins.extend(current.of_browsers(app, unit, owner, LISTED)?);
        logins.sort_by_key(|login| Reverse((login.last_seen, login.id.number())));
        Ok(logins)
    })
}

/// Ends a login of a user, and returns whether the request was made with it: a browser then forgets its key. A pending
/// e-mail address is dropped.
///
/// # Errors
/// [`Error::NotFound`] if the user has no such login; [`Error::Denied`] for callers that may not end it;
/// [`Error::Store`].
pub fn end(
    app: &App,
    caller: &Caller,
    owner: UserId,
    id: LoginId,
    credential: Option<&Credential>,
) -> Result<bool, Error> {
    let current = Current::of(app, credential);
    app.store.write(|unit| {
        let mut owner = locked(unit, caller, owner)?;
        drop_pending_email(app, unit, caller, &mut owner)?;
        match id.kind {
            LoginKind::Token => {
                let found = unit.refresh_tokens().find_all(&[id.row])?.into_iter().next();
                let token = found.map(|listed| listed.token);
                let token = token
                    .filter(|token| token.user == Some(owner.id))
                    .ok_or(Error::NotFound)?;
                let is_current = current.family == Some(token.family().id);
                end_tokens(app, unit, caller, &token, is_current)?;
                Ok(is_current)
            }
            LoginKind::Session => {
                let session = unit.sessions().find_by_number(id.row)?;
                let session = session
                    .filter(|session| session.user == owner.id)
                    .ok_or(Error::NotFound)?;
                unit.sessions().delete(&session.key_hash)?;
                let ended = EndedLogins {
                    sessions: 1,
                    ..EndedLogins::default()
                };
                audit::user_changed(app, unit, caller, &owner, &owner, ended)?;
                Ok(current.key_hash == Some(session.key_hash))
            }
        }
    })
}

/// Ends the login of a token. Only the login of the request is logged out: a program whose login is ended elsewhere can
/// still log out.
fn end_tokens(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    token: &RefreshToken,
    is_current: bool,
) -> Result<(), Error> {
    let why = if is_current {
        Revocation::LoggedOut
    } else {
        Revocation::Revoked
    };
    let ended = unit
        .refresh_tokens()
        .revoke_family(&token.family().id, why, app.now())?;
    if ended == 0 {
        return Err(Error::NotFound);
    }
    let object = Object::refresh_token(&token.id, token.user);
    Ok(audit::token_revoked(app, unit, caller, object, None, why)?)
}

/// Ends all logins of the caller but that of the request, and drops a pending e-mail address.
///
/// # Errors
/// [`Error::Denied`] for anonymous callers, and with [`Denied::UnknownLogin`] for an access token that names no login,
/// because its login could not be excepted; [`Error::Store`].
pub fn end_others(app: &App, caller: &Caller, credential: Option<&Credential>) -> Result<(), Error> {
    let id = caller.user_id().ok_or(Denied::NotAuthenticated)?;
    let current = Current::of(app, credential);
    if current.family.is_none() && current.key_hash.is_none() {
        return Err(Denied::UnknownLogin.into());
    }
    app.store.write(|unit| {
        let mut user = locked(unit, caller, id)?;
        drop_pending_email(app, unit, caller, &mut user)?;
        let ended = EndedLogins {
            tokens: unit.refresh_tokens().revoke_all_of(
                id,
                current.family.as_deref(),
                Revocation::Revoked,
                app.now(),
            )?,
            sessions: unit.sessions().delete_all_of(id, current.key_hash.as_deref())?,
            keys: Vec::new(),
        };
        Ok(audit::logins_ended(app, unit, caller, &user, ended)?)
    })
}

/// Locks a user whose logins the caller may end.
fn locked(unit: &mut dyn UnitOfWork, caller: &Caller, owner: UserId) -> Result<User, Error> {
    let end = |rank| policy::check(&caller.actor, Action::EndLogin, Target::user(owner, rank));
    end(Rank::Client)?;
    let owner = caller
        .recheck_with::<Error>(unit, owner)?
        .ok_or(Error::NotFound)?;
    end(owner.rank())?;
    Ok(owner)
}

/// The login of a request.
#[derive(Debug, Default)]
pub(crate) struct Current {
    family: Option<String>,
    key_hash: Option<String>,
}

impl Current {
    /// Returns the login of a credential, which authenticated the request.
    pub(crate) fn of(app: &App, credential: Option<&Credential>) -> Self {
        match credential {
            Some(Credential::AccessToken(token)) => Self {
                family: token::verify(app, token.reveal(), Some(TokenType::Access))
                    .ok()
                    .and_then(|token| token.login),
                key_hash: None,
            },
            Some(Credential::SessionKey(key)) => Self {
                family: None,
                key_hash: Some(hash(key.reveal())),
            },
            None => Self::default(),
        }
    }

    /// Returns the logins of programs with these numbers of refresh tokens, in any order.
    pub(crate) fn of_programs(
        &self,
        unit: &mut dyn UnitOfWork,
        numbers: &[i64],
    ) -> Result<Vec<Login>, StoreError> {
        let tokens = unit.refresh_tokens().find_all(numbers)?;
        Ok(tokens
            .into_iter()
            .map(|listed| self.login_of_token(listed))
            .collect())
    }

    /// Returns at most `at_most` logins of browsers of a user, the last used first.
    pub(crate) fn of_browsers(
        &self,
        app: &App,
        unit: &mut dyn UnitOfWork,
        owner: UserId,
        at_most: u32,
    ) -> Result<Vec<Login>, StoreError> {
        let (now, settings) = (app.now(), app.session_settings);
        let sessions =
            unit.sessions()
                .list_of(owner, now - settings.idle, now - settings.lifetime, at_most)?;
        Ok(sessions
            .into_iter()
            .map(|listed| self.login_of_session(listed))
            .collect())
    }

    fn login_of_token(&self, ListedToken { number, token, .. }: ListedToken) -> Login {
        let family = token.family();
        Login {
            id: LoginId {
                kind: LoginKind::Token,
                row: number,
            },
            since: family.logged_in_at,
            last_seen: token.last_used_at.unwrap_or(token.issued_at),
            device: family.device,
            is_current: self.family == Some(family.id),
        }
    }

    fn login_of_session(&self, ListedSession { number, session }: ListedSession) -> Login {
        Login {
            id: LoginId {
                kind: LoginKind::Session,
                row: number,
            },
            since: session.created_at,
            last_seen: session.last_seen_at,
            device: session.device,
            is_current: self.key_hash == Some(session.key_hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use mycars_domain::{Field, audit::Value, values::Email};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::{Claims, Family, Session},
    };

    const TOKEN: LoginId = LoginId {
        kind: LoginKind::Token,
        row: 5,
    };
    const SESSION: LoginId = LoginId {
        kind: LoginKind::Session,
        row: 5,
    };

    /// Returns a token of this family that was issued this number of minutes ago.
    fn token(number: i64, family: &str, minutes: i64) -> ListedToken {
        let token = RefreshToken {
            issued_at: samples::now() - TimeDelta::minutes(minutes),
            family: Some(Family {
                id: family.into(),
                logged_in_at: samples::now() - TimeDelta::days(3),
                device: Device::default(),
            }),
            ..samples::refresh_token(None)
        };
        ListedToken {
            number,
            token,
            username: None,
        }
    }

    fn session(key: &str) -> Session {
        Session {
            key_hash: hash(key),
            user: samples::user().id,
            created_at: samples::now() - TimeDelta::hours(5),
            last_seen_at: samples::now() - TimeDelta::minutes(2),
            device: Device::new([192, 0, 2, 1].into(), Some("Firefox")),
        }
    }

    /// Returns mocks with the token 5 of the family `a`, and the session 5 with the key `key`.
    fn mocks() -> Mocks {
        mocks_of(samples::user())
    }

    fn mocks_of(ann: User) -> Mocks {
        let mut mocks = Mocks::new().with_user_locked(ann).with_claims(Ok(Claims {
            login: Some("a".into()),
            ..samples::claims("access")
        }));
        let (tokens, sessions) = (&mut mocks.unit.refresh_tokens, &mut mocks.unit.sessions);
        tokens
            .expect_find_all()
            .withf(|numbers| *numbers == [5])
            .returning(|_| Ok(vec![token(5, "a", 1)]));
        sessions
            .expect_find_by_number()
            .returning(|number| Ok((number == 5).then(|| session("key"))));
        mocks
    }

    fn with_token() -> Credential {
        Credential::AccessToken("token".into())
    }

    fn with_session(key: &str) -> Credential {
        Credential::SessionKey(key.into())
    }

    #[test]
    fn logins_of_both_kinds_are_one_list() {
        for (credential, current) in [
            (None, None),
            (Some(with_token()), Some(10)),
            (Some(with_session("key")), Some(11)),
            (Some(with_session("other")), None),
        ] {
            let mut mocks = mocks();
            let (tokens, sessions) = (&mut mocks.unit.refresh_tokens, &mut mocks.unit.sessions);
            tokens.checkpoint();
            tokens
                .expect_logins_of()
                .withf(|user, now| (*user, *now) == (UserId(1), samples::now()))
                .returning(|_, _| Ok(vec![5, 3]));
            tokens
                .expect_find_all()
                .withf(|numbers| *numbers == [5, 3])
                .returning(|_| Ok(vec![token(3, "b", 60), token(5, "a", 1)]));
            sessions.expect_list_of().returning(|_, _, _, _| {
                Ok(vec![ListedSession {
                    number: 5,
                    session: session("key"),
                }])
            });
            let (app, _) = mocks.into_app();
            let listed = list_of(&app, &samples::ann(), UserId(1), credential.as_ref()).unwrap();
            let numbers: Vec<i64> = listed.iter().map(|login| login.id.number()).collect();
            assert_eq!(numbers, [10, 11, 6]);
            let found = listed.iter().find(|login| login.is_current);
            assert_eq!(found.map(|login| login.id.number()), current);
            assert_eq!(listed[1].device.program.as_deref(), Some("Firefox"));
        }
    }

    #[test]
    fn list_has_the_newest_logins_of_programs() {
        let mut mocks = Mocks::new();
        let (tokens, sessions) = (&mut mocks.unit.refresh_tokens, &mut mocks.unit.sessions);
        tokens
            .expect_logins_of()
            .returning(|_, _| Ok((1..=300).rev().collect()));
        tokens
            .expect_find_all()
            .withf(|numbers| numbers.len() == 200 && numbers[0] == 300)
            .returning(|_| Ok(vec![]));
        sessions
            .expect_list_of()
            .withf(|_, _, _, at_most| *at_most == 200)
            .returning(|_, _, _, _| Ok(vec![]));
        let (app, _) = mocks.into_app();
        assert_eq!(list_of(&app, &samples::ann(), UserId(1), None).unwrap(), []);
    }

    #[test]
    fn logins_of_others_are_hidden_from_clients() {
        let (app, store) = Mocks::new().into_app();
        let client = samples::other_user(Rank::Client);
        let listed = list_of(&app, &client, UserId(1), None);
        assert!(matches!(listed, Err(Error::Denied(Denied::NotFound))));
        let ended = end(&app, &client, UserId(1), TOKEN, None);
        assert!(matches!(ended, Err(Error::Denied(Denied::NotFound))));
        let ended = end_others(&app, &samples::anonymous(), None);
        assert!(matches!(ended, Err(Error::Denied(Denied::NotAuthenticated))));
        assert_eq!((store.reads(), store.commits()), (0, 0));
    }

    #[test]
    fn end_of_the_login_of_the_request_logs_out_its_family() {
        let (app, store) = mocks()
            .expect_family_revoked("a", Revocation::LoggedOut, 1)
            .into_app();
        let is_current = end(&app, &samples::ann(), UserId(1), TOKEN, Some(&with_token()));
        assert!(is_current.unwrap());
        let entry = expected::token_died(&samples::ann(), "jti", Value::Nothing, "logged_out");
        assert_eq!(store.entries(), [entry]);
    }

    #[test]
    fn end_of_own_session_deletes_it() {
        let mut mocks = mocks();
        let delete = mocks.unit.sessions.expect_delete().once();
        delete.withf(|given| given == hash("key")).returning(|_| Ok(()));
        let (app, store) = mocks.into_app();
        let is_current = end(
            &app,
            &samples::ann(),
            UserId(1),
            SESSION,
            Some(&with_session("other")),
        );
        assert!(!is_current.unwrap());
        let change = (Field::Sessions, Value::Number(1), Value::Number(0));
        assert_eq!(
            store.entries(),
            [expected::ann_changed(&samples::ann(), [change])]
        );
    }

    /// A logout with the token is accepted afterwards.
    #[test]
    fn end_by_admin_or_from_another_login_revokes_the_family() {
        for (caller, credential) in [
            (samples::admin(), None),
            (samples::ann(), Some(with_session("key"))),
        ] {
            let (app, store) = mocks()
                .expect_family_revoked("a", Revocation::Revoked, 1)
                .into_app();
            let is_current = end(&app, &caller, UserId(1), TOKEN, credential.as_ref());
            assert!(!is_current.unwrap());
            let entry = expected::token_died(&caller, "jti", Value::Nothing, "revoked");
            assert_eq!(store.entries(), [entry]);
        }
    }

    #[test]
    fn end_of_a_login_or_of_others_drops_a_pending_email() {
        for ends_others in [false, true] {
            let mut ann = samples::user();
            ann.email_state.pending = Some(Email::from_storage("thief@example.com".into()));
            let mut mocks = mocks_of(ann).expect_user_update(|user| user.email_state.pending.is_none());
            mocks.unit.sessions.expect_delete().returning(|_| Ok(()));
            mocks.unit.sessions.expect_delete_all_of().returning(|_, _| Ok(1));
            let tokens = &mut mocks.unit.refresh_tokens;
            tokens.expect_revoke_all_of().returning(|_, _, _, _| Ok(0));
            let (app, store) = mocks.into_app();
            let credential = Some(with_session("key"));
            if ends_others {
                end_others(&app, &samples::ann(), credential.as_ref()).unwrap();
            } else {
                end(&app, &samples::ann(), UserId(1), SESSION, credential.as_ref()).unwrap();
            }
            let change = (Field::PendingEmail, "thief@example.com".into(), Value::Nothing);
            assert_eq!(
                store.entries()[0],
                expected::ann_changed(&samples::ann(), [change])
            );
        }
    }

    #[test]
    fn end_of_others_with_a_token_without_login_is_denied() {
        let mocks = Mocks::new().with_claims(Ok(samples::claims("access")));
        let (app, store) = mocks.into_app();
        let refused = end_others(&app, &samples::ann(), Some(&with_token()));
        assert!(matches!(refused, Err(Error::Denied(Denied::UnknownLogin))));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn end_of_a_superusers_login_by_an_admin_is_denied() {
        let (app, store) = Mocks::new().with_user_locked(samples::superuser()).into_app();
        let refused = end(&app, &samples::admin(), UserId(1), TOKEN, None);
        assert!(matches!(refused, Err(Error::Denied(Denied::SuperusersOnly))));
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn ended_and_unknown_logins_are_not_found() {
        let (app, store) = mocks()
            .expect_family_revoked("a", Revocation::Revoked, 0)
            .into_app();
        let unknown = LoginId { row: 6, ..SESSION };
        for id in [TOKEN, unknown] {
            let refused = end(&app, &samples::ann(), UserId(1), id, None);
            assert!(matches!(refused, Err(Error::NotFound)));
        }
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn end_of_others_excepts_the_login_of_the_request() {
        for (credential, family, key_hash) in [
            (with_token(), Some("a"), None),
            (with_session("key"), None, Some(hash("key"))),
        ] {
            let mut mocks = mocks();
            let (tokens, sessions) = (&mut mocks.unit.refresh_tokens, &mut mocks.unit.sessions);
            tokens
                .expect_revoke_all_of()
                .withf(move |user, except, why, _| {
                    (*user, *except, *why) == (UserId(1), family, Revocation::Revoked)
                })
                .returning(|_, _, _, _| Ok(2));
            sessions
                .expect_delete_all_of()
                .withf(move |user, except| (*user, *except) == (UserId(1), key_hash.as_deref()))
                .returning(|_, _| Ok(3));
            let (app, store) = mocks.into_app();
            end_others(&app, &samples::ann(), Some(&credential)).unwrap();
            assert_eq!(store.entries()[0].changes, expected::ended_logins(2, 3));
        }
    }
}
