//! Rules about users.

use std::thread;

use chrono::TimeDelta;
use mycars_application::{
    lists::{CarQuery, Direction, LimitOffset, Search, UserCount, UserOrder, UserQuery},
    ports::{Store, StoreError},
};
use mycars_domain::{
    EmailState, Field, NewUser, PreviousEmail, Role, User, UserId,
    values::{Address, Email, FirstName, LastName, PasswordHash, Phone, Username},
};

use super::{assert_taken, insert_user, keep_user};
use crate::samples::{moment, new_car, new_user, refresh_token};

/// Every field of a new user is stored, and fields without a value are unset.
pub fn inserted_user_is_returned_unchanged(store: &dyn Store) {
    let new = NewUser {
        role: Role::Admin,
        is_active: false,
        is_superuser: true,
        created_at: moment(123_456),
        email_verified_at: Some(moment(7)),
        ..named("Åsa李明", "ÅSA@example.com")
    };
    let kept = keep_user(store, &new);
    let expected = User {
        id: kept.id,
        username: new.username,
        email: new.email,
        email_state: EmailState {
            verified_at: new.email_verified_at,
            ..EmailState::default()
        },
        first_name: new.first_name,
        last_name: new.last_name,
        role: new.role,
        phone: new.phone,
        address: new.address,
        is_active: new.is_active,
        is_superuser: new.is_superuser,
        password: new.password,
        logins_ended_at: None,
        access_ended_at: None,
        date_joined: new.created_at,
        last_login: None,
        created_at: new.created_at,
        updated_at: new.created_at,
    };
    assert_eq!(kept, expected);
    assert_eq!(find(store, kept.id), Some(expected));
}

/// An update stores every field, also fields that become unset.
pub fn user_update_stores_every_field(store: &dyn Store) {
    let kept = keep_user(store, &new_user("before"));
    let set = User {
        id: kept.id,
        username: Username::from_storage("after".into()),
        email: Email::from_storage("after@example.org".into()),
        email_state: EmailState {
            verified_at: Some(moment(6)),
            pending: Some(Email::from_storage("Next@example.org".into())),
            previous: Some(PreviousEmail {
                email: Email::from_storage("before@example.org".into()),
                replaced_at: moment(7),
            }),
        },
        first_name: FirstName::default(),
        last_name: LastName::from_storage("Ødegård".into()),
        role: Role::Admin,
        phone: Some(Phone::from_storage("1".into())),
        address: Some(Address::from_storage("2".into())),
        is_active: false,
        is_superuser: true,
        password: PasswordHash::from_storage("bcrypt_sha256$…".into()),
        logins_ended_at: Some(moment(1)),
        access_ended_at: Some(moment(3)),
        date_joined: moment(2),
        last_login: Some(moment(3)),
        created_at: moment(4),
        updated_at: moment(5),
    };
    let unset = User {
        phone: None,
        address: None,
        email_state: EmailState::default(),
        logins_ended_at: None,
        access_ended_at: None,
        last_login: None,
        ..set.clone()
    };
    for changed in [set, unset] {
        update(store, &changed).expect("the user can be changed");
        assert_eq!(find(store, kept.id), Some(changed));
    }
}

/// All superusers are found, active or not, and no other users.
pub fn superusers_are_locked_in_order_of_ids(store: &dyn Store) {
    let superusers = [("zoe", true), ("ann", false), ("mia", true)]
        .map(|(name, is_active)| keep_user(store, &superuser(name, is_active)));
    let admin = NewUser {
        role: Role::Admin,
        ..new_user("admin")
    };
    for other in [new_user("client"), admin] {
        keep_user(store, &other);
    }
    let locked = store.write(|unit| unit.users().superusers_for_update());
    assert_eq!(locked.expect("the store answers"), superusers);
    let none = store.write(|unit| {
        for superuser in &superusers {
            unit.users().delete(superuser.id)?;
        }
        unit.users().superusers_for_update()
    });
    assert_eq!(none.expect("the store answers"), []);
}

