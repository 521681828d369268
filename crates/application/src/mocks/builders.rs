//! Builders for the mocks of a test.
//!
//! `with_…`, `without_…` and `nothing_taken` set up what exists: these calls may happen any number of times. `expect_…`
//! sets up a call that must happen exactly once. Order and failures are set up with mockall itself.

use mycars_domain::{
    Car, CarId, NewCar, NewUser, User, UserId,
    values::{ImagePath, PasswordHash},
};

use super::{MailMode, Mocks, samples};
use crate::ports::{ApiKey, Claims, MailKind, RefreshToken, Revocation, Undecodable, Verification};

/// Makes a method of a repository find this row by its id.
macro_rules! finds {
    ($repository:expr, $method:ident, $row:expr) => {{
        let row = $row;
        let known = row.clone();
        $repository
            .$method()
            .withf(move |asked| *asked == known.id)
            .returning(move |_| Ok(Some(row.clone())));
    }};
}

impl Mocks {
    /// Finds this user, by id and by username, inside a transaction and outside.
    #[must_use]
    pub fn with_user(self, user: User) -> Self {
        self.with_user_read(user.clone()).with_user_locked(user)
    }

    /// Turns mail on.
    #[must_use]
    pub fn with_mail(self) -> Self {
        Self {
            mail: MailMode::On,
            ..self
        }
    }

    /// Turns mail on, and requires verified e-mail addresses.
    #[must_use]
    pub fn with_verified_emails(self) -> Self {
        Self {
            mail: MailMode::Required,
            ..self
        }
    }

    /// Expects exactly these mails in the outbox, each to a user at an address, in this order.
    #[must_use]
    pub fn expect_mails(mut self, mails: &[(MailKind, &User, &str)]) -> Self {
        let mut order = mockall::Sequence::new();
        for (kind, user, address) in mails {
            let (kind, user, address) = (*kind, user.id, (*address).to_owned());
            self.unit
                .outbox
                .expect_insert()
                .once()
                .in_sequence(&mut order)
                .withf(move |given, to, at| {
                    let to = to.as_ref().map(|(user, email)| (*user, email.as_str()));
                    (*given, to, *at) == (kind, Some((user, address.as_str())), samples::now())
                })
                .returning(|_, _, _| Ok(()));
        }
        self
    }

    /// Finds this user where it is read without a lock.
    #[must_use]
    pub fn with_user_read(mut self, user: User) -> Self {
        finds!(self.unit.users, expect_find, user.clone());
        let username = user.username.to_string();
        self.unit
            .users
            .expect_find_by_username()
            .withf(move |asked| asked == username)
            .returning(move |_| Ok(Some(user.clone())));
        self
    }

    /// Finds this user where it is locked.
    #[must_use]
    pub fn with_user_locked(mut self, user: User) -> Self {
        finds!(self.unit.users, expect_find_for_update, user);
        self
    }

    /// Finds no user.
    #[must_use]
    pub fn without_user(mut self) -> Self {
        let users = &mut self.unit.users;
        users.expect_find().returning(|_| Ok(None));
        users.expect_find_for_update().returning(|_| Ok(None));
        users.expect_find_by_username().returning(|_| Ok(None));
        self
    }

    /// Finds these superusers where all of them are locked.
    #[must_use]
    pub fn with_superusers(mut self, superusers: Vec<User>) -> Self {
        self.unit
            .users
            .expect_superusers_for_update()
            .returning(move || Ok(superusers.clone()));
        self
    }

    /// Finds this car, inside a transaction and outside.
    #[must_use]
    pub fn with_car(self, car: Car) -> Self {
        self.with_car_read(car.clone()).with_car_locked(car)
    }

    /// Finds this car where it is read without a lock.
    #[must_use]
    pub fn with_car_read(mut self, car: Car) -> Self {
        finds!(self.unit.cars, expect_find, car);
        self
    }

    /// Finds this car where it is locked.
    #[must_use]
    pub fn with_car_locked(mut self, car: Car) -> Self {
        finds!(self.unit.cars, expect_find_for_update, car);
        self
    }

