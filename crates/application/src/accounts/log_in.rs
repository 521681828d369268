//! Log in: get a pair of tokens for a username and a password.

use mycars_domain::{
    Field, User,
    values::{Password, PasswordHash, Username},
};

use super::{Error, token};
use crate::{
    App, Input, Secret, UpdateMode,
    input::{Checker, required_text},
    ports::{Device, UnitOfWork, Verification},
};

/// The input of a login. By default, all fields are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The username.
    pub username: Input<String>,
    /// The password.
    pub password: Input<Secret>,
}

/// The result of a login: two signed tokens, and their user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenPair {
    /// The refresh token, which gets new access tokens.
    pub refresh: Secret,
    /// The access token, which authenticates requests.
    pub access: Secret,
    /// The user.
    pub user: User,
}

/// Logs a user of `device` in (wire contract, section 4). Sets `last_login`, and replaces an outdated password hash.
///
/// # Errors
/// [`Error::Invalid`] if a field is missing; [`Error::NoActiveAccount`] for a wrong password, an unknown user and an
/// inactive user, all after the same time; [`Error::UnsupportedHash`], also after that time; [`Error::EmailNotVerified`];
/// [`Error::Unsignable`]; [`Error::Store`].
///
/// ```
/// use mycars_application::{
///     accounts::{self, Credentials}, mocks::{Mocks, samples}, ports::{Device, Verification},
/// };
///
/// let mut mocks = Mocks::new();
/// let users = &mut mocks.unit.users;
/// users.expect_find_by_username().returning(|_| Ok(Some(samples::user())));
/// users.expect_find_for_update().returning(|_| Ok(Some(samples::user())));
/// users.expect_update().returning(|_| Ok(()));
/// mocks.unit.refresh_tokens.expect_record().returning(|_| Ok(()));
/// mocks.hasher.expect_verify().returning(|_, _| Verification::Right);
/// mocks.random.expect_hex().returning(|_| "jti".into());
/// mocks.tokens.expect_encode().returning(|claims| Ok(format!("signed {:?}", claims.token_type)));
/// let (app, _) = mocks.into_app();
///
/// let credentials = Credentials { username: "ann".into(), password: "Harbour-x7-9".into() };
/// let tokens = accounts::log_in(&app, &credentials, Device::default())?;
/// assert_ne!(tokens.access, tokens.refresh);
/// # Ok::<(), accounts::Error>(())
/// ```
pub fn log_in(app: &App, credentials: &Credentials, device: Device) -> Result<TokenPair, Error> {
    let proof = verify_credentials(app, credentials)?;
    let (refresh, record) = token::issue_first_refresh(app, proof.user.id, device)?;
    let access = token::issue_access(app, proof.user.id, &record.id)?;
    let user = app.store.write(|unit| {
        let user = proof.accept(app, unit)?;
        token::keep(unit, &record)?;
        Ok::<_, Error>(user)
    })?;
    Ok(TokenPair {
        refresh,
        access,
        user,
    })
}

/// The proof of valid credentials. It is created outside a transaction, because verifying takes long.
pub(crate) struct Proof {
    user: User,
    new_hash: Option<PasswordHash>,
}

/// Verifies credentials.
pub(crate) fn verify_credentials(app: &App, credentials: &Credentials) -> Result<Proof, Error> {
    let (username, password) = check(credentials)?;
    let user = app.store.read(|unit| unit.users().find_by_username(&username))?;
    let Some(user) = user else {
        app.hasher.verify_dummy(&password);
        return Err(Error::NoActiveAccount);
    };
    let verification = app.hasher.verify(&password, &user.password);
    if !user.is_active {
        return Err(Error::NoActiveAccount);
    }
    let new_hash = match verification {
        Verification::Right => None,
        Verification::RightButOutdated => rehash(app, &password),
        Verification::Wrong => return Err(Error::NoActiveAccount),
        Verification::Unsupported(algorithm) => {
            let user = user.id;
            return Err(Error::UnsupportedHash { user, algorithm });
        }
    };
    if app.requires_verified_email() && !user.has_verified_email() {
        return Err(Error::EmailNotVerified);
    }
    Ok(Proof { user, new_hash })
}

