//! Rules about sessions.

use mycars_application::ports::{Device, Session, Store, StoreError};
use mycars_domain::UserId;

use super::{keep_owner, keep_user};
use crate::samples::{moment, new_user};

fn session(key_hash: &str, user: UserId, created: i64, seen: i64) -> Session {
    Session {
        key_hash: key_hash.into(),
        user,
        created_at: moment(created),
        last_seen_at: moment(seen),
        device: Device::new([192, 0, 2, 1].into(), Some("Firefox")),
    }
}

fn insert(store: &dyn Store, session: &Session) -> Result<(), StoreError> {
    store.write(|unit| unit.sessions().insert(session))
}

fn find(store: &dyn Store, key_hash: &str) -> Option<Session> {
    store
        .read(|unit| unit.sessions().find(key_hash))
        .expect("sessions can be found")
}

/// Every field of a session is stored, and the time of its last use can be updated.
pub fn inserted_session_is_returned_unchanged(store: &dyn Store) {
    let owner = keep_owner(store);
    let kept = session("a", owner.id, 1, 2);
    insert(store, &kept).expect("a session can be stored");
    assert_eq!(find(store, "a"), Some(kept.clone()));
    assert_eq!(find(store, "A"), None);
    store
        .write(|unit| unit.sessions().touch("a", moment(3)))
        .expect("a session can be noted");
    assert_eq!(
        find(store, "a"),
        Some(Session {
            last_seen_at: moment(3),
            ..kept
        })
    );
    store
        .write(|unit| unit.sessions().touch("b", moment(3)))
        .expect("noting none does nothing");
}

/// Sessions are deleted one by one, or all of a user, with their number. They are deleted with their user.
pub fn sessions_are_deleted_one_by_one_and_by_user(store: &dyn Store) {
    let ann = keep_user(store, &new_user("ann")).id;
    let eve = keep_user(store, &new_user("eve")).id;
    for (key, user) in [("a", ann), ("b", ann), ("c", ann), ("d", eve)] {
        insert(store, &session(key, user, 1, 1)).expect("a session can be stored");
    }
    store
        .write(|unit| unit.sessions().delete("a"))
        .expect("a session can be ended");
    assert_eq!((find(store, "a"), find(store, "b").is_some()), (None, true));
    let delete_all = || {
        store
            .write(|unit| unit.sessions().delete_all_of(ann, None))
            .expect("all can be ended")
    };
    assert_eq!((delete_all(), delete_all()), (2, 0));
    assert_eq!(
        (find(store, "b"), find(store, "c"), find(store, "d").is_some()),
        (None, None, true)
    );
    store
        .write(|unit| unit.users().delete(eve))
        .expect("a user can be deleted");
    assert_eq!(find(store, "d"), None);
    let gone = insert(store, &session("e", eve, 1, 1));
    assert!(matches!(gone, Err(StoreError::OwnerGone)), "{gone:?}");
}

/// The sessions of a user that have not expired are listed, the last used first, and found by their numbers.
pub fn sessions_of_user_are_listed_last_used_first(store: &dyn Store) {
    let ann = keep_user(store, &new_user("ann")).id;
    let eve = keep_user(store, &new_user("eve")).id;
    for (key, user, created, seen) in [
        ("old", ann, 10, 100),
        ("idle", ann, 50, 60),
        ("a", ann, 50, 90),
        ("b", ann, 50, 100),
        ("c", ann, 60, 90),
        ("eve", eve, 50, 100),
    ] {
        insert(store, &session(key, user, created, seen)).expect("a session can be stored");
    }
    let list = |at_most: u32| {
        store
            .read(|unit| unit.sessions().list_of(ann, moment(60), moment(10), at_most))
            .expect("sessions can be listed")
    };
    let keys = |at_most: u32| -> Vec<String> {
        let listed = list(at_most).into_iter();
        listed.map(|listed| listed.session.key_hash).collect()
    };
    assert_eq!(keys(9), ["b", "c", "a"]);
    assert_eq!(keys(2), ["b", "c"]);
    for listed in list(9) {
        let found = store.read(|unit| unit.sessions().find_by_number(listed.number));
        assert_eq!(found.expect("a session can be found"), Some(listed.session));
    }
    let found = store.read(|unit| unit.sessions().find_by_number(i64::MAX));
    assert_eq!(found.expect("none is found"), None);
}

/// All sessions of a user but one are deleted and counted.
pub fn delete_all_sessions_excepts_one(store: &dyn Store) {
    let ann = keep_owner(store).id;
    for key in ["a", "b", "c"] {
        insert(store, &session(key, ann, 1, 1)).expect("a session can be stored");
    }
    let deleted = store.write(|unit| unit.sessions().delete_all_of(ann, Some("b")));
    assert_eq!(deleted.expect("sessions can be deleted"), 2);
    assert_eq!(
        ["a", "b", "c"].map(|key| find(store, key).is_some()),
        [false, true, false]
    );
}

/// Sessions are counted for any number of users.
pub fn sessions_are_counted_by_user(store: &dyn Store) {
    let [ann, eve, zoe] = ["ann", "eve", "zoe"].map(|name| keep_user(store, &new_user(name)).id);
    for (key, user) in [("a", ann), ("b", ann), ("c", eve), ("d", zoe)] {
        insert(store, &session(key, user, 1, 1)).expect("a session can be stored");
    }
    let count = |users: &[UserId]| {
        store
            .read(|unit| unit.sessions().count_of(users))
            .expect("sessions can be counted")
    };
    assert_eq!((count(&[]), count(&[ann]), count(&[ann, eve])), (0, 2, 3));
    let many: Vec<UserId> = (0..1100).map(|more| UserId(zoe.0 + more)).chain([ann]).collect();
    assert_eq!(count(&many), 3);
}

/// Sessions beyond the idle time or the lifetime are deleted and counted.
pub fn expired_sessions_are_deleted_and_counted(store: &dyn Store) {
    let owner = keep_owner(store).id;
    for (key, created, seen) in [("old", 0, 100), ("idle", 50, 50), ("live", 50, 100)] {
        insert(store, &session(key, owner, created, seen)).expect("a session can be stored");
    }
    let delete = |at_most: u32| {
        let deleted = store.write(|unit| unit.sessions().delete_expired(moment(60), moment(10), at_most));
        deleted.expect("sessions can be deleted")
    };
    assert_eq!([delete(1), delete(2), delete(3)], [1, 1, 0]);
    assert_eq!(
        (
            find(store, "old"),
            find(store, "idle"),
            find(store, "live").is_some()
        ),
        (None, None, true)
    );
}