    /// Finds these cars where all cars of a user are locked.
    #[must_use]
    pub fn with_cars(mut self, cars: Vec<Car>) -> Self {
        self.unit
            .cars
            .expect_list_for_update()
            .returning(move |_, after, at_most| {
                let following = cars.iter().filter(|car| car.id > after);
                Ok(following.take(at_most as usize).cloned().collect())
            });
        self
    }

    /// Finds no car.
    #[must_use]
    pub fn without_car(mut self) -> Self {
        self.unit.cars.expect_find().returning(|_| Ok(None));
        self.unit.cars.expect_find_for_update().returning(|_| Ok(None));
        self
    }

    /// Leaves every username, e-mail address and licence plate free, and lists no user.
    #[must_use]
    pub fn nothing_taken(mut self) -> Self {
        let (users, cars) = (&mut self.unit.users, &mut self.unit.cars);
        users.expect_username_is_taken().returning(|_, _| Ok(false));
        users.expect_email_is_taken().returning(|_, _, _| Ok(false));
        users.expect_list().returning(|_| Ok(vec![]));
        cars.expect_license_is_taken().returning(|_, _| Ok(false));
        self
    }

    /// Accepts every update of a user or car.
    #[must_use]
    pub fn with_updates(mut self) -> Self {
        self.unit.users.expect_update().returning(|_| Ok(()));
        self.unit.cars.expect_update().returning(|_| Ok(()));
        self
    }

    /// Hashes every password to this hash.
    #[must_use]
    pub fn with_hash(mut self, hash: &'static str) -> Self {
        self.hasher
            .expect_hash()
            .returning(move |_| Ok(PasswordHash::from_storage(hash.into())));
        self
    }

    /// Verifies every password with this outcome.
    #[must_use]
    pub fn with_verification(mut self, verification: Verification) -> Self {
        self.hasher.expect_verify().returning(move |_, _| verification);
        self
    }

    /// Returns this text for every random one.
    #[must_use]
    pub fn with_random(mut self, text: &'static str) -> Self {
        self.random.expect_hex().return_const(text);
        self
    }

    /// Decodes the sent token to these claims.
    #[must_use]
    pub fn with_claims(mut self, claims: Result<Claims, Undecodable>) -> Self {
        self.tokens.expect_decode().return_once(|_| claims);
        self
    }

    /// Finds this refresh token, inside a transaction and outside.
    #[must_use]
    pub fn with_token(mut self, token: RefreshToken) -> Self {
        finds!(self.unit.refresh_tokens, expect_find, token.clone());
        finds!(self.unit.refresh_tokens, expect_find_for_update, token);
        self
    }

    /// Expects an insert of a user for whom `is_right` holds, and returns [`samples::user`].
    #[must_use]
    pub fn expect_user_insert(mut self, is_right: impl Fn(&NewUser) -> bool + Send + 'static) -> Self {
        self.unit
            .users
            .expect_insert()
            .withf(is_right)
            .once()
            .returning(|_| Ok(samples::user()));
        self
    }

    /// Expects an update of a user for whom `is_right` holds.
    #[must_use]
    pub fn expect_user_update(mut self, is_right: impl Fn(&User) -> bool + Send + 'static) -> Self {
        self.unit
            .users
            .expect_update()
            .withf(is_right)
            .once()
            .returning(|_| Ok(()));
        self
    }

    /// Expects this user to be deleted.
    #[must_use]
    pub fn expect_user_delete(mut self, id: UserId) -> Self {
        self.unit
            .users
            .expect_delete()
            .withf(move |deleted| *deleted == id)
            .once()
            .returning(|_| Ok(()));
        self
    }

    /// Lists these API keys of each user.
    #[must_use]
    pub fn with_api_keys(mut self, keys: Vec<ApiKey>) -> Self {
        let list = self.unit.api_keys.expect_list_of();
        list.returning(move |_| Ok(keys.clone()));
        self
    }

