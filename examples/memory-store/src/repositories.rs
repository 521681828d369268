//! The rows, and their repositories. The `select` of each query finds the rows.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
    time::Instant,
};

use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::{
    lists::{CarQuery, HistoryCount, HistoryQuery, TokenQuery, TokenState, UserCount, UserQuery},
    ports::{
        ApiKey, ApiKeyRepository, AuditLog, CarCount, CarRepository, CarVersion, Device, Installation,
        InstallationRepository, Lease, LeaseRepository, ListedSession, ListedToken, MailKind, Outbox,
        PrunedEntries, QueuedMail, RateLimit, RateRepository, RefreshToken, RefreshTokenRepository,
        Revocation, Row, RowRepository, Session, SessionRepository, StoreError, Table, UserRepository,
    },
};
use mycars_domain::{
    Car, CarId, Field, NewCar, NewUser, PreviousEmail, User, UserId,
    audit::{Entry, NewEntry},
    values::{Email, ImagePath, LicensePlate, Username},
};

use crate::{Result, Unit};

/// The rows of all tables.
#[derive(Clone, Default)]
pub(crate) struct State {
    /// The last assigned id of each table. It only grows, so ids are never reused.
    last_ids: BTreeMap<Table, i64>,
    users: BTreeMap<UserId, User>,
    cars: BTreeMap<CarId, Car>,
    /// The sizes of the pictures at these paths.
    image_bytes: BTreeMap<String, u64>,
    refresh_tokens: BTreeMap<i64, RefreshToken>,
    sessions: BTreeMap<i64, Session>,
    api_keys: BTreeMap<i64, ApiKey>,
    outbox: BTreeMap<i64, (QueuedMail, DateTime<Utc>)>,
    last_mail: i64,
    audit_log: Vec<Entry>,
    /// The id of the last entry whose address was removed because of its age.
    forgotten_addresses: i64,
    installation: Option<Installation>,
    leases: BTreeMap<String, LeaseRow>,
    /// The times at which buckets are whole again, measured from the start of the program.
    buckets: BTreeMap<String, TimeDelta>,
}

/// A lease. Its times are measured from the start of the program.
#[derive(Clone)]
struct LeaseRow {
    holder: String,
    held_until: TimeDelta,
    due_at: TimeDelta,
}

impl LeaseRow {
    fn seen_now(&self, name: &str) -> Lease {
        let now = uptime();
        Lease {
            name: name.to_owned(),
            holder: self.holder.clone(),
            held_for: self.held_until - now,
            due_in: self.due_at - now,
        }
    }
}

/// Returns the time since the first call.
fn uptime() -> TimeDelta {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    TimeDelta::from_std(START.elapsed()).unwrap_or(TimeDelta::MAX)
}

impl State {
    fn next_id(&mut self, table: Table) -> i64 {
        let last = self.last_ids.entry(table).or_default();
        *last += 1;
        *last
    }

    /// Stores a new or changed user, unless another user has the username or the address.
    fn keep_user(&mut self, user: User) -> Result<User> {
        for other in self.users.values().filter(|other| other.id != user.id) {
            if other.username.key() == user.username.key() {
                return Err(StoreError::Taken(Field::Username));
            }
            if other.email.key() == user.email.key() {
                return Err(StoreError::Taken(Field::Email));
            }
        }
        self.users.insert(user.id, user.clone());
        Ok(user)
    }

    /// Stores a new or changed car, unless another car has the plate or the owner does not exist.
    fn keep_car(&mut self, car: Car) -> Result<Car> {
        let mut others = self.cars.values().filter(|other| other.id != car.id);
        if others.any(|other| other.license.key() == car.license.key()) {
            return Err(StoreError::Taken(Field::License));
        }
        self.check_owner(Some(car.owner))?;
        self.cars.insert(car.id, car.clone());
        Ok(car)
    }

    fn session(&self, key_hash: &str) -> Option<&Session> {
        self.sessions
            .values()
            .find(|session| session.key_hash == key_hash)
    }

    /// Inserts a row with its id.
    fn insert_row(&mut self, row: Row) -> Result<()> {
        match row {
            Row::Installation(installation) => self.installation = Some(installation),
            Row::User(user) => drop(self.users.insert(user.id, user)),
            Row::Car { car, image_bytes } => {
                self.check_owner(Some(car.owner))?;
                if let (Some(path), Some(bytes)) = (&car.image, image_bytes) {
                    self.image_bytes.insert(path.to_string(), bytes);
                }
                self.cars.insert(car.id, car);
            }
            Row::RefreshToken { number, token } => {
                self.check_owner(token.user)?;
                self.refresh_tokens.insert(number, token);
            }
            Row::Session { number, session } => {
                self.check_owner(Some(session.user))?;
                self.sessions.insert(number, session);
            }
            Row::ApiKey(key) => {
                self.check_owner(Some(key.owner))?;
                self.api_keys.insert(key.id, key);
            }
            Row::Entry(entry) => self.audit_log.push(entry),
        }
        Ok(())
    }

