//! Generated rows: similar in many ways, with values that databases treat differently.

use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::{
    lists::{HistoryQuery, TokenQuery},
    ports::{RefreshToken, Revocation, Store, StoreError},
};
use mycars_domain::{
    Car, NewCar, NewUser, Role, User, UserId,
    audit::{Action, Author, Channel, Entry, NewEntry, Object, ObjectType, Origin},
    values::{
        Brand, Color, Email, FirstName, ImagePath, LastName, LicensePlate, Mileage, Model, Notes, Phone,
        Username, Vin, Year,
    },
};

use crate::{random::Random, samples};

/// Texts that differ only in case, that folding lengthens or leaves unchanged, that collations order differently than
/// code points, that have a meaning for `LIKE`, SQL or a search, and some that are similar.
pub(super) const TEXTS: &[&str] = &[
    "",
    "VW",
    "vw",
    "audi",
    "Zil",
    "Ätna",
    "ätna",
    "A\u{308}tna",
    "ΟΔΟΣ",
    "οδος",
    "Οδοστρωτήρας",
    "İstanbul",
    "istanbul",
    "STRASSE",
    "Straße",
    "STRAẞE",
    "Иван",
    "日本 語",
    "🚗 e\u{301}",
    "100%",
    "1000",
    "a_b",
    "a-b",
    "a\\b",
    "\\%",
    "\\",
    "'; --",
    "\"two words\"",
    "two  words",
    "one\nline\nmore",
    "Tab\tbed ",
];

pub(super) const YEARS: &[i32] = &[i32::MIN, -1, 0, 1886, 2000, 2001, i32::MAX];

pub(super) const MILEAGES: &[i32] = &[0, 1, 999, 1000, i32::MAX];

/// Returns one of a few points in time, so that many rows have the same.
pub(super) fn moment(random: &mut Random) -> DateTime<Utc> {
    let microseconds = [-1_000_000, -1, 0, 1, 999_999];
    samples::moment(*random.pick(&microseconds))
}

/// Returns a value or `None`, with equal chances.
pub(super) fn maybe<T>(random: &mut Random, make: impl FnOnce(&mut Random) -> T) -> Option<T> {
    random.percent(50).then(|| make(random))
}

pub(super) fn text(random: &mut Random) -> String {
    (*random.pick(TEXTS)).to_owned()
}

/// Inserts users.
pub(super) fn keep_users(store: &dyn Store, random: &mut Random) -> Vec<User> {
    let users: Vec<NewUser> = (0..24).map(|number| new_user(random, number)).collect();
    let keep = |new: &NewUser| {
        let last_login = maybe(random, moment);
        store.write(|unit| {
            let user = User {
                last_login,
                ..unit.users().insert(new)?
            };
            unit.users().update(&user)?;
            Ok::<_, StoreError>(user)
        })
    };
    let users: Result<_, StoreError> = users.iter().map(keep).collect();
    users.expect("users can be stored")
}

pub(super) fn new_user(random: &mut Random, number: usize) -> NewUser {
    NewUser {
        username: Username::from_storage(format!("{} {number}", text(random))),
        email: Email::from_storage(format!("{}.{number}@Example.com", text(random))),
        first_name: FirstName::from_storage(text(random)),
        last_name: LastName::from_storage(text(random)),
        phone: maybe(random, |random| Phone::from_storage(text(random))),
        role: *random.pick(&Role::ALL),
        is_active: random.percent(50),
        created_at: moment(random),
        ..samples::new_user("placeholder")
    }
}

/// Inserts cars of these users.
pub(super) fn keep_cars(store: &dyn Store, random: &mut Random, users: &[User]) -> Vec<Car> {
    // Few owners, so that each has several.
    let owners = &users[..6];
    let cars: Vec<NewCar> = (0..60)
        .map(|number| {
            let owner = random.pick(owners).id;
            new_car(random, owner, number)
        })
        .collect();
    let keep = |new: &NewCar| {
        let (updated_at, path) = (moment(random), ImagePath::from_storage("cars/1.jpg".into()));
        let image = random.percent(50).then_some(path);
        store.write(|unit| {
            let car = Car {
                updated_at,
                image,
                ..unit.cars().insert(new)?
            };
            unit.cars().update(&car)?;
            Ok::<_, StoreError>(car)
        })
    };
    let cars: Result<_, StoreError> = cars.iter().map(keep).collect();
    cars.expect("cars can be stored")
}

