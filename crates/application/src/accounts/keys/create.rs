//! Create an API key.

use chrono::{DateTime, Utc};
use mycars_domain::{Action, Denied, Field, KeyRights, Rank, Target, Violation, Violations, policy, strip};

use super::PREFIX;
use crate::{
    App, Caller, Input, Secret, UpdateMode,
    accounts::{Error, change_password::verify_own, sessions::hash},
    audit,
    input::{Checker, required_text},
    ports::ApiKey,
};

/// Maximum number of API keys of a user.
pub const MAX_KEYS: usize = 50;

/// Maximum length of the name of a key in characters.
pub const MAX_NAME: usize = 60;

/// The input of a new key. By default, all fields are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyInput {
    /// The name.
    pub name: Input<String>,
    /// The rights: `read` or `write`.
    pub rights: Input<String>,
    /// The time of expiry in RFC 3339; a key without one does not expire.
    pub expires_at: Input<String>,
    /// The current password of the user.
    pub password: Input<Secret>,
}

/// A new API key, and its record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedKey {
    /// The key, which is not stored and never shown again.
    pub key: Secret,
    /// The record.
    pub record: ApiKey,
}

/// Creates an API key of `caller`. The password is required because a key outlives the login that creates it.
///
/// # Errors
/// [`Error::Invalid`] with all violations, also a wrong password; [`Error::Denied`] for anonymous callers, and for
/// callers with an API key; [`Error::NotFound`] if the user was deleted meanwhile; [`Error::Store`].
///
/// ```
/// use mycars_application::{
///     accounts::keys::{self, KeyInput}, mocks::{Mocks, samples}, ports::Verification,
/// };
///
/// let mut mocks = Mocks::new().with_user_read(samples::user()).with_verification(Verification::Right);
/// mocks.unit.users.expect_find_for_update().returning(|_| Ok(Some(samples::user())));
/// mocks.random.expect_hex().returning(|bytes| "0f".repeat(bytes));
/// mocks.unit.api_keys.expect_list_of().returning(|_| Ok(vec![]));
/// mocks.unit.api_keys.expect_insert().returning(|key| {
///     assert!(!key.key_hash.contains("0f0f"), "the key itself is not stored");
///     Ok(1)
/// });
/// let (app, _) = mocks.into_app();
///
/// let input = KeyInput {
///     name: "sync".into(),
///     rights: "read".into(),
///     password: "right".into(),
///     ..KeyInput::default()
/// };
/// let created = keys::create(&app, &samples::ann(), &input)?;
/// assert_eq!(created.record.prefix, "mck_0f0f0f0f");
/// assert_eq!(created.key.reveal(), format!("mck_0f0f0f0f_{}", "0f".repeat(24)));
/// # Ok::<(), mycars_application::accounts::Error>(())
/// ```
pub fn create(app: &App, caller: &Caller, input: &KeyInput) -> Result<CreatedKey, Error> {
    let id = caller.user_id().ok_or(Denied::NotAuthenticated)?;
    policy::check(&caller.actor, Action::CreateKey, Target::user(id, Rank::Client))?;
    let user = app
        .store
        .read(|unit| unit.users().find(id))?
        .ok_or(Error::NotFound)?;
    let now = app.now();
    let mut checker = Checker::new(UpdateMode::Full);
    let name = checker.required(Field::Name, &input.name, parse_name);
    let rights = checker.required(Field::Rights, &input.rights, parse_rights);
    let expires_at = checker.nullable(Field::ExpiresAt, &input.expires_at, |text: &str| {
        parse_expiry(text, now)
    });
    checker.required(Field::Password, &input.password, |text: &str| {
        verify_own(app, &user, text)
    });
    checker.finish()?;
    let prefix = format!("{PREFIX}{}", app.random.hex(4));
    let key = format!("{prefix}_{}", app.random.hex(24));
    let mut record = ApiKey {
        id: 0,
        owner: id,
        name: name.unwrap_or_default(),
        prefix,
        key_hash: hash(&key),
        rights: rights.unwrap_or(KeyRights::Read),
        created_at: now,
        expires_at: expires_at.flatten().flatten(),
        last_used_at: None,
    };
    app.store.write(|unit| {
        let owner = caller.recheck_with::<Error>(unit, id)?.ok_or(Error::NotFound)?;
        // Another request may have changed the password while this one was verified.
        if owner.password != user.password {
            return Err(Violations::one(Field::Password, Violation::WrongPassword).into());
        }
        if unit.api_keys().list_of(id)?.len() >= MAX_KEYS {
            let violation = Violation::TooManyKeys { max: MAX_KEYS };
            return Err(Violations::one(Field::NonField, violation).into());
        }
        record.id = unit.api_keys().insert(&record)?;
        audit::key_changed(app, unit, caller, &owner, &record, true)?;
        Ok(CreatedKey {
            key: key.into(),
            record,
        })
    })
}

fn parse_name(text: &str) -> Result<String, Vec<Violation>> {
    let name = required_text(text)?;
    if name.chars().count() > MAX_NAME {
        return Err(vec![Violation::TooLong { max: MAX_NAME }]);
    }
    Ok(name)
}