/// Each of two superusers is deleted only if the other one exists, so that one stays.
pub fn concurrent_deletes_leave_one_superuser(store: &dyn Store) {
    for round in 0..10 {
        let both = ["a", "b"].map(|name| keep_user(store, &superuser(&format!("{name}{round}"), true)).id);
        let go = |id: UserId| {
            store.write(|unit| {
                let superusers = unit.users().superusers_for_update()?;
                if superusers.len() > 1 {
                    unit.users().delete(id)?;
                }
                Ok::<_, StoreError>(())
            })
        };
        thread::scope(|scope| {
            for id in both {
                scope.spawn(move || go(id).expect("the write succeeds"));
            }
        });
        let left = store
            .write(|unit| {
                let left = unit.users().superusers_for_update()?;
                for superuser in &left {
                    unit.users().delete(superuser.id)?;
                }
                Ok::<_, StoreError>(left)
            })
            .expect("the store answers");
        assert_eq!(left.len(), 1, "{left:?}");
    }
}

fn superuser(name: &str, is_active: bool) -> NewUser {
    NewUser {
        role: Role::Admin,
        is_superuser: true,
        is_active,
        ..new_user(name)
    }
}

/// A blank phone number differs from an unset one.
pub fn blank_phone_differs_from_unset(store: &dyn Store) {
    let blank = NewUser {
        phone: Some(Phone::from_storage(String::new())),
        address: Some(Address::from_storage(String::new())),
        ..new_user("blank")
    };
    let unset = NewUser {
        phone: None,
        address: None,
        ..new_user("unset")
    };
    for new in [blank, unset] {
        let kept = keep_user(store, &new);
        let found = find(store, kept.id).expect("the user is there");
        assert_eq!((found.phone, found.address), (new.phone, new.address));
    }
}

/// Fractions of a second keep all their digits.
pub fn timestamps_are_kept_to_the_microsecond(store: &dyn Store) {
    let mut user = keep_user(store, &new_user("ann"));
    for microseconds in [0, 1, 1_000, 100_000, 123_456, 999_999, -1, -31_536_000_000_000] {
        user.last_login = Some(moment(microseconds));
        update(store, &user).expect("the user can be changed");
        assert_eq!(
            find(store, user.id).expect("the user is there").last_login,
            user.last_login
        );
    }
}

/// A username in another case finds no user; neither does a text that databases cannot store.
pub fn find_by_username_is_case_sensitive(store: &dyn Store) {
    let ann = keep_user(store, &new_user("Ann"));
    let by_name = |name| {
        store
            .read(|unit| unit.users().find_by_username(name))
            .expect("the store answers")
    };
    assert_eq!(by_name("Ann"), Some(ann));
    for missing in ["ann", "ANN", "Ann ", "An", "", "%", "Ann\0"] {
        assert_eq!(by_name(missing), None, "{missing:?}");
    }
    assert_eq!(find(store, UserId(0)), None);
}

/// A username is found in any case, but not by a part of it.
pub fn find_in_any_case_ignores_case(store: &dyn Store) {
    let joerg = keep_user(store, &named("Jörg", "first@example.com"));
    keep_user(store, &named("Jorg", "other@example.com"));
    let in_any_case = |name: &str| {
        store
            .read(|unit| {
                unit.users()
                    .find_in_any_case(&Username::from_storage(name.into()))
            })
            .expect("the store answers")
    };
    for name in ["Jörg", "jörg", "JÖRG"] {
        assert_eq!(in_any_case(name).as_ref(), Some(&joerg), "{name}");
    }
    for missing in ["jör", "%", "", "Jörg\0"] {
        assert_eq!(in_any_case(missing), None, "{missing:?}");
    }
}

/// A user is found by the e-mail address in any case, but not by a part of it.
pub fn find_by_email_ignores_case(store: &dyn Store) {
    let joerg = keep_user(store, &named("joerg", "Jörg@example.com"));
    keep_user(store, &named("jorg", "jorg@example.com"));
    let by_email = |email: &str| {
        store
            .read(|unit| unit.users().find_by_email(&Email::from_storage(email.into())))
            .expect("the store answers")
    };
    for email in ["Jörg@example.com", "jörg@EXAMPLE.com", "JÖRG@example.com"] {
        assert_eq!(by_email(email).as_ref(), Some(&joerg), "{email}");
    }
    for missing in ["jörg", "%", "", "Jörg@example.com\0"] {
        assert_eq!(by_email(missing), None, "{missing:?}");
    }
}

