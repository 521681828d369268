//! Rules about the audit log.

use std::{iter, net::IpAddr, sync::Barrier, thread};

use mycars_application::{
    lists::{CarQuery, HistoryCount, HistoryQuery, LimitOffset, Search},
    ports::{PrunedEntries, Store, StoreError},
};
use mycars_domain::{
    Field, UserId,
    audit::{Action, Author, Change, Channel, Entry, NewEntry, Object, ObjectType, Origin, Value},
};

use super::{keep_car, keep_owner, keep_user};
use crate::samples::{moment, new_car, new_user};

/// Returns an entry about an object of Ann with this id and name, by Ann.
fn entry(action: Action, kind: ObjectType, id: &str, name: &str) -> NewEntry {
    NewEntry {
        at: moment(0),
        action,
        object: Object {
            kind,
            id: id.into(),
            name: name.into(),
            owner: Some(UserId(1)),
        },
        author: Author {
            id: Some(UserId(1)),
            name: "ann".into(),
        },
        origin: Origin {
            channel: Channel::Api,
            request_id: Some("request".into()),
            address: None,
        },
        changes: vec![],
    }
}

fn append(store: &dyn Store, entries: &[NewEntry]) {
    store
        .write(|unit| unit.audit_log().append(entries))
        .expect("entries can be stored");
}

/// Returns the entries that a query finds. Checks that `count` and `ids` of the log agree with them.
fn list(store: &dyn Store, query: &HistoryQuery) -> Vec<Entry> {
    let (listed, count, ids) = store
        .read(|unit| {
            let log = unit.audit_log();
            Ok::<_, StoreError>((log.list(query)?, log.count(query)?, log.ids(query)?))
        })
        .expect("entries can be listed");
    if query.page.is_none() {
        let numbers: Vec<i64> = listed.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, numbers, "{query:?}");
        assert_eq!(count, ids.len() as u64, "{query:?}");
    }
    listed
}

/// Returns all entries without their ids, oldest first.
fn kept(store: &dyn Store) -> Vec<NewEntry> {
    let all = HistoryQuery {
        oldest_first: true,
        ..HistoryQuery::default()
    };
    list(store, &all).into_iter().map(|entry| entry.entry).collect()
}

/// Every field of an entry is stored: each action, object type and channel, addresses of both kinds, and every field
/// and value that can change. Optional fields may be unset.
pub fn appended_entry_is_returned_unchanged(store: &dyn Store) {
    let values = [
        Value::Nothing,
        Value::Text("ö \"1\" \\ 🚗\n".into()),
        Value::Text(String::new()),
        Value::Number(i64::MIN),
        Value::Number(i64::MAX),
        Value::Flag(true),
        Value::Flag(false),
        Value::Excerpt {
            text: "🚗".repeat(Value::MAX_CHARACTERS),
            length: 10_000,
            sha256: "ab".repeat(32),
        },
        Value::Hidden,
    ];
    let changes = |shift: usize| {
        Field::ALL
            .into_iter()
            .enumerate()
            .map(|(number, field)| Change {
                field,
                before: values[(number + shift) % values.len()].clone(),
                after: values[(number + shift + 1) % values.len()].clone(),
            })
            .collect::<Vec<_>>()
    };
    let addresses = [None, Some("203.0.113.7"), Some("2001:db8::8a2e:370:7334")];
    let mut entries = Vec::new();
    for (number, action) in Action::ALL.into_iter().enumerate() {
        for kind in ObjectType::ALL {
            for channel in Channel::ALL {
                let address = addresses[entries.len() % addresses.len()];
                entries.push(NewEntry {
                    at: moment(123_456),
                    origin: Origin {
                        channel,
                        request_id: Some("0198-abc".into()),
                        address: address.map(|text| text.parse::<IpAddr>().expect("it is an address")),
                    },
                    changes: changes(number),
                    ..entry(action, kind, "5f3a-Ä", "Škoda Octavia (B-ÖA 1)")
                });
            }
        }
    }
    entries.push(NewEntry {
        object: Object {
            owner: None,
            ..entries[0].object.clone()
        },
        author: Author {
            id: None,
            name: "system".into(),
        },
        origin: Origin {
            channel: Channel::CommandLine,
            request_id: None,
            address: None,
        },
        changes: vec![],
        ..entries[0].clone()
    });
    append(store, &entries);
    assert_eq!(kept(store), entries);
}

