//! Replace or change a user.

use mycars_domain::{
    Action, Denied, Field, Role, Target, User, UserId, Violation, Violations, policy, values::PasswordHash,
};

use super::{
    Error,
    fields::{UserFields, UserInput},
    superusers,
};
use crate::{
    App, Caller, Input, UpdateMode,
    accounts::{self, keys, logins},
    audit::{self, EndedLogins},
    outbox,
    ports::{MailKind, Revocation, StoreError, UnitOfWork},
};

/// Changes the fields that were sent in a user, and returns the user. With [`UpdateMode::Full`] (PUT), the required
/// fields must be sent. A new password or a change of `is_active` ends the user's logins.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights, for admins if the user is a superuser, for callers who
/// deactivate or demote themselves or set their own password, and for the last active superuser; [`Error::NotFound`];
/// [`Error::Conflict`] if the user has
/// another version than the input expects; [`Error::Invalid`] with all violations; [`Error::Hash`]; [`Error::Store`].
///
/// ```
/// use mycars_application::{UpdateMode, Input, mocks::{Mocks, samples}, users::{self, UserInput}};
/// use mycars_domain::{Rank, UserId};
///
/// let mut mocks = Mocks::new();
/// mocks.unit.users.expect_find().returning(|_| Ok(Some(samples::user())));
/// mocks.unit.users.expect_find_for_update().returning(|_| Ok(Some(samples::user())));
/// mocks.unit.users.expect_update().returning(|_| Ok(()));
/// mocks.unit.sessions.expect_delete_all_of().returning(|_, _| Ok(2));
/// mocks.unit.refresh_tokens.expect_revoke_all_of().returning(|_, _, _, _| Ok(1));
/// let (app, _) = mocks.into_app();
///
/// let deactivate = UserInput { is_active: Input::Given(false), ..UserInput::default() };
/// let admin = samples::other_user(Rank::Admin);
/// let user = users::update(&app, &admin, UserId(1), &deactivate, UpdateMode::Partial)?;
/// assert!(!user.is_active);
/// # Ok::<(), users::Error>(())
/// ```
pub fn update(
    app: &App,
    caller: &Caller,
    id: UserId,
    input: &UserInput,
    completeness: UpdateMode,
) -> Result<User, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let hash = match input.password.given() {
        Some(_) => hash(app, caller, id, input, completeness)?,
        None => None,
    };
    app.store.write(|unit| {
        let is_last_superuser =
            input.is_active == Input::Given(false) && superusers::is_last(unit, caller, id)?;
        let user = caller.recheck_with::<Error>(unit, id)?;
        let (before, fields) = checked(app, unit, caller, user, input, completeness)?;
        if is_last_superuser {
            return Err(Denied::LastSuperuser.into());
        }
        let mut user = before.clone();
        fields.apply_to(app, &mut user);
        let is_own = caller.user_id() == Some(id);
        if is_own && user.email != before.email && app.token_settings.email_change_within.is_some() {
            // The time of the login is only known where users change their own profile.
            return Err(Violations::one(Field::Email, Violation::LoginTooOld).into());
        }
        if user.email != before.email {
            let email = std::mem::replace(&mut user.email, before.email.clone());
            if is_own {
                accounts::change_own_email(app, unit, &mut user, email)?;
            } else {
                accounts::assign_email(app, unit, &mut user, email)?;
            }
        }
        if is_unchanged(&before, &user, input) && hash.is_none() {
            return Ok(before);
        }
        let ended = write(app, unit, &before, &mut user, hash)?;
        audit::user_changed(app, unit, caller, &before, &user, ended)?;
        Ok(user)
    })
}

