//! The users that are kept.

use mycars_domain::{
    NewUser, User, UserId,
    values::{Email, Username},
};

use super::StoreError;
use crate::lists::{UserCount, UserQuery};

/// The users that are kept. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait UserRepository {
    /// The user with this id.
    ///
    /// # Errors
    /// The database's.
    fn find(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The user with this id, whom nobody else can change until the transaction ends: others who ask for them by this
    /// method wait, and those who only read don't.
    ///
    /// # Errors
    /// The database's.
    fn find_for_update(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Returns all superusers in the order of their ids, active or not, and locks them in that order until the
    /// transaction ends.
    ///
    /// # Errors
    /// The database's.
    fn superusers_for_update(&mut self) -> Result<Vec<User>, StoreError>;

    /// The user whose username is exactly this text, case included.
    ///
    /// # Errors
    /// The database's.
    fn find_by_username(&mut self, username: &str) -> Result<Option<User>, StoreError>;

    /// The user who has this username, by its [`key`](Username::key).
    ///
    /// # Errors
    /// The database's.
    fn find_in_any_case(&mut self, username: &Username) -> Result<Option<User>, StoreError>;

    /// Whether a user other than `except` has this username, by its [`key`](Username::key).
    ///
    /// # Errors
    /// The database's.
    fn username_is_taken(&mut self, username: &Username, except: Option<UserId>) -> Result<bool, StoreError>;

    /// Whether a user other than `except` has this e-mail address, by its [`key`](Email::key).
    ///
    /// # Errors
    /// The database's.
    fn email_is_taken(&mut self, email: &Email, except: Option<UserId>) -> Result<bool, StoreError>;

    /// Keeps a new user and gives it an id that no user ever had.
    ///
    /// # Errors
    /// MUST be [`StoreError::Taken`] with the field where the username or the e-mail address is taken.
    fn insert(&mut self, user: &NewUser) -> Result<User, StoreError>;

    /// Keeps everything about a user who is there already.
    ///
    /// # Errors
    /// MUST be [`StoreError::Taken`] with the field where the username or the e-mail address is taken, and
    /// [`StoreError::Other`] where there is no such user.
    fn update(&mut self, user: &User) -> Result<(), StoreError>;

    /// Forgets a user, their cars and their sessions; does nothing if there is none.
    ///
    /// # Errors
    /// The database's.
    fn delete(&mut self, id: UserId) -> Result<(), StoreError>;

    /// The users that a query asks for, in its order.
    ///
    /// # Errors
    /// The database's.
    fn list(&mut self, query: &UserQuery) -> Result<Vec<User>, StoreError>;

    /// How many users a query asks for, on all its pages.
    ///
    /// # Errors
    /// The database's.
    fn count(&mut self, query: &UserQuery) -> Result<u64, StoreError>;

    /// The ids of all users that a query asks for, in its order, whatever its page.
    ///
    /// # Errors
    /// The database's.
    fn ids(&mut self, query: &UserQuery) -> Result<Vec<UserId>, StoreError>;

    /// How many users there are of each role, active and not, among those that a query asks for when its own role
    /// and activity are left aside.
    ///
    /// # Errors
    /// The database's.
    fn counts(&mut self, query: &UserQuery) -> Result<Vec<UserCount>, StoreError>;

    /// The users who have these ids, in any order; ids that there are none of are passed over.
    ///
    /// # Errors
    /// The database's.
    fn find_all(&mut self, ids: &[UserId]) -> Result<Vec<User>, StoreError>;
}