/// A car and the entry about it are stored together, and neither if the plate is taken.
pub fn car_is_inserted_with_its_entry(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let insert = |license: &str| {
        let entry = entry(Action::Created, ObjectType::Car, "0", license);
        store.write(|unit| unit.audit_log().append_with_car(&entry, &new_car(owner, license)))
    };
    let car = insert("B-AB 1").expect("the plate is free");
    assert_eq!(car, new_car(owner, "B-AB 1").with_id(car.id));
    let other = insert("B-AB 2").expect("the plate is free");
    let taken = insert("b-ab 1");
    assert!(
        matches!(taken, Err(StoreError::Taken(Field::License))),
        "{taken:?}"
    );
    let expected = [&car, &other].map(|car| {
        let id = car.id.to_string();
        entry(Action::Created, ObjectType::Car, &id, car.license.as_str())
    });
    assert_eq!(kept(store), expected);
    let stored = store.read(|unit| unit.cars().list(Some(owner), &CarQuery::default()));
    assert_eq!(stored.expect("cars can be listed"), [other, car]);
}

/// Entries are ordered as they were appended, regardless of their timestamps; later entries have greater ids.
pub fn entries_are_ordered_by_id_in_both_directions(store: &dyn Store) {
    for (name, at) in [("a", 0), ("b", 5), ("c", -5)] {
        append(
            store,
            &[NewEntry {
                at: moment(at),
                ..entry(Action::Changed, ObjectType::Car, "1", name)
            }],
        );
    }
    let ordered = |oldest_first| {
        let query = HistoryQuery {
            oldest_first,
            ..HistoryQuery::default()
        };
        let listed = list(store, &query);
        let names: Vec<String> = listed
            .iter()
            .map(|entry| entry.entry.object.name.clone())
            .collect();
        let numbers: Vec<i64> = listed.iter().map(|entry| entry.id).collect();
        (names.concat(), numbers)
    };
    let (names, numbers) = ordered(true);
    assert_eq!(names, "abc");
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert_eq!(ordered(false).0, "cba");
}

/// Each filter matches exact values, several filters must all match, and both bounds of time are inclusive.
pub fn entry_filters_match_exactly(store: &dyn Store) {
    append(store, &different());
    let found = |ask: fn(&mut HistoryQuery)| {
        let mut query = HistoryQuery {
            oldest_first: true,
            ..HistoryQuery::default()
        };
        ask(&mut query);
        let listed = list(store, &query).into_iter();
        listed.map(|entry| entry.entry.object.name).collect::<String>()
    };
    assert_eq!(found(|_| {}), "abcd");
    assert_eq!(found(|query| query.action = Some(Action::Created)), "ac");
    assert_eq!(found(|query| query.action = Some(Action::Changed)), "");
    assert_eq!(found(|query| query.object_type = Some(ObjectType::Car)), "ab");
    assert_eq!(found(|query| query.object_type = Some(ObjectType::User)), "c");
    assert_eq!(found(|query| query.object_id = Some("1".into())), "ad");
    assert_eq!(found(|query| query.object_id = Some("%".into())), "");
    assert_eq!(found(|query| query.owner = Some(UserId(1))), "ab");
    assert_eq!(found(|query| query.owner = Some(UserId(2))), "c");
    assert_eq!(found(|query| query.owner = Some(UserId(3))), "");
    assert_eq!(found(|query| query.actor = Some(UserId(1))), "ab");
    assert_eq!(found(|query| query.actor = Some(UserId(3))), "c");
    assert_eq!(found(|query| query.since = Some(moment(11))), "bcd");
    assert_eq!(found(|query| query.until = Some(moment(11))), "a");
    assert_eq!(
        found(|query| {
            query.since = Some(moment(11));
            query.until = Some(moment(12));
        }),
        "b"
    );
    assert_eq!(
        found(|query| {
            query.since = Some(moment(11));
            query.until = Some(moment(11));
        }),
        ""
    );
    assert_eq!(
        found(|query| {
            query.object_type = Some(ObjectType::Car);
            query.object_id = Some("1".into());
            query.owner = Some(UserId(1));
        }),
        "a"
    );
}