    /// Returns the rows of a table, in the order of their ids.
    fn rows(&self, table: Table) -> Vec<Row> {
        match table {
            Table::Installation => self.installation.iter().cloned().map(Row::Installation).collect(),
            Table::Users => self.users.values().cloned().map(Row::User).collect(),
            Table::Cars => self.cars.values().map(|car| self.car_row(car)).collect(),
            Table::RefreshTokens => {
                let tokens = self.refresh_tokens.iter();
                let row = |(number, token): (&i64, &RefreshToken)| Row::RefreshToken {
                    number: *number,
                    token: token.clone(),
                };
                tokens.map(row).collect()
            }
            Table::Sessions => {
                let sessions = self.sessions.iter();
                let row = |(number, session): (&i64, &Session)| Row::Session {
                    number: *number,
                    session: session.clone(),
                };
                sessions.map(row).collect()
            }
            Table::ApiKeys => self.api_keys.values().cloned().map(Row::ApiKey).collect(),
            Table::AuditLog => self.audit_log.iter().cloned().map(Row::Entry).collect(),
        }
    }

    fn car_row(&self, car: &Car) -> Row {
        let image_bytes = car.image.as_ref();
        Row::Car {
            car: car.clone(),
            image_bytes: image_bytes.and_then(|path| self.image_bytes.get(path.as_str()).copied()),
        }
    }

    /// Checks that the user of a row exists.
    fn check_owner(&self, owner: Option<UserId>) -> Result<()> {
        let is_gone = owner.is_some_and(|owner| !self.users.contains_key(&owner));
        if is_gone {
            Err(StoreError::OwnerGone)
        } else {
            Ok(())
        }
    }
}

impl UserRepository for Unit {
    fn find(&mut self, id: UserId) -> Result<Option<User>> {
        Ok(self.state.users.get(&id).cloned())
    }

    fn find_with_car(&mut self, id: UserId, car: CarId) -> Result<Option<(User, Option<Car>)>> {
        let car = self.state.cars.get(&car).filter(|car| car.owner == id).cloned();
        Ok(self.state.users.get(&id).map(|user| (user.clone(), car)))
    }

    fn find_for_update(&mut self, id: UserId) -> Result<Option<User>> {
        UserRepository::find(self, id)
    }

    fn superusers_for_update(&mut self) -> Result<Vec<User>> {
        let users = self.state.users.values();
        Ok(users.filter(|user| user.is_superuser).cloned().collect())
    }

    fn find_by_username(&mut self, username: &str) -> Result<Option<User>> {
        let mut users = self.state.users.values();
        Ok(users.find(|user| user.username.as_str() == username).cloned())
    }

    fn find_in_any_case(&mut self, username: &Username) -> Result<Option<User>> {
        let mut users = self.state.users.values();
        Ok(users.find(|user| user.username.key() == username.key()).cloned())
    }

    fn find_by_email(&mut self, email: &Email) -> Result<Option<User>> {
        let mut users = self.state.users.values();
        Ok(users.find(|user| user.email.key() == email.key()).cloned())
    }

    fn username_is_taken(&mut self, username: &Username, except: Option<UserId>) -> Result<bool> {
        let mut others = self.state.users.values().filter(|user| Some(user.id) != except);
        Ok(others.any(|user| user.username.key() == username.key()))
    }

    fn email_is_taken(&mut self, email: &Email, except: Option<UserId>, now: DateTime<Utc>) -> Result<bool> {
        let mut others = self.state.users.values().filter(|user| Some(user.id) != except);
        Ok(others.any(|user| {
            let reserved = user.email_state.reserved(now);
            [Some(&user.email), reserved]
                .into_iter()
                .flatten()
                .any(|taken| taken.key() == email.key())
        }))
    }

    fn list(&mut self, query: &UserQuery) -> Result<Vec<User>> {
        let found = query.select(self.state.users.values());
        Ok(found.into_iter().cloned().collect())
    }

    fn count(&mut self, query: &UserQuery) -> Result<u64> {
        Ok(UserRepository::ids(self, query)?.len() as u64)
    }

    fn ids(&mut self, query: &UserQuery) -> Result<Vec<UserId>> {
        let whole = UserQuery {
            page: None,
            ..query.clone()
        };
        let found = whole.select(self.state.users.values());
        Ok(found.into_iter().map(|user| user.id).collect())
    }

