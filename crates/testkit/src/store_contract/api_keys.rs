//! Rules about API keys.

use mycars_application::ports::{ApiKey, Store, StoreError};
use mycars_domain::{KeyRights, UserId};

use super::{keep_owner, keep_user};
use crate::samples::{moment, new_user};

fn key(key_hash: &str, owner: UserId) -> ApiKey {
    ApiKey {
        id: 0,
        owner,
        name: "Fahrtenbuch für Åsa".into(),
        prefix: "mck_1a2b3c4d".into(),
        key_hash: key_hash.into(),
        rights: KeyRights::Write,
        created_at: moment(1),
        expires_at: Some(moment(2)),
        last_used_at: None,
    }
}

fn insert(store: &dyn Store, key: &ApiKey) -> Result<ApiKey, StoreError> {
    let id = store.write(|unit| unit.api_keys().insert(key))?;
    Ok(ApiKey { id, ..key.clone() })
}

fn find(store: &dyn Store, id: i64) -> Option<ApiKey> {
    store
        .read(|unit| unit.api_keys().find(id))
        .expect("keys can be found")
}

/// Every field of a key is stored, and found by id and by the exact hash. The time of its last use can be updated.
pub fn inserted_key_is_returned_unchanged(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let plain = ApiKey {
        rights: KeyRights::Read,
        expires_at: None,
        ..key("b", owner)
    };
    for key in [key("a", owner), plain] {
        let kept = insert(store, &key).expect("a key can be stored");
        assert_eq!(find(store, kept.id), Some(kept.clone()));
        let by_hash = |hash: &str| {
            let found = store.read(|unit| unit.api_keys().find_by_hash(hash));
            found.expect("keys can be found")
        };
        assert_eq!(by_hash(&key.key_hash), Some(kept.clone()));
        assert_eq!(by_hash(&key.key_hash.to_uppercase()), None);
        let touched = store.write(|unit| {
            unit.api_keys().touch(kept.id, moment(5))?;
            unit.api_keys().touch(i64::MAX, moment(5))
        });
        touched.expect("a use can be recorded");
        let used = ApiKey {
            last_used_at: Some(moment(5)),
            ..kept
        };
        assert_eq!(find(store, used.id), Some(used));
    }
}

/// The keys of a user are listed, the newest first, and deleted one by one or with their user.
pub fn keys_are_listed_and_deleted_by_user(store: &dyn Store) {
    let ann = keep_user(store, &new_user("ann")).id;
    let eve = keep_user(store, &new_user("eve")).id;
    let [a, b, c] = [("a", ann), ("b", eve), ("c", ann)]
        .map(|(hash, owner)| insert(store, &key(hash, owner)).expect("a key can be stored"));
    let list = |owner| {
        let listed = store.read(|unit| unit.api_keys().list_of(owner));
        listed.expect("keys can be listed")
    };
    assert_eq!(list(ann), [c.clone(), a.clone()]);
    let deleted = store.write(|unit| {
        unit.api_keys().delete(a.id)?;
        unit.api_keys().delete(a.id)
    });
    deleted.expect("a key can be deleted, and deleting none does nothing");
    assert_eq!((list(ann), list(eve)), (vec![c.clone()], vec![b]));
    let deleted = store.write(|unit| unit.users().delete(ann));
    deleted.expect("a user can be deleted");
    assert_eq!(find(store, c.id), None);
    let gone = insert(store, &key("d", ann));
    assert!(matches!(gone, Err(StoreError::OwnerGone)), "{gone:?}");
}

/// No two keys have one hash.
pub fn key_hash_is_unique(store: &dyn Store) {
    let owner = keep_owner(store).id;
    insert(store, &key("a", owner)).expect("a key can be stored");
    let second = insert(store, &key("a", owner));
    assert!(matches!(second, Err(StoreError::Other(_))), "{second:?}");
}
