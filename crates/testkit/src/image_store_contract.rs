//! The rules for every image store: one function for each, which panics if the given store breaks the rule. Each needs an
//! empty store.
//!
//! [`image_store_contract!`](crate::image_store_contract!) makes one test of each rule.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    sync::Arc,
    thread,
};

use chrono::NaiveDate;
use mycars_application::ports::ImageStore;
use mycars_domain::values::ImagePath;

use crate::random::Random;

/// An empty image store for one test, and all resources that must live as long as it.
pub struct ImageFixture {
    pub store: Arc<dyn ImageStore>,
    pub kept: Box<dyn Any>,
}

/// Generates one test for each rule. The argument is the name of a function that creates an [`ImageFixture`].
#[macro_export]
macro_rules! image_store_contract {
    ($fixture:path) => {
        $crate::image_store_contract! { $fixture:
            stored_picture_is_read_unchanged
            picture_is_never_overwritten
            deleted_picture_is_gone
            impossible_paths_are_no_pictures
            pictures_are_listed_and_counted
            trashed_picture_is_in_the_trash_alone
            moves_never_overwrite
            moves_of_missing_pictures_do_nothing
            trashed_picture_is_deleted_of_its_day
            owner_is_kept_until_it_is_overwritten
            check_leaves_nothing
            concurrent_uploads_are_independent
            random_operations_match_a_model
        }
    };
    ($fixture:path: $($rule:ident)+) => {
        $(
            #[test]
            fn $rule() {
                let fixture = $fixture();
                $crate::image_store_contract::$rule(&*fixture.store);
            }
        )+
    };
}

/// Paths that no picture can have.
pub const IMPOSSIBLE: [&str; 23] = [
    "",
    "cars",
    "cars/",
    "/cars/a.jpg",
    "cars//a.jpg",
    "cars/./a.jpg",
    "cars/.",
    "cars/..",
    "cars/../secret",
    "cars/../../secret",
    "cars/a/../../secret",
    "../secret",
    "secret",
    "carsa.jpg",
    "CARS/a.jpg",
    "other/a.jpg",
    "trash/2026-11-26/a.jpg",
    "cars/.hidden",
    "cars/.tmp-a",
    "cars/a..jpg",
    "cars/a.jpg\0",
    "cars/a\\b.jpg",
    "cars/ä.jpg",
];

fn path(name: &str) -> ImagePath {
    ImagePath::from_storage(format!("cars/{name}"))
}

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, number).unwrap()
}

fn content(store: &dyn ImageStore, name: &str) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let mut file = store.open(&path(name)).unwrap()?;
    file.read_to_end(&mut content).unwrap();
    Some(content)
}

/// Returns the paths and sizes of the pictures.
fn listed(store: &dyn ImageStore) -> BTreeSet<(String, u64)> {
    let images = store.list().unwrap().into_iter();
    images
        .map(|image| (image.path.to_string(), image.bytes))
        .collect()
}

/// Returns the days, paths and sizes of the pictures in the trash.
fn trashed(store: &dyn ImageStore) -> BTreeSet<(NaiveDate, String, u64)> {
    let images = store.list_trash().unwrap().into_iter();
    images
        .map(|image| (image.day, image.path.to_string(), image.bytes))
        .collect()
}

pub fn stored_picture_is_read_unchanged(store: &dyn ImageStore) {
    let large: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_be_bytes()[3]).collect();
    store.put(&path("car_1_a.jpg"), b"one").unwrap();
    store.put(&path("car_2_B-9.jpg"), &large).unwrap();
    store.put(&path("empty.jpg"), b"").unwrap();
    assert_eq!(content(store, "car_1_a.jpg").unwrap(), b"one");
    assert!(content(store, "car_2_B-9.jpg").unwrap() == large);
    assert_eq!(content(store, "empty.jpg").unwrap(), b"");
    assert_eq!(content(store, "car_3_c.jpg"), None);
}

