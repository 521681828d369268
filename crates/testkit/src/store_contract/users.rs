//! Rules about users.

use mycars_application::ports::{Store, StoreError};
use mycars_domain::{
    Field, NewUser, Role, User, UserId,
    values::{Address, Email, FirstName, LastName, PasswordHash, Phone, Username},
};

use super::{assert_taken, insert_user, keep_user};
use crate::samples::{moment, new_user};

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
        password_changed_at: None,
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
        password_changed_at: Some(moment(1)),
        date_joined: moment(2),
        last_login: Some(moment(3)),
        created_at: moment(4),
        updated_at: moment(5),
    };
    let unset = User {
        phone: None,
        address: None,
        password_changed_at: None,
        last_login: None,
        ..set.clone()
    };
    for changed in [set, unset] {
        update(store, &changed).expect("the user can be changed");
        assert_eq!(find(store, kept.id), Some(changed));
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
