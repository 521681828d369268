//! The users that are kept.

use std::collections::HashSet;

use mycars_domain::{
    NewUser, User, UserId,
    values::{Email, Username},
};

use super::StoreError;
use crate::lists::{UserCount, UserQuery, tally};

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
    /// Provided: it lists all users and locks the superusers among them one by one. An adapter that can find them by one
    /// query overrides it.
    ///
    /// # Errors
    /// The database's.
    fn superusers_for_update(&mut self) -> Result<Vec<User>, StoreError> {
        let superusers = self.list(&UserQuery::default())?;
        let mut ids: Vec<UserId> = superusers
            .iter()
            .filter(|user| user.is_superuser)
            .map(|user| user.id)
            .collect();
        ids.sort_unstable();
        ids.into_iter()
            .filter_map(|id| self.find_for_update(id).transpose())
            .collect()
    }

    /// The user whose username is exactly this text, case included.
    ///
    /// Provided: it looks at the one who has it [in any case](Self::find_in_any_case).
    ///
    /// # Errors
    /// The database's.
    fn find_by_username(&mut self, username: &str) -> Result<Option<User>, StoreError> {
        let found = self.find_in_any_case(&Username::from_storage(username.to_owned()))?;
        Ok(found.filter(|user| user.username.as_str() == username))
    }

    /// The user who has this username, by its [`key`](Username::key).
    ///
    /// Provided: it lists all users. An adapter that keeps the keys in an index overrides it.
    ///
    /// # Errors
    /// The database's.
    fn find_in_any_case(&mut self, username: &Username) -> Result<Option<User>, StoreError> {
        let key = username.key();
        let users = self.list(&UserQuery::default())?;
        Ok(users.into_iter().find(|user| user.username.key() == key))
    }

    /// Whether a user other than `except` has this username, by its [`key`](Username::key).
    ///
    /// Provided: it asks who [has it](Self::find_in_any_case).
    ///
    /// # Errors
    /// The database's.
    fn username_is_taken(&mut self, username: &Username, except: Option<UserId>) -> Result<bool, StoreError> {
        let holder = self.find_in_any_case(username)?;
        Ok(holder.is_some_and(|user| Some(user.id) != except))
    }

    /// Whether a user other than `except` has this e-mail address, by its [`key`](Email::key).
    ///
    /// Provided: it lists all users. An adapter that keeps the keys in an index overrides it.
    ///
    /// # Errors
    /// The database's.
    fn email_is_taken(&mut self, email: &Email, except: Option<UserId>) -> Result<bool, StoreError> {
        let key = email.key();
        let users = self.list(&UserQuery::default())?;
        let mut others = users.iter().filter(|user| Some(user.id) != except);
        Ok(others.any(|user| user.email.key() == key))
    }

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
    /// Provided: it lists them. An adapter that can count without reading overrides it.
    ///
    /// # Errors
    /// The database's.
    fn count(&mut self, query: &UserQuery) -> Result<u64, StoreError> {
        Ok(self.ids(query)?.len() as u64)
    }

    /// The ids of all users that a query asks for, in its order, whatever its page.
    ///
    /// Provided: it lists the users. An adapter that can read ids alone overrides it.
    ///
    /// # Errors
    /// The database's.
    fn ids(&mut self, query: &UserQuery) -> Result<Vec<UserId>, StoreError> {
        let whole = UserQuery {
            page: None,
            ..query.clone()
        };
        Ok(self.list(&whole)?.iter().map(|user| user.id).collect())
    }

    /// How many users there are of each role, active and not, among those that a query asks for when its own role
    /// and activity are left aside.
    ///
    /// Provided: it lists these. An adapter that can count without reading overrides it.
    ///
    /// # Errors
    /// The database's.
    fn counts(&mut self, query: &UserQuery) -> Result<Vec<UserCount>, StoreError> {
        let aside = UserQuery {
            role: None,
            is_active: None,
            page: None,
            ..query.clone()
        };
        let users = self.list(&aside)?.into_iter();
        let counted = tally(users.map(|user| (user.role, user.is_active)));
        let alike = |((role, is_active), count)| UserCount {
            role,
            is_active,
            count,
        };
        Ok(counted.into_iter().map(alike).collect())
    }

    /// The users who have these ids, in any order; ids that there are none of are passed over.
    ///
    /// Provided: it lists all users. An adapter that can find them by their ids overrides it.
    ///
    /// # Errors
    /// The database's.
    fn find_all(&mut self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let ids: HashSet<&UserId> = ids.iter().collect();
        let mut users = self.list(&UserQuery::default())?;
        users.retain(|user| ids.contains(&user.id));
        Ok(users)
    }
}