pub fn picture_is_never_overwritten(store: &dyn ImageStore) {
    store.put(&path("a.jpg"), b"one").unwrap();
    assert!(store.put(&path("a.jpg"), b"two").is_err());
    assert_eq!(content(store, "a.jpg").unwrap(), b"one");
}

pub fn deleted_picture_is_gone(store: &dyn ImageStore) {
    store.delete(&path("a.jpg")).unwrap();
    store.put(&path("a.jpg"), b"one").unwrap();
    store.delete(&path("a.jpg")).unwrap();
    assert_eq!(content(store, "a.jpg"), None);
    assert_eq!(listed(store), BTreeSet::new());
    store.delete(&path("a.jpg")).unwrap();
}

pub fn impossible_paths_are_no_pictures(store: &dyn ImageStore) {
    let long = format!("cars/{}", "a".repeat(256));
    for text in IMPOSSIBLE.into_iter().chain([long.as_str()]) {
        let path = ImagePath::from_storage(text.into());
        assert!(store.open(&path).unwrap().is_none(), "{text:?}");
        assert!(store.put(&path, b"evil").is_err(), "{text:?}");
        store.delete(&path).unwrap();
        assert!(store.move_to_trash(&path, day(1)).unwrap(), "{text:?}");
        assert!(store.restore_from_trash(&path, day(1)).unwrap(), "{text:?}");
        store.delete_from_trash(&path, day(1)).unwrap();
    }
    assert_eq!(listed(store), BTreeSet::new());
    assert_eq!(trashed(store), BTreeSet::new());
}

pub fn pictures_are_listed_and_counted(store: &dyn ImageStore) {
    store.put(&path("b.jpg"), b"four").unwrap();
    store.put(&path("a.jpg"), b"one").unwrap();
    store.put(&path("c.jpg"), b"gone").unwrap();
    store.move_to_trash(&path("c.jpg"), day(1)).unwrap();
    assert_eq!(
        listed(store),
        [("cars/a.jpg".into(), 3), ("cars/b.jpg".into(), 4)].into()
    );
    let usage = store.usage().unwrap();
    assert_eq!((usage.count, usage.bytes), (2, 7));
}

pub fn trashed_picture_is_in_the_trash_alone(store: &dyn ImageStore) {
    store.put(&path("a.jpg"), b"one").unwrap();
    assert!(store.move_to_trash(&path("a.jpg"), day(26)).unwrap());
    assert_eq!(content(store, "a.jpg"), None);
    assert_eq!(listed(store), BTreeSet::new());
    assert_eq!(trashed(store), [(day(26), "cars/a.jpg".into(), 3)].into());
    assert!(store.restore_from_trash(&path("a.jpg"), day(25)).unwrap());
    assert_eq!(content(store, "a.jpg"), None);
    assert!(store.restore_from_trash(&path("a.jpg"), day(26)).unwrap());
    assert_eq!(content(store, "a.jpg").unwrap(), b"one");
    assert_eq!(trashed(store), BTreeSet::new());
}

pub fn moves_never_overwrite(store: &dyn ImageStore) {
    store.put(&path("a.jpg"), b"one").unwrap();
    assert!(store.move_to_trash(&path("a.jpg"), day(26)).unwrap());
    store.put(&path("a.jpg"), b"three").unwrap();
    assert!(!store.move_to_trash(&path("a.jpg"), day(26)).unwrap());
    assert!(!store.restore_from_trash(&path("a.jpg"), day(26)).unwrap());
    assert_eq!(content(store, "a.jpg").unwrap(), b"three");
    assert_eq!(trashed(store), [(day(26), "cars/a.jpg".into(), 3)].into());
    assert!(store.move_to_trash(&path("a.jpg"), day(27)).unwrap());
    assert_eq!(trashed(store).len(), 2);
}

pub fn moves_of_missing_pictures_do_nothing(store: &dyn ImageStore) {
    assert!(store.move_to_trash(&path("a.jpg"), day(26)).unwrap());
    assert!(store.restore_from_trash(&path("a.jpg"), day(26)).unwrap());
    assert_eq!(trashed(store), BTreeSet::new());
    assert_eq!(listed(store), BTreeSet::new());
}

