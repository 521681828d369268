//! Set the picture of a car.

use chrono::{DateTime, Utc};
use mycars_domain::{Action, Car, CarId, Field, UserId, Violation, Violations};

use super::{Error, delete_unused, new_path};
use crate::{
    App, Caller, Input, audit,
    cars::{self, CarScope, authorize_car, check_version},
    ports::{ImageError, ImageStoreError, UnitOfWork, Upload},
    quotas,
};

/// An uploaded file.
pub struct UploadedFile<'a> {
    /// The content.
    pub content: &'a mut dyn Upload,
    /// The size in bytes.
    pub size: u64,
}

/// Sets or replaces the picture of a car in the scope, and returns the car.
///
/// # Errors
/// [`cars::Error::NotFound`] and [`cars::Error::Denied`], before the file is read; [`cars::Error::Invalid`] if the
/// file is no supported picture, or the owner's quota is used up; [`Error::Images`]; [`cars::Error::Store`].
///
/// ```
/// use std::io::Cursor;
///
/// use mycars_application::{
///     Input, cars::CarScope, images::{self, UploadedFile}, mocks::{Mocks, samples},
/// };
/// use mycars_domain::CarId;
///
/// let mut mocks = Mocks::new();
/// mocks.unit.cars.expect_find().returning(|_| Ok(Some(samples::car())));
/// mocks.unit.cars.expect_find_for_update().returning(|_| Ok(Some(samples::car())));
/// mocks.unit.cars.expect_update().returning(|_| Ok(()));
/// mocks.unit.cars.expect_set_image_bytes().returning(|_, _, _| Ok(()));
/// mocks.image_processor.expect_process().returning(|_| Ok(b"as a JPEG".to_vec()));
/// mocks.random.expect_hex().returning(|_| "0f3c".into());
/// mocks.images.expect_put().returning(|_, _| Ok(()));
/// let (app, _) = mocks.into_app();
///
/// let mut content = Cursor::new(b"a picture");
/// let file = Input::Given(UploadedFile { size: 9, content: &mut content });
/// let car = images::upload(&app, &samples::ann(), CarScope::Caller, CarId(10), file)?;
/// assert_eq!(car.image.unwrap().as_str(), "cars/car_10_0f3c.jpg");
/// # Ok::<(), images::Error>(())
/// ```
pub fn upload(
    app: &App,
    caller: &Caller,
    scope: CarScope,
    id: CarId,
    file: Input<UploadedFile<'_>>,
) -> Result<Car, Error> {
    let car = cars::read(app, caller, scope, id)?;
    check_room(app, &car)?;
    let picture = prepare(app, file)?;
    attach(app, caller, scope, id, &picture, None)
}

/// Refuses an upload before it is decoded if there is no room even for an empty picture.
fn check_room(app: &App, car: &Car) -> Result<(), Error> {
    app.disk_space.check()?;
    let Some(max_bytes) = app.quotas.picture_bytes else {
        return Ok(());
    };
    let owner = car.owner;
    let others = app
        .store
        .read(|unit| unit.cars().image_bytes_of(owner, Some(car.id)))?;
    if others < max_bytes {
        Ok(())
    } else {
        Err(refused(Violation::TooManyPictureBytes { max_bytes }))
    }
}

/// An encoded picture that is not stored yet.
pub struct Picture(Vec<u8>);

impl Picture {
    /// Returns the picture as a JPEG.
    pub(crate) fn jpeg(&self) -> &[u8] {
        &self.0
    }
}

/// Decodes and encodes an upload without storing it, so that it can be checked before its car is created.
///
/// # Errors
/// [`cars::Error::Invalid`] if the file is no supported picture; [`Error::Images`].
pub fn prepare(app: &App, file: Input<UploadedFile<'_>>) -> Result<Picture, Error> {
    process(app, file).map(Picture)
}

