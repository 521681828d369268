//! A user, who can log in and own cars.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    Actor, EmailState, Rank, Violation,
    values::{Address, Email, FirstName, LastName, PasswordHash, Phone, Username},
};

/// The id of a user, assigned by the store. Ids are never reused, so that a token of a deleted user is never valid
/// for another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The role of a user (wire contract, section 3).
///
/// ```
/// use mycars_domain::{Role, Violation};
///
/// assert_eq!(Role::parse("admin"), Ok(Role::Admin));
/// assert_eq!(Role::Admin.to_string(), "admin");
/// assert_eq!(Role::parse("boss"), Err(vec![Violation::NotAChoice("boss".into())]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Manages their own cars.
    #[default]
    Client,
    /// Manages all cars and accounts.
    Admin,
}

impl Role {
    /// All roles, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Client, Self::Admin];

    /// Returns the name of the role as it is written and stored: `client` or `admin`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Admin => "admin",
        }
    }

    /// Returns the role with this name.
    ///
    /// # Errors
    /// [`Violation::NotAChoice`] for any other text. Case and white space count.
    pub fn parse(name: &str) -> Result<Self, Vec<Violation>> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == name)
            .ok_or_else(|| vec![Violation::NotAChoice(name.to_owned())])
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A stored user (wire contract, section 3). All points in time are in UTC.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use mycars_domain::{EmailState, Rank, Role, User, UserId, Violation, values::*};
///
/// /// Returns a user as a store creates it. The user can't log in before a password is set.
/// fn ann(now: DateTime<Utc>) -> Result<User, Vec<Violation>> {
///     Ok(User {
///         id: UserId(1),
///         username: Username::parse("ann")?,
///         email: Email::parse("ann@example.com")?,
///         email_state: EmailState::default(),
///         first_name: FirstName::parse("Ann")?,
///         last_name: LastName::parse("Lee")?,
///         role: Role::Client,
///         phone: None,
///         address: None,
///         is_active: true,
///         is_superuser: false,
///         password: PasswordHash::unusable(),
///         logins_ended_at: None,
///         access_ended_at: None,
///         date_joined: now,
///         last_login: None,
///         created_at: now,
///         updated_at: now,
///     })
/// }
///
/// let ann = ann(DateTime::UNIX_EPOCH)?;
/// assert_eq!(ann.full_name(), "Ann Lee");
/// assert_eq!(ann.rank(), Rank::Client);
/// # Ok::<(), Vec<Violation>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The username: unique, ignoring case.
    pub username: Username,
    /// The user's e-mail address: unique, ignoring case.
    pub email: Email,
    /// The state of the e-mail address: verification, pending address, replaced address.
    pub email_state: EmailState,
    /// The first name; empty only for a superuser made on the command line.
    pub first_name: FirstName,
    /// The last name; empty only for a superuser made on the command line.
    pub last_name: LastName,
    /// The user's role.
    pub role: Role,
    /// The phone number, if known; may be blank.
    pub phone: Option<Phone>,
    /// The postal address, if known; may be blank.
    pub address: Option<Address>,
    /// Whether the user may log in. Tokens of an inactive user are refused from the next request on.
    pub is_active: bool,
    /// Whether the user has all rights. Can only be set on the command line.
    pub is_superuser: bool,
    /// The hash of the password. Never serialised.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub password: PasswordHash,
    /// The time at which all logins were last ended, by a new password or by an admin; `None` if they never were.
    /// Refresh tokens issued before are revoked.
    pub logins_ended_at: Option<DateTime<Utc>>,
    /// The time up to which access tokens are refused whatever the rank: that of the last end of logins before the
    /// user's last change of rank or of `is_active`; `None` if there was none.
    pub access_ended_at: Option<DateTime<Utc>>,
    /// The time of the registration, to the microsecond.
    pub date_joined: DateTime<Utc>,
    /// The time of the last login; `None` before the first one.
    pub last_login: Option<DateTime<Utc>>,
    /// The time at which the user was stored first, to the microsecond.
    pub created_at: DateTime<Utc>,
    /// The time of the last change of the user's details, to the microsecond.
    pub updated_at: DateTime<Utc>,
}

impl User {
    /// Returns the user's rank: [`Rank::of`] their role and the superuser flag.
    #[must_use]
    pub fn rank(&self) -> Rank {
        Rank::of(self.role, self.is_superuser)
    }

    /// Returns this user as an actor, with their current rights. Whether the caller authenticated as this user, and
    /// whether the user may log in, must be checked before.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::User {
            id: self.id,
            rank: self.rank(),
        }
    }

    /// Returns first and last name, or the username if both are empty (wire contract, section 3: `owner_name`).
    #[must_use]
    pub fn full_name(&self) -> String {
        let name = format!("{} {}", self.first_name, self.last_name);
        match crate::strip(&name) {
            "" => self.username.to_string(),
            name => name.to_owned(),
        }
    }
}