pub fn trashed_picture_is_deleted_of_its_day(store: &dyn ImageStore) {
    for number in [25, 26] {
        store.put(&path("a.jpg"), b"one").unwrap();
        store.move_to_trash(&path("a.jpg"), day(number)).unwrap();
    }
    store.delete_from_trash(&path("a.jpg"), day(24)).unwrap();
    store.delete_from_trash(&path("a.jpg"), day(25)).unwrap();
    store.delete_from_trash(&path("a.jpg"), day(25)).unwrap();
    assert_eq!(trashed(store), [(day(26), "cars/a.jpg".into(), 3)].into());
}

pub fn owner_is_kept_until_it_is_overwritten(store: &dyn ImageStore) {
    assert_eq!(store.owner().unwrap(), None);
    store.set_owner("one", false).unwrap();
    assert_eq!(store.owner().unwrap().as_deref(), Some("one"));
    store.set_owner("two", false).unwrap();
    assert_eq!(store.owner().unwrap().as_deref(), Some("one"));
    store.set_owner("two", true).unwrap();
    assert_eq!(store.owner().unwrap().as_deref(), Some("two"));
    assert_eq!(listed(store), BTreeSet::new());
}

pub fn check_leaves_nothing(store: &dyn ImageStore) {
    store.check().unwrap();
    store.check().unwrap();
    assert_eq!(listed(store), BTreeSet::new());
    assert_eq!(trashed(store), BTreeSet::new());
    assert_eq!(store.owner().unwrap(), None);
}

pub fn concurrent_uploads_are_independent(store: &dyn ImageStore) {
    thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let path = path(&format!("{number}.jpg"));
                store.put(&path, &[number; 100]).unwrap();
            });
        }
    });
    for number in 0..8 {
        assert_eq!(content(store, &format!("{number}.jpg")).unwrap(), [number; 100]);
    }
}

/// A hundred operations on five names, compared with maps.
pub fn random_operations_match_a_model(store: &dyn ImageStore) {
    let mut random = Random::new(1, 0);
    let mut images = BTreeMap::new();
    let mut trash = BTreeMap::new();
    for number in 0..100_u8 {
        let name = format!("{}.jpg", random.below(5));
        let day = day(25 + u32::try_from(random.below(2)).unwrap());
        let place = (day, name.clone());
        let is_movable = !images.contains_key(&name) || !trash.contains_key(&place);
        match random.below(6) {
            0 | 1 => {
                let is_new = !images.contains_key(&name);
                let bytes = vec![number; usize::from(number)];
                assert_eq!(store.put(&path(&name), &bytes).is_ok(), is_new, "{name}");
                images.entry(name).or_insert(bytes);
            }
            2 => {
                store.delete(&path(&name)).unwrap();
                images.remove(&name);
            }
            3 => {
                let moved = store.move_to_trash(&path(&name), day).unwrap();
                assert_eq!(moved, is_movable, "{name}");
                if moved && let Some(bytes) = images.remove(&name) {
                    trash.insert(place, bytes);
                }
            }
            4 => {
                let moved = store.restore_from_trash(&path(&name), day).unwrap();
                assert_eq!(moved, is_movable, "{name}");
                if moved && let Some(bytes) = trash.remove(&place) {
                    images.insert(name, bytes);
                }
            }
            _ => {
                store.delete_from_trash(&path(&name), day).unwrap();
                trash.remove(&place);
            }
        }
    }
    let size = |bytes: &Vec<u8>| bytes.len() as u64;
    let expected = images
        .iter()
        .map(|(name, bytes)| (format!("cars/{name}"), size(bytes)));
    assert_eq!(listed(store), expected.collect());
    let expected = trash
        .iter()
        .map(|((day, name), bytes)| (*day, format!("cars/{name}"), size(bytes)));
    assert_eq!(trashed(store), expected.collect());
    for (name, bytes) in images {
        assert_eq!(content(store, &name).unwrap(), bytes, "{name}");
    }
}
