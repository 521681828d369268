//! The use-case: check, store pictures, insert all rows in one transaction.

use std::collections::HashMap;

use mycars_domain::{
    Action, Car, CarId, Field, Target, User,
    audit::{self, Change, NewEntry, Object},
    policy,
};

use super::{
    convert::{Choices, Converter, Problem, Reason, problem_of_car, problem_of_user},
    outcome::{Error, Imported, Mode, Progress},
    pictures::{self, Pictures, StoredPicture},
};
use crate::{
    App, Caller,
    audit::entry,
    ports::{
        BoxError, DjangoCounts, DjangoSource, DjangoToken, RefreshToken, Revocation, Row, StoreError, Table,
        UnitOfWork,
    },
};

/// Maximum number of rows per query and INSERT.
const BATCH: u32 = 500;

/// Imports all users, cars, pictures and refresh tokens of a Django system into an empty database, with their ids. The
/// next new user and car get the ids that they would get in the Django system.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::NotEmpty`]; [`Error::Problems`] with all
/// problems; [`Error::Source`], [`Error::Store`] and [`Error::Images`]. After an error, no row is imported.
pub fn import(
    app: &App,
    caller: &Caller,
    source: &mut dyn DjangoSource,
    (choices, pictures): (&Choices, Pictures<'_>),
    mode: Mode,
    progress: &mut dyn FnMut(Progress),
) -> Result<Imported, Error> {
    policy::check(&caller.actor, Action::ImportDjango, Target::NOTHING)?;
    app.store.read(refuse_unless_empty)?;
    if mode == Mode::Run {
        app.disk_space.check()?;
    }
    let counts = source.counts().map_err(Error::Source)?;
    let mut import = Import {
        app,
        caller,
        counts,
        source,
        converter: Converter::new(app, choices),
        pictures: HashMap::new(),
        progress,
    };
    let (wanted, mut problems) = import.check(pictures)?;
    if problems.is_empty() || mode == Mode::Check {
        problems.extend(import.store_pictures(&wanted, pictures, mode)?);
    }
    if !problems.is_empty() {
        return Err(Error::Problems(problems));
    }
    match mode {
        Mode::Check => Ok(Imported {
            users: counts.users,
            cars: counts.cars,
            pictures: wanted.len() as u64,
            ..Imported::default()
        }),
        Mode::Run => app.store.write(|unit| import.insert(unit)),
        Mode::DryRun => import.roll_back(),
    }
}

/// Refuses to import into a database that is in use.
fn refuse_unless_empty(unit: &mut dyn UnitOfWork) -> Result<(), Error> {
    let users = unit.rows().count(Table::Users)?;
    let cars = unit.rows().count(Table::Cars)?;
    if users == 0 && cars == 0 {
        Ok(())
    } else {
        Err(Error::NotEmpty { users, cars })
    }
}

/// A picture that a car refers to.
type Wanted = Vec<(CarId, String)>;

struct Import<'a> {
    app: &'a App,
    caller: &'a Caller,
    counts: DjangoCounts,
    source: &'a mut dyn DjangoSource,
    converter: Converter<'a>,
    pictures: HashMap<CarId, StoredPicture>,
    progress: &'a mut dyn FnMut(Progress),
}

