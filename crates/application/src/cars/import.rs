//! Import many cars of one owner at once.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use mycars_domain::{
    Action, Field, NewCar, Target, UserId, Violation, Violations, policy, values::LicensePlate,
};

use super::{CarInput, CarScope, Error, fields::CarFields};
use crate::{
    App, Caller, UpdateMode, audit,
    input::Checker,
    ports::{StoreError, UnitOfWork},
    quotas,
};

/// Maximum number of rows of an import. All of them are stored in one transaction, for which other writers wait.
pub const MAX_ROWS: usize = 10_000;

/// A row of a file of cars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarRow {
    /// Number of the row in the file, for errors.
    pub row: u64,
    /// The fields of the row.
    pub input: CarInput,
}

/// Whether an import is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    /// The cars are stored.
    Store,
    /// All checks are made, and nothing is stored.
    DryRun,
}

/// A row that cannot be imported, with all its violations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRow {
    /// Number of the row in the file.
    pub row: u64,
    /// The violations.
    pub violations: Violations,
}

/// The errors of an import. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Rows are invalid; holds all of them, in the order of the file.
    #[error("{} rows are invalid", .0.len())]
    Rows(Vec<InvalidRow>),
    /// The import as a whole is refused, or the store failed.
    #[error(transparent)]
    Cars(#[from] Error),
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Cars(error.into())
    }
}

/// Adds the cars of all rows in one transaction, or none of them. Returns the number of cars that were added or, in a
/// dry run, would be added. The first row becomes the newest car, so that the list has the order of the file.
///
/// A plate may also be taken by an earlier row. Of plates that are taken by cars of other users, only the first is
/// reported, unless the caller may read all users: adapters limit how often a caller learns that a plate is taken.
///
/// # Errors
/// [`ImportError::Rows`] with the violations of all rows. [`ImportError::Cars`]: [`Error::Denied`]; [`Error::Invalid`]
/// if there are no rows or more than [`MAX_ROWS`], or if the quota of the owner leaves no room for all of them;
/// [`Error::OwnerGone`], also with [`CarScope::All`], which has no owner; [`Error::Store`].
///
/// ```
/// use mycars_application::{cars::{self, CarInput, CarRow, CarScope, ImportError, ImportMode}, mocks::{Mocks, samples}};
/// use mycars_domain::{Field, Violation};
///
/// let mut mocks = Mocks::new().with_user_locked(samples::user());
/// mocks.unit.cars.expect_license_owners().returning(|plates| Ok(vec![None; plates.len()]));
/// let (app, _) = mocks.into_app();
///
/// let rows = [CarRow { row: 2, input: CarInput { brand: "VW".into(), ..CarInput::default() } }];
/// let refused = cars::import(&app, &samples::ann(), CarScope::Caller, &rows, ImportMode::Store);
/// let Err(ImportError::Rows(invalid)) = refused else { panic!("it must be refused") };
/// assert_eq!(invalid[0].violations.of(Field::Model), [Violation::Required]);
/// ```
pub fn import(
    app: &App,
    caller: &Caller,
    scope: CarScope,
    rows: &[CarRow],
    mode: ImportMode,
) -> Result<u64, ImportError> {
    let owner = scope.owner(caller, Action::CreateCar)?.ok_or(Error::OwnerGone)?;
    check_number(rows)?;
    app.disk_space.check()?;
    let mut parsed = parse(app, rows);
    app.store.write(|unit| {
        lock_owner(unit, caller, scope, owner)?;
        if let Some(violation) = quotas::check_cars(app, unit, owner, rows.len())? {
            return Err(Error::Invalid(Violations::one(Field::NonField, violation)).into());
        }
        check_plates(unit, caller, owner, &mut parsed)?;
        let new = into_new(app, owner, parsed)?;
        if mode == ImportMode::Store {
            let cars = unit.cars().insert_all(&new)?;
            audit::cars_created(app, unit, caller, &cars)?;
        }
        Ok(new.len() as u64)
    })
}