/// Returns four entries, one microsecond apart, with the names `a` to `d`.
fn different() -> [NewEntry; 4] {
    let entry_at = |at, (action, kind, id, name), owner: Option<i64>, author: Option<i64>| {
        let mut entry = entry(action, kind, id, name);
        entry.at = moment(at);
        entry.object.owner = owner.map(UserId);
        entry.author.id = author.map(UserId);
        entry
    };
    [
        entry_at(10, (Action::Created, ObjectType::Car, "1", "a"), Some(1), Some(1)),
        entry_at(
            11,
            (Action::Deleted, ObjectType::Car, "10", "b"),
            Some(1),
            Some(1),
        ),
        entry_at(
            12,
            (Action::Created, ObjectType::User, "10", "c"),
            Some(2),
            Some(3),
        ),
        entry_at(
            13,
            (Action::Revoked, ObjectType::RefreshToken, "1", "d"),
            None,
            None,
        ),
    ]
}

/// A search covers the names of the object and of the author, in any case and script. All words must match, no word
/// matches across the two names, and wildcards of LIKE have no meaning.
pub fn entry_search_ignores_case(store: &dyn Store) {
    let named = |thing: &str, author: &str| {
        let entry = entry(Action::Changed, ObjectType::Car, "77", thing);
        NewEntry {
            author: Author {
                name: author.into(),
                ..entry.author.clone()
            },
            ..entry
        }
    };
    append(
        store,
        &[named("VW Golf Élan (B-ÖA 1)", "jörg"), named("100%_car", "ANN")],
    );
    let found = |words: &str| {
        let query = HistoryQuery {
            search: Search::parse(words),
            ..HistoryQuery::default()
        };
        list(store, &query)
            .into_iter()
            .map(|entry| entry.entry.author.name)
            .collect::<Vec<_>>()
    };
    for words in ["ÉLAN golf", "öa", "JÖRG", "golf jörg"] {
        assert_eq!(found(words), ["jörg"], "{words}");
    }
    for words in ["ann", "100%_CAR"] {
        assert_eq!(found(words), ["ANN"], "{words}");
    }
    for words in ["golf ann", "\"1) jörg\"", "_olf", "1%car", "77", "request"] {
        assert_eq!(found(words), [""; 0], "{words}");
    }
}

/// A page has at most `limit` entries after the first `offset`; `count` and `ids` ignore the page.
pub fn entry_count_ignores_page(store: &dyn Store) {
    let cars: Vec<NewEntry> = (0..5)
        .map(|number| entry(Action::Created, ObjectType::Car, &number.to_string(), "car"))
        .collect();
    append(store, &cars);
    append(store, &[entry(Action::Created, ObjectType::User, "1", "ann")]);
    let page = |limit, offset| {
        let query = HistoryQuery {
            object_type: Some(ObjectType::Car),
            page: Some(LimitOffset { limit, offset }),
            ..HistoryQuery::default()
        };
        let listed = list(store, &query);
        let ids: Vec<String> = listed.into_iter().map(|entry| entry.entry.object.id).collect();
        let (count, numbers) = store
            .read(|unit| {
                let log = unit.audit_log();
                Ok::<_, StoreError>((log.count(&query)?, log.ids(&query)?))
            })
            .expect("entries can be counted");
        assert_eq!((count, numbers.len()), (5, 5));
        ids.concat()
    };
    assert_eq!(page(2, 0), "43");
    assert_eq!(page(2, 4), "0");
    assert_eq!(page(0, 0), "");
    assert_eq!(page(2, u64::MAX), "");
}

