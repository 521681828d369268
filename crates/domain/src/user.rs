//! A user: somebody who can log in and own cars.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    Actor, Rank, Violation,
    values::{Address, Email, FirstName, LastName, PasswordHash, Phone, Username},
};

/// The number by which a user is known; given by whoever keeps users. Ids are never used again, so that a token of a
/// deleted user can't become somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a user is here for (wire contract, section 3).
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
    /// Keeps their own cars.
    #[default]
    Client,
    /// Keeps everybody's cars and accounts.
    Admin,
}

impl Role {
    /// Every role, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Client, Self::Admin];

    /// The role's name, as it is written and kept: `client` or `admin`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    ///
    /// # Errors
    /// [`Violation::NotAChoice`] for any other text; case and white space count.
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

/// A user as it is kept (wire contract, section 3). All points in time are in UTC.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use mycars_domain::{Rank, Role, User, UserId, Violation, values::*};
///
/// /// What a store makes of somebody new, who can't log in before a password is set.
/// fn ann(now: DateTime<Utc>) -> Result<User, Vec<Violation>> {
///     Ok(User {
///         id: UserId(1),
///         username: Username::parse("ann")?,
///         email: Email::parse("ann@example.com")?,
///         first_name: FirstName::parse("Ann")?,
///         last_name: LastName::parse("Lee")?,
///         role: Role::Client,
///         phone: None,
///         address: None,
///         is_active: true,
///         is_superuser: false,
///         password: PasswordHash::unusable(),
///         logins_ended_at: None,
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
    /// The number by which the user is known.
    pub id: UserId,
    /// What the user logs in with: unique, ignoring case.
    pub username: Username,
    /// The user's e-mail address: unique, ignoring case.
    pub email: Email,
    /// The first name; empty only for a superuser made on the command line.
    pub first_name: FirstName,
    /// The last name; empty only for a superuser made on the command line.
    pub last_name: LastName,
    /// What the user is here for.
    pub role: Role,
    /// The phone number, if that was said; may be blank.
    pub phone: Option<Phone>,
    /// The postal address, if that was said; may be blank.
    pub address: Option<Address>,
    /// Whether the user may log in; if not, their tokens stop working at once.
    pub is_active: bool,
    /// Whether the user has every right. Given on the command line alone.
    pub is_superuser: bool,
    /// The password, as it is kept. Never serialised.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub password: PasswordHash,
    /// When all logins were last ended, by a new password or by an admin, if they ever were: refresh tokens
    /// issued before are dead.
    pub logins_ended_at: Option<DateTime<Utc>>,
    /// When the user came, to the microsecond.
    pub date_joined: DateTime<Utc>,
    /// When the user last logged in, if ever.
    pub last_login: Option<DateTime<Utc>>,
    /// When the user was first kept, to the microsecond.
    pub created_at: DateTime<Utc>,
    /// When the user's details were last changed, to the microsecond.
    pub updated_at: DateTime<Utc>,
}

impl User {
    /// How far this user's rights reach: what [`Rank::of`] makes of their role and the superuser mark.
    #[must_use]
    pub fn rank(&self) -> Rank {
        Rank::of(self.role, self.is_superuser)
    }

    /// This user as the one who asks for something, with the rights that they have now. Whether they proved to be this
    /// user, and may log in at all, is for the caller to know.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::User {
            id: self.id,
            rank: self.rank(),
        }
    }

    /// First and last name, or the username where both are empty (wire contract, section 3: `owner_name`).
    #[must_use]
    pub fn full_name(&self) -> String {
        let name = format!("{} {}", self.first_name, self.last_name);
        match crate::strip(&name) {
            "" => self.username.to_string(),
            name => name.to_owned(),
        }
    }
}

/// A user that is not kept yet, and so has no id. Whoever keeps it gives it one, and makes a [`User`] of it whose
/// points in time are all [`created_at`](Self::created_at), but for a last login that there was none of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// What the user will log in with.
    pub username: Username,
    /// The e-mail address.
    pub email: Email,
    /// The first name.
    pub first_name: FirstName,
    /// The last name.
    pub last_name: LastName,
    /// What the user is here for.
    pub role: Role,
    /// The phone number; may be blank.
    pub phone: Option<Phone>,
    /// The postal address; may be blank.
    pub address: Option<Address>,
    /// Whether the user may log in.
    pub is_active: bool,
    /// Whether the user has every right.
    pub is_superuser: bool,
    /// The password, as it will be kept.
    pub password: PasswordHash,
    /// When the user comes, to the microsecond.
    pub created_at: DateTime<Utc>,
}

impl NewUser {
    /// The user whom this one is once kept under `id`: somebody who came when they were first kept, was not changed
    /// since, and never logged in.
    ///
    /// ```
    /// # use chrono::DateTime;
    /// # use mycars_domain::{NewUser, Role, UserId, values::*};
    /// # let new = NewUser {
    /// #     username: Username::from_storage("ann".into()), email: Email::from_storage("ann@example.com".into()),
    /// #     first_name: FirstName::default(), last_name: LastName::default(), role: Role::Client, phone: None,
    /// #     address: None, is_active: true, is_superuser: false, password: PasswordHash::unusable(),
    /// #     created_at: DateTime::UNIX_EPOCH,
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
            first_name: self.first_name,
            last_name: self.last_name,
            role: self.role,
            phone: self.phone,
            address: self.address,
            is_active: self.is_active,
            is_superuser: self.is_superuser,
            password: self.password,
            logins_ended_at: None,
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
    fn a_role_is_one_of_two_names_to_the_letter() {
        assert_eq!(Role::parse("client"), Ok(Role::Client));
        assert_eq!(Role::parse("admin"), Ok(Role::Admin));
        for name in ["boss", "Admin", " client", ""] {
            assert_eq!(Role::parse(name), Err(vec![Violation::NotAChoice(name.into())]));
        }
    }

    #[test]
    fn the_superuser_mark_outranks_the_role() {
        assert_eq!(Rank::of(Role::Client, false), Rank::Client);
        assert_eq!(Rank::of(Role::Admin, false), Rank::Admin);
        assert_eq!(Rank::of(Role::Client, true), Rank::Superuser);
        assert_eq!(Rank::of(Role::Admin, true), Rank::Superuser);
    }

    #[test]
    fn the_full_name_is_both_names_or_the_one_or_the_username() {
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
            first_name: FirstName::default(),
            last_name: LastName::default(),
            role: Role::Client,
            phone: None,
            address: None,
            is_active: true,
            is_superuser: false,
            password: PasswordHash::from_storage("!".into()),
            logins_ended_at: None,
            date_joined: then,
            last_login: None,
            created_at: then,
            updated_at: then,
        }
    }
}
