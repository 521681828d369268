//! Register an account.

use mycars_domain::{Action, Target, User, policy};

use super::Error;
use crate::{
    App, Caller,
    users::{UserInput, fields::PasswordRules, make},
};

/// Registers an account (wire contract, section 4) and returns it. The caller cannot choose whether it is active.
///
/// # Errors
/// [`Error::Invalid`] with all violations: fields, a taken username or e-mail address, a weak password or one that does
/// not match its confirmation, and the admin role if the caller is not an admin. [`Error::Hash`], [`Error::Store`].
///
/// ```
/// use mycars_application::{accounts, mocks::{Mocks, samples}, users::UserInput};
/// use mycars_domain::{User, values::PasswordHash};
///
/// let mut mocks = Mocks::new();
/// let users = &mut mocks.unit.users;
/// users.expect_username_is_taken().returning(|_, _| Ok(false));
/// users.expect_email_is_taken().returning(|_, _, _| Ok(false));
/// users.expect_list().returning(|_| Ok(vec![]));
/// users.expect_insert().returning(|new| {
///     Ok(User { username: new.username.clone(), ..samples::user() })
/// });
/// mocks.hasher.expect_hash().returning(|_| Ok(PasswordHash::from_storage("hash".into())));
/// let (app, _) = mocks.into_app();
///
/// let john = UserInput {
///     username: "john_doe".into(),
///     email: "john@example.com".into(),
///     first_name: "John".into(),
///     last_name: "Doe".into(),
///     password: "Harbour-x7-9".into(),
///     ..UserInput::default()
/// };
/// let user = accounts::register(&app, &samples::anonymous(), &john)?;
/// assert_eq!(user.username.as_str(), "john_doe");
/// # Ok::<(), accounts::Error>(())
/// ```
pub fn register(app: &App, caller: &Caller, input: &UserInput) -> Result<User, Error> {
    policy::check(&caller.actor, Action::Register, Target::NOTHING)?;
    make(app, caller, input, PasswordRules::Chosen)
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Field, NewUser, Rank, Role, Violation, Violations, values::PasswordHash};

    use super::*;
    use crate::{
        Input,
        audit::expected,
        mocks::{Mocks, samples},
        ports::{MailKind, StoreError},
    };

    fn john() -> UserInput {
        UserInput {
            username: "john_doe".into(),
            email: "John@Example.com".into(),
            first_name: " John ".into(),
            last_name: "Doe".into(),
            password: "Harbour-x7-9".into(),
            ..UserInput::default()
        }
    }

    fn refused(mocks: Mocks, caller: &Caller, input: &UserInput) -> Violations {
        let (app, store) = mocks.into_app();
        let violations = register(&app, caller, input).unwrap_err().violations();
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
        violations
    }

    #[test]
    fn username_that_looks_like_that_of_an_admin_is_refused() {
        let input = UserInput {
            username: "j\u{43e}hn_doe".into(),
            ..john()
        };
        let mocks = || {
            let mut mocks = Mocks::default();
            mocks.unit.users.expect_list().returning(|query| {
                assert_eq!(query.role, Some(Role::Admin));
                Ok(vec![User {
                    username: mycars_domain::values::Username::from_storage("John_Doe".into()),
                    ..samples::admin_user()
                }])
            });
            mocks.nothing_taken()
        };
        for caller in [samples::anonymous(), samples::other_user(Rank::Client)] {
            let confusable = Violations::one(Field::Username, Violation::Confusable);
            assert_eq!(refused(mocks(), &caller, &input), confusable);
        }
    }

    #[test]
    fn admin_role_requires_an_admin() {
        let input = UserInput {
            role: "admin".into(),
            ..john()
        };
        let only_role = Violations::one(Field::Role, Violation::AdminRoleNotGrantable);
        for caller in [samples::anonymous(), samples::other_user(Rank::Client)] {
            let violations = refused(Mocks::new().nothing_taken(), &caller, &input);
            assert_eq!(violations, only_role, "{caller:?}");
        }
        for rank in [Rank::Admin, Rank::Superuser] {
            let (app, _) = Mocks::new()
                .nothing_taken()
                .expect_user_insert(|user| user.role == Role::Admin)
                .with_hash("hash")
                .into_app();
            let registered = register(&app, &samples::other_user(rank), &input);
            assert!(registered.is_ok(), "{rank:?}");
        }
    }

    #[test]
    fn registration_sends_a_link_if_emails_must_be_verified() {
        let (app, _) = Mocks::new()
            .with_verified_emails()
            .nothing_taken()
            .with_hash("hash")
            .expect_user_insert(|user| user.email_verified_at.is_none())
            .expect_mails(&[(MailKind::EmailVerification, &samples::user(), "ann@example.com")])
            .into_app();
        register(&app, &samples::anonymous(), &john()).unwrap();
    }

    #[test]
    fn email_of_a_user_of_an_admin_is_verified() {
        let mut mocks = Mocks::new()
            .with_verified_emails()
            .nothing_taken()
            .with_hash("hash");
        mocks.unit.users.expect_insert().once().returning(|new| {
            assert_eq!(new.email_verified_at, Some(samples::now()));
            Ok(new.clone().with_id(samples::user().id))
        });
        register(&mocks.into_app().0, &samples::admin(), &john()).unwrap();
    }

    #[test]
    fn all_missing_fields_are_reported_at_once() {
        let nothing = UserInput::default();
        let violations = refused(Mocks::new().nothing_taken(), &samples::anonymous(), &nothing);
        let mut required = Violations::new();
        for field in [
            Field::Username,
            Field::Email,
            Field::FirstName,
            Field::LastName,
            Field::Password,
        ] {
            required.add(field, Violation::Required);
        }
        assert_eq!(violations, required);
    }

    #[test]
    fn all_violations_are_reported_at_once() {
        let mut mocks = Mocks::new();
        let users = &mut mocks.unit.users;
        users.expect_username_is_taken().returning(|_, _| Ok(true));
        users.expect_list().returning(|_| Ok(vec![]));
        let input = UserInput {
            email: "nonsense".into(),
            last_name: Input::Null,
            password: "john_doe".into(),
            password_confirmation: "other".into(),
            role: "boss".into(),
            phone: Input::Invalid(Violation::NotAString),
            ..john()
        };
        let violations = refused(mocks, &samples::anonymous(), &input);
        assert_eq!(violations.of(Field::Username), [Violation::Taken]);
        assert_eq!(violations.of(Field::Email), [Violation::InvalidEmail]);
        assert_eq!(violations.of(Field::LastName), [Violation::Null]);
        assert_eq!(violations.of(Field::Role), [Violation::NotAChoice("boss".into())]);
        assert_eq!(violations.of(Field::Phone), [Violation::NotAString]);
        assert_eq!(
            violations.of(Field::Password),
            [Violation::PasswordTooSimilar(Field::Username)]
        );
        assert_eq!(
            violations.of(Field::PasswordConfirmation),
            [Violation::PasswordsDiffer]
        );
    }

    #[test]
    fn password_is_compared_with_invalid_names_too() {
        let input = UserInput {
            username: "john doe!".into(),
            password: "johndoe!9".into(),
            ..john()
        };
        let violations = refused(Mocks::new().nothing_taken(), &samples::anonymous(), &input);
        assert_eq!(
            violations.of(Field::Password),
            [Violation::PasswordTooSimilar(Field::Username)]
        );
    }

    #[test]
    fn confirmation_may_be_absent_but_not_null_or_blank() {
        let confirmed = |confirmation| UserInput {
            password_confirmation: confirmation,
            ..john()
        };
        let with = |confirmation| {
            let mocks = Mocks::new().nothing_taken();
            refused(mocks, &samples::anonymous(), &confirmed(confirmation))
        };
        let only = |violation| Violations::one(Field::PasswordConfirmation, violation);
        assert_eq!(with(Input::Null), only(Violation::Null));
        assert_eq!(with(" ".into()), only(Violation::Blank));
        assert_eq!(with("Harbour-x7-8".into()), only(Violation::PasswordsDiffer));

        for confirmation in [Input::Absent, " Harbour-x7-9 ".into()] {
            let (app, _) = Mocks::new()
                .nothing_taken()
                .expect_user_insert(|_| true)
                .with_hash("hash")
                .into_app();
            assert!(register(&app, &samples::anonymous(), &confirmed(confirmation)).is_ok());
        }
    }

    #[test]
    fn email_taken_during_hashing_is_invalid() {
        let mut mocks = Mocks::new().nothing_taken().with_hash("hash");
        let taken = |_: &NewUser| Err(StoreError::Taken(Field::Email));
        mocks.unit.users.expect_insert().returning(taken);
        let violations = refused(mocks, &samples::anonymous(), &john());
        assert_eq!(violations, Violations::one(Field::Email, Violation::Taken));
    }

    #[test]
    fn register_stores_an_active_client_and_is_logged() {
        let mut mocks = Mocks::new().nothing_taken().expect_user_insert(|user| {
            user.username.as_str() == "john_doe"
                && user.email.as_str() == "John@example.com"
                && user.first_name.as_str() == "John"
                && user.role == Role::Client
                && user.is_active
                && !user.is_superuser
                && user.password.reveal() == "hash"
                && user.created_at == samples::now()
        });
        mocks
            .hasher
            .expect_hash()
            .withf(|password| password.reveal() == "Harbour-x7-9")
            .once()
            .returning(|_| Ok(PasswordHash::from_storage("hash".into())));
        let (app, store) = mocks.into_app();
        let user = register(&app, &samples::anonymous(), &john()).unwrap();
        assert_eq!(user, samples::user());
        assert_eq!((store.reads(), store.commits()), (1, 1));
        assert_eq!(store.entries(), [expected::ann_is_new(&samples::anonymous())]);
    }
}