/// Counts by action and object type ignore the filters of these two fields, and use all other filters.
pub fn entries_are_counted_by_action_and_object_type(store: &dyn Store) {
    let of_eve = entry(Action::Created, ObjectType::Car, "3", "her car");
    append(
        store,
        &[
            entry(Action::Created, ObjectType::Car, "1", "car"),
            entry(Action::Created, ObjectType::Car, "2", "car"),
            entry(Action::Deleted, ObjectType::Car, "2", "car"),
            entry(Action::Created, ObjectType::User, "1", "ann"),
            NewEntry {
                object: Object {
                    owner: Some(UserId(2)),
                    ..of_eve.object.clone()
                },
                ..of_eve
            },
        ],
    );
    let counts = |query: &HistoryQuery| {
        let mut counts = store
            .read(|unit| unit.audit_log().counts(query))
            .expect("entries can be counted");
        counts.sort_by_key(|alike| (alike.action.as_str(), alike.object_type.as_str()));
        counts
    };
    let alike = |action, object_type, count| HistoryCount {
        action,
        object_type,
        count,
    };
    let all = [
        alike(Action::Created, ObjectType::Car, 3),
        alike(Action::Created, ObjectType::User, 1),
        alike(Action::Deleted, ObjectType::Car, 1),
    ];
    assert_eq!(counts(&HistoryQuery::default()), all);
    let aside = HistoryQuery {
        action: Some(Action::Deleted),
        object_type: Some(ObjectType::User),
        page: Some(LimitOffset { limit: 1, offset: 1 }),
        ..HistoryQuery::default()
    };
    assert_eq!(counts(&aside), all);
    let of_ann = HistoryQuery {
        owner: Some(UserId(1)),
        search: Search::parse("car"),
        ..aside
    };
    assert_eq!(
        counts(&of_ann),
        [
            alike(Action::Created, ObjectType::Car, 2),
            alike(Action::Deleted, ObjectType::Car, 1)
        ]
    );
}

/// Entries that are appended together keep their order, and are found by their ids.
pub fn entries_are_found_by_many_ids(store: &dyn Store) {
    let entries: Vec<NewEntry> = (0..1200)
        .map(|number| entry(Action::Deleted, ObjectType::Car, &number.to_string(), "car"))
        .collect();
    append(store, &entries);
    append(store, &[]);
    assert_eq!(kept(store), entries);
    let all = list(store, &HistoryQuery::default());
    let find = |ids: &[i64]| {
        let mut found = store
            .read(|unit| unit.audit_log().find_all(ids))
            .expect("entries can be found");
        found.sort_by_key(|entry| -entry.id);
        found
    };
    let mut ids: Vec<i64> = all.iter().map(|entry| entry.id).collect();
    ids.push(ids[0] + 1);
    assert_eq!(find(&ids), all);
    assert_eq!(find(&[ids[3]]), all[3..4]);
    assert_eq!(find(&[]), []);
}

/// Entries keep the names of a deleted car and of its deleted owner.
pub fn entry_of_deleted_car_and_user_is_kept(store: &dyn Store) {
    let owner = keep_owner(store);
    let car = keep_car(store, &new_car(owner.id, "B-AB 1"));
    let about = |object| NewEntry {
        object,
        author: Author {
            id: Some(owner.id),
            name: owner.username.to_string(),
        },
        ..entry(Action::Created, ObjectType::Car, "", "")
    };
    let entries = [about(Object::user(&owner)), about(Object::car(&car))];
    append(store, &entries);
    store
        .write(|unit| {
            unit.cars().delete(car.id)?;
            unit.users().delete(owner.id)
        })
        .expect("both can be deleted");
    assert_eq!(kept(store), entries);
    let theirs = HistoryQuery {
        owner: Some(owner.id),
        actor: Some(owner.id),
        ..HistoryQuery::default()
    };
    assert_eq!(list(store, &theirs).len(), 2);
}

/// A change and its entry are stored together, or neither is.
pub fn entry_is_rolled_back_with_its_change(store: &dyn Store) {
    let owner = keep_user(store, &new_user("ann"));
    let change = |plate: &str, outcome: Result<(), StoreError>| {
        store.write(|unit| {
            let car = unit.cars().insert(&new_car(owner.id, plate))?;
            let created = entry(Action::Created, ObjectType::Car, "", "");
            unit.audit_log().append(&[NewEntry {
                object: Object::car(&car),
                ..created
            }])?;
            outcome
        })
    };
    let there = || {
        let cars = store
            .read(|unit| unit.cars().list(None, &CarQuery::default()))
            .expect("cars can be listed");
        let found: Vec<_> = kept(store)
            .into_iter()
            .map(|entry| entry.object.car_id())
            .collect();
        let cars: Vec<_> = cars.into_iter().map(|car| Some(car.id)).collect();
        assert_eq!(found, cars);
        cars.len()
    };
    let fault = || StoreError::Other("a fault of the program".into());
    assert!(change("B-AB 1", Err(fault())).is_err());
    assert_eq!(there(), 0);
    change("B-AB 1", Ok(())).expect("the write succeeds");
    assert_eq!(there(), 1);
    let taken = change("b-ab 1", Ok(()));
    assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
    assert_eq!(there(), 1);
}