impl Import<'_> {
    /// Checks all rows. Returns the pictures of the cars, and the problems.
    fn check(&mut self, pictures: Pictures<'_>) -> Result<(Wanted, Vec<Problem>), Error> {
        let (mut wanted, mut problems) = (Vec::new(), Vec::new());
        (self.progress)(Progress::Check(self.counts.users + self.counts.cars));
        let mut last = i64::MIN;
        while let Some(rows) = batch(self.source.users(last, BATCH))? {
            let count = rows.len() as u64;
            for row in rows {
                last = row.id.0;
                let outcome = self.converter.user(row);
                problems.extend(outcome.err().map(|reasons| problem_of_user(last, reasons)));
            }
            (self.progress)(Progress::Done(count));
        }
        last = i64::MIN;
        while let Some(rows) = batch(self.source.cars(last, BATCH))? {
            let count = rows.len() as u64;
            for row in rows {
                last = row.id.0;
                let mut reasons = self.converter.car(&row).err().unwrap_or_default();
                match (row.image, pictures) {
                    (Some(_), Pictures::Undecided) => reasons.push((Field::Image, Reason::NoMediaFolder)),
                    (Some(image), Pictures::From(_)) => wanted.push((row.id, image)),
                    _ => {}
                }
                if !reasons.is_empty() {
                    problems.push(problem_of_car(row.id.0, reasons));
                }
            }
            (self.progress)(Progress::Done(count));
        }
        Ok((wanted, problems))
    }

    /// Stores the pictures, and returns the problems with them.
    fn store_pictures(
        &mut self,
        wanted: &Wanted,
        pictures: Pictures<'_>,
        mode: Mode,
    ) -> Result<Vec<Problem>, Error> {
        let Pictures::From(open) = pictures else {
            return Ok(Vec::new());
        };
        let mut problems = Vec::new();
        (self.progress)(Progress::Pictures(wanted.len() as u64));
        for (car, name) in wanted {
            match pictures::import(self.app, open, (*car, name), mode)? {
                Ok(stored) => drop(self.pictures.insert(*car, stored)),
                Err(problem) => problems.push(problem),
            }
            (self.progress)(Progress::Done(1));
        }
        Ok(problems)
    }

    /// Inserts all rows, and rolls them back.
    fn roll_back(mut self) -> Result<Imported, Error> {
        enum Undone {
            Done(Imported),
            Failed(Error),
        }
        impl From<StoreError> for Undone {
            fn from(error: StoreError) -> Self {
                Self::Failed(error.into())
            }
        }
        let undone = self.app.store.write(|unit| match self.insert(unit) {
            Ok(imported) => Err::<(), _>(Undone::Done(imported)),
            Err(error) => Err(Undone::Failed(error)),
        });
        match undone {
            Err(Undone::Done(imported)) => Ok(imported),
            Err(Undone::Failed(error)) => Err(error),
            Ok(()) => Ok(Imported::default()),
        }
    }

    fn insert(&mut self, unit: &mut dyn UnitOfWork) -> Result<Imported, Error> {
        // The server may have been in use since the check.
        refuse_unless_empty(unit)?;
        let mut imported = Imported::default();
        (self.progress)(Progress::Insert(
            self.counts.users + self.counts.cars + self.counts.tokens,
        ));
        let mut last = i64::MIN;
        while let Some(rows) = batch(self.source.users(last, BATCH))? {
            let mut users = Vec::with_capacity(rows.len());
            for row in rows {
                last = row.id.0;
                let user = self.converter.user(row);
                users.push(user.map_err(|reasons| refused(problem_of_user(last, reasons)))?);
            }
            let count = users.len() as u64;
            imported.users += count;
            self.insert_users(unit, users)?;
            (self.progress)(Progress::Done(count));
        }
        last = i64::MIN;
        while let Some(rows) = batch(self.source.cars(last, BATCH))? {
            let mut cars = Vec::with_capacity(rows.len());
            for row in rows {
                last = row.id.0;
                let car = self.converter.car(&row);
                cars.push(car.map_err(|reasons| refused(problem_of_car(last, reasons)))?);
            }
            let count = cars.len() as u64;
            imported.cars += count;
            self.insert_cars(unit, cars)?;
            (self.progress)(Progress::Done(count));
        }
        imported.pictures = self.pictures.len() as u64;
        self.insert_tokens(unit, &mut imported)?;
        self.set_next_ids(unit)?;
        Ok(imported)
    }

    fn insert_users(&self, unit: &mut dyn UnitOfWork, users: Vec<User>) -> Result<(), Error> {
        let entries: Vec<NewEntry> = users
            .iter()
            .map(|user| self.created(Object::user(user), audit::user_changes(None, Some(user))))
            .collect();
        unit.rows()
            .insert(&users.into_iter().map(Row::User).collect::<Vec<_>>())?;
        Ok(unit.audit_log().append(&entries)?)
    }

    fn insert_cars(&self, unit: &mut dyn UnitOfWork, cars: Vec<Car>) -> Result<(), Error> {
        let with_picture = |mut car: Car| {
            let stored = self.pictures.get(&car.id);
            car.image = stored.map(|stored| stored.path.clone());
            (car, stored.map(|stored| stored.bytes))
        };
        let cars: Vec<_> = cars.into_iter().map(with_picture).collect();
        let entries: Vec<NewEntry> = cars
            .iter()
            .map(|(car, _)| self.created(Object::car(car), audit::car_changes(None, Some(car))))
            .collect();
        let rows: Vec<Row> = cars
            .into_iter()
            .map(|(car, image_bytes)| Row::Car { car, image_bytes })
            .collect();
        unit.rows().insert(&rows)?;
        Ok(unit.audit_log().append(&entries)?)
    }

    fn created(&self, object: Object, changes: Vec<Change>) -> NewEntry {
        entry(self.app, self.caller, audit::Action::Created, object, changes)
    }

    /// Inserts the refresh tokens that have not expired: blacklisted ones stay refused, and admins see the others.
    fn insert_tokens(&mut self, unit: &mut dyn UnitOfWork, imported: &mut Imported) -> Result<(), Error> {
        let now = self.app.now();
        let mut last = i64::MIN;
        while let Some(tokens) = batch(self.source.tokens(last, BATCH))? {
            last = tokens.last().map_or(last, |token| token.number);
            let count = tokens.len() as u64;
            let live = tokens.into_iter().filter(|token| token.expires_at > now);
            let rows: Vec<Row> = live.map(|token| self.token(token)).collect();
            imported.tokens += rows.len() as u64;
            let is_blacklisted =
                |row: &&Row| matches!(row, Row::RefreshToken { token, .. } if token.revoked.is_some());
            imported.blacklisted += rows.iter().filter(is_blacklisted).count() as u64;
            unit.rows().insert(&rows)?;
            (self.progress)(Progress::Done(count));
        }
        Ok(())
    }

    fn token(&self, token: DjangoToken) -> Row {
        let issued_at = token.issued_at.or(token.blacklisted_at);
        Row::RefreshToken {
            number: token.number,
            token: RefreshToken {
                id: token.jti,
                user: token.user.filter(|user| self.converter.knows(*user)),
                issued_at: issued_at.unwrap_or_else(|| self.app.now()),
                expires_at: token.expires_at,
                revoked: token.blacklisted_at.map(|_| Revocation::LoggedOut),
                revoked_at: token.blacklisted_at,
                last_used_at: None,
                family: None,
            },
        }
    }

    fn set_next_ids(&mut self, unit: &mut dyn UnitOfWork) -> Result<(), Error> {
        let next = self.source.next_ids().map_err(Error::Source)?;
        unit.rows().set_next_id(Table::Users, next.user)?;
        unit.rows().set_next_id(Table::Cars, next.car)?;
        Ok(unit.rows().set_next_id(Table::RefreshTokens, next.token)?)
    }
}

/// Returns the rows of a batch; `None` after the last one.
fn batch<T>(rows: Result<Vec<T>, BoxError>) -> Result<Option<Vec<T>>, Error> {
    let rows = rows.map_err(Error::Source)?;
    Ok((!rows.is_empty()).then_some(rows))
}

fn refused(problem: Problem) -> Error {
    Error::Problems(vec![problem])
}