/// A user that is not stored yet, and so has no id. The store assigns the id and creates a [`User`]. All its
/// timestamps are [`created_at`](Self::created_at); it has no last login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The username.
    pub username: Username,
    /// The e-mail address.
    pub email: Email,
    /// The first name.
    pub first_name: FirstName,
    /// The last name.
    pub last_name: LastName,
    /// The user's role.
    pub role: Role,
    /// The phone number; may be blank.
    pub phone: Option<Phone>,
    /// The postal address; may be blank.
    pub address: Option<Address>,
    /// Whether the user may log in.
    pub is_active: bool,
    /// Whether the user has all rights.
    pub is_superuser: bool,
    /// The hash of the password.
    pub password: PasswordHash,
    /// The time of the registration, to the microsecond.
    pub created_at: DateTime<Utc>,
    /// The time at which the e-mail address was verified, which an admin who creates the user does; `None` otherwise.
    pub email_verified_at: Option<DateTime<Utc>>,
}

impl NewUser {
    /// Returns the stored user with this `id`. The user registered when they were stored first, was not changed
    /// since, and never logged in.
    ///
    /// ```
    /// # use chrono::DateTime;
    /// # use mycars_domain::{NewUser, Role, UserId, values::*};
    /// # let new = NewUser {
    /// #     username: Username::from_storage("ann".into()), email: Email::from_storage("ann@example.com".into()),
    /// #     first_name: FirstName::default(), last_name: LastName::default(), role: Role::Client, phone: None,
    /// #     address: None, is_active: true, is_superuser: false, password: PasswordHash::unusable(),
    /// #     created_at: DateTime::UNIX_EPOCH, email_verified_at: None,
    /// # };
    /// let user = new.clone().with_id(UserId(7));
    /// assert_eq!((user.id, user.username, user.password), (UserId(7), new.username, new.password));
    /// assert_eq!((user.date_joined, user.updated_at), (new.created_at, new.created_at));
    /// assert_eq!((user.last_login, user.logins_ended_at), (None, None));
    /// ```
    #[must_use]
    pub fn with_id(self, id: UserId) -> User {
        User {
            id,
            username: self.username,
            email: self.email,
            email_state: EmailState {
                verified_at: self.email_verified_at,
                ..EmailState::default()
            },
            first_name: self.first_name,
            last_name: self.last_name,
            role: self.role,
            phone: self.phone,
            address: self.address,
            is_active: self.is_active,
            is_superuser: self.is_superuser,
            password: self.password,
            logins_ended_at: None,
            access_ended_at: None,
            date_joined: self.created_at,
            last_login: None,
            created_at: self.created_at,
            updated_at: self.created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_is_parsed_by_its_exact_name() {
        assert_eq!(Role::parse("client"), Ok(Role::Client));
        assert_eq!(Role::parse("admin"), Ok(Role::Admin));
        for name in ["boss", "Admin", " client", ""] {
            assert_eq!(Role::parse(name), Err(vec![Violation::NotAChoice(name.into())]));
        }
    }

    #[test]
    fn superuser_flag_outranks_the_role() {
        assert_eq!(Rank::of(Role::Client, false), Rank::Client);
        assert_eq!(Rank::of(Role::Admin, false), Rank::Admin);
        assert_eq!(Rank::of(Role::Client, true), Rank::Superuser);
        assert_eq!(Rank::of(Role::Admin, true), Rank::Superuser);
    }

    #[test]
    fn full_name_falls_back_to_the_username() {
        let named = |first: &str, last: &str| {
            let mut user = sample();
            user.first_name = FirstName::from_storage(first.into());
            user.last_name = LastName::from_storage(last.into());
            user.full_name()
        };
        assert_eq!(named("Ann", "Lee"), "Ann Lee");
        assert_eq!(named("", "Lee"), "Lee");
        assert_eq!(named("Ann", ""), "Ann");
        assert_eq!(named("", ""), "ann");
    }

    fn sample() -> User {
        let then = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        User {
            id: UserId(1),
            username: Username::from_storage("ann".into()),
            email: Email::from_storage("ann@example.com".into()),
            email_state: EmailState::default(),
            first_name: FirstName::default(),
            last_name: LastName::default(),
            role: Role::Client,
            phone: None,
            address: None,
            is_active: true,
            is_superuser: false,
            password: PasswordHash::from_storage("!".into()),
            logins_ended_at: None,
            access_ended_at: None,
            date_joined: then,
            last_login: None,
            created_at: then,
            updated_at: then,
        }
    }
}
