//! The users.

use mycars_application::{
    lists::{UserCount, UserOrder, UserQuery},
    ports::{StoreError, UserRepository},
};
use mycars_domain::{
    Field, NewUser, User, UserId,
    values::{Email, Phone, Username},
};

use crate::{
    Result, State, Unit, next,
    query::{compare, finds, paged, tally, with_keys},
};

/// What is searched of a user.
pub(crate) fn searched(user: &User) -> [&str; 5] {
    let names = [user.first_name.as_str(), user.last_name.as_str()];
    let phone = user.phone.as_ref().map_or("", Phone::as_str);
    [
        user.username.as_str(),
        user.email.as_str(),
        names[0],
        names[1],
        phone,
    ]
}

impl State {
    fn holder_of_username(&self, username: &Username) -> Option<&User> {
        let key = username.key();
        self.users.values().find(|user| user.username.key() == key)
    }

    fn holder_of_email(&self, email: &Email) -> Option<&User> {
        let key = email.key();
        self.users.values().find(|user| user.email.key() == key)
    }

    /// Keeps a user, new or changed, whose username and address are nobody else's.
    fn keep_user(&mut self, user: &User) -> Result<()> {
        let is_other = |holder: &User| holder.id != user.id;
        if self.holder_of_username(&user.username).is_some_and(is_other) {
            return Err(StoreError::Taken(Field::Username));
        }
        if self.holder_of_email(&user.email).is_some_and(is_other) {
            return Err(StoreError::Taken(Field::Email));
        }
        self.users.insert(user.id, user.clone());
        Ok(())
    }

    /// The users that a query asks for, on all its pages, in its order.
    fn found_users(&self, query: &UserQuery) -> Vec<&User> {
        let is_asked_for = |user: &&User| {
            finds(&query.search, &searched(user))
                && query.role.is_none_or(|role| user.role == role)
                && query
                    .is_active
                    .is_none_or(|is_active| user.is_active == is_active)
        };
        let mut found: Vec<&User> = self.users.values().filter(is_asked_for).collect();
        // They are in the order of their ids, and a sort leaves ties as they are.
        found.sort_by(|one, other| {
            compare(&query.ordering, |order| match order {
                UserOrder::Username => one.username.as_str().cmp(other.username.as_str()),
                UserOrder::Email => one.email.as_str().cmp(other.email.as_str()),
                UserOrder::DateJoined => one.date_joined.cmp(&other.date_joined),
                UserOrder::LastLogin => one.last_login.cmp(&other.last_login),
            })
        });
        found
    }
}

impl UserRepository for Unit {
    fn find(&mut self, id: UserId) -> Result<Option<User>> {
        Ok(self.state.users.get(&id).cloned())
    }

    fn find_for_update(&mut self, id: UserId) -> Result<Option<User>> {
        UserRepository::find(self, id)
    }

    fn find_by_username(&mut self, username: &str) -> Result<Option<User>> {
        let mut users = self.state.users.values();
        Ok(users.find(|user| user.username.as_str() == username).cloned())
    }

    fn find_in_any_case(&mut self, username: &Username) -> Result<Option<User>> {
        Ok(self.state.holder_of_username(username).cloned())
    }

    fn username_is_taken(&mut self, username: &Username, except: Option<UserId>) -> Result<bool> {
        let holder = self.state.holder_of_username(username);
        Ok(holder.is_some_and(|user| Some(user.id) != except))
    }

    fn email_is_taken(&mut self, email: &Email, except: Option<UserId>) -> Result<bool> {
        let holder = self.state.holder_of_email(email);
        Ok(holder.is_some_and(|user| Some(user.id) != except))
    }

    fn insert(&mut self, user: &NewUser) -> Result<User> {
        self.change(|state| {
            let user = user.clone().with_id(UserId(next(&mut state.last_ids.users)));
            state.keep_user(&user)?;
            Ok(user)
        })
    }

    fn update(&mut self, user: &User) -> Result<()> {
        self.change(|state| match state.users.get(&user.id) {
            Some(_) => state.keep_user(user),
            None => Err(StoreError::Other("there is no such user".into())),
        })
    }

    fn delete(&mut self, id: UserId) -> Result<()> {
        self.change(|state| {
            state.users.remove(&id);
            state.cars.retain(|_, car| car.owner != id);
            state.sessions.retain(|_, session| session.user != id);
            for kept in state.refresh_tokens.values_mut() {
                kept.token.user = kept.token.user.filter(|user| *user != id);
            }
            Ok(())
        })
    }

    fn list(&mut self, query: &UserQuery) -> Result<Vec<User>> {
        Ok(paged(self.state.found_users(query), query.page))
    }

    fn count(&mut self, query: &UserQuery) -> Result<u64> {
        Ok(self.state.found_users(query).len() as u64)
    }

    fn ids(&mut self, query: &UserQuery) -> Result<Vec<UserId>> {
        let found = self.state.found_users(query);
        Ok(found.iter().map(|user| user.id).collect())
    }

    fn counts(&mut self, query: &UserQuery) -> Result<Vec<UserCount>> {
        let mut aside = query.clone();
        (aside.role, aside.is_active) = (None, None);
        let found = self.state.found_users(&aside).into_iter();
        let alike = |((role, is_active), count)| UserCount {
            role,
            is_active,
            count,
        };
        let counted = tally(found.map(|user| (user.role, user.is_active)));
        Ok(counted.into_iter().map(alike).collect())
    }

    fn find_all(&mut self, ids: &[UserId]) -> Result<Vec<User>> {
        Ok(with_keys(&self.state.users, ids))
    }
}
