//! Use-cases on the store in memory: what somebody does, from their registration to the list of their cars.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends with a panic where something is not as it should be"
)]

use std::{sync::Arc, time::Duration};

use memory_store::MemoryStore;
use mycars_application::{
    App, Caller, accounts,
    cars::{self, CarInput, CarScope},
    history,
    lists::{CarQuery, HistoryQuery, Search},
    mocks::{Mocks, samples},
    users::UserInput,
};
use mycars_domain::{
    Field, Rank, User, Violation, Violations,
    audit::{Action, ObjectType},
    values::PasswordHash,
};

/// The use-cases on a store in memory. The other ports are mocks: here they hash passwords, and nothing else.
fn app() -> App {
    let mut mocks = Mocks::new();
    let hash = || PasswordHash::from_storage("a hash".into());
    mocks.hasher.expect_hash().returning(move |_| Ok(hash()));
    let (app, _) = mocks.into_app();
    App {
        store: Arc::new(MemoryStore::new(Duration::from_mins(1))),
        ..app
    }
}

fn register(app: &App, username: &str) -> User {
    let input = UserInput {
        username: username.into(),
        email: format!("{username}@example.com").as_str().into(),
        first_name: "John".into(),
        last_name: "Doe".into(),
        password: "Harbour-x7-9".into(),
        ..UserInput::default()
    };
    accounts::register(app, &samples::anonymous(), &input).expect("nothing is wrong")
}

fn golf(license: &str) -> CarInput {
    CarInput {
        brand: "VW".into(),
        model: "Golf".into(),
        year: 2023.into(),
        license: license.into(),
        ..CarInput::default()
    }
}

fn plates(app: &App, caller: &Caller, query: &CarQuery) -> Vec<String> {
    let cars = cars::list(app, caller, CarScope::Caller, query).unwrap().items;
    cars.into_iter().map(|car| car.license.to_string()).collect()
}

#[test]
fn who_registers_adds_cars_and_lists_them_finds_their_own_alone() {
    let app = app();
    let john = samples::caller(&register(&app, "john"));
    let jane = samples::caller(&register(&app, "jane"));
    for (caller, plate) in [(&john, "B-JD 1"), (&john, "B-JD 2"), (&jane, "B-JD 3")] {
        cars::create(&app, caller, CarScope::Caller, &golf(plate)).unwrap();
    }
    assert_eq!(plates(&app, &john, &CarQuery::default()), ["B-JD 2", "B-JD 1"]);
    let search = CarQuery {
        search: Search::parse("golf \"jd 1\""),
        ..CarQuery::default()
    };
    assert_eq!(plates(&app, &john, &search), ["B-JD 1"]);
    assert_eq!(plates(&app, &jane, &CarQuery::default()), ["B-JD 3"]);
}

#[test]
fn a_plate_that_is_taken_is_refused_and_leaves_no_entry_in_the_log() {
    let app = app();
    let john = samples::caller(&register(&app, "john"));
    cars::create(&app, &john, CarScope::Caller, &golf("B-JD 1")).unwrap();
    let refused = cars::create(&app, &john, CarScope::Caller, &golf("b-jd 1"));
    let taken = Violations::one(Field::License, Violation::Taken);
    assert!(matches!(refused, Err(cars::Error::Invalid(violations)) if violations == taken));

    let admin = samples::other_user(Rank::Admin);
    let log = history::list(&app, &admin, &HistoryQuery::default()).unwrap();
    let told: Vec<_> = log
        .items
        .iter()
        .map(|kept| (kept.entry.action, kept.entry.object.kind))
        .collect();
    let newest_first = [ObjectType::Car, ObjectType::User].map(|kind| (Action::Created, kind));
    assert_eq!(told, newest_first);
}