    fn counts(&mut self, query: &UserQuery) -> Result<Vec<UserCount>> {
        let aside = UserQuery {
            role: None,
            is_active: None,
            page: None,
            ..query.clone()
        };
        let users = aside.select(self.state.users.values());
        let counted = tally(users.into_iter().map(|user| (user.role, user.is_active)));
        let alike = |((role, is_active), count)| UserCount {
            role,
            is_active,
            count,
        };
        Ok(counted.into_iter().map(alike).collect())
    }

    fn find_all(&mut self, ids: &[UserId]) -> Result<Vec<User>> {
        Ok(with_keys(&self.state.users, ids).cloned().collect())
    }

    fn insert(&mut self, user: &NewUser) -> Result<User> {
        self.change(|state| {
            let id = UserId(state.next_id(Table::Users));
            state.keep_user(user.clone().with_id(id))
        })
    }

    fn update(&mut self, user: &User) -> Result<()> {
        self.change(|state| match state.users.get(&user.id) {
            Some(_) => state.keep_user(user.clone()).map(drop),
            None => Err(StoreError::Other("there is no such user".into())),
        })
    }

    fn forget_previous_emails(&mut self, replaced_by: DateTime<Utc>, at_most: u32) -> Result<usize> {
        self.change(|state| {
            let previous = state
                .users
                .values_mut()
                .map(|user| &mut user.email_state.previous);
            let is_old = |previous: &&mut Option<PreviousEmail>| {
                previous
                    .as_ref()
                    .is_some_and(|previous| previous.replaced_at <= replaced_by)
            };
            let old = previous.filter(is_old).take(at_most as usize);
            Ok(old.map(Option::take).count())
        })
    }

    fn delete(&mut self, id: UserId) -> Result<()> {
        self.change(|state| {
            state.users.remove(&id);
            state.cars.retain(|_, car| car.owner != id);
            state.sessions.retain(|_, session| session.user != id);
            state.api_keys.retain(|_, key| key.owner != id);
            state.outbox.retain(|_, (mail, _)| mail.user != Some(id));
            for token in state.refresh_tokens.values_mut() {
                token.user = token.user.filter(|user| *user != id);
            }
            Ok(())
        })
    }
}

impl CarRepository for Unit {
    fn find(&mut self, id: CarId) -> Result<Option<Car>> {
        Ok(self.state.cars.get(&id).cloned())
    }

    fn find_for_update(&mut self, id: CarId) -> Result<Option<Car>> {
        CarRepository::find(self, id)
    }

