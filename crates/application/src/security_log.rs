//! Security events: one log line for each, of the target [`TARGET`], with fields of fixed names.
//!
//! Lines never hold a password, a token, a key or a CSRF token. Text of clients is bounded and has no line breaks.

use std::net::IpAddr;

use mycars_domain::{
    Field, UserId,
    audit::{Action, Channel, NewEntry, ObjectType, Value},
};

/// The target of all security events in the log.
pub const TARGET: &str = "mycars::security";

/// Maximum length of a text in a line, in characters: that of a username.
const MAX_CHARS: usize = 150;

/// A security event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityEvent {
    /// A user logged in.
    LoginSucceeded,
    /// A login had a wrong password, an unknown username, an inactive user or an e-mail address that must be verified.
    LoginFailed,
    /// A login was refused because of earlier ones.
    LoginThrottled,
    /// An account had too many failed logins from all addresses together.
    AccountAttacked,
    /// A request that is not a login exceeded a rate limit.
    RateExceeded,
    /// A request of a browser did not come from this site's own pages.
    CsrfRefused,
    /// A user's request was refused because the user lacks the permission.
    PermissionDenied,
    /// A refresh token was presented again after its rotation.
    RefreshTokenReused,
    /// A user got another role, or a user was created with more rights than a client.
    RoleChanged,
    /// A user got a new password.
    PasswordSet,
    /// A user got another e-mail address.
    EmailChanged,
    /// A user was deactivated.
    UserDeactivated,
    /// A user was erased from the audit log.
    UserErased,
    /// One or all logins of a user were ended by an admin or on the command line.
    LoginsEnded,
    /// A user created an API key.
    KeyCreated,
    /// An API key was ended by its user or an admin.
    KeyEnded,
    /// An admin exported a list, or a user exported all data about themselves.
    DataExported,
}

/// The fields of a security event, besides its name and outcome. Those that are `None` are left out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Details<'a> {
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// The username of the affected account, as the client sent it.
    pub account: Option<&'a str>,
    /// The id of the affected user.
    pub user_id: Option<UserId>,
    /// The name of the user that caused the event.
    pub author: Option<&'a str>,
    /// More about the event.
    pub detail: Option<&'a str>,
}

impl SecurityEvent {
    /// Returns the name of the event in the log: the variant's name in snake case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LoginSucceeded => "login_succeeded",
            Self::LoginFailed => "login_failed",
            Self::LoginThrottled => "login_throttled",
            Self::AccountAttacked => "account_attacked",
            Self::RateExceeded => "rate_exceeded",
            Self::CsrfRefused => "csrf_refused",
            Self::PermissionDenied => "permission_denied",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::RoleChanged => "role_changed",
            Self::PasswordSet => "password_set",
            Self::EmailChanged => "email_changed",
            Self::UserDeactivated => "user_deactivated",
            Self::UserErased => "user_erased",
            Self::LoginsEnded => "logins_ended",
            Self::KeyCreated => "key_created",
            Self::KeyEnded => "key_ended",
            Self::DataExported => "data_exported",
        }
    }

    fn outcome(self) -> &'static str {
        match self {
            Self::LoginFailed
            | Self::LoginThrottled
            | Self::RateExceeded
            | Self::CsrfRefused
            | Self::PermissionDenied
            | Self::RefreshTokenReused => "refused",
            Self::AccountAttacked => "detected",
            _ => "success",
        }
    }

    /// Logs the event: successes as information, others as warnings.
    pub fn log(self, details: &Details<'_>) {
        // The address precedes all text of clients, so that no text can pass for it.
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(
                    target: TARGET,
                    event = self.name(),
                    outcome = self.outcome(),
                    address = details.address.map(tracing::field::display),
                    user_id = details.user_id.map(|id| id.0),
                    account = details.account.map(one_line),
                    author = details.author.map(one_line),
                    detail = details.detail.map(one_line),
                    "security event"
                )
            };
        }
        if self.outcome() == "success" {
            event!(info);
        } else {
            event!(warn);
        }
    }
}

/// Returns whether an entry of the audit log is a security event.
pub(crate) fn is_event(entry: &NewEntry) -> bool {
    !events(entry).is_empty()
}

/// Logs the security events among entries of the audit log.
pub(crate) fn log_entries(entries: &[NewEntry]) {
    for entry in entries {
        for (event, detail) in events(entry) {
            event.log(&Details {
                address: entry.origin.address,
                account: (entry.object.kind == ObjectType::User).then_some(&*entry.object.name),
                user_id: entry.object.owner,
                author: Some(&entry.author.name),
                detail: detail.as_deref(),
            });
        }
    }
}