/// Stores a picture, sets or replaces the picture of a car in the scope with it, and returns the car. With `version`,
/// the time of a car's last change, only that version is changed.
///
/// # Errors
/// [`cars::Error::NotFound`]; [`cars::Error::Denied`]; [`cars::Error::Conflict`] if the car has another version;
/// [`Error::Images`]; [`cars::Error::Store`].
pub fn attach(
    app: &App,
    caller: &Caller,
    scope: CarScope,
    id: CarId,
    picture: &Picture,
    version: Option<DateTime<Utc>>,
) -> Result<Car, Error> {
    app.disk_space.check()?;
    let path = new_path(app, id);
    app.images.put(&path, &picture.0)?;
    let bytes = picture.0.len() as u64;
    let written = app.store.write(|unit| {
        let owner = match app.quotas.picture_bytes {
            Some(_) => unit.cars().find(id)?.map(|car| car.owner),
            None => None,
        };
        scope.recheck(unit, caller, owner)?;
        check_quota(app, unit, owner, id, bytes)?;
        let car = unit.cars().find_for_update(id)?;
        let before = authorize_car(caller, Action::ChangeCar, scope, car)?;
        check_version(&before, version)?;
        let car = Car {
            image: Some(path.clone()),
            updated_at: app.now_after(before.updated_at),
            ..before.clone()
        };
        unit.cars().update(&car)?;
        unit.cars().set_image_bytes(id, &path, bytes)?;
        audit::car_changed(app, unit, caller, &before, &car)?;
        Ok::<_, cars::Error>((car, before.image))
    });
    match written {
        Ok((car, old)) => {
            delete_unused(app, old);
            Ok(car)
        }
        Err(error) => {
            // The store may have committed before it failed: then a row refers to the new picture. If none does, a
            // sweep finds it.
            if !matches!(error, cars::Error::Store(_)) {
                delete_unused(app, Some(path));
            }
            Err(error.into())
        }
    }
}

/// Checks that the owner of a car has room for a picture of this size.
fn check_quota(
    app: &App,
    unit: &mut dyn UnitOfWork,
    owner: Option<UserId>,
    id: CarId,
    bytes: u64,
) -> Result<(), cars::Error> {
    let Some(owner) = owner else {
        return Ok(());
    };
    match quotas::check_picture(app, unit, (owner, id), bytes)? {
        Some(violation) => Err(Violations::one(Field::Image, violation).into()),
        None => Ok(()),
    }
}

fn process(app: &App, file: Input<UploadedFile<'_>>) -> Result<Vec<u8>, Error> {
    let file = match file {
        Input::Absent => return Err(refused(Violation::NoFile)),
        Input::Null => return Err(refused(Violation::Null)),
        Input::Invalid(violation) => return Err(refused(violation)),
        Input::Given(file) => file,
    };
    if file.size == 0 {
        return Err(refused(Violation::EmptyFile));
    }
    if file.size > app.max_image_bytes {
        return Err(refused(Violation::FileTooLarge {
            max_bytes: app.max_image_bytes,
        }));
    }
    app.image_processor
        .process(file.content)
        .map_err(|error| match error {
            ImageError::NotAnImage => refused(Violation::NotAnImage),
            ImageError::UnsupportedFormat(format) => refused(Violation::UnsupportedFormat(format)),
            ImageError::TooManyPixels { max_megapixels } => {
                refused(Violation::TooManyPixels { max_megapixels })
            }
            ImageError::Failed(cause) => ImageStoreError::Other(cause).into(),
        })
}