/// A row whose fields were checked by themselves.
struct ParsedRow {
    row: u64,
    fields: CarFields,
    violations: Violations,
}

fn check_number(rows: &[CarRow]) -> Result<(), Error> {
    let violation = match rows.len() {
        0 => Violation::EmptyFile,
        1..=MAX_ROWS => return Ok(()),
        _ => Violation::TooManyRows { max: MAX_ROWS },
    };
    Err(Violations::one(Field::File, violation).into())
}

fn parse(app: &App, rows: &[CarRow]) -> Vec<ParsedRow> {
    rows.iter()
        .map(|CarRow { row, input }| {
            let mut checker = Checker::new(UpdateMode::Full);
            let fields = CarFields::parse(&mut checker, input, app.current_year(), None);
            ParsedRow {
                row: *row,
                fields,
                violations: checker.finish().err().unwrap_or_default(),
            }
        })
        .collect()
}

/// Locks the owner, for the quota, and rechecks an admin who imports for them.
fn lock_owner(
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    scope: CarScope,
    owner: UserId,
) -> Result<(), Error> {
    let owner = match scope {
        CarScope::Caller => unit.users().find_for_update(owner)?,
        CarScope::Owner(_) | CarScope::All => caller.recheck_with::<Error>(unit, owner)?,
    };
    owner.map(drop).ok_or(Error::OwnerGone)
}

/// Adds the violations of plates that are taken, by an earlier row or by a car.
fn check_plates(
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    owner: UserId,
    rows: &mut [ParsedRow],
) -> Result<(), StoreError> {
    let plates: Vec<LicensePlate> = rows
        .iter()
        .filter_map(|row| row.fields.license().cloned())
        .collect();
    let mut holders = unit.cars().license_owners(&plates)?.into_iter();
    let mut earlier = HashMap::new();
    let mut may_report_others = true;
    let may_read_all = policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING).is_ok();
    for row in rows {
        let Some(plate) = row.fields.license() else {
            continue;
        };
        let holder = holders.next().flatten();
        if let Some(first) = earlier.get(&plate.key()) {
            row.violations
                .add(Field::License, Violation::TakenInFile { row: *first });
            continue;
        }
        earlier.insert(plate.key(), row.row);
        let is_own = holder == Some(owner);
        if is_own || holder.is_some() && may_report_others {
            row.violations.add(Field::License, Violation::Taken);
            may_report_others &= is_own || may_read_all;
        }
    }
    Ok(())
}