fn events(entry: &NewEntry) -> Vec<(SecurityEvent, Option<String>)> {
    let event = |field, before: &Value, after: &Value| match (field, before, after) {
        (Field::Role, Value::Nothing, Value::Text(role)) if role == "client" => None,
        (Field::Role, _, Value::Text(role)) => Some((SecurityEvent::RoleChanged, Some(role.clone()))),
        (Field::IsSuperuser, Value::Nothing, Value::Flag(false)) => None,
        (Field::IsSuperuser, _, Value::Flag(is_superuser)) => Some((
            SecurityEvent::RoleChanged,
            Some(
                if *is_superuser {
                    "superuser"
                } else {
                    "no superuser"
                }
                .to_owned(),
            ),
        )),
        (Field::Password, Value::Hidden, Value::Hidden) => {
            Some((SecurityEvent::PasswordSet, Some(cause(entry).to_owned())))
        }
        (Field::Email, Value::Text(_), Value::Text(_)) => {
            Some((SecurityEvent::EmailChanged, Some(cause(entry).to_owned())))
        }
        (Field::IsActive, Value::Flag(true), Value::Flag(false)) => {
            Some((SecurityEvent::UserDeactivated, None))
        }
        (Field::ApiKey, Value::Nothing, Value::Text(_)) => {
            Some((SecurityEvent::KeyCreated, Some(cause(entry).to_owned())))
        }
        (Field::ApiKey, Value::Text(_), Value::Nothing) => {
            Some((SecurityEvent::KeyEnded, Some(cause(entry).to_owned())))
        }
        // The name of a revocation by an admin, or from another login. Logouts and rotations have other names.
        (Field::Revocation, _, Value::Text(why)) if why == "revoked" => {
            Some((SecurityEvent::LoginsEnded, Some("one".to_owned())))
        }
        _ => None,
    };
    let of_entry = match (entry.object.kind, entry.action) {
        (ObjectType::User, Action::Revoked) => Some((SecurityEvent::LoginsEnded, Some("all".to_owned()))),
        (ObjectType::User, Action::Erased) => {
            Some((SecurityEvent::UserErased, Some(cause(entry).to_owned())))
        }
        _ => None,
    };
    let changes = entry.changes.iter();
    let of_changes = changes.filter_map(|change| event(change.field, &change.before, &change.after));
    of_entry.into_iter().chain(of_changes).collect()
}

/// Returns the cause of a change.
fn cause(entry: &NewEntry) -> &'static str {
    if entry.origin.channel == Channel::CommandLine {
        "command line"
    } else if entry.author.id == entry.object.owner {
        "own"
    } else {
        "admin"
    }
}

