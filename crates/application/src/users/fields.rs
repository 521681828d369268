//! The fields of a user as they were sent.

use chrono::{DateTime, Utc};
use mycars_domain::{
    Action, Field, NewUser, Role, Target, User, UserId, Violation, Violations, password, policy, strip,
    values::{Address, Email, FirstName, LastName, Password, PasswordHash, Phone, Username},
};

use crate::{
    App, Caller, Input, Secret, UpdateMode,
    input::{Checker, changed, required_text, set, unless_stored},
    lists::UserQuery,
    ports::{StoreError, UnitOfWork},
};

/// The input of a user. By default, all fields are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserInput {
    /// The name to log in with.
    pub username: Input<String>,
    /// The e-mail address.
    pub email: Input<String>,
    /// The first name.
    pub first_name: Input<String>,
    /// The last name.
    pub last_name: Input<String>,
    /// The password.
    pub password: Input<Secret>,
    /// The password again; optional, but must match if it is sent.
    pub password_confirmation: Input<Secret>,
    /// The role, by its name.
    pub role: Input<String>,
    /// Whether the user may log in.
    pub is_active: Input<bool>,
    /// The phone number.
    pub phone: Input<String>,
    /// The postal address.
    pub address: Input<String>,
    /// The expected version: the time of the last change. `None` changes any version.
    pub version: Option<DateTime<Utc>>,
}

/// The rules for a password (wire contract, section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PasswordRules {
    /// All rules: users choose their own password.
    Chosen,
    /// The length only: an admin sets another user's password.
    Given,
}

/// The valid fields; `None` for those that were not sent.
#[derive(Debug)]
pub(crate) struct UserFields {
    username: Option<Username>,
    email: Option<Email>,
    first_name: Option<FirstName>,
    last_name: Option<LastName>,
    pub(crate) password: Option<Password>,
    pub(crate) role: Option<Role>,
    pub(crate) is_active: Option<bool>,
    phone: Option<Option<Phone>>,
    address: Option<Option<Address>>,
}

impl UserFields {
    /// Checks the fields of a new user.
    pub(crate) fn check_new(
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        input: &UserInput,
        rules: PasswordRules,
        now: DateTime<Utc>,
    ) -> Result<Result<Self, Violations>, StoreError> {
        let mut checker = Checker::new(UpdateMode::Full);
        let password = checker.required(Field::Password, &input.password, Password::parse);
        check_confirmation(&mut checker, input);
        let owner = owner(input, password::Owner::default());
        Self::check(
            unit,
            caller,
            checker,
            input,
            password.map(|password| (password, rules, owner)),
            None,
            now,
        )
    }

    /// Checks the fields of an existing user. The password is optional in both modes. Fields that are sent as stored
    /// are not checked again.
    pub(crate) fn check_change(
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        input: &UserInput,
        completeness: UpdateMode,
        user: &User,
        now: DateTime<Utc>,
    ) -> Result<Result<Self, Violations>, StoreError> {
        let mut checker = Checker::new(completeness);
        let password = checker.optional(Field::Password, &input.password, Password::parse);
        check_confirmation(&mut checker, input);
        let owner = owner(input, user.into());
        let password = password.map(|password| (password, PasswordRules::Given, owner));
        Self::check(unit, caller, checker, input, password, Some(user), now)
    }

