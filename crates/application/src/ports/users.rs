//! The repository of users.

use chrono::{DateTime, Utc};
use mycars_domain::{
    Car, CarId, NewUser, User, UserId,
    values::{Email, Username},
};

use super::StoreError;
use crate::lists::{UserCount, UserQuery};

/// The stored users. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait UserRepository {
    /// Returns the user with this id.
    ///
    /// # Errors
    /// Those of the database.
    fn find(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Returns the user with this id and the car with the id `car`, if the user owns it, in one query.
    ///
    /// # Errors
    /// Those of the database.
    fn find_with_car(&mut self, id: UserId, car: CarId) -> Result<Option<(User, Option<Car>)>, StoreError>;

    /// Returns the user with this id and locks them until the transaction ends: other calls of this method wait,
    /// reads do not.
    ///
    /// # Errors
    /// Those of the database.
    fn find_for_update(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Returns all superusers in the order of their ids, active or not, and locks them in that order until the
    /// transaction ends.
    ///
    /// # Errors
    /// Those of the database.
    fn superusers_for_update(&mut self) -> Result<Vec<User>, StoreError>;

    /// Returns the user with exactly this username, including its case.
    ///
    /// # Errors
    /// Those of the database.
    fn find_by_username(&mut self, username: &str) -> Result<Option<User>, StoreError>;

    /// Returns the user with this username in any case, by its [`key`](Username::key).
    ///
    /// # Errors
    /// Those of the database.
    fn find_in_any_case(&mut self, username: &Username) -> Result<Option<User>, StoreError>;

    /// Returns the user with this e-mail address in any case, by its [`key`](Email::key).
    ///
    /// # Errors
    /// Those of the database.
    fn find_by_email(&mut self, email: &Email) -> Result<Option<User>, StoreError>;

    /// Returns whether a user other than `except` has this username, by its [`key`](Username::key).
    ///
    /// # Errors
    /// Those of the database.
    fn username_is_taken(&mut self, username: &Username, except: Option<UserId>) -> Result<bool, StoreError>;

    /// Returns whether a user other than `except` has this e-mail address, by its [`key`](Email::key), or can put it back:
    /// it is [reserved](mycars_domain::EmailState::reserved) `now`.
    ///
    /// # Errors
    /// Those of the database.
    fn email_is_taken(
        &mut self,
        email: &Email,
        except: Option<UserId>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Stores a new user with an id that was never used for a user.
    ///
    /// # Errors
    /// MUST be [`StoreError::Taken`] with the field if the username or the e-mail address is taken.
    fn insert(&mut self, user: &NewUser) -> Result<User, StoreError>;

    /// Stores all fields of an existing user.
    ///
    /// # Errors
    /// MUST be [`StoreError::Taken`] with the field if the username or the e-mail address is taken, and
    /// [`StoreError::Other`] if the user does not exist.
    fn update(&mut self, user: &User) -> Result<(), StoreError>;

    /// Forgets at most `at_most` replaced e-mail addresses that were replaced at `replaced_by` or before, and returns their
    /// number. Nothing else of the users changes.
    ///
    /// # Errors
    /// Those of the database.
    fn forget_previous_emails(
        &mut self,
        replaced_by: DateTime<Utc>,
        at_most: u32,
    ) -> Result<usize, StoreError>;

    /// Deletes a user, their cars and their sessions; does nothing if the user does not exist.
    ///
    /// # Errors
    /// Those of the database.
    fn delete(&mut self, id: UserId) -> Result<(), StoreError>;

    /// Returns the users that match a query, in its order.
    ///
    /// # Errors
    /// Those of the database.
    fn list(&mut self, query: &UserQuery) -> Result<Vec<User>, StoreError>;

    /// Counts the users that match a query, on all its pages.
    ///
    /// # Errors
    /// Those of the database.
    fn count(&mut self, query: &UserQuery) -> Result<u64, StoreError>;

    /// Returns the ids of all users that match a query, in its order, on all its pages.
    ///
    /// # Errors
    /// Those of the database.
    fn ids(&mut self, query: &UserQuery) -> Result<Vec<UserId>, StoreError>;

    /// Counts the users of each role, active and inactive, that match a query without its own role and activity.
    ///
    /// # Errors
    /// Those of the database.
    fn counts(&mut self, query: &UserQuery) -> Result<Vec<UserCount>, StoreError>;

    /// Returns the users with these ids, in any order. Ids that do not exist are skipped.
    ///
    /// # Errors
    /// Those of the database.
    fn find_all(&mut self, ids: &[UserId]) -> Result<Vec<User>, StoreError>;
}
