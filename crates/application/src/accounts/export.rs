//! Export all data about the caller: a copy for the person, as the GDPR grants it (articles 15 and 20).

use std::{
    collections::{HashSet, VecDeque},
    fs::File,
    mem,
};

use mycars_domain::{
    Action, Car, CarId, Denied, Rank, Target, User, UserId, audit::Entry, policy, values::ImagePath,
};

use super::{
    Credential,
    logins::{Current, Login},
};
use crate::{
    App, Caller, cars,
    images::Error,
    lists::{CHUNK, CarQuery, in_order_of},
    ports::{ApiKey, StoreError, UnitOfWork},
    security_log::{Details, SecurityEvent},
};

/// Maximum number of cars in memory. The notes of a car may have 10,000 characters.
const CARS_AT_ONCE: usize = 50;
/// Maximum number of logins of browsers in an export. A browser's login ends within weeks.
const MAX_BROWSERS: u32 = 10_000;

/// A part of an export. Lists come in several parts, the last of which may be empty.
#[derive(Debug)]
pub enum Part {
    /// The user.
    Account(Box<User>),
    /// Some of the user's cars.
    Cars(Vec<Car>),
    /// Some entries of the audit log about or by the user, without the data of other users: see
    /// [`NewEntry::restrict_to`](mycars_domain::audit::NewEntry::restrict_to).
    History(Vec<Entry>),
    /// Some of the user's logins that have not ended.
    Logins(Vec<Login>),
    /// The user's API keys.
    Keys(Vec<ApiKey>),
    /// The picture of a car; `None` if the image store does not have it.
    Picture(ImagePath, Option<File>),
}

/// An export of all data about its user, a part at a time. No part holds a password hash, a token or the hash of a key.
///
/// The parts are read one after the other, so changes that are made meanwhile may be in some of them only.
#[derive(Debug)]
pub struct Export {
    user: UserId,
    current: Current,
    stage: Stage,
    /// The cars that the user owns.
    owned: HashSet<CarId>,
    /// The pictures of the cars that were read. Imported cars may share one.
    pictures: HashSet<ImagePath>,
}

/// The next part.
#[derive(Debug)]
enum Stage {
    Account,
    /// The cars with these ids.
    Cars(VecDeque<CarId>),
    /// The entries with greater ids than this.
    History(i64),
    /// The logins of programs with these numbers of refresh tokens.
    Programs(VecDeque<i64>),
    Browsers,
    Keys,
    /// The pictures at these paths.
    Pictures(Vec<ImagePath>),
}

impl Export {
    /// Returns the export of the caller's data, of which nothing is read yet. `credential` is that of the request.
    ///
    /// # Errors
    /// [`cars::Error::Denied`] for anonymous callers and for API keys.
    ///
    /// ```
    /// use mycars_application::{accounts::{Export, Part}, mocks::{Mocks, samples}};
    ///
    /// let mut mocks = Mocks::new().with_user_read(samples::user());
    /// mocks.unit.cars.expect_ids().returning(|_, _| Ok(vec![]));
    /// let (app, _) = mocks.into_app();
    /// let mut export = Export::new(&app, &samples::ann(), None)?;
    /// let part = export.next(&app, &samples::ann())?;
    /// assert!(matches!(part, Some(Part::Account(user)) if user.username.as_str() == "ann"));
    /// # Ok::<(), mycars_application::images::Error>(())
    /// ```
    pub fn new(app: &App, caller: &Caller, credential: Option<&Credential>) -> Result<Self, Error> {
        let user = caller.user_id().ok_or(Denied::NotAuthenticated);
        let user = user.map_err(cars::Error::from)?;
        check(caller, user)?;
        Ok(Self {
            user,
            current: Current::of(app, credential),
            stage: Stage::Account,
            owned: HashSet::new(),
            pictures: HashSet::new(),
        })
    }

    /// Returns whether the next part is a picture, which may be on another machine.
    #[must_use]
    pub fn is_at_pictures(&self) -> bool {
        matches!(self.stage, Stage::Pictures(_))
    }