/// The oldest entries are deleted in their order, up to the first one that is young enough. The newest stays, so that no
/// id is used again.
pub fn oldest_entries_are_deleted_and_newest_stays(store: &dyn Store) {
    let delete = |before: i64, at_most: u32| {
        let deleted = store.write(|unit| unit.audit_log().delete_oldest(moment(before), at_most));
        deleted.expect("entries can be deleted")
    };
    let ids = || -> Vec<i64> {
        let all = HistoryQuery {
            oldest_first: true,
            ..HistoryQuery::default()
        };
        list(store, &all).iter().map(|entry| entry.id).collect()
    };
    assert_eq!(delete(100, 10), None, "there are none");
    // The fourth is older than the third, as with servers whose clocks differ.
    let entries = [10, 20, 40, 30, 50].map(|at| NewEntry {
        at: moment(at),
        ..entry(Action::Created, ObjectType::Car, "1", "a")
    });
    append(store, &entries);
    let all = ids();
    let pruned = |count, last| Some(PrunedEntries { count, last });
    assert_eq!(delete(10, 10), None, "none is old enough");
    assert_eq!(delete(100, 1), pruned(1, all[0]));
    assert_eq!(delete(35, 10), pruned(1, all[1]));
    assert_eq!(
        delete(35, 10),
        None,
        "the third is younger, and the fourth comes after it"
    );
    assert_eq!(ids(), all[2..]);
    assert_eq!(delete(100, 10), pruned(2, all[3]));
    assert_eq!(delete(100, 10), None, "the newest stays");
    append(store, &entries[..1]);
    assert_eq!(ids()[0], all[4]);
    assert!(ids()[1] > all[4]);
}

/// Several servers can prune at once. Each entry counts once, and none reports that it deleted nothing.
pub fn concurrent_prunings_count_each_entry_once(store: &dyn Store) {
    const ENTRIES: usize = 60;
    const SERVERS: usize = 4;
    let entries: Vec<NewEntry> = (0..=ENTRIES)
        .map(|number| entry(Action::Created, ObjectType::Car, &number.to_string(), "a"))
        .collect();
    append(store, &entries);
    let start = Barrier::new(SERVERS);
    let prune = || {
        start.wait();
        let delete = || {
            let deleted = store.write(|unit| unit.audit_log().delete_oldest(moment(100), 1));
            deleted.expect("entries can be deleted")
        };
        iter::from_fn(delete).map(|pruned| pruned.count).collect()
    };
    let counts: Vec<u64> = thread::scope(|scope| {
        let servers: Vec<_> = (0..SERVERS).map(|_| scope.spawn(prune)).collect();
        let counts = servers
            .into_iter()
            .map(|server| -> Vec<u64> { server.join().expect("no panic") });
        counts.flatten().collect()
    });
    assert_eq!(counts, [1; ENTRIES]);
}

/// Returns entries about two users and their cars, by both users and by others, with an address.
fn entries_of_two_users() -> Vec<NewEntry> {
    let owners = [1, 2].map(|id| Some(UserId(id)));
    let authors = [None, Some(UserId(1)), Some(UserId(2))];
    let kinds = [ObjectType::User, ObjectType::Car];
    let mut entries = Vec::new();
    for owner in owners {
        for author in authors {
            for kind in kinds {
                let name = author.map_or("anonymous", |id| if id.0 == 1 { "ann" } else { "bob" });
                let mut about = entry(Action::Changed, kind, "7", "a name");
                about.object.owner = owner;
                about.author = Author {
                    id: author,
                    name: name.into(),
                };
                about.origin.address = Some([192, 0, 2, 1].into());
                about.changes = vec![Change {
                    field: Field::Email,
                    before: Value::Nothing,
                    after: "a@example.com".into(),
                }];
                entries.push(about);
            }
        }
    }
    entries
}

