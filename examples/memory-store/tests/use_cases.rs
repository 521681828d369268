//! Use-cases on the store in memory: from the registration of a user to the list of their cars.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test panics")]

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

/// Returns the use-cases with a store in memory. The other ports are mocks, which only hash passwords.
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
fn list_has_only_cars_of_the_caller() {
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
fn taken_plate_is_refused_and_not_logged() {
    let app = app();
    let john = samples::caller(&register(&app, "john"));
    cars::create(&app, &john, CarScope::Caller, &golf("B-JD 1")).unwrap();
    let refused = cars::create(&app, &john, CarScope::Caller, &golf("b-jd 1"));
    let taken = Violations::one(Field::License, Violation::Taken);
    assert!(matches!(refused, Err(cars::Error::Invalid(violations)) if violations == taken));

    let admin = samples::other_user(Rank::Admin);
    let log = history::list(&app, &admin, &HistoryQuery::default()).unwrap();
    let logged: Vec<_> = log
        .items
        .iter()
        .map(|kept| (kept.entry.action, kept.entry.object.kind))
        .collect();
    let newest_first = [ObjectType::Car, ObjectType::User].map(|kind| (Action::Created, kind));
    assert_eq!(logged, newest_first);
}