/// Writes a changed user, and ends their logins with a new password or if `is_active` changes: logins from before a
/// deactivation must not be valid again after the next activation. An activation ends logins that were left by an
/// earlier version or by another program. A new password also ends their API keys.
///
/// A change of rank or of `is_active` records up to when access tokens have ended, so that none is valid again.
fn write(
    app: &App,
    unit: &mut dyn UnitOfWork,
    before: &User,
    after: &mut User,
    hash: Option<PasswordHash>,
) -> Result<EndedLogins, StoreError> {
    let changes_activity = before.is_active != after.is_active;
    let end = match hash {
        Some(hash) => {
            after.password = hash;
            Some(Revocation::PasswordChanged)
        }
        None => changes_activity.then_some(Revocation::Revoked),
    };
    if end.is_some() {
        after.logins_ended_at = Some(app.now());
        after.email_state.pending = None;
    }
    if changes_activity || before.rank() != after.rank() {
        after.access_ended_at = after.logins_ended_at;
    }
    unit.users().update(after)?;
    let mut ended = match end {
        Some(why) => logins::end_recorded(app, unit, after.id, why)?,
        None => EndedLogins::default(),
    };
    if end == Some(Revocation::PasswordChanged) {
        outbox::enqueue(app, unit, MailKind::PasswordChanged, Some(before))?;
        ended.keys = keys::end_all_of(unit, after.id)?;
    }
    Ok(ended)
}

/// Returns whether an input with a version changes nothing. Then the version stays the same, because a new one would
/// look like a change to other clients. Without a version, the time of the last change is that of the request, as in
/// Django REST framework.
fn is_unchanged(before: &User, after: &User, input: &UserInput) -> bool {
    let after = User {
        updated_at: before.updated_at,
        ..after.clone()
    };
    input.version.is_some() && after == *before
}

/// Hashes the new password, after all other checks. Hashing takes long and so comes before the transaction, which
/// checks again.
fn hash(
    app: &App,
    caller: &Caller,
    id: UserId,
    input: &UserInput,
    completeness: UpdateMode,
) -> Result<Option<PasswordHash>, Error> {
    let (_, fields) = app.store.read(|unit| {
        let user = unit.users().find(id)?;
        checked(app, unit, caller, user, input, completeness)
    })?;
    Ok(fields
        .password
        .map(|password| app.hasher.hash(&password))
        .transpose()?)
}