    fn check(
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        mut checker: Checker,
        input: &UserInput,
        password: Option<(Password, PasswordRules, password::Owner<'_>)>,
        before: Option<&User>,
        now: DateTime<Utc>,
    ) -> Result<Result<Self, Violations>, StoreError> {
        if let Some((password, rules, owner)) = &password {
            checker.extend(
                Field::Password,
                match rules {
                    PasswordRules::Chosen => password::check_chosen(password, owner),
                    PasswordRules::Given => password::check_given(password),
                },
            );
        }
        let mut fields = Self::parse(&mut checker, input, before);
        fields.password = password.map(|(password, ..)| password);
        let may_grant = policy::check(&caller.actor, Action::GrantAdminRole, Target::NOTHING).is_ok();
        if fields.role == Some(Role::Admin) && !may_grant {
            checker.add(Field::Role, Violation::AdminRoleNotGrantable);
        }
        let username = changed(fields.username.as_ref(), before.map(|user| &user.username));
        if before.is_none() && policy::check(&caller.actor, Action::CreateUser, Target::NOTHING).is_err() {
            check_confusable(unit, &mut checker, username)?;
        }
        check_unique(
            unit,
            &mut checker,
            username,
            changed(fields.email.as_ref(), before.map(|user| &user.email)),
            before.map(|user| user.id),
            now,
        )?;
        Ok(checker.finish().map(|()| fields))
    }

    /// Checks the values of the fields, except the password. Fields that equal those of `before` are not checked again.
    pub(crate) fn parse(checker: &mut Checker, input: &UserInput, before: Option<&User>) -> Self {
        Self {
            username: checker.required(
                Field::Username,
                &input.username,
                unless_stored(
                    before.map(|user| &user.username),
                    Username::as_str,
                    Username::parse,
                ),
            ),
            email: checker.required(
                Field::Email,
                &input.email,
                unless_stored(before.map(|user| &user.email), Email::as_str, Email::parse),
            ),
            first_name: checker.required(
                Field::FirstName,
                &input.first_name,
                unless_stored(
                    before.map(|user| &user.first_name),
                    FirstName::as_str,
                    FirstName::parse,
                ),
            ),
            last_name: checker.required(
                Field::LastName,
                &input.last_name,
                unless_stored(
                    before.map(|user| &user.last_name),
                    LastName::as_str,
                    LastName::parse,
                ),
            ),
            password: None,
            role: checker.optional(Field::Role, &input.role, Role::parse),
            is_active: checker.optional(Field::IsActive, &input.is_active, |flag: &bool| Ok(*flag)),
            phone: checker.nullable(
                Field::Phone,
                &input.phone,
                unless_stored(
                    before.and_then(|user| user.phone.as_ref()),
                    Phone::as_str,
                    Phone::parse,
                ),
            ),
            address: checker.nullable(
                Field::Address,
                &input.address,
                unless_stored(
                    before.and_then(|user| user.address.as_ref()),
                    Address::as_str,
                    Address::parse,
                ),
            ),
        }
    }

    /// Returns a new user with these fields. Optional fields that were not sent have their defaults.
    pub(crate) fn into_new(self, app: &App, password: PasswordHash) -> Result<NewUser, StoreError> {
        let (Some(username), Some(email), Some(first_name), Some(last_name)) =
            (self.username, self.email, self.first_name, self.last_name)
        else {
            return Err(unchecked());
        };
        Ok(NewUser {
            username,
            email,
            first_name,
            last_name,
            role: self.role.unwrap_or_default(),
            phone: self.phone.flatten(),
            address: self.address.flatten(),
            is_active: self.is_active.unwrap_or(true),
            is_superuser: false,
            password,
            created_at: app.now(),
            email_verified_at: None,
        })
    }

    /// Hashes the password of a new user.
    pub(crate) fn hash<E>(&self, app: &App) -> Result<PasswordHash, E>
    where
        E: From<StoreError> + From<crate::ports::HashError>,
    {
        let password = self.password.as_ref().ok_or_else(unchecked)?;
        Ok(app.hasher.hash(password)?)
    }

    /// Sets the fields that were sent in `user`, except the password, and the time of the change.
    pub(crate) fn apply_to(self, app: &App, user: &mut User) {
        self.set_in(user);
        user.updated_at = app.now_after(user.updated_at);
    }

    /// Sets the fields that were sent in `user`, except the password.
    pub(crate) fn set_in(self, user: &mut User) {
        set(&mut user.username, self.username);
        set(&mut user.email, self.email);
        set(&mut user.first_name, self.first_name);
        set(&mut user.last_name, self.last_name);
        set(&mut user.role, self.role);
        set(&mut user.is_active, self.is_active);
        set(&mut user.phone, self.phone);
        set(&mut user.address, self.address);
    }
}

/// Adds a violation to `checker` for a name that looks like that of an admin, which readers would trust.
fn check_confusable(
    unit: &mut dyn UnitOfWork,
    checker: &mut Checker,
    username: Option<&Username>,
) -> Result<(), StoreError> {
    let Some(username) = username else {
        return Ok(());
    };
    let admins = UserQuery {
        role: Some(Role::Admin),
        ..UserQuery::default()
    };
    let is_confusable = |admin: &User| username.is_confusable_with(&admin.username);
    if unit.users().list(&admins)?.iter().any(is_confusable) {
        checker.add(Field::Username, Violation::Confusable);
    }
    Ok(())
}

/// Adds violations to `checker` for values that a user other than `except` has, or can put back.
pub(crate) fn check_unique(
    unit: &mut dyn UnitOfWork,
    checker: &mut Checker,
    username: Option<&Username>,
    email: Option<&Email>,
    except: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if let Some(username) = username
        && unit.users().username_is_taken(username, except)?
    {
        checker.add(Field::Username, Violation::Taken);
    }
    if let Some(email) = email
        && unit.users().email_is_taken(email, except, now)?
    {
        checker.add(Field::Email, Violation::Taken);
    }
    Ok(())
}

/// Returns the known values of a password's owner: the sent ones, valid or not, and otherwise the stored ones. The
/// password must not be similar to any of them.
fn owner<'a>(input: &'a UserInput, before: password::Owner<'a>) -> password::Owner<'a> {
    fn sent_or<'a>(input: &'a Input<String>, before: &'a str) -> &'a str {
        input.given().map_or(before, |text| strip(text))
    }
    password::Owner {
        username: sent_or(&input.username, before.username),
        first_name: sent_or(&input.first_name, before.first_name),
        last_name: sent_or(&input.last_name, before.last_name),
        email: sent_or(&input.email, before.email),
    }
}

fn check_confirmation(checker: &mut Checker, input: &UserInput) {
    checker.optional(
        Field::PasswordConfirmation,
        &input.password_confirmation,
        |text: &str| {
            let differs = input
                .password
                .given()
                .is_some_and(|password| strip(password.reveal()) != strip(text));
            required_text(text)?;
            if differs {
                Err(vec![Violation::PasswordsDiffer])
            } else {
                Ok(())
            }
        },
    );
}

/// The error if the fields of a new user were not checked in full before, which is a bug.
fn unchecked() -> StoreError {
    StoreError::Other("a new user was made of fields that were not checked as a whole".into())
}