fn parse_rights(text: &str) -> Result<KeyRights, Vec<Violation>> {
    let text = strip(text);
    KeyRights::named(text).ok_or_else(|| vec![Violation::NotAChoice(text.to_owned())])
}

fn parse_expiry(text: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Vec<Violation>> {
    let text = strip(text);
    if text.is_empty() {
        return Ok(None);
    }
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| vec![Violation::NotADateTime])?;
    if time <= now {
        return Err(vec![Violation::NotInTheFuture]);
    }
    Ok(Some(time.to_utc()))
}

#[cfg(test)]
mod tests {
    use mycars_domain::{User, audit::Value, values::PasswordHash};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::Verification,
    };

    fn input(name: &str, rights: &str, expires_at: &str) -> KeyInput {
        KeyInput {
            name: name.into(),
            rights: rights.into(),
            expires_at: expires_at.into(),
            password: "right".into(),
        }
    }

    /// Returns mocks in which Ann is read, and the password in the request is right or wrong.
    fn verified(verification: Verification) -> Mocks {
        Mocks::new()
            .with_user_read(samples::user())
            .with_verification(verification)
            .with_random("ab")
    }

    /// Returns mocks in which Ann has this number of keys.
    fn mocks(keys: usize) -> Mocks {
        let mut mocks = verified(Verification::Right).with_user_locked(samples::user());
        let of_ann = mocks.unit.api_keys.expect_list_of();
        of_ann.returning(move |_| Ok(vec![samples::api_key(); keys]));
        mocks
    }

    #[test]
    fn new_key_is_stored_as_hash_and_logged() {
        let mut mocks = mocks(MAX_KEYS - 1);
        let insert = mocks.unit.api_keys.expect_insert().once();
        insert.returning(|key| {
            assert_eq!(key.key_hash, hash("mck_ab_ab"));
            assert_eq!(
                key.expires_at.map(|time| time.timestamp()),
                Some(samples::NOW + 3600)
            );
            Ok(7)
        });
        let (app, store) = mocks.into_app();
        let input = input(" sync ", "write", "2026-11-23T14:00:00+01:00");
        let created = create(&app, &samples::ann(), &input).unwrap();
        assert_eq!((created.record.id, created.record.name.as_str()), (7, "sync"));
        assert_eq!(created.record.rights, KeyRights::Write);
        let change = (Field::ApiKey, Value::Nothing, "sync (mck_ab, write)".into());
        assert_eq!(
            store.entries(),
            [expected::ann_changed(&samples::ann(), [change])]
        );
    }

    #[test]
    fn all_violations_are_reported() {
        let (app, store) = verified(Verification::Right).into_app();
        let wrong = input(&"x".repeat(61), "admin", "tomorrow");
        let violations = create(&app, &samples::ann(), &wrong).unwrap_err().violations();
        assert_eq!(violations.of(Field::Name), [Violation::TooLong { max: 60 }]);
        assert_eq!(
            violations.of(Field::Rights),
            [Violation::NotAChoice("admin".into())]
        );
        assert_eq!(violations.of(Field::ExpiresAt), [Violation::NotADateTime]);

        let past = input(" ", "read", "2026-11-23T12:00:00Z");
        let violations = create(&app, &samples::ann(), &past).unwrap_err().violations();
        assert_eq!(violations.of(Field::Name), [Violation::Blank]);
        assert_eq!(violations.of(Field::ExpiresAt), [Violation::NotInTheFuture]);
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn one_key_too_many_is_refused() {
        let (app, store) = mocks(MAX_KEYS).into_app();
        let refused = create(&app, &samples::ann(), &input("sync", "read", "")).unwrap_err();
        let too_many = Violation::TooManyKeys { max: MAX_KEYS };
        assert_eq!(refused.violations().of(Field::NonField), [too_many]);
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn wrong_or_missing_password_creates_no_key() {
        for (password, expected) in [
            (Input::from("wrong"), Violation::WrongPassword),
            (Input::from(" "), Violation::Blank),
            (Input::Absent, Violation::Required),
        ] {
            let (app, store) = verified(Verification::Wrong).into_app();
            let input = KeyInput {
                password,
                ..input("sync", "read", "")
            };
            let refused = create(&app, &samples::ann(), &input).unwrap_err().violations();
            assert_eq!(refused, Violations::one(Field::Password, expected));
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn password_that_was_changed_meanwhile_creates_no_key() {
        let changed = User {
            password: PasswordHash::from_storage("other".into()),
            ..samples::user()
        };
        let mocks = verified(Verification::Right).with_user_locked(changed);
        let (app, store) = mocks.into_app();
        let refused = create(&app, &samples::ann(), &input("sync", "read", "")).unwrap_err();
        let wrong = Violations::one(Field::Password, Violation::WrongPassword);
        assert_eq!(refused.violations(), wrong);
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn key_creates_no_key() {
        let (app, _) = Mocks::new().into_app();
        let key = Caller::key(&samples::user(), KeyRights::Write, samples::origin());
        let refused = create(&app, &key, &input("sync", "read", ""));
        assert!(matches!(refused, Err(Error::Denied(Denied::LoginRequired))));
    }
}