/// Neither a new nor an updated user gets the username of another user.
pub fn username_is_unique_ignoring_case(store: &dyn Store) {
    keep_user(store, &named("Jörg", "first@example.com"));
    let mut other = keep_user(store, &named("Jorg", "other@example.com"));
    for same in ["Jörg", "jörg", "JÖRG"] {
        let username = Username::from_storage(same.into());
        assert_taken(
            insert_user(store, &named(same, "third@example.com")),
            Field::Username,
        );
        assert!(is_username_taken(store, &username, None));
        other.username = username;
        assert_taken(update(store, &other), Field::Username);
    }
}

/// Neither a new nor an updated user gets the e-mail address of another user.
pub fn email_is_unique_ignoring_case(store: &dyn Store) {
    keep_user(store, &named("first", "Jörg@example.com"));
    let mut other = keep_user(store, &named("other", "jorg@example.com"));
    for same in ["Jörg@example.com", "jörg@example.com", "JÖRG@EXAMPLE.COM"] {
        let email = Email::from_storage(same.into());
        assert_taken(insert_user(store, &named("third", same)), Field::Email);
        assert!(is_email_taken(store, &email, None));
        other.email = email;
        assert_taken(update(store, &other), Field::Email);
    }
}

/// A replaced address is taken in any case as long as its user can put it back, except for the user.
pub fn replaced_email_is_reserved_for_seven_days(store: &dyn Store) {
    let mut ann = keep_user(store, &named("Ann", "new@example.com"));
    let old = Email::from_storage("Jörg@example.com".into());
    for (age, is_reserved) in [(TimeDelta::zero(), true), (PreviousEmail::UNDO_WITHIN, false)] {
        ann.email_state.previous = Some(PreviousEmail {
            email: old.clone(),
            replaced_at: moment(10) - age,
        });
        update(store, &ann).expect("it can be changed");
        for same in [old.as_str(), "JÖRG@example.com"] {
            let same = Email::from_storage(same.into());
            assert_eq!(is_email_taken(store, &same, None), is_reserved, "{age}");
            assert!(!is_email_taken(store, &same, Some(ann.id)));
        }
    }
    ann.email_state.previous = None;
    update(store, &ann).expect("it can be changed");
    assert!(!is_email_taken(store, &old, None));
}

/// Replaced addresses are forgotten from a time on, in batches, and nothing else of their users changes.
pub fn old_replaced_emails_are_forgotten(store: &dyn Store) {
    let mut users = [5, 6, 7].map(|replaced_at| {
        let mut user = keep_user(store, &new_user(&format!("user{replaced_at}")));
        user.email_state.previous = Some(PreviousEmail {
            email: Email::from_storage(format!("old{replaced_at}@example.com")),
            replaced_at: moment(replaced_at),
        });
        update(store, &user).expect("it can be changed");
        user
    });
    let forget = || {
        let forgotten = store.write(|unit| unit.users().forget_previous_emails(moment(6), 1));
        forgotten.expect("the store answers")
    };
    assert_eq!([forget(), forget(), forget()], [1, 1, 0]);
    for user in &mut users[..2] {
        user.email_state.previous = None;
    }
    for user in users {
        assert_eq!(find(store, user.id), Some(user));
    }
}

/// A user may change the case of their own username; a username of no user is free.
pub fn own_username_and_email_are_not_taken(store: &dyn Store) {
    let mut ann = keep_user(store, &named("Ann", "Ann@example.com"));
    let eve = keep_user(store, &named("Eve", "Eve@example.com"));
    ann.username = Username::from_storage("ANN".into());
    ann.email = Email::from_storage("ANN@example.com".into());
    assert!(!is_username_taken(store, &ann.username, Some(ann.id)));
    assert!(!is_email_taken(store, &ann.email, Some(ann.id)));
    assert!(is_username_taken(store, &ann.username, Some(eve.id)));
    assert!(is_email_taken(store, &ann.email, Some(eve.id)));
    assert!(!is_username_taken(
        store,
        &Username::from_storage("free".into()),
        None
    ));
    assert!(!is_email_taken(
        store,
        &Email::from_storage("free@example.com".into()),
        None
    ));
    update(store, &ann).expect("a user keeps their own name");
    assert_eq!(find(store, ann.id), Some(ann));
}

/// An update of a missing row is an error.
pub fn update_of_missing_user_is_an_error(store: &dyn Store) {
    let mut missing = keep_user(store, &new_user("ann"));
    missing.id = UserId(missing.id.0 + 1);
    let outcome = update(store, &missing);
    assert!(matches!(outcome, Err(StoreError::Other(_))), "{outcome:?}");
}

