//! Whether the stored pictures belong to the database.

use mycars_domain::{Action, Target, policy};

use super::Error;
use crate::{
    App, Caller, cars,
    ports::{Installation, Row, StoreError, Table},
};

/// Number of random bytes in the id of an installation.
const ID_BYTES: usize = 16;

/// Maximum number of pictures that are looked up in the database. If it refers to none of them, it counts as another
/// database.
const MAX_LOOKUPS: usize = 1000;

/// Whether the stored pictures belong to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// The image store has the id of this database.
    Same,
    /// The image store has no id, and either has no pictures or the database refers to one of them.
    Unclaimed,
    /// The image store has no id, and the database refers to none of its pictures.
    Unproven,
    /// The image store has the id of another database.
    Other,
}

/// Stores the id of this database in the image store if it is [`Ownership::Unclaimed`], and returns the state
/// afterwards. Never replaces another id.
///
/// # Errors
/// [`cars::Error::Denied`] for all callers but the program itself; [`Error::Images`]; [`cars::Error::Store`].
pub fn claim(app: &App, caller: &Caller) -> Result<Ownership, Error> {
    policy::check(&caller.actor, Action::SweepImages, Target::NOTHING).map_err(cars::Error::from)?;
    let ownership = read_ownership(app)?;
    if ownership != Ownership::Unclaimed {
        return Ok(ownership);
    }
    app.images.set_owner(&installation_id(app)?, false)?;
    // Another server may have been faster, with the same database or with another one.
    read_ownership(app)
}

/// Stores the id of this database in the image store, and replaces any other.
///
/// # Errors
/// [`cars::Error::Denied`] for all callers but the program itself; [`Error::Images`]; [`cars::Error::Store`].
pub fn adopt(app: &App, caller: &Caller) -> Result<(), Error> {
    policy::check(&caller.actor, Action::SweepImages, Target::NOTHING).map_err(cars::Error::from)?;
    Ok(app.images.set_owner(&installation_id(app)?, true)?)
}

/// Returns whether the stored pictures belong to the database. Changes nothing, also if the database has no id yet.
///
/// # Errors
/// [`cars::Error::Denied`] for all callers but the program itself; [`Error::Images`]; [`cars::Error::Store`].
pub fn ownership(app: &App, caller: &Caller) -> Result<Ownership, Error> {
    policy::check(&caller.actor, Action::SweepImages, Target::NOTHING).map_err(cars::Error::from)?;
    let rows = app
        .store
        .read(|unit| unit.rows().list(Table::Installation, i64::MIN, 1))?;
    let id = rows.into_iter().find_map(|row| match row {
        Row::Installation(installation) => Some(installation.id),
        _ => None,
    });
    compare(app, id.as_deref())
}

/// Returns whether the stored pictures belong to the database, which gets an id if it has none.
pub(super) fn read_ownership(app: &App) -> Result<Ownership, Error> {
    compare(app, Some(&installation_id(app)?))
}

/// Compares the id of the database with that in the image store.
fn compare(app: &App, id: Option<&str>) -> Result<Ownership, Error> {
    match app.images.owner()? {
        Some(owner) if Some(&*owner) == id => Ok(Ownership::Same),
        Some(_) => Ok(Ownership::Other),
        None if names_one_if_any(app)? => Ok(Ownership::Unclaimed),
        None => Ok(Ownership::Unproven),
    }
}

/// Returns whether the database refers to one of the stored pictures, or there are none.
fn names_one_if_any(app: &App) -> Result<bool, Error> {
    let images = app.images.list()?;
    for image in images.iter().take(MAX_LOOKUPS) {
        if app.store.read(|unit| unit.cars().has_image(&image.path))? {
            return Ok(true);
        }
    }
    Ok(images.is_empty())
}