pub(super) fn new_car(random: &mut Random, owner: UserId, number: usize) -> NewCar {
    NewCar {
        brand: Brand::from_storage(text(random)),
        model: Model::from_storage(text(random)),
        year: Year::from_storage(*random.pick(YEARS)),
        color: maybe(random, |random| Color::from_storage(text(random))),
        license: LicensePlate::from_storage(format!("{} {number}", text(random))),
        vin: maybe(random, |random| Vin::from_storage(text(random))),
        mileage: Mileage::from_storage(*random.pick(MILEAGES)),
        notes: maybe(random, |random| {
            Notes::from_storage(format!("{}\n{}", text(random), text(random)))
        }),
        created_at: moment(random),
        ..samples::new_car(owner, "anything")
    }
}

/// Inserts entries about a few objects by a few users.
pub(super) fn keep_entries(store: &dyn Store, random: &mut Random) -> Vec<Entry> {
    let entries: Vec<NewEntry> = (0..80).map(|_| new_entry(random)).collect();
    let oldest_first = HistoryQuery {
        oldest_first: true,
        ..HistoryQuery::default()
    };
    let kept = store.write(|unit| {
        unit.audit_log().append(&entries)?;
        unit.audit_log().list(&oldest_first)
    });
    let kept: Vec<Entry> = kept.expect("entries can be stored and listed");
    let stored: Vec<&NewEntry> = kept.iter().map(|kept| &kept.entry).collect();
    assert_eq!(stored, entries.iter().collect::<Vec<_>>());
    kept
}

pub(super) fn new_entry(random: &mut Random) -> NewEntry {
    NewEntry {
        at: moment(random),
        action: *random.pick(&Action::ALL),
        object: Object {
            kind: *random.pick(&ObjectType::ALL),
            id: text(random),
            name: text(random),
            owner: maybe(random, user_id),
        },
        author: Author {
            id: maybe(random, user_id),
            name: text(random),
        },
        origin: Origin {
            channel: Channel::Api,
            request_id: None,
            address: None,
        },
        changes: vec![],
    }
}

/// Returns one of a few ids, of users that need not exist.
pub(super) fn user_id(random: &mut Random) -> UserId {
    UserId(*random.pick(&[1, 2, 3]))
}

/// Records tokens, with one of these users or without a user.
pub(super) fn keep_tokens(
    store: &dyn Store,
    random: &mut Random,
    users: &[User],
) -> Vec<(i64, RefreshToken)> {
    let ids: Vec<&str> = TEXTS.iter().copied().filter(|text| text.is_ascii()).collect();
    let tokens: Vec<RefreshToken> = (0..60)
        .map(|number| RefreshToken {
            id: format!("{} {number}", random.pick(&ids)),
            user: maybe(random, |random| random.pick(&users[..6]).id),
            issued_at: moment(random) - TimeDelta::days(1),
            expires_at: moment(random),
            revoked: maybe(random, |random| *random.pick(&Revocation::ALL)),
            revoked_at: maybe(random, moment),
            last_used_at: maybe(random, moment),
            family: None,
        })
        .collect();
    let all = TokenQuery::at(samples::moment(0));
    let listed = store.write(|unit| {
        for token in &tokens {
            unit.refresh_tokens().record(token)?;
        }
        unit.refresh_tokens().list(&all)
    });
    let mut listed: Vec<_> = listed.expect("tokens can be stored and listed");
    listed.sort_by_key(|kept| kept.number);
    let kept: Vec<_> = listed.into_iter().map(|kept| (kept.number, kept.token)).collect();
    assert_eq!(
        kept.iter().map(|(_, token)| token.clone()).collect::<Vec<_>>(),
        tokens
    );
    kept
}