/// The texts of a user are removed from all entries about and by them, and all else stays. The search finds the entries
/// by their new names only.
pub fn texts_of_a_user_are_forgotten(store: &dyn Store) {
    let forget = |user| {
        let forgotten = store.write(|unit| unit.audit_log().forget_user(UserId(user)));
        forgotten.expect("a user can be forgotten")
    };
    let entries = entries_of_two_users();
    append(store, &entries);
    assert_eq!(forget(9), 0);
    assert_eq!(kept(store), entries);

    assert_eq!(forget(1), 8);
    let mut expected = entries;
    for entry in &mut expected {
        entry.forget(UserId(1));
    }
    assert_eq!(kept(store), expected);
    let searched = |text: &str| {
        let query = HistoryQuery {
            search: Search::parse(text),
            ..HistoryQuery::default()
        };
        list(store, &query).len()
    };
    assert_eq!((searched("ann"), searched("erased user 1")), (0, 8));
    assert_eq!(forget(1), 8, "it can be repeated");
    assert_eq!(kept(store), expected);
    append(store, &expected[..1]);
}

/// The entries about or by a user are read in pieces, each of them once.
pub fn entries_of_a_user_are_read_in_pieces(store: &dyn Store) {
    let mut entries = entries_of_two_users();
    for _ in 0..7 {
        entries.extend_from_within(..);
    }
    append(store, &entries);
    let read = |user: i64, at_most: u32| {
        let mut all = Vec::new();
        loop {
            let after = all.last().map_or(0, |entry: &Entry| entry.id);
            let next = store.read(|unit| unit.audit_log().list_of_user(UserId(user), after, at_most));
            let next = next.expect("entries can be read");
            assert!(next.len() <= at_most as usize);
            if next.is_empty() {
                return all;
            }
            all.extend(next);
        }
    };
    let is_theirs = |entry: &NewEntry| [entry.object.owner, entry.author.id].contains(&Some(UserId(1)));
    entries.retain(is_theirs);
    for at_most in [3, 100, 5000] {
        let found: Vec<NewEntry> = read(1, at_most).into_iter().map(|found| found.entry).collect();
        assert_eq!(found, entries, "{at_most}");
    }
    assert_eq!(read(9, 10), []);
}

/// A rollback keeps the texts.
pub fn forgetting_is_rolled_back(store: &dyn Store) {
    let entries = entries_of_two_users();
    append(store, &entries);
    let failed = store.write(|unit| {
        unit.audit_log().forget_user(UserId(1))?;
        unit.audit_log().forget_addresses(moment(100), 100)?;
        Err::<(), _>(StoreError::Other("a fault of the program".into()))
    });
    assert!(failed.is_err());
    assert_eq!(kept(store), entries);
}

/// Old entries lose their addresses in the order of their ids, up to the first one that is young enough.
pub fn addresses_of_old_entries_are_forgotten(store: &dyn Store) {
    let forget = |before: i64, at_most: u32| {
        let forgotten = store.write(|unit| unit.audit_log().forget_addresses(moment(before), at_most));
        forgotten.expect("addresses can be forgotten")
    };
    let addresses = || -> Vec<bool> {
        let entries = kept(store).into_iter();
        entries.map(|entry| entry.origin.address.is_some()).collect()
    };
    assert_eq!(forget(100, 10), 0, "there are none");
    let mut entries: Vec<NewEntry> = entries_of_two_users().into_iter().take(5).collect();
    for (entry, at) in entries.iter_mut().zip([10, 20, 40, 30, 50]) {
        entry.at = moment(at);
    }
    entries[1].origin.address = None;
    append(store, &entries);
    assert_eq!(forget(10, 10), 0, "none is old enough");
    assert_eq!(forget(100, 1), 1);
    assert_eq!(addresses(), [false, false, true, true, true]);
    assert_eq!(
        forget(35, 10),
        1,
        "the third is younger, and the fourth comes after it"
    );
    assert_eq!(forget(35, 10), 0);
    assert_eq!(forget(45, 10), 2);
    assert_eq!(addresses(), [false, false, false, false, true]);
    assert_eq!((forget(100, 10), forget(100, 10)), (1, 0));
    for entry in &mut entries {
        entry.origin.address = None;
    }
    assert_eq!(kept(store), entries, "all else stays");
}