/// Returns the id of this database, which is created at the first call.
pub(super) fn installation_id(app: &App) -> Result<String, StoreError> {
    let new = Installation {
        id: app.random.hex(ID_BYTES),
        created_at: app.now(),
    };
    let kept = app.store.write(|unit| unit.installation().find_or_insert(&new))?;
    Ok(kept.id)
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::SystemTime;

    use mycars_domain::values::ImagePath;

    use super::*;
    use crate::{
        mocks::{Mocks, samples},
        ports::StoredImage,
    };

    /// The id of the database in these tests.
    pub(in crate::images) const ID: &str = "this database";

    /// Returns mocks of a database with [`ID`] and an image store with this owner.
    pub(in crate::images) fn owned_by(owner: Option<&'static str>) -> Mocks {
        let kept = |id: &str| Installation {
            id: id.into(),
            created_at: samples::now(),
        };
        let mut mocks = Mocks::new().with_random("new");
        mocks
            .unit
            .installation
            .expect_find_or_insert()
            .withf(move |new| *new == kept("new"))
            .returning(move |_| Ok(kept(ID)));
        mocks
            .images
            .expect_owner()
            .returning(move || Ok(owner.map(str::to_owned)));
        mocks
    }

    /// Returns mocks of an image store without an owner but with these pictures, some of which the database refers
    /// to.
    fn unowned(images: usize, is_named: fn(&ImagePath) -> bool) -> Mocks {
        let mut mocks = owned_by(None);
        let stored = move |number| StoredImage {
            path: ImagePath::from_storage(format!("cars/{number}.jpg")),
            bytes: 1,
            modified: SystemTime::UNIX_EPOCH,
        };
        mocks
            .images
            .expect_list()
            .returning(move || Ok((0..images).map(stored).collect()));
        mocks
            .unit
            .cars
            .expect_has_image()
            .times(..=MAX_LOOKUPS)
            .returning(move |path| Ok(is_named(path)));
        mocks
    }

    fn claim_with(mocks: Mocks) -> Ownership {
        claim(&mocks.into_app().0, &Caller::system()).unwrap()
    }

    #[test]
    fn claim_with_known_owner_writes_nothing() {
        assert_eq!(claim_with(owned_by(Some(ID))), Ownership::Same);
        assert_eq!(claim_with(owned_by(Some("another"))), Ownership::Other);
        assert_eq!(claim_with(owned_by(Some(""))), Ownership::Other);
    }

    #[test]
    fn claim_without_any_named_picture_writes_nothing() {
        for images in [1, 3, MAX_LOOKUPS + 1] {
            assert_eq!(claim_with(unowned(images, |_| false)), Ownership::Unproven);
        }
        let named_too_late = |path: &ImagePath| path.as_str() == format!("cars/{MAX_LOOKUPS}.jpg");
        assert_eq!(
            claim_with(unowned(MAX_LOOKUPS + 1, named_too_late)),
            Ownership::Unproven
        );
    }

    #[test]
    fn claim_of_empty_or_named_store_writes_id_without_overwriting() {
        for images in [0, 1, 3] {
            let named_last = move |path: &ImagePath| !matches!(path.as_str(), "cars/1.jpg");
            let mut mocks = unowned(images, named_last);
            mocks
                .images
                .expect_set_owner()
                .withf(|id, overwrite| id == ID && !overwrite)
                .once()
                .returning(|_, _| Ok(()));
            // The mocked store still has no owner afterwards.
            assert_eq!(claim_with(mocks), Ownership::Unclaimed);
        }
    }

    #[test]
    fn claim_after_faster_server_returns_its_result() {
        for (faster, expected) in [(ID, Ownership::Same), ("another", Ownership::Other)] {
            let mut owners = [None, Some(faster.to_owned())].into_iter();
            let mut mocks = Mocks::new().with_random("new");
            mocks
                .images
                .expect_owner()
                .times(2)
                .returning(move || Ok(owners.next().unwrap()));
            mocks.unit.installation.expect_find_or_insert().returning(|new| {
                Ok(Installation {
                    id: ID.into(),
                    ..new.clone()
                })
            });
            mocks.images.expect_list().returning(|| Ok(Vec::new()));
            mocks.images.expect_set_owner().once().returning(|_, _| Ok(()));
            assert_eq!(claim_with(mocks), expected);
        }
    }

    #[test]
    fn ownership_of_database_without_id_writes_nothing() {
        for (owner, expected) in [(Some("another"), Ownership::Other), (None, Ownership::Unclaimed)] {
            let mut mocks = Mocks::new();
            mocks.unit.rows.expect_list().returning(|_, _, _| Ok(Vec::new()));
            mocks
                .images
                .expect_owner()
                .returning(move || Ok(owner.map(str::to_owned)));
            mocks.images.expect_list().returning(|| Ok(Vec::new()));
            let (app, _) = mocks.into_app();
            assert_eq!(ownership(&app, &Caller::system()).unwrap(), expected);
            assert!(ownership(&app, &samples::admin()).is_err());
        }
    }

    #[test]
    fn adopt_overwrites_the_owner() {
        let mut mocks = owned_by(Some("another"));
        mocks
            .images
            .expect_set_owner()
            .withf(|id, overwrite| id == ID && *overwrite)
            .once()
            .returning(|_, _| Ok(()));
        adopt(&mocks.into_app().0, &Caller::system()).unwrap();
    }
}
