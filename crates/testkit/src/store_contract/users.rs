//! Rules about users.

use std::thread;

use mycars_application::{
    lists::{CarQuery, Direction, LimitOffset, Search, UserCount, UserOrder, UserQuery},
    ports::{Store, StoreError},
};
use mycars_domain::{
    Field, NewUser, Role, User, UserId,
    values::{Address, Email, FirstName, LastName, PasswordHash, Phone, Username},
};

use super::{assert_taken, insert_user, keep_user};
use crate::samples::{moment, new_car, new_user, refresh_token};

/// Every field of a new user comes back, and what it does not say is unset.
pub fn a_user_is_kept_as_it_was_given(store: &dyn Store) {
    let new = NewUser {
        role: Role::Admin,
        is_active: false,
        is_superuser: true,
        created_at: moment(123_456),
        ..named("Åsa李明", "ÅSA@example.com")
    };
    let kept = keep_user(store, &new);
    let expected = User {
        id: kept.id,
        username: new.username,
        email: new.email,
        first_name: new.first_name,
        last_name: new.last_name,
        role: new.role,
        phone: new.phone,
        address: new.address,
        is_active: new.is_active,
        is_superuser: new.is_superuser,
        password: new.password,
        logins_ended_at: None,
        date_joined: new.created_at,
        last_login: None,
        created_at: new.created_at,
        updated_at: new.created_at,
    };
    assert_eq!(kept, expected);
    assert_eq!(find(store, kept.id), Some(expected));
}

/// An update keeps every field, also those that become unset.
pub fn a_user_can_be_changed_in_every_field(store: &dyn Store) {
    let kept = keep_user(store, &new_user("before"));
    let set = User {
        id: kept.id,
        username: Username::from_storage("after".into()),
        email: Email::from_storage("after@example.org".into()),
        first_name: FirstName::default(),
        last_name: LastName::from_storage("Ødegård".into()),
        role: Role::Admin,
        phone: Some(Phone::from_storage("1".into())),
        address: Some(Address::from_storage("2".into())),
        is_active: false,
        is_superuser: true,
        password: PasswordHash::from_storage("bcrypt_sha256$…".into()),
        logins_ended_at: Some(moment(1)),
        date_joined: moment(2),
        last_login: Some(moment(3)),
        created_at: moment(4),
        updated_at: moment(5),
    };
    let unset = User {
        phone: None,
        address: None,
        logins_ended_at: None,
        last_login: None,
        ..set.clone()
    };
    for changed in [set, unset] {
        update(store, &changed).expect("the user can be changed");
        assert_eq!(find(store, kept.id), Some(changed));
    }
}

/// Superusers are found whether they are active or not, and nobody else is.
pub fn superusers_are_locked_in_the_order_of_their_ids(store: &dyn Store) {
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

/// Each of two superusers goes only while the other one is there: so one stays.
pub fn two_superusers_who_look_for_another_at_once_do_not_both_go(store: &dyn Store) {
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

/// A blank phone number is a phone number that is blank.
pub fn unset_and_blank_are_two_things_for_a_user(store: &dyn Store) {
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

/// No digit of a fraction is lost or made up.
pub fn points_in_time_are_kept_to_the_microsecond(store: &dyn Store) {
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

/// A name that differs in case finds nobody, nor does one that no database can hold.
pub fn a_username_finds_its_user_to_the_letter(store: &dyn Store) {
    let ann = keep_user(store, &new_user("Ann"));
    let by_name = |name| {
        store
            .read(|unit| unit.users().find_by_username(name))
            .expect("the store answers")
    };
    assert_eq!(by_name("Ann"), Some(ann));
    for nobody in ["ann", "ANN", "Ann ", "An", "", "%", "Ann\0"] {
        assert_eq!(by_name(nobody), None, "{nobody:?}");
    }
    assert_eq!(find(store, UserId(0)), None);
}

/// Who looks for somebody need not know how their name is written, and a part of it is none.
pub fn a_username_in_any_case_finds_its_user(store: &dyn Store) {
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
    for nobody in ["jör", "%", "", "Jörg\0"] {
        assert_eq!(in_any_case(nobody), None, "{nobody:?}");
    }
}

/// Neither a new user nor a changed one gets another one's username.
pub fn a_username_is_unique_whatever_its_case(store: &dyn Store) {
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

/// Neither a new user nor a changed one gets another one's e-mail address.
pub fn an_email_is_unique_whatever_its_case(store: &dyn Store) {
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

/// A user may write their own name in another case, and what nobody has is free.
pub fn a_username_and_an_email_are_not_taken_by_their_own_user(store: &dyn Store) {
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

/// An update that changes nobody is no success.
pub fn a_user_who_is_not_there_can_not_be_changed(store: &dyn Store) {
    let mut nobody = keep_user(store, &new_user("ann"));
    nobody.id = UserId(nobody.id.0 + 1);
    let outcome = update(store, &nobody);
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
        .read(|unit| unit.users().email_is_taken(email, except))
        .expect("the store answers")
}

/// Words, filters, orders and pages answer the same on every database; who never logged in comes before
/// everybody else.
pub fn users_are_found_filtered_and_ordered_the_same_everywhere(store: &dyn Store) {
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
        users.into_iter().map(|user| user.id).collect()
    };
    let all = UserQuery::default;
    assert_eq!(found(&all()), [ann, bob, cem]);
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

/// With a user go their cars; their tokens stay known, so that one that is blacklisted stays so.
pub fn a_deleted_user_takes_their_cars_along(store: &dyn Store) {
    let ann = keep_user(store, &new_user("ann"));
    let eve = keep_user(store, &new_user("eve"));
    store
        .write(|unit| {
            unit.cars().insert(&new_car(ann.id, "B-AB 1"))?;
            unit.cars().insert(&new_car(eve.id, "B-AB 2"))?;
            unit.refresh_tokens().record(&refresh_token("a", ann.id))
        })
        .expect("cars and tokens can be kept");
    let delete = || store.write(|unit| unit.users().delete(ann.id));
    delete().expect("a user can be deleted");
    delete().expect("deleting one who is gone does nothing");
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

/// Users are numbered as they are listed, on all pages.
pub fn users_are_numbered_as_they_are_listed(store: &dyn Store) {
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

/// How many users are alike is said whatever role and activity are asked for; everything else that is asked for
/// counts.
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

/// Users are found by however many ids, and those who are gone are left out.
pub fn many_users_are_found_at_once(store: &dyn Store) {
    let mut users: Vec<User> = store
        .write(|unit| {
            (0..1100)
                .map(|number| unit.users().insert(&new_user(&format!("user{number}"))))
                .collect::<Result<_, StoreError>>()
        })
        .expect("users can be kept");
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