/// Returns a text with escapes for all characters except letters, digits, the space and those of ASCII that are
/// visible. A long text is cut off.
fn one_line(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ';
    let mut chars = text.chars();
    let mut line = String::new();
    for c in chars.by_ref().take(MAX_CHARS) {
        if is_plain(c) {
            line.push(c);
        } else {
            line.extend(c.escape_unicode());
        }
    }
    if chars.next().is_some() {
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use mycars_domain::audit::{Change, Object};
    use tracing::{
        Event, Metadata, Subscriber,
        span::{Attributes, Id, Record},
    };

    use super::*;
    use crate::{
        Caller,
        mocks::{Mocks, samples},
        ports::{Revocation, StoreError},
    };

    #[test]
    fn text_of_clients_is_one_bounded_line() {
        for (text, line) in [
            ("ann", "ann"),
            ("Ünal Иван 李", "Ünal Иван 李"),
            ("a\r\nb\u{85}c\u{2028}d", r"a\u{d}\u{a}b\u{85}c\u{2028}d"),
            ("\u{1b}[2J\0\u{7f}", r"\u{1b}[2J\u{0}\u{7f}"),
            (
                "\u{202e}nimda\u{2066}\u{200b}\u{feff}",
                r"\u{202e}nimda\u{2066}\u{200b}\u{feff}",
            ),
            ("a\u{301}", r"a\u{301}"),
        ] {
            assert_eq!(one_line(text), line, "{text:?}");
        }
        assert_eq!(one_line(&"é".repeat(150)), "é".repeat(150));
        assert_eq!(one_line(&"é".repeat(9999)), "é".repeat(150) + "...");
    }

    fn entry(caller: &Caller, action: Action, object: Object, changes: &[(Field, Value, Value)]) -> NewEntry {
        NewEntry {
            at: samples::now(),
            action,
            object,
            author: caller.author(),
            origin: caller.origin.clone(),
            changes: changes
                .iter()
                .cloned()
                .map(|(field, before, after)| Change { field, before, after })
                .collect(),
        }
    }

    fn of_ann(caller: &Caller, action: Action, change: (Field, Value, Value)) -> Vec<(&'static str, String)> {
        names(&entry(caller, action, Object::user(&samples::user()), &[change]))
    }

    fn names(entry: &NewEntry) -> Vec<(&'static str, String)> {
        let events = events(entry).into_iter();
        events
            .map(|(event, detail)| (event.name(), detail.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn entries_about_rights_are_security_events() {
        use {Action::*, Field::*, Value::*};
        let (ann, admin, system) = (samples::ann(), samples::admin(), Caller::system());
        let password = || (Password, Hidden, Hidden);
        for (caller, action, change, expected) in [
            (
                &admin,
                Changed,
                (Role, "client".into(), "admin".into()),
                ("role_changed", "admin"),
            ),
            (
                &admin,
                Changed,
                (Role, "admin".into(), "client".into()),
                ("role_changed", "client"),
            ),
            (
                &admin,
                Created,
                (Role, Nothing, "admin".into()),
                ("role_changed", "admin"),
            ),
            (
                &system,
                Created,
                (IsSuperuser, Nothing, Flag(true)),
                ("role_changed", "superuser"),
            ),
            (
                &system,
                Changed,
                (IsSuperuser, Flag(true), Flag(false)),
                ("role_changed", "no superuser"),
            ),
            (&ann, Changed, password(), ("password_set", "own")),
            (&admin, Changed, password(), ("password_set", "admin")),
            (&system, Changed, password(), ("password_set", "command line")),
            (
                &ann,
                Changed,
                (Email, "a".into(), "b".into()),
                ("email_changed", "own"),
            ),
            (
                &admin,
                Changed,
                (IsActive, Flag(true), Flag(false)),
                ("user_deactivated", ""),
            ),
            (
                &ann,
                Changed,
                (ApiKey, Nothing, "sync (mck_1, read)".into()),
                ("key_created", "own"),
            ),
            (
                &admin,
                Changed,
                (ApiKey, "sync (mck_1, read)".into(), Nothing),
                ("key_ended", "admin"),
            ),
            (
                &admin,
                Revoked,
                (RefreshTokens, Number(1), Number(0)),
                ("logins_ended", "all"),
            ),
        ] {
            let expected = [(expected.0, expected.1.to_owned())];
            assert_eq!(of_ann(caller, action, change.clone()), expected, "{change:?}");
        }
        for (action, change) in [
            (Created, (Role, Nothing, "client".into())),
            (Created, (IsSuperuser, Nothing, Flag(false))),
            (Created, (Password, Nothing, Hidden)),
            (Deleted, (Role, "admin".into(), Nothing)),
            (Deleted, (Password, Hidden, Nothing)),
            (Changed, (IsActive, Flag(false), Flag(true))),
            (Created, (Email, Nothing, "b".into())),
            (Changed, (Phone, "a".into(), "b".into())),
        ] {
            assert_eq!(of_ann(&admin, action, change.clone()), [], "{change:?}");
        }
    }

    #[test]
    fn only_revoked_tokens_are_security_events() {
        let admin = samples::admin();
        for (why, expected) in [
            (Revocation::Revoked, &[("logins_ended", "one".to_owned())][..]),
            (Revocation::LoggedOut, &[]),
            (Revocation::Rotated, &[]),
        ] {
            let token = Object::refresh_token("jti", Some(UserId(1)));
            let change = (Field::Revocation, Value::Nothing, why.as_str().into());
            assert_eq!(names(&entry(&admin, Action::Revoked, token, &[change])), expected);
        }
    }

    /// Counts security events.
    #[derive(Clone, Default)]
    struct Counter(Arc<AtomicUsize>);

    impl Subscriber for Counter {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == TARGET
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn event(&self, _: &Event<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    /// Returns the number of security events of a write that changes a role.
    fn events_of_write(result: Result<(), StoreError>) -> usize {
        let change = (Field::Role, "client".into(), "admin".into());
        let user = Object::user(&samples::user());
        let entry = entry(&samples::admin(), Action::Changed, user, &[change]);
        let (app, _) = Mocks::new().into_app();
        let counter = Counter::default();
        tracing::subscriber::with_default(counter.clone(), || {
            let written = app.store.write(|unit| {
                unit.audit_log().append(&[entry])?;
                result
            });
            drop(written);
        });
        counter.0.load(Ordering::Relaxed)
    }

    #[test]
    fn only_committed_changes_are_logged() {
        assert_eq!(events_of_write(Err(StoreError::OwnerGone)), 0);
        assert_eq!(events_of_write(Ok(())), 1);
    }
}
