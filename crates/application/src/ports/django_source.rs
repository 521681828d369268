//! The data of the Django system that My Cars replaces.

use chrono::{DateTime, Utc};
use mycars_domain::{CarId, UserId, values::PasswordHash};

use super::BoxError;
use crate::{cars::CarInput, users::UserInput};

/// A table of the Django system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DjangoTable {
    /// The users, `auth_user`.
    Users,
    /// The cars.
    Cars,
}

/// A row of the users, together with its profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DjangoUser {
    /// The id.
    pub id: UserId,
    /// The fields that the API has too. Columns that do not exist are absent. There is no password.
    pub input: UserInput,
    /// The hash of the password.
    pub password: PasswordHash,
    /// Whether the user has all rights.
    pub is_superuser: bool,
    /// Whether the user may log in to Django's admin site.
    pub is_staff: bool,
    /// The time of the registration.
    pub date_joined: DateTime<Utc>,
    /// The time of the last login.
    pub last_login: Option<DateTime<Utc>>,
    /// The time at which the profile was created.
    pub created_at: Option<DateTime<Utc>>,
    /// The time at which the profile was last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A row of the cars, together with its details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DjangoCar {
    /// The id.
    pub id: CarId,
    /// The fields that the API has too, with the owner. Columns that do not exist are absent.
    pub input: CarInput,
    /// The path of the picture below `MEDIA_ROOT`.
    pub image: Option<String>,
    /// The time at which the car was created.
    pub created_at: Option<DateTime<Utc>>,
    /// The time of the last change.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A row of simplejwt's outstanding tokens, which are refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DjangoToken {
    /// The number of the row.
    pub number: i64,
    /// The claim `jti`.
    pub jti: String,
    /// The user, if it is known.
    pub user: Option<UserId>,
    /// The time of issue, if it is known.
    pub issued_at: Option<DateTime<Utc>>,
    /// The time of expiry.
    pub expires_at: DateTime<Utc>,
    /// The time at which the token was blacklisted.
    pub blacklisted_at: Option<DateTime<Utc>>,
}

/// Numbers of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DjangoCounts {
    /// Number of users.
    pub users: u64,
    /// Number of cars.
    pub cars: u64,
    /// Number of refresh tokens, expired ones included.
    pub tokens: u64,
}

/// The ids that the next rows would get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DjangoNextIds {
    /// The id of the next user.
    pub user: i64,
    /// The id of the next car.
    pub car: i64,
    /// The number of the next refresh token.
    pub token: i64,
}

/// The database of the Django system, in the state of one moment. It MUST NOT be changed. Rows are returned in the order
/// of their ids, at most `at_most` with ids above `after`. Errors are those of the database, and values in columns that
/// can hold no such value.
pub trait DjangoSource {
    /// Returns the name of a table.
    fn name(&self, table: DjangoTable) -> String;

    /// Counts the rows.
    ///
    /// # Errors
    /// Those of the database.
    fn counts(&mut self) -> Result<DjangoCounts, BoxError>;

    /// Returns the next ids.
    ///
    /// # Errors
    /// Those of the database.
    fn next_ids(&mut self) -> Result<DjangoNextIds, BoxError>;

    /// Returns users.
    ///
    /// # Errors
    /// Those of the database.
    fn users(&mut self, after: i64, at_most: u32) -> Result<Vec<DjangoUser>, BoxError>;

    /// Returns cars.
    ///
    /// # Errors
    /// Those of the database.
    fn cars(&mut self, after: i64, at_most: u32) -> Result<Vec<DjangoCar>, BoxError>;

    /// Returns refresh tokens; none without simplejwt's blacklist.
    ///
    /// # Errors
    /// Those of the database.
    fn tokens(&mut self, after: i64, at_most: u32) -> Result<Vec<DjangoToken>, BoxError>;
}