/// Returns the user and the checked fields, if `caller` may change them.
fn checked(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    user: Option<User>,
    input: &UserInput,
    completeness: UpdateMode,
) -> Result<(User, UserFields), Error> {
    let user = user.ok_or(Error::NotFound)?;
    let target = Target::user(user.id, user.rank());
    policy::check(&caller.actor, Action::ChangeUser, target)?;
    if input.version.is_some_and(|version| version != user.updated_at) {
        return Err(Error::Conflict);
    }
    let fields = UserFields::check_change(unit, caller, input, completeness, &user, app.now())??;
    if fields.password.is_some() {
        policy::check(&caller.actor, Action::SetPassword, target)?;
    }
    if user.is_active && fields.is_active == Some(false) {
        policy::check(&caller.actor, Action::DeactivateUser, target)?;
    }
    if user.role == Role::Admin && fields.role == Some(Role::Client) {
        policy::check(&caller.actor, Action::DemoteUser, target)?;
    }
    Ok((user, fields))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use chrono::TimeDelta;
    use mycars_domain::{
        Field, Rank, Violation,
        audit::Value,
        values::{Address, Email, FirstName, LastName, Phone, Username},
    };

    use super::*;
    use crate::{
        accounts,
        audit::expected,
        mocks::{Mocks, samples},
    };

    fn mocks(user: &User) -> Mocks {
        Mocks::new().with_user(user.clone()).nothing_taken()
    }

    fn new_email() -> UserInput {
        UserInput {
            email: "new@example.com".into(),
            ..UserInput::default()
        }
    }

    fn deactivate() -> UserInput {
        UserInput {
            is_active: Input::Given(false),
            ..UserInput::default()
        }
    }

    fn demote() -> UserInput {
        UserInput {
            role: "client".into(),
            ..UserInput::default()
        }
    }

    fn superuser(id: i64, is_active: bool) -> User {
        User {
            id: UserId(id),
            is_active,
            ..samples::superuser()
        }
    }

    fn set_password() -> UserInput {
        UserInput {
            password: "password123".into(),
            ..UserInput::default()
        }
    }

    fn rename() -> UserInput {
        UserInput {
            first_name: "Bea".into(),
            ..UserInput::default()
        }
    }

    fn denied(user: &User, caller: &Caller, input: &UserInput) -> Denied {
        let (app, store) = mocks(user).with_superusers(vec![]).into_app();
        match update(&app, caller, user.id, input, UpdateMode::Partial) {
            Err(Error::Denied(denied)) => {
                assert_eq!((store.commits(), store.entries().len()), (0, 0));
                denied
            }
            other => panic!("must be refused: {other:?}"),
        }
    }

    #[test]
    fn update_by_a_client_is_denied_without_a_look_up() {
        let (app, store) = Mocks::new().into_app();
        let refused = update(&app, &samples::ann(), UserId(9), &rename(), UpdateMode::Partial);
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
        assert_eq!(store.reads() + store.rollbacks(), 0);
    }

    #[test]
    fn fields_sent_as_stored_are_not_checked_again() {
        let legacy = User {
            username: Username::from_storage("two words".into()),
            email: Email::from_storage("nonsense".into()),
            first_name: FirstName::default(),
            last_name: LastName::from_storage("\u{3164}".into()),
            phone: Some(Phone::from_storage("5".repeat(21))),
            address: Some(Address::from_storage("a".repeat(256))),
            ..samples::user()
        };
        let (app, store) = Mocks::new()
            .with_user_locked(legacy.clone())
            .expect_user_update(|_| true)
            .into_app();
        let admin = samples::admin();
        let mut input = UserInput {
            username: "two words".into(),
            email: " nonsense".into(),
            first_name: "".into(),
            last_name: "\u{3164}".into(),
            phone: "5".repeat(21).as_str().into(),
            address: "a".repeat(256).as_str().into(),
            ..UserInput::default()
        };
        let user = update(&app, &admin, legacy.id, &input, UpdateMode::Full).unwrap();
        let updated_at = legacy.updated_at;
        assert_eq!(User { updated_at, ..user }, legacy);
        assert_eq!(store.entries(), [], "nothing changed");

        input.username = "three words".into();
        input.first_name = "\u{200b}".into();
        let violations = update(&app, &admin, legacy.id, &input, UpdateMode::Full)
            .unwrap_err()
            .violations();
        assert_eq!(violations.of(Field::Username), [Violation::InvalidUsername]);
        assert_eq!(violations.of(Field::FirstName), [Violation::Blank]);
        assert_eq!(violations.iter().count(), 2);
    }

    #[test]
    fn deactivating_or_demoting_oneself_is_denied() {
        for user in [samples::admin_user(), samples::superuser()] {
            let caller = samples::caller(&user);
            for input in [deactivate(), demote()] {
                assert_eq!(denied(&user, &caller, &input), Denied::NotToOneself);
            }
        }
    }

    #[test]
    fn update_of_own_other_fields_is_logged() {
        let ann = samples::admin_user();
        let (app, store) = mocks(&ann)
            .expect_user_update(|user| user.first_name.as_str() == "Bea" && user.updated_at == samples::now())
            .into_app();
        let caller = samples::caller(&ann);
        update(&app, &caller, ann.id, &rename(), UpdateMode::Partial).unwrap();
        let changes = [(Field::FirstName, "Ann".into(), "Bea".into())];
        assert_eq!(store.entries(), [expected::ann_changed(&caller, changes)]);
    }

    #[test]
    fn update_of_many_fields_is_one_entry_without_the_password() {
        let (app, store) = mocks(&samples::user())
            .with_hash("new")
            .with_api_keys(vec![])
            .with_updates()
            .expect_logins_ended(Revocation::PasswordChanged, 1, 1)
            .into_app();
        let input = UserInput {
            role: "admin".into(),
            is_active: Input::Given(false),
            password: "password123".into(),
            ..rename()
        };
        let admin = samples::admin();
        update(&app, &admin, UserId(1), &input, UpdateMode::Partial).unwrap();
        let changes = [
            (Field::FirstName, "Ann".into(), "Bea".into()),
            (Field::Role, "client".into(), "admin".into()),
            (Field::IsActive, Value::Flag(true), Value::Flag(false)),
            expected::PASSWORD,
            (Field::RefreshTokens, Value::Number(1), Value::Number(0)),
            (Field::Sessions, Value::Number(1), Value::Number(0)),
        ];
        assert_eq!(store.entries(), [expected::ann_changed(&admin, changes)]);
    }

    #[test]
    fn update_of_another_version_conflicts_before_field_checks() {
        let admin = samples::admin();
        for password in [Input::Absent, "short".into(), "password123".into()] {
            let (app, store) = mocks(&samples::user()).into_app();
            let input = UserInput {
                role: "boss".into(),
                password,
                version: Some(samples::now()),
                ..UserInput::default()
            };
            let refused = update(&app, &admin, UserId(1), &input, UpdateMode::Full);
            assert!(matches!(refused, Err(Error::Conflict)), "{input:?}");
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn update_conflicts_if_the_version_changes_during_hashing() {
        let (app, store) = Mocks::new()
            .with_user_read(samples::user())
            .with_user_locked(User {
                updated_at: samples::now(),
                ..samples::user()
            })
            .with_hash("new")
            .into_app();
        let input = UserInput {
            password: "password123".into(),
            version: Some(samples::user().updated_at),
            ..UserInput::default()
        };
        let admin = samples::admin();
        let refused = update(&app, &admin, UserId(1), &input, UpdateMode::Partial);
        assert!(matches!(refused, Err(Error::Conflict)));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn update_makes_a_later_version_whatever_the_clock() {
        for previous in [
            samples::now() - TimeDelta::seconds(1),
            samples::now(),
            samples::now() + TimeDelta::days(1),
        ] {
            let (app, _) = mocks(&User {
                updated_at: previous,
                ..samples::user()
            })
            .expect_user_update(move |user| user.updated_at > previous && user.updated_at >= samples::now())
            .into_app();
            let input = UserInput {
                version: Some(previous),
                ..rename()
            };
            let admin = samples::admin();
            update(&app, &admin, UserId(1), &input, UpdateMode::Partial).unwrap();
        }
    }

    #[test]
    fn change_of_activity_ends_all_logins_and_counts_them() {
        let whole = UserInput {
            username: "ann".into(),
            email: "ann@example.com".into(),
            first_name: "Ann".into(),
            last_name: "Lee".into(),
            ..UserInput::default()
        };
        for is_active in [false, true] {
            for (completeness, rest) in [
                (UpdateMode::Partial, UserInput::default()),
                (UpdateMode::Full, whole.clone()),
            ] {
                let (app, store) = mocks(&User {
                    is_active: !is_active,
                    ..samples::user()
                })
                .expect_user_update(move |user| {
                    let now = Some(samples::now());
                    (user.is_active, user.logins_ended_at, user.access_ended_at) == (is_active, now, now)
                })
                .expect_logins_ended(Revocation::Revoked, 2, 1)
                .into_app();
                let input = UserInput {
                    is_active: Input::Given(is_active),
                    ..rest
                };
                let admin = samples::admin();
                update(&app, &admin, UserId(1), &input, completeness).unwrap();
                let changes = [
                    (Field::IsActive, Value::Flag(!is_active), Value::Flag(is_active)),
                    (Field::RefreshTokens, Value::Number(2), Value::Number(0)),
                    (Field::Sessions, Value::Number(1), Value::Number(0)),
                ];
                assert_eq!(store.entries(), [expected::ann_changed(&admin, changes)]);
                assert_eq!(store.commits(), 1);
            }
        }
    }

    #[test]
    fn own_email_that_needs_a_recent_login_is_not_changed() {
        let admin = samples::admin_user();
        for (within, is_changed) in [(None, true), (Some(TimeDelta::minutes(5)), false)] {
            let (mut app, _) = mocks(&admin).with_updates().into_app();
            app.token_settings.email_change_within = within;
            let caller = samples::caller(&admin);
            let changed = update(&app, &caller, admin.id, &new_email(), UpdateMode::Partial);
            assert_eq!(changed.is_ok(), is_changed);
        }
    }

    #[test]
    fn email_of_an_admin_is_verified_and_told_to_the_old_one() {
        let (app, _) = mocks(&samples::user())
            .with_verified_emails()
            .expect_mails(&[(MailKind::EmailChanged, &samples::user(), "ann@example.com")])
            .expect_user_update(|user| user.has_verified_email() && user.email_state.previous.is_none())
            .into_app();
        let user = update(
            &app,
            &samples::admin(),
            UserId(1),
            &new_email(),
            UpdateMode::Partial,
        )
        .unwrap();
        assert_eq!(user.email.as_str(), "new@example.com");
    }

    #[test]
    fn own_email_of_an_admin_is_pending_if_it_must_be_verified() {
        let admin = samples::admin_user();
        let (app, _) = mocks(&admin)
            .with_verified_emails()
            .expect_mails(&[(MailKind::EmailVerification, &admin, "new@example.com")])
            .with_updates()
            .into_app();
        let caller = samples::caller(&admin);
        let user = update(&app, &caller, admin.id, &new_email(), UpdateMode::Partial).unwrap();
        assert_eq!(user.email, admin.email);
    }

    /// Applies one change to a user, and returns the stored user.
    fn changed(user: &User, change: impl Fn(&App)) -> User {
        let stored = Arc::new(Mutex::new(user.clone()));
        let written = Arc::clone(&stored);
        let mut mocks = mocks(user).with_hash("new");
        let unit = &mut mocks.unit;
        unit.users.expect_update().returning(move |user| {
            *written.lock().unwrap() = user.clone();
            Ok(())
        });
        unit.api_keys.expect_list_of().returning(|_| Ok(vec![]));
        unit.sessions.expect_delete_all_of().returning(|_, _| Ok(0));
        unit.refresh_tokens
            .expect_revoke_all_of()
            .returning(|_, _, _, _| Ok(0));
        change(&mocks.into_app().0);
        stored.lock().unwrap().clone()
    }

    /// Returns whether an access token that was issued before all changes authenticates the user.
    fn old_access_token_is_valid(user: &User) -> bool {
        let mocks = Mocks::new().with_claims(Ok(samples::claims("access")));
        let (app, _) = mocks.with_user_read(user.clone()).into_app();
        accounts::authenticate(&app, "token").is_ok()
    }

    /// All combinations of a new password, `is_active` and role, one after the other, and "end all logins".
    #[test]
    fn ended_access_token_is_never_valid_again() {
        let combinations = [None, Some("password123")].into_iter().flat_map(|password| {
            [false, true].into_iter().flat_map(move |is_active| {
                ["client", "admin"].map(|role| {
                    Some(UserInput {
                        password: password.map(Input::from).unwrap_or_default(),
                        is_active: Input::Given(is_active),
                        role: role.into(),
                        ..UserInput::default()
                    })
                })
            })
        });
        let changes: Vec<Option<UserInput>> = combinations.chain([None]).collect();
        let apply = |user: &User, input: &Option<UserInput>| {
            changed(user, |app| {
                let root = samples::other_user(Rank::Superuser);
                match input {
                    Some(input) => drop(update(app, &root, user.id, input, UpdateMode::Partial).unwrap()),
                    None => logins::end_all(app, &root, user.id).unwrap(),
                }
            })
        };
        let mut users = vec![samples::user(), samples::admin_user()];
        for _ in 0..3 {
            let mut next = Vec::new();
            for user in &users {
                for input in &changes {
                    let after = apply(user, input);
                    let is_revived = !old_access_token_is_valid(user) && old_access_token_is_valid(&after);
                    assert!(!is_revived, "{user:?} {input:?}");
                    if !next.contains(&after) {
                        next.push(after);
                    }
                }
            }
            users = next;
        }
    }

    /// Rights are read at each request, so that a change of role needs to end nothing.
    #[test]
    fn change_of_role_ends_no_login() {
        for (before, after) in [(Role::Admin, "client"), (Role::Client, "admin")] {
            let (app, store) = mocks(&User {
                role: before,
                ..samples::user()
            })
            .expect_user_update(|user| user.logins_ended_at.is_none())
            .into_app();
            let input = UserInput {
                role: after.into(),
                is_active: Input::Given(true),
                ..UserInput::default()
            };
            let admin = samples::admin();
            update(&app, &admin, UserId(1), &input, UpdateMode::Partial).unwrap();
            assert_eq!(store.commits(), 1);
        }
    }

    /// The calling superuser was active when the request was authenticated, and is inactive now.
    #[test]
    fn deactivate_of_last_active_superuser_is_denied() {
        let root = superuser(1, true);
        for others in [vec![], vec![superuser(2, false)]] {
            let all = [root.clone()].into_iter().chain(others).collect();
            let (app, store) = mocks(&root).with_superusers(all).into_app();
            let caller = samples::other_user(Rank::Superuser);
            let refused = update(&app, &caller, root.id, &deactivate(), UpdateMode::Partial);
            assert!(matches!(refused, Err(Error::Denied(Denied::LastSuperuser))));
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn unchanged_fields_are_not_logged() {
        let (app, store) = mocks(&samples::user()).with_updates().into_app();
        let input = UserInput {
            role: "client".into(),
            is_active: Input::Given(true),
            phone: Input::Null,
            ..UserInput::default()
        };
        let admin = samples::admin();
        update(&app, &admin, UserId(1), &input, UpdateMode::Partial).unwrap();
        assert_eq!((store.commits(), store.entries().len()), (1, 0));
    }

    #[test]
    fn update_of_a_superuser_by_an_admin_is_denied() {
        let root = samples::superuser();
        let admin = samples::admin();
        for input in [rename(), deactivate(), demote(), set_password()] {
            assert_eq!(denied(&root, &admin, &input), Denied::SuperusersOnly);
        }
        let superusers = [root.clone(), superuser(2, true)];
        let (app, _) = mocks(&root)
            .expect_user_update(|user| !user.is_active)
            .with_superusers(superusers.into())
            .expect_logins_ended(Revocation::Revoked, 2, 1)
            .into_app();
        let superuser = samples::other_user(Rank::Superuser);
        update(&app, &superuser, root.id, &deactivate(), UpdateMode::Partial).unwrap();
    }

    #[test]
    fn full_update_reports_all_violations() {
        let (app, store) = mocks(&samples::user()).into_app();
        let input = UserInput {
            role: Input::Null,
            is_active: Input::Null,
            password: "short".into(),
            ..UserInput::default()
        };
        let admin = samples::admin();
        let violations = update(&app, &admin, UserId(1), &input, UpdateMode::Full)
            .unwrap_err()
            .violations();
        for field in [Field::Username, Field::Email, Field::FirstName, Field::LastName] {
            assert_eq!(violations.of(field), [Violation::Required]);
        }
        assert_eq!(violations.of(Field::Role), [Violation::Null]);
        assert_eq!(violations.of(Field::IsActive), [Violation::Null]);
        assert_eq!(
            violations.of(Field::Password),
            [Violation::PasswordTooShort { min: 8 }]
        );
        assert_eq!(violations.iter().count(), 7);
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn new_password_ends_all_logins_and_keys() {
        let (app, store) = mocks(&samples::user())
            .with_hash("new")
            .expect_keys_ended()
            .expect_user_update(|user| user.password.reveal() == "new" && user.logins_ended_at.is_some())
            .expect_logins_ended(Revocation::PasswordChanged, 1, 1)
            .into_app();
        let input = set_password();
        update(&app, &samples::admin(), UserId(1), &input, UpdateMode::Partial).unwrap();
        let changes = expected::NEW_PASSWORD.into_iter().chain([expected::key_ended()]);
        assert_eq!(
            store.entries(),
            [expected::ann_changed(&samples::admin(), changes)]
        );
    }

    #[test]
    fn change_that_ends_logins_drops_a_pending_email() {
        let mut ann = samples::user();
        ann.email_state.pending = Some(Email::from_storage("thief@example.com".into()));
        let (app, _) = mocks(&ann)
            .expect_user_update(|user| user.email_state.pending.is_none())
            .expect_logins_ended(Revocation::Revoked, 1, 1)
            .into_app();
        update(
            &app,
            &samples::admin(),
            UserId(1),
            &deactivate(),
            UpdateMode::Partial,
        )
        .unwrap();
    }

    #[test]
    fn own_password_requires_the_old_one() {
        for user in [samples::admin_user(), samples::superuser()] {
            let caller = samples::caller(&user);
            assert_eq!(
                denied(&user, &caller, &set_password()),
                Denied::OldPasswordRequired
            );
        }
    }

    #[test]
    fn update_of_unknown_user_is_not_found() {
        let (app, _) = Mocks::new().without_user().into_app();
        let refused = update(&app, &samples::admin(), UserId(9), &rename(), UpdateMode::Partial);
        assert!(matches!(refused, Err(Error::NotFound)));
    }
}
