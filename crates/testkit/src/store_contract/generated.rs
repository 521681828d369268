//! Rules about lists, with generated queries: a store returns the same as the reference implementation in
//! `mycars_application::lists`.
//!
//! The other rules test examples; this one covers cases without an example.

mod fixtures;
mod queries;
mod tables;

pub use tables::Rows;

use std::{cmp::Reverse, collections::BTreeMap, fmt::Debug};

use mycars_application::{
    lists::{CarQuery, HistoryQuery, TokenQuery, UserQuery},
    ports::{Store, StoreError, UnitOfWork},
};
use mycars_domain::{
    Role, User, UserId,
    audit::{Action, ObjectType},
};

use crate::random::{Random, how_to_repeat, seed};

/// Number of queries generated for each rule.
const QUERIES: usize = 200;

/// Generates queries, and compares each result with that of the reference. Both results begin with the number of
/// matches: the test fails if few queries have any, because it would prove nothing.
fn for_any<Q: Debug, A: PartialEq + Debug>(
    mut random: Random,
    seed: u64,
    make_up: impl Fn(&mut Random) -> Q,
    answers: impl Fn(&Q) -> (u64, A),
    meaning: impl Fn(&Q) -> (u64, A),
) {
    let mut found_something = 0;
    for _ in 0..QUERIES {
        let query = make_up(&mut random);
        let (answers, meaning) = (answers(&query), meaning(&query));
        assert_eq!(answers, meaning, "{query:#?}\n{}", how_to_repeat(seed));
        found_something += usize::from(meaning.0 > 0);
    }
    assert!(
        found_something > QUERIES / 4,
        "only {found_something} of {QUERIES} queries found something\n{}",
        how_to_repeat(seed)
    );
}

fn read<T>(store: &dyn Store, work: impl Fn(&mut dyn UnitOfWork) -> Result<T, StoreError>) -> T {
    store.read(work).expect("the store answers")
}

fn with_id(users: &[User], id: UserId) -> Option<&User> {
    users.iter().find(|user| user.id == id)
}

/// All results of a generated query for cars match the reference.
pub fn generated_car_queries_match_reference(store: &dyn Store) {
    let seed = seed();
    let mut random = Random::new(seed, 0);
    let users = fixtures::keep_users(store, &mut random);
    let cars = fixtures::keep_cars(store, &mut random, &users);
    let select = |owner, query: &CarQuery| query.select(owner, &cars, |id| with_id(&users, id));
    for_any(
        random,
        seed,
        |random| queries::for_cars(random, &users),
        |(owner, query, at_most)| {
            read(store, |unit| {
                let cars = unit.cars();
                let count = cars.count(*owner, query)?;
                let (list, ids) = (cars.list(*owner, query)?, cars.ids(*owner, query)?);
                Ok((count, (ids, list, cars.brands(query, *at_most)?)))
            })
        },
        |(owner, query, at_most)| {
            let whole = CarQuery {
                page: None,
                ..query.clone()
            };
            let ids: Vec<_> = select(*owner, &whole).iter().map(|car| car.id).collect();
            let list = select(*owner, query).into_iter().cloned().collect();
            let brand = |brand: &str| CarQuery {
                brand: Some(brand.to_owned()),
                ..whole.clone()
            };
            let brands: BTreeMap<&str, u64> = cars
                .iter()
                .map(|car| {
                    (
                        car.brand.as_str(),
                        select(None, &brand(car.brand.as_str())).len() as u64,
                    )
                })
                .filter(|(_, count)| *count > 0)
                .collect();
            let mut brands: Vec<_> = brands
                .into_iter()
                .map(|(brand, count)| (brand.to_owned(), count))
                .collect();
            brands.sort_by_key(|(_, count)| Reverse(*count));
            brands.truncate(*at_most as usize);
            (ids.len() as u64, (ids, list, brands))
        },
    );
}

