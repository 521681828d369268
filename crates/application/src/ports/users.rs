//! The users that are kept.

use mycars_domain::{
    NewUser, User, UserId,
    values::{Email, Username},
};

use super::StoreError;

/// The users that are kept. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait UserRepository {
    /// The user with this id.
    ///
    /// # Errors
    /// The database's.
    fn find(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The user with this id, whom nobody else can change until the transaction ends.
    ///
    /// # Errors
    /// The database's.
    fn find_for_update(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The user whose username is exactly this text, case included.
    ///
    /// # Errors
    /// The database's.
    fn find_by_username(&mut self, username: &str) -> Result<Option<User>, StoreError>;

    /// Whether a user other than `except` has this username, ignoring case.
    ///
    /// # Errors
    /// The database's.
    fn username_is_taken(&mut self, username: &Username, except: Option<UserId>) -> Result<bool, StoreError>;

    /// Whether a user other than `except` has this e-mail address, ignoring case.
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
    /// MUST be [`StoreError::Taken`] with the field where the username or the e-mail address is taken.
    fn update(&mut self, user: &User) -> Result<(), StoreError>;
}