fn named(username: &str, email: &str) -> NewUser {
    NewUser {
        username: Username::from_storage(username.into()),
        email: Email::from_storage(email.into()),
        ..new_user("sample")
    }
}

fn find(store: &dyn Store, id: UserId) -> Option<User> {
    let (found, locked) = store
        .write(|unit| Ok::<_, StoreError>((unit.users().find(id)?, unit.users().find_for_update(id)?)))
        .expect("the store answers");
    assert_eq!(found, locked);
    found
}

fn update(store: &dyn Store, user: &User) -> Result<(), StoreError> {
    store.write(|unit| unit.users().update(user))
}

fn is_username_taken(store: &dyn Store, username: &Username, except: Option<UserId>) -> bool {
    store
        .read(|unit| unit.users().username_is_taken(username, except))
        .expect("the store answers")
}

fn is_email_taken(store: &dyn Store, email: &Email, except: Option<UserId>) -> bool {
    store
        .read(|unit| unit.users().email_is_taken(email, except, moment(10)))
        .expect("the store answers")
}

/// Search, filters, orders and pages have the same result on every database; users who never logged in come first.
pub fn users_are_searched_filtered_and_ordered(store: &dyn Store) {
    let user = |name: &str, role, is_active, last_login: Option<i64>| {
        let new = NewUser {
            role,
            is_active,
            phone: Some(Phone::from_storage("+49 30 77".into())),
            ..named(name, &format!("{name}@Example.com"))
        };
        let kept = keep_user(store, &new);
        update(
            store,
            &User {
                last_login: last_login.map(moment),
                ..kept.clone()
            },
        )
        .expect("it can be changed");
        kept.id
    };
    let ann = user("ann", Role::Client, true, Some(2));
    let bob = user("Bob", Role::Client, false, None);
    let cem = user("Öcem", Role::Admin, true, Some(1));
    let found = |query: &UserQuery| -> Vec<UserId> {
        let users = store
            .read(|unit| unit.users().list(query))
            .expect("users can be listed");
        let count = store.read(|unit| unit.users().count(query));
        if query.page.is_none() {
            assert_eq!(
                count.expect("users can be counted"),
                users.len() as u64,
                "{query:?}"
            );
        }
        users.into_iter().map(|user| user.id).collect()
    };
    let all = UserQuery::default;
    assert_eq!(found(&all()), [ann, bob, cem]);
    for (is_active, search, expected) in [(Some(false), "", bob), (None, "ann", ann)] {
        let clients = UserQuery {
            role: Some(Role::Client),
            is_active,
            search: Search::parse(search),
            ..all()
        };
        assert_eq!(found(&clients), [expected]);
    }
    assert_eq!(
        found(&UserQuery {
            search: Search::parse("öCEM @example"),
            ..all()
        }),
        [cem]
    );
    assert_eq!(
        found(&UserQuery {
            search: Search::parse("\"30 77\""),
            ..all()
        }),
        [ann, bob, cem]
    );
    assert_eq!(
        found(&UserQuery {
            role: Some(Role::Client),
            ..all()
        }),
        [ann, bob]
    );
    assert_eq!(
        found(&UserQuery {
            is_active: Some(true),
            ..all()
        }),
        [ann, cem]
    );
    let by = |order, direction| {
        found(&UserQuery {
            ordering: vec![(order, direction)],
            ..all()
        })
    };
    assert_eq!(by(UserOrder::Username, Direction::Ascending), [bob, ann, cem]);
    assert_eq!(by(UserOrder::Email, Direction::Descending), [cem, ann, bob]);
    assert_eq!(by(UserOrder::LastLogin, Direction::Ascending), [bob, cem, ann]);
    assert_eq!(by(UserOrder::LastLogin, Direction::Descending), [ann, cem, bob]);
    let page = UserQuery {
        page: Some(LimitOffset { limit: 1, offset: 1 }),
        ..all()
    };
    assert_eq!(found(&page), [bob]);
    assert_eq!(
        store
            .read(|unit| unit.users().count(&page))
            .expect("users can be counted"),
        3
    );
}