fn refused(violation: Violation) -> Error {
    cars::Error::Invalid(Violations::one(Field::Image, violation)).into()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use mockall::Sequence;
    use mycars_domain::{
        Denied, Rank, UnsupportedFormat,
        audit::{NewEntry, Value},
    };

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::StoreError,
    };

    const NEW: &str = "cars/car_10_random.jpg";
    const OLD: &str = "cars/car_10_old.jpg";

    /// Uploads a file of this size for Ann, and returns the result and the entries of the audit log.
    fn upload_of(size: u64, mocks: Mocks) -> (Result<Car, Error>, Vec<NewEntry>) {
        let mut content = Cursor::new(vec![0; usize::try_from(size).unwrap()]);
        let file = UploadedFile {
            content: &mut content,
            size,
        };
        let (app, store) = mocks.into_app();
        let file = Input::Given(file);
        let outcome = upload(&app, &samples::ann(), CarScope::Caller, CarId(10), file);
        (outcome, store.entries())
    }

    fn mocks() -> Mocks {
        Mocks::new().with_car_read(samples::car())
    }

    fn violation((outcome, entries): (Result<Car, Error>, Vec<NewEntry>)) -> Violation {
        assert_eq!(entries, []);
        match outcome {
            Err(Error::Car(cars::Error::Invalid(violations))) => violations.of(Field::Image)[0].clone(),
            other => panic!("must be refused: {other:?}"),
        }
    }

    #[test]
    fn upload_to_other_users_car_is_not_found_unread() {
        let (app, _) = mocks().into_app();
        for rank in [Rank::Client, Rank::Admin] {
            let caller = samples::other_user(rank);
            let refused = upload(&app, &caller, CarScope::Caller, CarId(10), Input::Absent);
            assert!(matches!(refused, Err(Error::Car(cars::Error::NotFound))));
        }
    }

    #[test]
    fn missing_empty_or_large_file_is_refused_unread() {
        let absent = |file| {
            let (app, store) = mocks().into_app();
            let outcome = upload(&app, &samples::ann(), CarScope::Caller, CarId(10), file);
            violation((outcome, store.entries()))
        };
        assert_eq!(absent(Input::Absent), Violation::NoFile);
        assert_eq!(absent(Input::Null), Violation::Null);
        assert_eq!(absent(Input::Invalid(Violation::NotAFile)), Violation::NotAFile);
        assert_eq!(violation(upload_of(0, mocks())), Violation::EmptyFile);
        let max_bytes = samples::MAX_IMAGE_BYTES;
        assert_eq!(
            violation(upload_of(max_bytes + 1, mocks())),
            Violation::FileTooLarge { max_bytes }
        );
    }

    #[test]
    fn upload_of_no_picture_is_invalid() {
        let heic = UnsupportedFormat::Heic;
        let max_megapixels = 40;
        for (error, expected) in [
            (ImageError::NotAnImage, Violation::NotAnImage),
            (
                ImageError::UnsupportedFormat(heic),
                Violation::UnsupportedFormat(heic),
            ),
            (
                ImageError::TooManyPixels { max_megapixels },
                Violation::TooManyPixels { max_megapixels },
            ),
        ] {
            let mut mocks = mocks();
            let processor = &mut mocks.image_processor;
            processor.expect_process().return_once(|_| Err(error));
            assert_eq!(violation(upload_of(1, mocks)), expected);
        }
    }

    #[test]
    fn upload_stores_the_file_then_the_row_then_deletes_the_old() {
        let mut order = Sequence::new();
        let mut mocks = mocks()
            .with_random("random")
            .with_car_locked(samples::car_with_image(OLD));
        mocks
            .image_processor
            .expect_process()
            .returning(|_| Ok(vec![1, 2, 3]));
        mocks
            .images
            .expect_put()
            .withf(|path, jpeg| path.as_str() == NEW && jpeg == [1, 2, 3])
            .once()
            .in_sequence(&mut order)
            .returning(|_, _| Ok(()));
        mocks
            .unit
            .cars
            .expect_update()
            .withf(|car| car.image.as_ref().is_some_and(|path| path.as_str() == NEW))
            .once()
            .in_sequence(&mut order)
            .returning(|_| Ok(()));
        mocks
            .unit
            .cars
            .expect_set_image_bytes()
            .withf(|car, path, bytes| (*car, path.as_str(), *bytes) == (CarId(10), NEW, 3))
            .once()
            .in_sequence(&mut order)
            .returning(|_, _, _| Ok(()));
        mocks
            .images
            .expect_delete()
            .withf(|path| path.as_str() == OLD)
            .once()
            .in_sequence(&mut order)
            .returning(|_| Ok(()));
        mocks.unit.cars.expect_has_image().once().returning(|_| Ok(false));
        let (car, entries) = upload_of(1, mocks);
        let car = car.unwrap();
        assert_eq!(car.image.unwrap().as_str(), NEW);
        assert_eq!(car.updated_at, samples::now());
        let change = (Field::Image, OLD.into(), NEW.into());
        assert_eq!(entries, [expected::car_changed(&samples::ann(), [change])]);
    }

    #[test]
    fn prepared_picture_can_be_attached_later() {
        let mut mocks = Mocks::new()
            .with_random("random")
            .expect_image_put(NEW, &[7])
            .with_car_locked(samples::car())
            .expect_car_update(|_| true);
        let cars = &mut mocks.unit.cars;
        cars.expect_set_image_bytes().once().returning(|_, _, _| Ok(()));
        mocks
            .image_processor
            .expect_process()
            .once()
            .returning(|_| Ok(vec![7]));
        let (app, store) = mocks.into_app();
        let mut content = Cursor::new(vec![1, 2]);
        let file = UploadedFile {
            content: &mut content,
            size: 2,
        };
        let picture = prepare(&app, Input::Given(file)).unwrap();
        assert_eq!((store.reads(), store.commits()), (0, 0));
        let admin = samples::admin();
        attach(&app, &admin, CarScope::All, CarId(10), &picture, None).unwrap();
        let change = (Field::Image, Value::Nothing, NEW.into());
        assert_eq!(store.entries(), [expected::car_changed(&admin, [change])]);
    }

    #[test]
    fn prepare_of_a_bad_file_is_invalid_without_store_access() {
        let max_bytes = samples::MAX_IMAGE_BYTES;
        for (size, violation) in [
            (0, Violation::EmptyFile),
            (max_bytes + 1, Violation::FileTooLarge { max_bytes }),
        ] {
            let (app, store) = Mocks::new().into_app();
            let mut content = Cursor::new(vec![]);
            let file = UploadedFile {
                content: &mut content,
                size,
            };
            let Err(Error::Car(cars::Error::Invalid(violations))) = prepare(&app, Input::Given(file)) else {
                panic!("must be refused")
            };
            assert_eq!(violations, Violations::one(Field::Image, violation));
            assert_eq!(store.reads(), 0);
        }
    }

    /// Mocks in which the pictures of Ann's other cars have these sizes: at the first look, and under the lock.
    fn with_other_pictures(first: u64, locked: u64) -> App {
        let mut mocks = Mocks::new()
            .with_random("random")
            .with_car(samples::car())
            .with_user_locked(samples::user())
            .with_updates();
        let mut sizes = [first, locked].into_iter();
        let cars = &mut mocks.unit.cars;
        cars.expect_image_bytes_of()
            .returning(move |_, _| Ok(sizes.next().unwrap()));
        cars.expect_set_image_bytes().returning(|_, _, _| Ok(()));
        cars.expect_has_image().returning(|_| Ok(false));
        mocks
            .image_processor
            .expect_process()
            .returning(|_| Ok(vec![0; 10]));
        mocks.images.expect_put().returning(|_, _| Ok(()));
        if locked + 10 > 100 {
            mocks.images.expect_delete().once().returning(|_| Ok(()));
        }
        let (mut app, _) = mocks.into_app();
        app.quotas.picture_bytes = Some(100);
        app
    }

    #[test]
    fn upload_over_the_quota_is_invalid_and_leaves_no_file() {
        for (first, locked, is_refused) in [(0, 0, false), (90, 90, false), (90, 91, true)] {
            let app = with_other_pictures(first, locked);
            let mut content = Cursor::new(vec![1]);
            let file = Input::Given(UploadedFile {
                content: &mut content,
                size: 1,
            });
            let outcome = upload(&app, &samples::ann(), CarScope::Caller, CarId(10), file);
            assert_eq!(outcome.is_err(), is_refused, "{first} {locked}");
            if is_refused {
                let expected = Violation::TooManyPictureBytes { max_bytes: 100 };
                assert_eq!(violation((outcome, vec![])), expected);
            }
        }
    }

    #[test]
    fn upload_without_any_room_is_refused_before_decoding() {
        let mut full = mocks();
        full.unit
            .cars
            .expect_image_bytes_of()
            .once()
            .returning(|_, _| Ok(100));
        let (mut app, store) = full.into_app();
        app.quotas.picture_bytes = Some(100);
        let outcome = upload(&app, &samples::ann(), CarScope::Caller, CarId(10), Input::Absent);
        let expected = Violation::TooManyPictureBytes { max_bytes: 100 };
        assert_eq!(violation((outcome, store.entries())), expected);
    }

    #[test]
    fn upload_to_a_full_disk_is_refused_before_decoding() {
        let full = Mocks {
            disk_is_full: true,
            ..mocks()
        };
        let (outcome, _) = upload_of(1, full);
        assert!(matches!(
            outcome,
            Err(Error::Car(cars::Error::Store(StoreError::NotWritable(_))))
        ));
    }

    #[test]
    fn attach_to_another_version_conflicts_and_deletes_the_file() {
        let mut mocks = Mocks::new()
            .with_random("random")
            .with_car_locked(samples::car())
            .expect_image_delete(NEW);
        mocks.images.expect_put().once().returning(|_, _| Ok(()));
        let (app, store) = mocks.into_app();
        let admin = samples::admin();
        let other = Some(samples::now());
        let refused = attach(&app, &admin, CarScope::All, CarId(10), &Picture(vec![7]), other);
        assert!(matches!(refused, Err(Error::Car(cars::Error::Conflict))));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn attach_to_other_users_car_deletes_the_file() {
        for (caller, scope, is_denied) in [
            (samples::admin(), CarScope::Caller, false),
            (samples::ann(), CarScope::All, true),
        ] {
            let mut mocks = Mocks::new()
                .with_random("random")
                .expect_image_delete(NEW)
                .with_car_locked(samples::car());
            mocks.images.expect_put().once().returning(|_, _| Ok(()));
            let (app, store) = mocks.into_app();
            let refused = attach(&app, &caller, scope, CarId(10), &Picture(vec![7]), None);
            match refused {
                Err(Error::Car(cars::Error::NotFound)) => assert!(!is_denied),
                Err(Error::Car(cars::Error::Denied(Denied::Forbidden))) => assert!(is_denied),
                other => panic!("must be refused: {other:?}"),
            }
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    /// Returns mocks in which a picture is stored, and then the car is read again.
    fn put_then_find(found: impl Fn() -> Result<Option<Car>, StoreError> + Send + 'static) -> Mocks {
        let mut mocks = mocks().with_random("random");
        mocks.image_processor.expect_process().returning(|_| Ok(vec![1]));
        mocks.images.expect_put().once().returning(|_, _| Ok(()));
        mocks
            .unit
            .cars
            .expect_find_for_update()
            .returning(move |_| found());
        mocks
    }

    #[test]
    fn upload_without_a_row_deletes_the_new_file() {
        let mocks = put_then_find(|| Ok(None)).expect_image_delete(NEW);
        let (outcome, entries) = upload_of(1, mocks);
        assert!(matches!(outcome, Err(Error::Car(cars::Error::NotFound))));
        assert_eq!(entries, []);
    }

    #[test]
    fn upload_with_failed_store_keeps_both_files() {
        let mocks = put_then_find(|| Err(StoreError::Unavailable("away".into())));
        let (outcome, _) = upload_of(1, mocks);
        assert!(matches!(outcome, Err(Error::Car(cars::Error::Store(_)))));
    }
}
