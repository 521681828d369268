//! Rules about the rows of all tables, as backups and copies move them.

use mycars_application::ports::{Installation, Row, Store, StoreError, Table};
use mycars_domain::{
    User, UserId,
    values::{Email, Username},
};

use super::{Rows, keep_car, keep_owner, keep_user};
use crate::{
    random::{Random, how_to_repeat, seed},
    samples::{moment, new_car, new_user},
};

/// Rows of all tables are inserted with their ids and next ids, and read unchanged, in pieces.
pub fn inserted_rows_are_listed_unchanged(store: &dyn Store) {
    let seed = seed();
    let rows = Rows::generate(&mut Random::new(seed, 0));
    rows.insert_into(store);
    assert_eq!(Rows::of_store(store), rows, "{}", how_to_repeat(seed));
    let counts = store.read(|unit| {
        let mut counts = Vec::new();
        for table in Table::ALL {
            counts.push((unit.rows().count(table)?, rows.of(table).len() as u64));
        }
        Ok::<_, StoreError>(counts)
    });
    for (count, expected) in counts.expect("the rows are counted") {
        assert_eq!(count, expected);
    }
}

/// The next user and car get the ids that were set.
pub fn next_ids_follow_those_that_were_set(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let set = store.write(|unit| {
        unit.rows().set_next_id(Table::Users, 70)?;
        unit.rows().set_next_id(Table::Cars, 80)
    });
    set.expect("ids can be set");
    assert_eq!(keep_user(store, &new_user("ann")).id.0, 70);
    assert_eq!(keep_car(store, &new_car(owner, "B-AB 1")).id.0, 80);
    let next = store.read(|unit| {
        Ok::<_, StoreError>((
            unit.rows().next_id(Table::Users)?,
            unit.rows().next_id(Table::Cars)?,
        ))
    });
    assert_eq!(next.expect("ids can be read"), (71, 81));
}

/// The identity of an archive replaces that of the database.
pub fn inserted_identity_replaces_the_existing_one(store: &dyn Store) {
    let identity = |id: &str| Installation {
        id: id.to_owned(),
        created_at: moment(0),
    };
    let kept = store.write(|unit| {
        unit.installation().find_or_insert(&identity("old"))?;
        unit.rows().insert(&[Row::Installation(identity("new"))])?;
        unit.installation().find_or_insert(&identity("newest"))
    });
    assert_eq!(kept.expect("it can be replaced"), identity("new"));
}

/// A database of an older version may have users whose names are the same ignoring case.
pub fn rows_that_differ_only_in_case_are_inserted(store: &dyn Store) {
    let user = |id, name: &str| {
        Row::User(User {
            username: Username::from_storage(name.into()),
            email: Email::from_storage(format!("{name}@example.com")),
            ..new_user("placeholder").with_id(UserId(id))
        })
    };
    let rows = [user(1, "ann"), user(2, "Ann"), user(3, "bob")];
    let inserted = store.write(|unit| unit.rows().insert(&rows));
    inserted.expect("the rows can be inserted");
    assert_eq!(Rows::of_store(store).rows, rows);
    let found = store.read(|unit| unit.users().find_by_username("Ann"));
    assert_eq!(found.expect("it is found").map(|user| user.id), Some(UserId(2)));
    for (id, name) in [(4, "Bob"), (5, "Eve"), (6, "eve")] {
        let inserted = store.write(|unit| unit.rows().insert(&[user(id, name)]));
        inserted.expect("the exact name is free");
    }
    for (name, id) in [("bob", 3), ("Bob", 4), ("Eve", 5), ("eve", 6)] {
        let found = store.read(|unit| unit.users().find_by_username(name));
        assert_eq!(
            found.expect("it is found").map(|user| user.id),
            Some(UserId(id)),
            "{name}"
        );
    }
}

/// A snapshot does not see the writes that are committed after its first read, and they do not wait for it.
pub fn snapshot_sees_one_moment(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let counts = store.snapshot(|unit| {
        let before = unit.rows().count(Table::Cars)?;
        keep_car(store, &new_car(owner, "B-AB 1"));
        let listed = unit.rows().list(Table::Cars, i64::MIN, 10)?.len() as u64;
        Ok::<_, StoreError>((before, listed, unit.cars().count_all()?.cars))
    });
    assert_eq!(counts.expect("it is read"), (0, 0, 0));
    let after = store.read(|unit| unit.rows().count(Table::Cars));
    assert_eq!(after.expect("it is counted"), 1);
}