    fn list(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<Vec<Car>> {
        let State { cars, users, .. } = &*self.state;
        let found = query.select(owner, cars.values(), |id| users.get(&id));
        Ok(found.into_iter().cloned().collect())
    }

    fn count(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<u64> {
        Ok(CarRepository::ids(self, owner, query)?.len() as u64)
    }

    fn versions_of(&mut self, owners: &[UserId]) -> Result<Vec<CarVersion>> {
        let cars = self.state.cars.values().filter(|car| owners.contains(&car.owner));
        Ok(cars.map(CarVersion::from).collect())
    }

    fn ids(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<Vec<CarId>> {
        let whole = CarQuery {
            page: None,
            ..query.clone()
        };
        let cars = CarRepository::list(self, owner, &whole)?;
        Ok(cars.iter().map(|car| car.id).collect())
    }

    fn brands(&mut self, query: &CarQuery, at_most: u32) -> Result<Vec<(String, u64)>> {
        let aside = CarQuery {
            brand: None,
            page: None,
            ..query.clone()
        };
        let cars = CarRepository::list(self, None, &aside)?.into_iter();
        let mut brands = tally(cars.map(|car| car.brand.to_string()));
        brands.sort_by(|(one, ones), (other, others)| (Reverse(ones), one).cmp(&(Reverse(others), other)));
        brands.truncate(at_most as usize);
        Ok(brands)
    }

    fn find_all(&mut self, ids: &[CarId]) -> Result<Vec<Car>> {
        Ok(with_keys(&self.state.cars, ids).cloned().collect())
    }

    fn count_of(&mut self, owners: &[UserId]) -> Result<CarCount> {
        let cars = self.state.cars.values();
        Ok(cars.filter(|car| owners.contains(&car.owner)).collect())
    }

    fn count_among(&mut self, ids: &[CarId]) -> Result<CarCount> {
        Ok(with_keys(&self.state.cars, ids).collect())
    }

    fn count_all(&mut self) -> Result<CarCount> {
        Ok(self.state.cars.values().collect())
    }

    fn license_is_taken(&mut self, license: &LicensePlate, except: Option<CarId>) -> Result<bool> {
        let mut others = self.state.cars.values().filter(|car| Some(car.id) != except);
        Ok(others.any(|car| car.license.key() == license.key()))
    }

    fn count_and_license_is_taken(&mut self, owner: UserId, license: &LicensePlate) -> Result<(u64, bool)> {
        let count = CarRepository::count_of(self, &[owner])?.cars;
        Ok((count, self.license_is_taken(license, None)?))
    }

    fn license_owners(&mut self, licenses: &[LicensePlate]) -> Result<Vec<Option<UserId>>> {
        let cars = self.state.cars.values();
        let owners: BTreeMap<String, UserId> = cars.map(|car| (car.license.key(), car.owner)).collect();
        Ok(licenses
            .iter()
            .map(|license| owners.get(&license.key()).copied())
            .collect())
    }

    fn insert_all(&mut self, cars: &[NewCar]) -> Result<Vec<Car>> {
        cars.iter().map(|car| CarRepository::insert(self, car)).collect()
    }

    fn set_image_bytes(&mut self, id: CarId, path: &ImagePath, bytes: u64) -> Result<()> {
        self.change(|state| {
            let car = state.cars.get(&id);
            if car.is_some_and(|car| car.image.as_ref() == Some(path)) {
                state.image_bytes.insert(path.to_string(), bytes);
            }
            Ok(())
        })
    }

    fn image_bytes_of(&mut self, owner: UserId, except: Option<CarId>) -> Result<u64> {
        let State {
            cars, image_bytes, ..
        } = &*self.state;
        let theirs = cars
            .values()
            .filter(|car| car.owner == owner && Some(car.id) != except);
        let sizes = theirs.filter_map(|car| image_bytes.get(car.image.as_ref()?.as_str()));
        Ok(sizes.sum())
    }

    fn unmeasured_images(&mut self, after: CarId, at_most: u32) -> Result<Vec<(CarId, ImagePath)>> {
        let State {
            cars, image_bytes, ..
        } = &*self.state;
        let images = cars.values().filter_map(|car| Some((car.id, car.image.clone()?)));
        let unmeasured = images.filter(|(id, path)| *id > after && !image_bytes.contains_key(path.as_str()));
        Ok(unmeasured.take(at_most as usize).collect())
    }

    fn has_image(&mut self, path: &ImagePath) -> Result<bool> {
        let mut cars = self.state.cars.values();
        Ok(cars.any(|car| car.image.as_ref() == Some(path)))
    }

    fn list_for_update(&mut self, owner: UserId, after: CarId, at_most: u32) -> Result<Vec<Car>> {
        let cars = self.state.cars.values();
        let theirs = cars.filter(|car| car.owner == owner && car.id > after);
        Ok(theirs.take(at_most as usize).cloned().collect())
    }

    fn insert(&mut self, car: &NewCar) -> Result<Car> {
        self.change(|state| {
            let id = CarId(state.next_id(Table::Cars));
            state.keep_car(car.clone().with_id(id))
        })
    }

    fn update(&mut self, car: &Car) -> Result<()> {
        self.change(|state| match state.cars.get(&car.id) {
            Some(&Car { created_at, .. }) => state
                .keep_car(Car {
                    created_at,
                    ..car.clone()
                })
                .map(drop),
            None => Err(StoreError::Other("there is no such car".into())),
        })
    }

    fn delete(&mut self, id: CarId) -> Result<()> {
        self.change(|state| Ok(state.cars.remove(&id))).map(drop)
    }
}

impl RefreshTokenRepository for Unit {
    fn record(&mut self, token: &RefreshToken) -> Result<()> {
        self.change(|state| {
            state.check_owner(token.user)?;
            if state.refresh_tokens.values().all(|kept| kept.id != token.id) {
                let number = state.next_id(Table::RefreshTokens);
                state.refresh_tokens.insert(number, token.clone());
            }
            Ok(())
        })
    }

    fn find(&mut self, id: &str) -> Result<Option<RefreshToken>> {
        let mut tokens = self.state.refresh_tokens.values();
        Ok(tokens.find(|token| token.id == id).cloned())
    }

    fn find_for_update(&mut self, id: &str) -> Result<Option<RefreshToken>> {
        RefreshTokenRepository::find(self, id)
    }

    fn revoke(&mut self, id: &str, why: Revocation, at: DateTime<Utc>) -> Result<()> {
        self.end(why, at, |token| token.id == id).map(drop)
    }

    fn touch(&mut self, id: &str, at: DateTime<Utc>) -> Result<()> {
        self.change(|state| {
            let mut tokens = state.refresh_tokens.values_mut();
            if let Some(token) = tokens.find(|token| token.id == id) {
                token.last_used_at = Some(at);
            }
            Ok(())
        })
    }

    fn family_has_ended(&mut self, family: &str) -> Result<bool> {
        let mut tokens = self.state.refresh_tokens.values();
        Ok(tokens
            .any(|token| is_of(family, token) && !matches!(token.revoked, None | Some(Revocation::Rotated))))
    }

    fn revoke_family(&mut self, family: &str, why: Revocation, at: DateTime<Utc>) -> Result<usize> {
        self.end(why, at, |token| is_of(family, token) && token.revoked.is_none())
    }

    fn revoke_all_of(
        &mut self,
        user: UserId,
        except: Option<&str>,
        why: Revocation,
        at: DateTime<Utc>,
    ) -> Result<usize> {
        self.end(why, at, |token| {
            let is_excepted = except.is_some_and(|family| is_of(family, token));
            token.user == Some(user) && token.revoked.is_none() && !is_excepted
        })
    }

    fn list(&mut self, query: &TokenQuery) -> Result<Vec<ListedToken>> {
        let tokens = self.state.refresh_tokens.iter();
        let numbered = tokens.map(|(number, token)| (*number, token));
        Ok(query.select(numbered, |id| self.state.users.get(&id)))
    }

    fn logins_of(&mut self, user: UserId, now: DateTime<Utc>) -> Result<Vec<i64>> {
        let live = TokenQuery {
            user: Some(user),
            state: Some(TokenState::Live),
            ..TokenQuery::at(now)
        };
        let mut newest = BTreeMap::new();
        for listed in RefreshTokenRepository::list(self, &live)? {
            let number = newest.entry(listed.token.family().id).or_insert(0);
            *number = listed.number.max(*number);
        }
        let mut numbers: Vec<i64> = newest.into_values().collect();
        numbers.sort_by_key(|number| Reverse(*number));
        Ok(numbers)
    }

    fn count(&mut self, query: &TokenQuery) -> Result<u64> {
        Ok(self.numbers(query)?.len() as u64)
    }

    fn numbers(&mut self, query: &TokenQuery) -> Result<Vec<i64>> {
        let whole = TokenQuery {
            page: None,
            ..query.clone()
        };
        let tokens = RefreshTokenRepository::list(self, &whole)?;
        Ok(tokens.iter().map(|listed| listed.number).collect())
    }

    fn find_all(&mut self, numbers: &[i64]) -> Result<Vec<ListedToken>> {
        let numbers: BTreeSet<&i64> = numbers.iter().collect();
        // The time makes no difference, because the query has no state.
        let mut tokens = RefreshTokenRepository::list(self, &TokenQuery::at(DateTime::UNIX_EPOCH))?;
        tokens.retain(|listed| numbers.contains(&listed.number));
        Ok(tokens)
    }

    fn delete_expired(&mut self, now: DateTime<Utc>, at_most: u32) -> Result<usize> {
        self.change(|state| {
            let expired = state
                .refresh_tokens
                .extract_if(.., |_, token| token.expires_at <= now);
            Ok(expired.take(at_most as usize).count())
        })
    }
}

/// Returns whether a token belongs to a family, of which it may be the first token.
fn is_of(family: &str, token: &RefreshToken) -> bool {
    let families = token.family.iter().map(|family| &family.id);
    families.chain([&token.id]).any(|id| id == family)
}

impl Unit {
    /// Revokes tokens, and returns their number.
    fn end(
        &mut self,
        why: Revocation,
        at: DateTime<Utc>,
        which: impl Fn(&RefreshToken) -> bool,
    ) -> Result<usize> {
        self.change(|state| {
            let mut count = 0;
            for token in state.refresh_tokens.values_mut().filter(|token| which(token)) {
                (token.revoked, token.revoked_at) = (Some(why), Some(at));
                if let Some(family) = &mut token.family {
                    family.device = Device::default();
                }
                count += 1;
            }
            Ok(count)
        })
    }

    /// Deletes sessions, and returns their number.
    fn log_out(&mut self, which: impl Fn(&Session) -> bool) -> Result<usize> {
        self.change(|state| Ok(state.sessions.extract_if(.., |_, session| which(session)).count()))
    }
}

impl ApiKeyRepository for Unit {
    fn insert(&mut self, key: &ApiKey) -> Result<i64> {
        self.change(|state| {
            state.check_owner(Some(key.owner))?;
            if state.api_keys.values().any(|kept| kept.key_hash == key.key_hash) {
                return Err(StoreError::Other("there is such a key already".into()));
            }
            let id = state.next_id(Table::ApiKeys);
            state.api_keys.insert(id, ApiKey { id, ..key.clone() });
            Ok(id)
        })
    }

    fn find(&mut self, id: i64) -> Result<Option<ApiKey>> {
        Ok(self.state.api_keys.get(&id).cloned())
    }

    fn find_by_hash(&mut self, key_hash: &str) -> Result<Option<ApiKey>> {
        let mut keys = self.state.api_keys.values();
        Ok(keys.find(|key| key.key_hash == key_hash).cloned())
    }

    fn list_of(&mut self, owner: UserId) -> Result<Vec<ApiKey>> {
        let keys = self.state.api_keys.values().rev();
        Ok(keys.filter(|key| key.owner == owner).cloned().collect())
    }

    fn touch(&mut self, id: i64, at: DateTime<Utc>) -> Result<()> {
        self.change(|state| {
            if let Some(key) = state.api_keys.get_mut(&id) {
                key.last_used_at = Some(at);
            }
            Ok(())
        })
    }

    fn delete(&mut self, id: i64) -> Result<()> {
        self.change(|state| {
            state.api_keys.remove(&id);
            Ok(())
        })
    }
}

impl SessionRepository for Unit {
    fn insert(&mut self, session: &Session) -> Result<()> {
        self.change(|state| {
            state.check_owner(Some(session.user))?;
            if state.session(&session.key_hash).is_some() {
                return Err(StoreError::Other("a session has this key already".into()));
            }
            let number = state.next_id(Table::Sessions);
            state.sessions.insert(number, session.clone());
            Ok(())
        })
    }

    fn find(&mut self, key_hash: &str) -> Result<Option<Session>> {
        Ok(self.state.session(key_hash).cloned())
    }

    fn touch(&mut self, key_hash: &str, at: DateTime<Utc>) -> Result<()> {
        self.change(|state| {
            let mut sessions = state.sessions.values_mut();
            if let Some(session) = sessions.find(|session| session.key_hash == key_hash) {
                session.last_seen_at = at;
            }
            Ok(())
        })
    }

    fn delete(&mut self, key_hash: &str) -> Result<()> {
        self.log_out(|session| session.key_hash == key_hash).map(drop)
    }

    fn list_of(
        &mut self,
        user: UserId,
        seen_after: DateTime<Utc>,
        created_after: DateTime<Utc>,
        at_most: u32,
    ) -> Result<Vec<ListedSession>> {
        let is_listed = |session: &Session| {
            session.user == user && session.last_seen_at > seen_after && session.created_at > created_after
        };
        let of_user = self.state.sessions.iter();
        let mut listed: Vec<ListedSession> = of_user
            .filter(|(_, session)| is_listed(session))
            .map(|(number, session)| ListedSession {
                number: *number,
                session: session.clone(),
            })
            .collect();
        listed.sort_by_key(|listed| Reverse((listed.session.last_seen_at, listed.number)));
        listed.truncate(at_most as usize);
        Ok(listed)
    }

    fn find_by_number(&mut self, number: i64) -> Result<Option<Session>> {
        Ok(self.state.sessions.get(&number).cloned())
    }

    fn delete_all_of(&mut self, user: UserId, except: Option<&str>) -> Result<usize> {
        self.log_out(|session| session.user == user && except != Some(&session.key_hash))
    }

    fn count_of(&mut self, users: &[UserId]) -> Result<u64> {
        let sessions = self.state.sessions.values();
        Ok(sessions.filter(|session| users.contains(&session.user)).count() as u64)
    }

    fn delete_expired(
        &mut self,
        seen_before: DateTime<Utc>,
        created_before: DateTime<Utc>,
        at_most: u32,
    ) -> Result<usize> {
        self.change(|state| {
            let expired = state.sessions.extract_if(.., |_, session| {
                session.last_seen_at <= seen_before || session.created_at <= created_before
            });
            Ok(expired.take(at_most as usize).count())
        })
    }
}

impl AuditLog for Unit {
    fn append(&mut self, entries: &[NewEntry]) -> Result<()> {
        self.change(|state| {
            for entry in entries.iter().cloned() {
                let id = state.next_id(Table::AuditLog);
                state.audit_log.push(Entry { id, entry });
            }
            Ok(())
        })
    }

    fn append_with_car(&mut self, entry: &NewEntry, car: &NewCar) -> Result<Car> {
        let car = CarRepository::insert(self, car)?;
        let mut entry = entry.clone();
        entry.object.id = car.id.to_string();
        self.append(&[entry])?;
        Ok(car)
    }

    fn list(&mut self, query: &HistoryQuery) -> Result<Vec<Entry>> {
        let found = query.select(&self.state.audit_log);
        Ok(found.into_iter().cloned().collect())
    }

    fn count(&mut self, query: &HistoryQuery) -> Result<u64> {
        Ok(AuditLog::ids(self, query)?.len() as u64)
    }

    fn ids(&mut self, query: &HistoryQuery) -> Result<Vec<i64>> {
        let whole = HistoryQuery {
            page: None,
            ..query.clone()
        };
        let found = whole.select(&self.state.audit_log);
        Ok(found.into_iter().map(|entry| entry.id).collect())
    }

    fn find_all(&mut self, ids: &[i64]) -> Result<Vec<Entry>> {
        let ids: BTreeSet<&i64> = ids.iter().collect();
        let entries = self.state.audit_log.iter();
        Ok(entries.filter(|entry| ids.contains(&entry.id)).cloned().collect())
    }

    fn list_of_user(&mut self, user: UserId, after: i64, at_most: u32) -> Result<Vec<Entry>> {
        let entries = self.state.audit_log.iter();
        let theirs = entries.filter(|kept| kept.id > after && is_theirs(&kept.entry, user));
        Ok(theirs.take(at_most as usize).cloned().collect())
    }

    fn counts(&mut self, query: &HistoryQuery) -> Result<Vec<HistoryCount>> {
        let aside = HistoryQuery {
            action: None,
            object_type: None,
            page: None,
            ..query.clone()
        };
        let entries = aside.select(&self.state.audit_log).into_iter();
        let counted = tally(entries.map(|kept| (kept.entry.action, kept.entry.object.kind)));
        let alike = |((action, object_type), count)| HistoryCount {
            action,
            object_type,
            count,
        };
        Ok(counted.into_iter().map(alike).collect())
    }

    fn delete_oldest(&mut self, before: DateTime<Utc>, at_most: u32) -> Result<Option<PrunedEntries>> {
        self.change(|state| {
            let old = state.audit_log.iter().take_while(|kept| kept.entry.at < before);
            let all_but_newest = state.audit_log.len().saturating_sub(1);
            let count = old.count().min(at_most as usize).min(all_but_newest);
            let last = state.audit_log.drain(..count).next_back();
            Ok(last.map(|last| PrunedEntries {
                count: count as u64,
                last: last.id,
            }))
        })
    }

    fn forget_user(&mut self, user: UserId) -> Result<u64> {
        self.change(|state| {
            let entries = state.audit_log.iter_mut();
            let theirs = entries.filter(|kept| is_theirs(&kept.entry, user));
            Ok(theirs.map(|kept| kept.entry.forget(user)).count() as u64)
        })
    }

    fn forget_addresses(&mut self, before: DateTime<Utc>, at_most: u32) -> Result<u64> {
        self.change(|state| {
            let known = state.forgotten_addresses;
            let entries = state.audit_log.iter_mut().filter(|kept| kept.id > known);
            let old = entries
                .take_while(|kept| kept.entry.at < before)
                .take(at_most as usize);
            let mut count = 0;
            for kept in old {
                kept.entry.origin.address = None;
                state.forgotten_addresses = kept.id;
                count += 1;
            }
            Ok(count)
        })
    }
}

/// Returns whether an entry is about or by a user.
fn is_theirs(entry: &NewEntry, user: UserId) -> bool {
    [entry.object.owner, entry.author.id].contains(&Some(user))
}

impl Outbox for Unit {
    fn insert(&mut self, kind: MailKind, to: Option<(UserId, Email)>, at: DateTime<Utc>) -> Result<()> {
        self.change(|state| {
            let (user, recipient) = to.unzip();
            if user.is_some_and(|user| !state.users.contains_key(&user)) {
                return Err(StoreError::OwnerGone);
            }
            state.last_mail += 1;
            let mail = QueuedMail {
                id: state.last_mail,
                kind,
                user,
                recipient,
                created_at: at,
                tries: 0,
            };
            state.outbox.insert(mail.id, (mail, at));
            Ok(())
        })
    }

    fn next_due(&mut self, now: DateTime<Utc>) -> Result<Option<QueuedMail>> {
        let due = self.state.outbox.values().filter(|(_, due)| *due <= now);
        let first = due.min_by_key(|(mail, due)| (*due, mail.id));
        Ok(first.map(|(mail, _)| mail.clone()))
    }

    fn postpone(&mut self, mail: &QueuedMail, until: DateTime<Utc>) -> Result<bool> {
        self.change(|state| {
            let known = state.outbox.get_mut(&mail.id);
            let Some((known, due)) = known.filter(|(known, _)| known.tries == mail.tries) else {
                return Ok(false);
            };
            known.tries += 1;
            *due = until;
            Ok(true)
        })
    }

    fn delete(&mut self, id: i64) -> Result<()> {
        self.change(|state| {
            state.outbox.remove(&id);
            Ok(())
        })
    }
}

impl InstallationRepository for Unit {
    fn find_or_insert(&mut self, new: &Installation) -> Result<Installation> {
        self.change(|state| Ok(state.installation.get_or_insert_with(|| new.clone()).clone()))
    }
}

impl LeaseRepository for Unit {
    fn list(&mut self) -> Result<Vec<Lease>> {
        let leases = self.state.leases.iter();
        Ok(leases.map(|(name, row)| row.seen_now(name)).collect())
    }

    fn take(&mut self, name: &str, holder: &str, lifetime: TimeDelta, every: TimeDelta) -> Result<bool> {
        self.change(|state| {
            let row = state.leases.entry(name.to_owned()).or_insert_with(|| LeaseRow {
                holder: String::new(),
                held_until: uptime(),
                due_at: uptime() + every,
            });
            let is_available = row.seen_now(name).is_available(every);
            if is_available {
                holder.clone_into(&mut row.holder);
                row.held_until = uptime() + lifetime;
            }
            Ok(is_available)
        })
    }

    fn renew(&mut self, name: &str, holder: &str, lifetime: TimeDelta) -> Result<bool> {
        self.change(|state| {
            let held = state.leases.get_mut(name).filter(|row| row.holder == holder);
            Ok(held.map(|row| row.held_until = uptime() + lifetime).is_some())
        })
    }

    fn release(&mut self, name: &str, holder: &str, due_in: Option<TimeDelta>) -> Result<()> {
        self.change(|state| {
            let held = state.leases.get_mut(name).filter(|row| row.holder == holder);
            if let Some(row) = held {
                row.held_until = uptime();
                row.due_at = due_in.map_or(row.due_at, |due_in| uptime() + due_in);
            }
            Ok(())
        })
    }
}

impl RateRepository for Unit {
    fn take(&mut self, key: &str, limit: RateLimit) -> Result<std::result::Result<DateTime<Utc>, TimeDelta>> {
        self.change(|state| {
            let now = uptime();
            let whole_at = state.buckets.get(key).copied().unwrap_or(now).max(now);
            let wait = whole_at - limit.tolerance() - now;
            if wait > TimeDelta::zero() {
                return Ok(Err(wait));
            }
            state.buckets.insert(key.to_owned(), whole_at + limit.interval);
            Ok(Ok(DateTime::UNIX_EPOCH + whole_at + limit.interval))
        })
    }

    fn give_back(&mut self, key: &str, limit: RateLimit, whole_at: DateTime<Utc>) -> Result<()> {
        self.change(|state| {
            let left = whole_at - (DateTime::UNIX_EPOCH + uptime());
            if let Some(bucket) = state.buckets.get_mut(key) {
                *bucket -= left.clamp(TimeDelta::zero(), limit.interval);
            }
            Ok(())
        })
    }

    fn delete_whole(&mut self, at_most: u32) -> Result<usize> {
        self.change(|state| {
            let now = uptime();
            let whole = state.buckets.iter().filter(|(_, whole_at)| **whole_at <= now);
            let keys: Vec<String> = whole.map(|(key, _)| key.clone()).take(at_most as usize).collect();
            for key in &keys {
                state.buckets.remove(key);
            }
            Ok(keys.len())
        })
    }
}

impl RowRepository for Unit {
    fn list(&mut self, table: Table, after: i64, at_most: u32) -> Result<Vec<Row>> {
        let rows = self.state.rows(table).into_iter();
        Ok(rows
            .filter(|row| row.id() > after)
            .take(at_most as usize)
            .collect())
    }

    fn count(&mut self, table: Table) -> Result<u64> {
        Ok(self.state.rows(table).len() as u64)
    }

    fn insert(&mut self, rows: &[Row]) -> Result<()> {
        self.change(|state| {
            for row in rows {
                let last = state.last_ids.entry(row.table()).or_default();
                *last = row.id().max(*last);
                state.insert_row(row.clone())?;
            }
            Ok(())
        })
    }

    fn next_id(&mut self, table: Table) -> Result<i64> {
        Ok(self.state.last_ids.get(&table).map_or(1, |last| last + 1))
    }

    fn set_next_id(&mut self, table: Table, id: i64) -> Result<()> {
        self.change(|state| {
            if !matches!(table, Table::AuditLog | Table::Installation) {
                state.last_ids.insert(table, id - 1);
            }
            Ok(())
        })
    }
}

/// Returns the rows that have these keys, each once.
fn with_keys<'a, K: Ord, V>(rows: &'a BTreeMap<K, V>, keys: &[K]) -> impl Iterator<Item = &'a V> {
    let keys: BTreeSet<&K> = keys.iter().collect();
    keys.into_iter().filter_map(|key| rows.get(key))
}

/// Counts how often each item occurs, in the order in which they first do.
fn tally<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<(T, u64)> {
    let mut counted: Vec<(T, u64)> = Vec::new();
    for item in items {
        match counted.iter_mut().find(|(known, _)| *known == item) {
            Some((_, count)) => *count += 1,
            None => counted.push((item, 1)),
        }
    }
    counted
}