/// All results of a generated query for users match the reference.
pub fn generated_user_queries_match_reference(store: &dyn Store) {
    let seed = seed();
    let mut random = Random::new(seed, 0);
    let users = fixtures::keep_users(store, &mut random);
    for_any(
        random,
        seed,
        queries::for_users,
        |query| {
            read(store, |unit| {
                let users = unit.users();
                let counts = users.counts(query)?.into_iter();
                let counts = counts.map(|alike| ((alike.role.as_str(), alike.is_active), alike.count));
                let counts: BTreeMap<_, _> = counts.collect();
                Ok((
                    users.count(query)?,
                    (users.ids(query)?, users.list(query)?, counts),
                ))
            })
        },
        |query| {
            let whole = UserQuery {
                page: None,
                ..query.clone()
            };
            let ids: Vec<_> = whole.select(&users).iter().map(|user| user.id).collect();
            let list = query.select(&users).into_iter().cloned().collect();
            let alike = |role, is_active| UserQuery {
                role: Some(role),
                is_active: Some(is_active),
                ..whole.clone()
            };
            let kinds = Role::ALL
                .into_iter()
                .flat_map(|role| [(role, true), (role, false)]);
            let counts = kinds
                .map(|(role, is_active)| {
                    let count = alike(role, is_active).select(&users).len() as u64;
                    ((role.as_str(), is_active), count)
                })
                .filter(|(_, count)| *count > 0)
                .collect();
            (ids.len() as u64, (ids, list, counts))
        },
    );
}

/// All results of a generated query for audit entries match the reference.
pub fn generated_entry_queries_match_reference(store: &dyn Store) {
    let seed = seed();
    let mut random = Random::new(seed, 0);
    let entries = fixtures::keep_entries(store, &mut random);
    for_any(
        random,
        seed,
        queries::for_entries,
        |query| {
            read(store, |unit| {
                let log = unit.audit_log();
                let counts = log.counts(query)?.into_iter();
                let counts =
                    counts.map(|alike| ((alike.action.as_str(), alike.object_type.as_str()), alike.count));
                let counts: BTreeMap<_, _> = counts.collect();
                Ok((log.count(query)?, (log.ids(query)?, log.list(query)?, counts)))
            })
        },
        |query| {
            let whole = HistoryQuery {
                page: None,
                ..query.clone()
            };
            let ids: Vec<_> = whole.select(&entries).iter().map(|entry| entry.id).collect();
            let list = query.select(&entries).into_iter().cloned().collect();
            let alike = |action, kind| HistoryQuery {
                action: Some(action),
                object_type: Some(kind),
                ..whole.clone()
            };
            let kinds = Action::ALL
                .into_iter()
                .flat_map(|action| ObjectType::ALL.map(|kind| (action, kind)));
            let counts = kinds
                .map(|(action, kind)| {
                    let count = alike(action, kind).select(&entries).len() as u64;
                    ((action.as_str(), kind.as_str()), count)
                })
                .filter(|(_, count)| *count > 0)
                .collect();
            (ids.len() as u64, (ids, list, counts))
        },
    );
}

/// All results of a generated query for refresh tokens match the reference.
pub fn generated_token_queries_match_reference(store: &dyn Store) {
    let seed = seed();
    let mut random = Random::new(seed, 0);
    let users = fixtures::keep_users(store, &mut random);
    let tokens = fixtures::keep_tokens(store, &mut random, &users);
    let select = |query: &TokenQuery| {
        let numbered = tokens.iter().map(|(number, token)| (*number, token));
        query.select(numbered, |id| with_id(&users, id))
    };
    for_any(
        random,
        seed,
        |random| queries::for_tokens(random, &users),
        |query| {
            read(store, |unit| {
                let tokens = unit.refresh_tokens();
                Ok((
                    tokens.count(query)?,
                    (tokens.numbers(query)?, tokens.list(query)?),
                ))
            })
        },
        |query| {
            let whole = TokenQuery {
                page: None,
                ..query.clone()
            };
            let numbers: Vec<_> = select(&whole).iter().map(|listed| listed.number).collect();
            (numbers.len() as u64, (numbers, select(query)))
        },
    );
}