impl Proof {
    /// Records the login of the user, inside the transaction that stores it.
    pub(crate) fn accept(self, app: &App, unit: &mut dyn UnitOfWork) -> Result<User, Error> {
        let mut user = recheck_user(unit, &self.user)?;
        user.last_login = Some(app.now());
        if let Some(hash) = self.new_hash {
            user.password = hash;
        }
        unit.users().update(&user)?;
        Ok(user)
    }
}

fn check(credentials: &Credentials) -> Result<(String, String), Error> {
    let mut checker = Checker::new(UpdateMode::Full);
    let username = checker.required(Field::Username, &credentials.username, required_text);
    let password = checker.required(Field::Password, &credentials.password, required_text);
    checker.finish()?;
    Ok((
        Username::normalize(&username.unwrap_or_default()),
        password.unwrap_or_default(),
    ))
}

/// Hashes a verified password again. Returns `None` if the password is longer than allowed today or cannot be hashed:
/// then the old hash stays, and the next login tries again.
fn rehash(app: &App, password: &str) -> Option<PasswordHash> {
    let password = Password::parse(password).ok()?;
    app.hasher.hash(&password).ok()
}

/// Locks the user and checks them again: while the password was verified, another request may have changed it, or
/// deactivated or deleted the user.
fn recheck_user(unit: &mut dyn UnitOfWork, before: &User) -> Result<User, Error> {
    unit.users()
        .find_for_update(before.id)?
        .filter(|now| now.is_active && now.password == before.password)
        .ok_or(Error::NoActiveAccount)
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Violation, Violations};

    use super::*;
    use crate::{
        mocks::{Mocks, samples},
        ports::{HashError, Unsignable},
    };

    fn credentials() -> Credentials {
        Credentials {
            username: " ann ".into(),
            password: " secret ".into(),
        }
    }

    fn device() -> Device {
        Device::new([192, 0, 2, 1].into(), Some("curl/8"))
    }

    /// Returns mocks with this user, whose password is verified.
    fn mocks(user: User, verification: Verification) -> Mocks {
        let mut mocks = Mocks::new().with_user_read(user);
        mocks
            .hasher
            .expect_verify()
            .withf(|password, hash| password == "secret" && hash.reveal() == "hash")
            .once()
            .returning(move |_, _| verification);
        mocks
    }

    /// Returns mocks in which Ann's password is right and tokens are signed: each token is the name of its type.
    fn signing(verification: Verification) -> Mocks {
        let mut mocks = mocks(samples::user(), verification).with_random("jti");
        mocks.tokens.expect_encode().returning(|claims| {
            assert_eq!(claims.user_id.as_deref(), Some("1"));
            assert_eq!(claims.issued_at, Some(samples::NOW));
            Ok(claims.token_type.clone().unwrap())
        });
        mocks
    }

    fn is_refused(mocks: Mocks) {
        let (app, store) = mocks.into_app();
        assert!(matches!(
            log_in(&app, &credentials(), device()),
            Err(Error::NoActiveAccount)
        ));
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn log_in_without_a_signing_key_fails() {
        let mut mocks = mocks(samples::user(), Verification::Right).with_random("jti");
        mocks
            .tokens
            .expect_encode()
            .returning(|_| Err(Unsignable("no key".into())));
        let (app, store) = mocks.into_app();
        assert!(matches!(
            log_in(&app, &credentials(), device()),
            Err(Error::Unsignable(_))
        ));
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn unknown_user_takes_as_long_as_a_known_one() {
        let mut mocks = Mocks::new().without_user();
        mocks
            .hasher
            .expect_verify_dummy()
            .withf(|password| password == "secret")
            .once()
            .return_const(());
        is_refused(mocks);
    }

    #[test]
    fn wrong_password_is_refused() {
        is_refused(mocks(samples::user(), Verification::Wrong));
    }

    #[test]
    fn unsupported_hash_names_user_and_algorithm() {
        let (app, store) = mocks(samples::user(), Verification::Unsupported("argon2")).into_app();
        let refused = log_in(&app, &credentials(), device()).unwrap_err();
        assert!(
            matches!(refused, Error::UnsupportedHash { user, algorithm: "argon2" } if user == samples::user().id)
        );
        assert_eq!(store.commits(), 0);
        is_refused(mocks(
            samples::inactive_user(),
            Verification::Unsupported("argon2"),
        ));
    }

    #[test]
    fn inactive_user_is_refused_after_the_verification() {
        is_refused(mocks(samples::inactive_user(), Verification::Right));
    }

    #[test]
    fn missing_fields_are_reported_without_the_store() {
        let (app, store) = Mocks::new().into_app();
        let blank = Credentials {
            username: "".into(),
            password: Input::Null,
        };
        let violations = log_in(&app, &blank, device()).unwrap_err().violations();
        assert_eq!(violations.of(Field::Username), [Violation::Blank]);
        assert_eq!(violations.of(Field::Password), [Violation::Null]);

        let violations = log_in(&app, &Credentials::default(), device())
            .unwrap_err()
            .violations();
        let mut required = Violations::one(Field::Username, Violation::Required);
        required.add(Field::Password, Violation::Required);
        assert_eq!(violations, required);
        assert_eq!(store.reads(), 0);
    }

    #[test]
    fn unverified_email_is_refused_after_the_password_if_required() {
        let mocks = |user: User, verification| {
            let mocks = Mocks::new().with_verified_emails().with_user_read(user);
            mocks.with_verification(verification)
        };
        let refusal = |mocks: Mocks| log_in(&mocks.into_app().0, &credentials(), device()).unwrap_err();
        let refused = refusal(mocks(samples::user(), Verification::Right));
        assert!(matches!(refused, Error::EmailNotVerified));
        for refused in [
            refusal(mocks(samples::user(), Verification::Wrong)),
            refusal(mocks(samples::inactive_user(), Verification::Right)),
        ] {
            assert!(matches!(refused, Error::NoActiveAccount));
        }
        let (app, _) = mocks(samples::superuser(), Verification::Right).into_app();
        assert!(verify_credentials(&app, &credentials()).is_ok());
    }

    #[test]
    fn password_changed_during_the_login_is_refused() {
        is_refused(signing(Verification::Right).with_user_locked(User {
            password: PasswordHash::from_storage("new".into()),
            ..samples::user()
        }));
    }

    #[test]
    fn user_deactivated_or_deleted_during_the_login_is_refused() {
        is_refused(signing(Verification::Right).with_user_locked(samples::inactive_user()));
        is_refused(signing(Verification::Right).without_user());
    }

    #[test]
    fn log_in_issues_tokens_and_sets_last_login() {
        let (app, store) = signing(Verification::Right)
            .with_user_locked(samples::user())
            .expect_user_update(|user| {
                user.last_login == Some(samples::now())
                    && user.password.reveal() == "hash"
                    && user.updated_at == samples::user().updated_at
            })
            .expect_token_record(|token| {
                token.id == "jti"
                    && token.user == Some(samples::user().id)
                    && token.expires_at == samples::now() + chrono::TimeDelta::days(1)
                    && token.revoked.is_none()
                    && token.family.as_ref().is_some_and(|family| {
                        (family.id.as_str(), family.logged_in_at, &family.device)
                            == ("jti", samples::now(), &device())
                    })
            })
            .into_app();
        let pair = log_in(&app, &credentials(), device()).unwrap();
        assert_eq!(
            (pair.refresh.reveal(), pair.access.reveal()),
            ("refresh", "access")
        );
        assert_eq!(store.commits(), 1);
    }

    #[test]
    fn outdated_hash_that_cannot_be_replaced_lets_the_user_in() {
        let mut mocks = signing(Verification::RightButOutdated)
            .with_user_locked(samples::user())
            .expect_user_update(|user| user.password.reveal() == "hash")
            .expect_token_record(|_| true);
        let no_randomness = |_: &Password| Err(HashError("no randomness".into()));
        mocks.hasher.expect_hash().once().returning(no_randomness);
        assert!(log_in(&mocks.into_app().0, &credentials(), device()).is_ok());
    }

    #[test]
    fn outdated_hash_is_replaced_and_old_logins_stay() {
        let mut mocks = signing(Verification::RightButOutdated)
            .with_user_locked(samples::user())
            .expect_user_update(|user| user.password.reveal() == "stronger" && user.logins_ended_at.is_none())
            .expect_token_record(|_| true);
        mocks
            .hasher
            .expect_hash()
            .withf(|password| password.reveal() == "secret")
            .once()
            .returning(|_| Ok(PasswordHash::from_storage("stronger".into())));
        assert!(log_in(&mocks.into_app().0, &credentials(), device()).is_ok());
    }
}