/// Deleting a user deletes their cars. Their tokens are kept, so that revoked tokens stay known.
pub fn delete_of_user_deletes_cars_and_keeps_tokens(store: &dyn Store) {
    let ann = keep_user(store, &new_user("ann"));
    let eve = keep_user(store, &new_user("eve"));
    store
        .write(|unit| {
            unit.cars().insert(&new_car(ann.id, "B-AB 1"))?;
            unit.cars().insert(&new_car(eve.id, "B-AB 2"))?;
            unit.refresh_tokens().record(&refresh_token("a", ann.id))
        })
        .expect("cars and tokens can be stored");
    let delete = || store.write(|unit| unit.users().delete(ann.id));
    delete().expect("a user can be deleted");
    delete().expect("deleting a missing user has no effect");
    let cars_of = |owner| store.read(|unit| unit.cars().count(owner, &CarQuery::default()));
    assert_eq!(cars_of(Some(ann.id)).expect("cars can be counted"), 0);
    assert_eq!(cars_of(Some(eve.id)).expect("cars can be counted"), 1);
    let token = store
        .read(|unit| unit.refresh_tokens().find("a"))
        .expect("tokens can be found");
    assert_eq!(token.expect("the token is known").user, None);
    let next = keep_user(store, &new_user("ann"));
    assert!(next.id > eve.id, "an id is never used again");
}

/// The ids are in the order of the list, for all pages.
pub fn user_ids_have_order_of_list(store: &dyn Store) {
    let [ann, bob, cem] = ["ann", "bob", "cem"].map(|name| keep_user(store, &new_user(name)).id);
    let ids = |query: &UserQuery| {
        store
            .read(|unit| unit.users().ids(query))
            .expect("users can be listed")
    };
    let query = UserQuery {
        ordering: vec![(UserOrder::Username, Direction::Descending)],
        page: Some(LimitOffset { limit: 1, offset: 1 }),
        ..UserQuery::default()
    };
    assert_eq!(ids(&UserQuery::default()), [ann, bob, cem]);
    assert_eq!(ids(&query), [cem, bob, ann]);
    let searched = UserQuery {
        search: Search::parse("BOB"),
        ..query
    };
    assert_eq!(ids(&searched), [bob]);
}

/// Counts by role and activity ignore the filters of these two fields, and use all other filters.
pub fn users_are_counted_by_role_and_activity(store: &dyn Store) {
    for (name, role, is_active) in [
        ("ann", Role::Client, true),
        ("anton", Role::Client, true),
        ("bob", Role::Client, false),
        ("annika", Role::Admin, true),
    ] {
        let new = NewUser {
            role,
            is_active,
            ..new_user(name)
        };
        keep_user(store, &new);
    }
    let counts = |query: &UserQuery| {
        let mut counts = store
            .read(|unit| unit.users().counts(query))
            .expect("users can be counted");
        counts.sort_by_key(|alike| (alike.role.as_str(), alike.is_active));
        counts
    };
    let alike = |role, is_active, count| UserCount {
        role,
        is_active,
        count,
    };
    let aside = UserQuery {
        role: Some(Role::Admin),
        is_active: Some(false),
        page: Some(LimitOffset { limit: 1, offset: 1 }),
        ..UserQuery::default()
    };
    for query in [&UserQuery::default(), &aside] {
        assert_eq!(
            counts(query),
            [
                alike(Role::Admin, true, 1),
                alike(Role::Client, false, 1),
                alike(Role::Client, true, 2)
            ]
        );
    }
    let searched = UserQuery {
        search: Search::parse("ANN"),
        ..aside
    };
    assert_eq!(
        counts(&searched),
        [alike(Role::Admin, true, 1), alike(Role::Client, true, 1)]
    );
}

/// Users are found by any number of ids, without ids that do not exist.
pub fn users_are_found_by_many_ids(store: &dyn Store) {
    let mut users: Vec<User> = store
        .write(|unit| {
            (0..1100)
                .map(|number| unit.users().insert(&new_user(&format!("user{number}"))))
                .collect::<Result<_, StoreError>>()
        })
        .expect("users can be stored");
    let ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
    store
        .write(|unit| unit.users().delete(ids[5]))
        .expect("a user can be deleted");
    users.remove(5);
    let find = |ids: &[UserId]| {
        let mut found = store
            .read(|unit| unit.users().find_all(ids))
            .expect("users can be found");
        found.sort_by_key(|user| user.id);
        found
    };
    assert_eq!(find(&ids), users);
    assert_eq!(find(&[ids[0], ids[5]]), users[..1]);
    assert_eq!(find(&[]), []);
}