    /// Expects the only API key of [`samples::user`], [`samples::api_key`], to be deleted.
    #[must_use]
    pub fn expect_keys_ended(mut self) -> Self {
        let delete = self.unit.api_keys.expect_delete().once();
        delete
            .withf(|id| *id == samples::api_key().id)
            .returning(|_| Ok(()));
        self.with_api_keys(vec![samples::api_key()])
    }

    /// Expects the logins of [`samples::user`] to be ended for this reason: these numbers of
    /// refresh tokens and sessions.
    #[must_use]
    pub fn expect_logins_ended(mut self, why: Revocation, tokens: usize, sessions: usize) -> Self {
        let user = samples::user().id;
        self.unit
            .sessions
            .expect_delete_all_of()
            .withf(move |of, except| *of == user && except.is_none())
            .once()
            .returning(move |_, _| Ok(sessions));
        self.unit
            .refresh_tokens
            .expect_revoke_all_of()
            .withf(move |of, except, given, at| {
                (*of, *except, *given, *at) == (user, None, why, samples::now())
            })
            .once()
            .returning(move |_, _, _, _| Ok(tokens));
        self
    }

    /// Expects a refresh token for which `is_right` holds to be recorded.
    #[must_use]
    pub fn expect_token_record(mut self, is_right: impl Fn(&RefreshToken) -> bool + Send + 'static) -> Self {
        self.unit
            .refresh_tokens
            .expect_record()
            .withf(is_right)
            .once()
            .returning(|_| Ok(()));
        self
    }

    /// Expects the refresh token with this id to be revoked for this reason.
    #[must_use]
    pub fn expect_token_revoke(mut self, id: &'static str, why: Revocation) -> Self {
        self.unit
            .refresh_tokens
            .expect_revoke()
            .withf(move |given, reason, at| (given, *reason, *at) == (id, why, samples::now()))
            .once()
            .returning(|_, _, _| Ok(()));
        self
    }

    /// Expects this number of live refresh tokens of the login `id` to be revoked for this reason.
    #[must_use]
    pub fn expect_family_revoked(mut self, id: &'static str, why: Revocation, count: usize) -> Self {
        self.unit
            .refresh_tokens
            .expect_revoke_family()
            .withf(move |given, reason, at| (given, *reason, *at) == (id, why, samples::now()))
            .once()
            .returning(move |_, _, _| Ok(count));
        self
    }

    /// Expects an insert of a car for which `is_right` holds, and returns [`samples::car`].
    #[must_use]
    pub fn expect_car_insert(mut self, is_right: impl Fn(&NewCar) -> bool + Send + 'static) -> Self {
        self.unit
            .cars
            .expect_insert()
            .withf(is_right)
            .once()
            .returning(|_| Ok(samples::car()));
        self
    }

    /// Expects an update of a car for which `is_right` holds.
    #[must_use]
    pub fn expect_car_update(mut self, is_right: impl Fn(&Car) -> bool + Send + 'static) -> Self {
        self.unit
            .cars
            .expect_update()
            .withf(is_right)
            .once()
            .returning(|_| Ok(()));
        self
    }

    /// Expects this car to be deleted.
    #[must_use]
    pub fn expect_car_delete(mut self, id: CarId) -> Self {
        self.unit
            .cars
            .expect_delete()
            .withf(move |deleted| *deleted == id)
            .once()
            .returning(|_| Ok(()));
        self
    }

    /// Expects this picture to be stored with these bytes.
    #[must_use]
    pub fn expect_image_put(mut self, path: &'static str, jpeg: &'static [u8]) -> Self {
        self.images
            .expect_put()
            .withf(move |put, bytes| put.as_str() == path && bytes == jpeg)
            .once()
            .returning(|_, _| Ok(()));
        self
    }

    /// Expects this picture to be deleted, after a look-up that finds no car with it.
    #[must_use]
    pub fn expect_image_delete(mut self, path: &'static str) -> Self {
        self.unit.cars.expect_has_image().once().returning(|_| Ok(false));
        self.images
            .expect_delete()
            .withf(move |deleted: &ImagePath| deleted.as_str() == path)
            .once()
            .returning(|_| Ok(()));
        self
    }
}