    /// Reads the next part; `None` after the last one. The first part is logged as a security event. After an error, the
    /// export can't be continued.
    ///
    /// # Errors
    /// [`cars::Error::Denied`] if the caller is not the user of the export any more; those of the store and of the
    /// image store.
    pub fn next(&mut self, app: &App, caller: &Caller) -> Result<Option<Part>, Error> {
        check(caller, self.user)?;
        let stage = mem::replace(&mut self.stage, Stage::Pictures(Vec::new()));
        let user = self.user;
        let (part, next) = match stage {
            Stage::Account => {
                let (found, cars) = app.store.read(|unit| account(unit, user))?;
                let found = found.ok_or(Denied::NotAuthenticated);
                let found = found.map_err(cars::Error::from)?;
                log(caller, &found);
                (Part::Account(Box::new(found)), Stage::Cars(cars))
            }
            Stage::Cars(mut ids) => {
                let some: Vec<CarId> = ids.drain(..ids.len().min(CARS_AT_ONCE)).collect();
                let mut cars = app.store.read(|unit| unit.cars().find_all(&some))?;
                cars.retain(|car| car.owner == user);
                in_order_of(&some, &mut cars, |car| car.id);
                self.owned.extend(cars.iter().map(|car| car.id));
                self.pictures
                    .extend(cars.iter().filter_map(|car| car.image.clone()));
                let next = if ids.is_empty() {
                    Stage::History(0)
                } else {
                    Stage::Cars(ids)
                };
                (Part::Cars(cars), next)
            }
            Stage::History(after) => {
                let mut entries = app
                    .store
                    .read(|unit| unit.audit_log().list_of_user(user, after, CHUNK))?;
                let next = match entries.last() {
                    Some(last) if entries.len() >= CHUNK as usize => Stage::History(last.id),
                    _ => {
                        let logins =
                            |unit: &mut dyn UnitOfWork| unit.refresh_tokens().logins_of(user, app.now());
                        Stage::Programs(app.store.read(logins)?.into())
                    }
                };
                for Entry { entry, .. } in &mut entries {
                    let is_former = entry
                        .object
                        .car_id()
                        .is_some_and(|car| !self.owned.contains(&car));
                    if is_former && entry.author.id != Some(user) {
                        entry.hide_new_values();
                    }
                    entry.restrict_to(user);
                }
                (Part::History(entries), next)
            }
            Stage::Programs(mut numbers) => {
                let some: Vec<i64> = numbers.drain(..numbers.len().min(CHUNK as usize)).collect();
                let logins = app.store.read(|unit| self.current.of_programs(unit, &some))?;
                let next = if numbers.is_empty() {
                    Stage::Browsers
                } else {
                    Stage::Programs(numbers)
                };
                (Part::Logins(logins), next)
            }
            Stage::Browsers => {
                let of_browsers =
                    |unit: &mut dyn UnitOfWork| self.current.of_browsers(app, unit, user, MAX_BROWSERS);
                (Part::Logins(app.store.read(of_browsers)?), Stage::Keys)
            }
            Stage::Keys => {
                let keys = app.store.read(|unit| unit.api_keys().list_of(user))?;
                (Part::Keys(keys), Stage::Pictures(self.pictures.drain().collect()))
            }
            Stage::Pictures(mut paths) => {
                let Some(path) = paths.pop() else {
                    return Ok(None);
                };
                let file = app.images.open(&path)?;
                (Part::Picture(path, file), Stage::Pictures(paths))
            }
        };
        self.stage = next;
        Ok(Some(part))
    }
}

/// Returns the user, and the ids of their cars.
fn account(unit: &mut dyn UnitOfWork, user: UserId) -> Result<(Option<User>, VecDeque<CarId>), StoreError> {
    let cars = unit.cars().ids(Some(user), &CarQuery::default())?;
    Ok((unit.users().find(user)?, cars.into()))
}

fn check(caller: &Caller, user: UserId) -> Result<(), Error> {
    let target = Target::user(user, Rank::Client);
    Ok(policy::check(&caller.actor, Action::ExportData, target).map_err(cars::Error::from)?)
}