/// Returns the cars from the last row to the first, or the invalid rows.
fn into_new(app: &App, owner: UserId, rows: Vec<ParsedRow>) -> Result<Vec<NewCar>, ImportError> {
    let is_valid = rows.iter().all(|row| row.violations.is_empty());
    if !is_valid {
        let invalid = rows.into_iter().filter(|row| !row.violations.is_empty());
        let invalid = invalid.map(|ParsedRow { row, violations, .. }| InvalidRow { row, violations });
        return Err(ImportError::Rows(invalid.collect()));
    }
    let created_at: DateTime<Utc> = app.now();
    let new = rows.into_iter().rev().map(|row| {
        let new = row.fields.into_new(app, Some(owner))?;
        Ok(NewCar { created_at, ..new })
    });
    new.collect()
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Car, CarId, Rank};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{MockStore, Mocks, samples},
        ports::CarCount,
    };

    const ANN: UserId = UserId(1);

    fn camry(row: u64, license: &str) -> CarRow {
        CarRow {
            row,
            input: CarInput {
                brand: "Toyota".into(),
                model: "Camry".into(),
                year: 2023.into(),
                license: license.into(),
                ..CarInput::default()
            },
        }
    }

    /// Returns mocks with Ann as the owner, in which the plates that `holder` knows are taken.
    fn mocks(holder: fn(&str) -> Option<i64>) -> Mocks {
        let mut mocks = Mocks::new().with_user_locked(samples::user());
        mocks.unit.cars.expect_license_owners().returning(move |plates| {
            let holder = |plate: &LicensePlate| holder(plate.as_str()).map(UserId);
            Ok(plates.iter().map(holder).collect())
        });
        mocks
    }

    /// Stores all cars under the ids 10, 11 and so on.
    fn with_inserts(mut mocks: Mocks) -> Mocks {
        mocks.unit.cars.expect_insert_all().once().returning(|new| {
            let ids = 10..;
            let car = |(new, id): (&NewCar, i64)| new.clone().with_id(CarId(id));
            Ok(new.iter().zip(ids).map(car).collect())
        });
        mocks
    }

    fn import_own(app: &App, rows: &[CarRow]) -> Result<u64, ImportError> {
        import(app, &samples::ann(), CarScope::Caller, rows, ImportMode::Store)
    }

    /// Returns the violations of plates by row.
    fn plates(outcome: Result<u64, ImportError>) -> Vec<(u64, Vec<Violation>)> {
        match outcome {
            Err(ImportError::Rows(rows)) => rows
                .iter()
                .map(|row| (row.row, row.violations.of(Field::License).to_vec()))
                .collect(),
            other => panic!("rows must be invalid: {other:?}"),
        }
    }

    fn assert_nothing_stored(store: &MockStore) {
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn import_stores_the_last_row_first_and_is_logged() {
        let (app, store) = with_inserts(mocks(|_| None)).into_app();
        let rows = [camry(2, "A"), camry(3, " B "), camry(4, "C")];
        assert_eq!(import_own(&app, &rows).unwrap(), 3);
        assert_eq!((store.commits(), store.rollbacks()), (1, 0));
        let names: Vec<String> = store
            .entries()
            .into_iter()
            .map(|entry| entry.object.name)
            .collect();
        assert_eq!(
            names,
            ["Toyota Camry (C)", "Toyota Camry (B)", "Toyota Camry (A)"]
        );
    }

    #[test]
    fn import_of_one_row_is_logged_like_a_new_car() {
        let mut mocks = mocks(|_| None);
        let stored = |_: &[NewCar]| -> Result<Vec<Car>, StoreError> { Ok(vec![samples::car()]) };
        mocks.unit.cars.expect_insert_all().once().returning(stored);
        let (app, store) = mocks.into_app();
        import_own(&app, &[camry(2, "AB 123")]).unwrap();
        assert_eq!(store.entries(), [expected::car_is_new(&samples::ann())]);
    }

    #[test]
    fn dry_run_counts_and_stores_nothing() {
        let (app, store) = mocks(|_| None).into_app();
        let rows = [camry(2, "A"), camry(3, "B")];
        let counted = import(&app, &samples::ann(), CarScope::Caller, &rows, ImportMode::DryRun);
        assert_eq!(counted.unwrap(), 2);
        assert_eq!(store.entries(), []);
    }

    #[test]
    fn import_reports_all_violations_of_all_rows() {
        let (app, store) = mocks(|plate| (plate == "MINE").then_some(1)).into_app();
        let mut third = camry(4, "MINE");
        third.input.year = 1885.into();
        let rows = [
            CarRow {
                row: 2,
                input: CarInput::default(),
            },
            camry(3, "A"),
            third,
        ];
        let Err(ImportError::Rows(invalid)) = import_own(&app, &rows) else {
            panic!("it must be refused");
        };
        assert_eq!(invalid.iter().map(|row| row.row).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(invalid[0].violations.iter().count(), 4);
        assert_eq!(
            invalid[1].violations.of(Field::Year),
            [Violation::TooSmall { min: 1886 }]
        );
        assert_eq!(invalid[1].violations.of(Field::License), [Violation::Taken]);
        assert_nothing_stored(&store);
    }

    #[test]
    fn plate_twice_in_the_file_is_invalid_in_any_case() {
        let (app, store) = mocks(|_| None).into_app();
        let rows = [
            camry(2, "B-ÖA 1"),
            camry(3, "B"),
            camry(4, "b-öa 1"),
            camry(5, "B-Öa 1"),
        ];
        let twice = || vec![Violation::TakenInFile { row: 2 }];
        assert_eq!(plates(import_own(&app, &rows)), [(4, twice()), (5, twice())]);
        assert_nothing_stored(&store);
    }

    #[test]
    fn only_one_plate_of_other_users_is_reported_to_clients() {
        let holder = |plate: &str| match plate {
            "MINE" => Some(1),
            "FREE" => None,
            _ => Some(7),
        };
        let rows = [
            camry(2, "THEIRS 1"),
            camry(3, "MINE"),
            camry(4, "THEIRS 2"),
            camry(5, "FREE"),
        ];
        let (app, _) = mocks(holder).into_app();
        let taken = || vec![Violation::Taken];
        assert_eq!(plates(import_own(&app, &rows)), [(2, taken()), (3, taken())]);

        let admin = samples::other_user(Rank::Admin);
        let (app, _) = mocks(holder).into_app();
        let all = import(&app, &admin, CarScope::Owner(ANN), &rows, ImportMode::DryRun);
        assert_eq!(plates(all), [(2, taken()), (3, taken()), (4, taken())]);
    }

    #[test]
    fn import_beyond_the_quota_is_invalid_as_a_whole() {
        let rows = [camry(2, "A"), camry(3, "B")];
        for (cars, is_allowed) in [(5, true), (6, false), (9, false)] {
            let mut mocks = mocks(|_| None);
            let count = CarCount { cars, pictures: 0 };
            mocks
                .unit
                .cars
                .expect_count_of()
                .once()
                .returning(move |_| Ok(count));
            let mocks = if is_allowed { with_inserts(mocks) } else { mocks };
            let (mut app, store) = mocks.into_app();
            app.quotas.cars = Some(7);
            match import_own(&app, &rows) {
                Ok(created) => assert!(is_allowed && created == 2),
                Err(ImportError::Cars(error)) => {
                    let full = Violations::one(Field::NonField, Violation::TooManyCars { max: 7 });
                    assert!(!is_allowed);
                    assert_eq!(error.violations(), full);
                    assert_nothing_stored(&store);
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn number_of_rows_is_checked_before_the_store() {
        let many: Vec<CarRow> = (0..=MAX_ROWS as u64).map(|row| camry(row, "A")).collect();
        for (rows, violation) in [
            (&[][..], Violation::EmptyFile),
            (&many[..], Violation::TooManyRows { max: MAX_ROWS }),
        ] {
            let (app, store) = Mocks::new().into_app();
            let refused = import_own(&app, rows);
            let Err(ImportError::Cars(error)) = refused else {
                panic!("it must be refused");
            };
            assert_eq!(error.violations(), Violations::one(Field::File, violation));
            assert_eq!(store.rollbacks(), 0);
        }
    }

    #[test]
    fn import_for_others_requires_an_admin_and_one_owner() {
        let rows = [camry(2, "A")];
        let (app, store) = Mocks::new().into_app();
        for (caller, scope) in [
            (samples::anonymous(), CarScope::Caller),
            (samples::ann(), CarScope::Owner(ANN)),
            (samples::ann(), CarScope::All),
        ] {
            let outcome = import(&app, &caller, scope, &rows, ImportMode::Store);
            assert!(matches!(outcome, Err(ImportError::Cars(Error::Denied(_)))));
        }
        let of_all = import(&app, &samples::admin(), CarScope::All, &rows, ImportMode::Store);
        assert!(matches!(of_all, Err(ImportError::Cars(Error::OwnerGone))));
        assert_eq!(store.rollbacks(), 0);
    }

    #[test]
    fn import_for_a_deleted_owner_is_owner_gone() {
        let (app, _) = Mocks::new().without_user().into_app();
        let refused = import_own(&app, &[camry(2, "A")]);
        assert!(matches!(refused, Err(ImportError::Cars(Error::OwnerGone))));
    }
}