fn log(caller: &Caller, user: &User) {
    SecurityEvent::DataExported.log(&Details {
        address: caller.origin.address,
        account: Some(user.username.as_str()),
        user_id: Some(user.id),
        detail: Some("own data"),
        ..Details::default()
    });
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _, Write as _};

    use mycars_domain::{KeyRights, audit::Value};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::{Device, ListedSession, ListedToken, MockAuditLog, Session},
    };

    /// Returns Ann's car with this id, with a picture.
    fn car(id: i64, image: &str) -> Car {
        Car {
            id: CarId(id),
            image: Some(ImagePath::from_storage(image.into())),
            ..samples::car()
        }
    }

    fn entry(id: i64, caller: &Caller) -> Entry {
        Entry {
            id,
            entry: expected::car_is_new(caller),
        }
    }

    fn listed(number: i64) -> ListedToken {
        ListedToken {
            number,
            token: samples::refresh_token(None),
            username: None,
        }
    }

    fn session() -> ListedSession {
        ListedSession {
            number: 1,
            session: Session {
                key_hash: "hash".into(),
                user: UserId(1),
                created_at: samples::now(),
                last_seen_at: samples::now(),
                device: Device::default(),
            },
        }
    }

    /// Expects the entries of Ann to be read in pieces: as many as these by `caller`.
    fn expect_entries(log: &mut MockAuditLog, count: i64, caller: Caller) {
        log.expect_list_of_user()
            .withf(|user, _, at_most| (*user, *at_most) == (UserId(1), CHUNK))
            .returning(move |_, after, at_most| {
                let until = count.min(after + i64::from(at_most));
                Ok((after + 1..=until).map(|id| entry(id, &caller)).collect())
            });
    }

    /// Returns mocks with Ann's data: these cars, 401 entries by an admin, 201 logins of programs, one of a browser and a
    /// key.
    fn mocks(cars: Vec<Car>) -> Mocks {
        let mut mocks = Mocks::new().with_user_read(samples::user());
        let ids: Vec<CarId> = cars.iter().map(|car| car.id).collect();
        let unit = &mut mocks.unit;
        unit.cars
            .expect_ids()
            .withf(|owner, query| (*owner, query) == (Some(UserId(1)), &CarQuery::default()))
            .returning(move |_, _| Ok(ids.clone()));
        unit.cars.expect_find_all().returning(move |ids| {
            let cars = cars.iter().filter(|car| ids.contains(&car.id));
            Ok(cars.rev().cloned().collect())
        });
        expect_entries(&mut unit.audit_log, 401, samples::admin());
        let tokens = &mut unit.refresh_tokens;
        tokens
            .expect_logins_of()
            .withf(|user, now| (*user, *now) == (UserId(1), samples::now()))
            .returning(|_, _| Ok((1..=201).collect()));
        tokens
            .expect_find_all()
            .returning(|numbers| Ok(numbers.iter().map(|number| listed(*number)).collect()));
        unit.sessions
            .expect_list_of()
            .withf(|user, _, _, _| *user == UserId(1))
            .returning(|_, _, _, _| Ok(vec![session()]));
        unit.api_keys
            .expect_list_of()
            .withf(|user| *user == UserId(1))
            .returning(|_| Ok(vec![samples::api_key()]));
        mocks
    }

    fn export(app: &App) -> Vec<Part> {
        let mut export = Export::new(app, &samples::ann(), None).unwrap();
        let next = || export.next(app, &samples::ann()).unwrap();
        std::iter::from_fn(next).collect()
    }

    /// Returns the name of a part, and the number of its items.
    fn size(part: &Part) -> (&'static str, usize) {
        match part {
            Part::Account(_) => ("account", 1),
            Part::Cars(cars) => ("cars", cars.len()),
            Part::History(entries) => ("history", entries.len()),
            Part::Logins(logins) => ("logins", logins.len()),
            Part::Keys(keys) => ("keys", keys.len()),
            Part::Picture(_, file) => ("picture", file.iter().count()),
        }
    }

    #[test]
    fn large_export_comes_in_bounded_parts() {
        let cars = (1..=120).map(|id| car(id, &format!("cars/{id}.jpg"))).collect();
        let mut mocks = mocks(cars);
        mocks.images.expect_open().times(120).returning(|_| Ok(None));
        let (app, store) = mocks.into_app();
        let sizes: Vec<_> = export(&app).iter().map(size).collect();
        let expected = [
            ("account", 1),
            ("cars", 50),
            ("cars", 50),
            ("cars", 20),
            ("history", 200),
            ("history", 200),
            ("history", 1),
            ("logins", 200),
            ("logins", 1),
            ("logins", 1),
            ("keys", 1),
        ];
        assert_eq!(sizes[..11], expected);
        assert_eq!(sizes[11..], [("picture", 0); 120]);
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn empty_lists_are_parts_as_well() {
        let mut mocks = Mocks::new().with_user_read(samples::user());
        let unit = &mut mocks.unit;
        unit.cars.expect_ids().returning(|_, _| Ok(vec![]));
        unit.cars.expect_find_all().returning(|_| Ok(vec![]));
        expect_entries(&mut unit.audit_log, 0, samples::ann());
        unit.refresh_tokens
            .expect_logins_of()
            .returning(|_, _| Ok(vec![]));
        unit.refresh_tokens.expect_find_all().returning(|_| Ok(vec![]));
        unit.sessions.expect_list_of().returning(|_, _, _, _| Ok(vec![]));
        unit.api_keys.expect_list_of().returning(|_| Ok(vec![]));
        let sizes: Vec<_> = export(&mocks.into_app().0).iter().map(size).collect();
        let lists = ["cars", "history", "logins", "logins", "keys"].map(|name| (name, 0));
        assert_eq!(sizes[1..], lists);
    }

    #[test]
    fn entries_hold_no_data_of_other_users() {
        let owned = Car {
            image: None,
            ..samples::car()
        };
        for (cars, is_former_owner) in [(vec![owned], false), (vec![], true)] {
            let (app, _) = mocks(cars).into_app();
            for part in export(&app) {
                if let Part::History(entries) = part {
                    for Entry { entry, .. } in entries {
                        let author = (entry.author.id, entry.author.name.as_str());
                        assert_eq!(author, (None, "another user"));
                        assert_eq!(entry.origin.address, None);
                        assert_eq!(entry.changes[0].after == Value::Hidden, is_former_owner);
                    }
                }
            }
        }
    }

    #[test]
    fn cars_of_other_users_are_left_out() {
        let sold = Car {
            owner: UserId(2),
            ..car(2, "cars/2.jpg")
        };
        let mut mocks = mocks(vec![car(1, "cars/1.jpg"), sold, car(3, "cars/1.jpg")]);
        let open = mocks.images.expect_open().once();
        open.withf(|path| path.as_str() == "cars/1.jpg").returning(|_| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(b"a picture").unwrap();
            file.rewind().unwrap();
            Ok(Some(file))
        });
        let (app, _) = mocks.into_app();
        let parts = export(&app);
        let Part::Cars(cars) = &parts[1] else {
            panic!("{parts:?}")
        };
        assert_eq!(cars.iter().map(|car| car.id.0).collect::<Vec<_>>(), [1, 3]);
        let Some(Part::Picture(path, Some(mut file))) = parts.into_iter().last() else {
            panic!("the picture is missing")
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!((path.as_str(), &*bytes), ("cars/1.jpg", b"a picture".as_slice()));
    }

    #[test]
    fn export_is_denied_to_keys_and_anonymous_callers() {
        let (app, store) = Mocks::new().into_app();
        let key = Caller::key(&samples::user(), KeyRights::Write, samples::origin());
        for (caller, expected) in [
            (samples::anonymous(), Denied::NotAuthenticated),
            (key, Denied::LoginRequired),
        ] {
            let denied = Export::new(&app, &caller, None).unwrap_err();
            assert!(
                matches!(denied, Error::Car(cars::Error::Denied(denied)) if denied == expected),
                "{expected}"
            );
        }
        assert_eq!(store.reads(), 0);
    }

    /// The user of a long response is authenticated again for each part.
    #[test]
    fn export_is_continued_by_its_user_alone() {
        let (app, _) = mocks(vec![]).into_app();
        let mut export = Export::new(&app, &samples::ann(), None).unwrap();
        for caller in [samples::admin(), samples::other_user(Rank::Client)] {
            assert!(export.next(&app, &caller).is_err());
        }
        assert!(export.next(&app, &samples::ann()).unwrap().is_some());
    }
}
