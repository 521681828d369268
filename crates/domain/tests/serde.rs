//! The types that the feature `serde` serialises and deserialises, and their forms.
#![expect(clippy::unwrap_used, reason = "a failed helper fails its test")]

use std::{fmt::Debug, net::Ipv4Addr};

use chrono::{DateTime, Utc};
use mycars_domain::{
    Action, Actor, Car, CarId, Denied, EmailState, Field, NewCar, NewUser, Rank, Role, User, UserId,
    Violation, Violations,
    audit::{self, Author, Change, Channel, Entry, NewEntry, Object, ObjectType, Origin, Value},
    values::{
        Address, Brand, Color, Email, FirstName, ImagePath, LastName, LicensePlate, Mileage, Model, Notes,
        Password, PasswordHash, Phone, Username, Vin, Year,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, from_value, json, to_value};

/// The value for types that do not implement the trait.
trait Fallback {
    const IMPLEMENTED: bool = false;
}

/// Declares a probe for a trait: whether `T` implements it. The constant of the type itself precedes that of
/// [`Fallback`], but exists only if `T` fulfils the bound.
macro_rules! probe {
    ($name:ident: $bound:path) => {
        struct $name<T>(T);

        impl<T> Fallback for $name<T> {}

        impl<T: $bound> $name<T> {
            const IMPLEMENTED: bool = true;
        }
    };
}

probe! { Serializes: Serialize }
probe! { Deserializes: DeserializeOwned }

#[track_caller]
fn assert_round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, expected: Json) {
    assert_eq!(to_value(value).unwrap(), expected);
    assert_eq!(&from_value::<T>(expected).unwrap(), value);
}

#[track_caller]
fn refusal<T: DeserializeOwned + Debug>(json: Json) -> String {
    from_value::<T>(json).unwrap_err().to_string()
}

fn user() -> User {
    User {
        id: UserId(1),
        username: Username::from_storage("ann".into()),
        email: Email::from_storage("ann@example.com".into()),
        email_state: EmailState::default(),
        first_name: FirstName::from_storage("Ann".into()),
        last_name: LastName::default(),
        role: Role::Admin,
        phone: None,
        address: Some(Address::from_storage("Elm Street 1".into())),
        is_active: true,
        is_superuser: false,
        password: PasswordHash::from_storage("the hash".into()),
        logins_ended_at: None,
        access_ended_at: None,
        date_joined: DateTime::UNIX_EPOCH,
        last_login: Some(moment()),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: moment(),
    }
}

fn car() -> Car {
    Car {
        id: CarId(10),
        owner: UserId(1),
        brand: Brand::from_storage("VW".into()),
        model: Model::from_storage("Golf".into()),
        year: Year::from_storage(2020),
        color: Some(Color::from_storage(String::new())),
        license: LicensePlate::from_storage("B-AB 123".into()),
        vin: None,
        mileage: Mileage::from_storage(5),
        image: Some(ImagePath::from_storage("cars/car_10_ab.jpg".into())),
        notes: None,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: moment(),
    }
}

fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap()
}

#[test]
fn checked_text_round_trips_as_text() {
    assert_round_trip(&Address::parse("Elm Street 1").unwrap(), json!("Elm Street 1"));
    assert_round_trip(&Brand::parse("VW").unwrap(), json!("VW"));
    assert_round_trip(&Color::parse("").unwrap(), json!(""));
    assert_round_trip(&Email::parse("a@example.com").unwrap(), json!("a@example.com"));
    assert_round_trip(&FirstName::parse("Ann").unwrap(), json!("Ann"));
    assert_round_trip(&LastName::parse("Lee").unwrap(), json!("Lee"));
    assert_round_trip(&LicensePlate::parse("B-ÖA 1").unwrap(), json!("B-ÖA 1"));
    assert_round_trip(&Model::parse("Golf").unwrap(), json!("Golf"));
    assert_round_trip(&Notes::parse("a\nb").unwrap(), json!("a\nb"));
    assert_round_trip(&Phone::parse("555").unwrap(), json!("555"));
    assert_round_trip(&Username::parse("ann").unwrap(), json!("ann"));
    assert_round_trip(
        &Vin::parse("1HGBH41JXMN109186").unwrap(),
        json!("1HGBH41JXMN109186"),
    );
}

#[test]
fn numbers_are_serialized_as_numbers() {
    assert_round_trip(&Mileage::parse(15_000).unwrap(), json!(15_000));
    assert_round_trip(&UserId(7), json!(7));
    assert_round_trip(&CarId(-7), json!(-7));
    assert_eq!(to_value(Year::parse(2020, 2026).unwrap()).unwrap(), json!(2020));
}

#[test]
fn refused_value_reports_its_violations() {
    assert_eq!(
        refusal::<Color>(json!("\0".repeat(51))),
        "Color is not valid: [TooLong { max: 50 }, NullCharacter]"
    );
    assert_eq!(
        refusal::<Vin>(json!("too short")),
        "Vin is not valid: [InvalidVin]"
    );
    assert_eq!(
        refusal::<Mileage>(json!(-1)),
        "Mileage is not valid: [TooSmall { min: 0 }]"
    );
    assert_eq!(
        refusal::<Role>(json!("Admin")),
        "Role is not valid: [NotAChoice(\"Admin\")]"
    );
    assert_eq!(
        refusal::<Channel>(json!("letter")),
        "Channel is not valid: [NotAChoice(\"letter\")]"
    );
    for blank in ["", " \n"] {
        assert!(refusal::<Brand>(json!(blank)).contains("Blank"));
        assert!(refusal::<Email>(json!(blank)).contains("Blank"));
        assert!(refusal::<FirstName>(json!(blank)).contains("Blank"));
        assert!(refusal::<LastName>(json!(blank)).contains("Blank"));
        assert!(refusal::<LicensePlate>(json!(blank)).contains("Blank"));
        assert!(refusal::<Model>(json!(blank)).contains("Blank"));
        assert!(refusal::<Username>(json!(blank)).contains("Blank"));
    }
    assert!(refusal::<Address>(json!("\0")).contains("NullCharacter"));
    assert!(refusal::<Notes>(json!("x".repeat(10_001))).contains("TooLong"));
    assert!(refusal::<Phone>(json!("5".repeat(21))).contains("TooLong"));
}

#[test]
fn deserialized_value_is_normalized_by_parse() {
    let email: Email = from_value(json!(" Ann@EXAMPLE.com ")).unwrap();
    assert_eq!(email.as_str(), "Ann@example.com");
    let username: Username = from_value(json!("ｊöhn")).unwrap();
    assert_eq!(username.as_str(), "jöhn");
}

#[test]
fn choices_have_their_stored_names() {
    for role in Role::ALL {
        assert_round_trip(&role, json!(role.as_str()));
    }
    for action in audit::Action::ALL {
        assert_round_trip(&action, json!(action.as_str()));
    }
    for channel in Channel::ALL {
        assert_round_trip(&channel, json!(channel.as_str()));
    }
    for kind in ObjectType::ALL {
        assert_round_trip(&kind, json!(kind.as_str()));
    }
}

#[test]
fn other_enums_have_their_rust_names() {
    for field in Field::ALL {
        assert_round_trip(&field, json!(format!("{field:?}")));
    }
    for action in Action::ALL {
        assert_round_trip(&action, json!(format!("{action:?}")));
    }
    assert_round_trip(&Denied::NotToOneself, json!("NotToOneself"));
    assert_round_trip(&Violation::TooLong { max: 50 }, json!({"TooLong": {"max": 50}}));
    assert_eq!(
        to_value(user().actor()).unwrap(),
        json!({"User": {"id": 1, "rank": "Admin"}})
    );
}

#[test]
fn violations_are_a_map_by_field() {
    let mut violations = Violations::one(Field::Year, Violation::TooSmall { min: 1886 });
    violations.add(Field::Brand, Violation::Required);
    assert_round_trip(
        &violations,
        json!({"Brand": ["Required"], "Year": [{"TooSmall": {"min": 1886}}]}),
    );
    assert_round_trip(&Violations::new(), json!({}));
}

#[test]
fn field_without_violations_is_dropped() {
    let violations: Violations = from_value(json!({"Brand": []})).unwrap();
    assert!(violations.is_empty());
}

#[test]
fn car_fields_have_their_rust_names() {
    assert_eq!(
        to_value(car()).unwrap(),
        json!({
            "id": 10,
            "owner": 1,
            "brand": "VW",
            "model": "Golf",
            "year": 2020,
            "color": "",
            "license": "B-AB 123",
            "vin": null,
            "mileage": 5,
            "image": "cars/car_10_ab.jpg",
            "notes": null,
            "created_at": "1970-01-01T00:00:00Z",
            "updated_at": "2023-11-14T22:13:20.000001Z",
        })
    );
}

#[test]
fn user_is_serialized_without_the_hash() {
    assert_eq!(
        to_value(user()).unwrap(),
        json!({
            "id": 1,
            "username": "ann",
            "email": "ann@example.com",
            "email_state": {"verified_at": null, "pending": null, "previous": null},
            "first_name": "Ann",
            "last_name": "",
            "role": "admin",
            "phone": null,
            "address": "Elm Street 1",
            "is_active": true,
            "is_superuser": false,
            "logins_ended_at": null,
            "access_ended_at": null,
            "date_joined": "1970-01-01T00:00:00Z",
            "last_login": "2023-11-14T22:13:20.000001Z",
            "created_at": "1970-01-01T00:00:00Z",
            "updated_at": "2023-11-14T22:13:20.000001Z",
        })
    );
}

#[test]
fn audit_entry_round_trips_without_the_password() {
    let anna = User {
        username: Username::from_storage("anna".into()),
        password: PasswordHash::from_storage("another hash".into()),
        ..user()
    };
    let mut changes = audit::user_changes(Some(&user()), Some(&anna));
    changes.push(Change {
        field: Field::Sessions,
        before: Value::Number(2),
        after: Value::Excerpt {
            text: "Ann".into(),
            length: 300,
            sha256: "ab".into(),
        },
    });
    let entry = Entry {
        id: 3,
        entry: NewEntry {
            at: moment(),
            action: audit::Action::Changed,
            object: Object::user(&anna),
            author: Author {
                id: None,
                name: "system".into(),
            },
            origin: Origin {
                channel: Channel::CommandLine,
                request_id: None,
                address: Some(Ipv4Addr::LOCALHOST.into()),
            },
            changes,
        },
    };
    assert_round_trip(
        &entry,
        json!({
            "id": 3,
            "entry": {
                "at": "2023-11-14T22:13:20.000001Z",
                "action": "changed",
                "object": {"kind": "user", "id": "1", "name": "anna", "owner": 1},
                "author": {"id": null, "name": "system"},
                "origin": {"channel": "command_line", "request_id": null, "address": "127.0.0.1"},
                "changes": [
                    {"field": "Username", "before": {"Text": "ann"}, "after": {"Text": "anna"}},
                    {"field": "Password", "before": "Hidden", "after": "Hidden"},
                    {
                        "field": "Sessions",
                        "before": {"Number": 2},
                        "after": {"Excerpt": {"text": "Ann", "length": 300, "sha256": "ab"}},
                    },
                ],
            },
        }),
    );
}

#[test]
fn password_is_parsed_and_in_no_error() {
    let password: Password = from_value(json!(" Harbour-x7-9 ")).unwrap();
    assert_eq!(password.reveal(), "Harbour-x7-9");
    let too_long = "secret".repeat(40);
    for wrong in [
        json!(too_long),
        json!("secret\0"),
        json!(5_318_008),
        json!({"secret": 1}),
    ] {
        let error = refusal::<Password>(wrong);
        assert!(error.starts_with("Password is not valid: "), "{error}");
        assert!(!error.contains("secret") && !error.contains("5318008"), "{error}");
    }
}

#[test]
fn secrets_are_not_serializable() {
    let secrets = [
        Serializes::<Password>::IMPLEMENTED,
        Serializes::<PasswordHash>::IMPLEMENTED,
        Serializes::<NewUser>::IMPLEMENTED,
    ];
    assert_eq!(secrets, [false; 3]);
    assert_eq!([Serializes::<User>::IMPLEMENTED], [true], "yes can be the answer");
}

#[test]
fn unverifiable_types_are_not_deserializable() {
    // The latest allowed year depends on the current date, and only the application creates paths.
    let values = [
        Deserializes::<Year>::IMPLEMENTED,
        Deserializes::<ImagePath>::IMPLEMENTED,
    ];
    assert_eq!(values, [false; 2]);
    // Neither do types that contain one of these, nor users, because their password is not serialised.
    let entities = [
        Deserializes::<Car>::IMPLEMENTED,
        Deserializes::<NewCar>::IMPLEMENTED,
        Deserializes::<User>::IMPLEMENTED,
        Deserializes::<NewUser>::IMPLEMENTED,
        Deserializes::<PasswordHash>::IMPLEMENTED,
    ];
    assert_eq!(entities, [false; 5]);
    // The actor is the result of authentication, never of deserialisation.
    let askers = [
        Deserializes::<Actor>::IMPLEMENTED,
        Deserializes::<Rank>::IMPLEMENTED,
    ];
    assert_eq!(askers, [false; 2]);
    assert_eq!(
        [Deserializes::<Entry>::IMPLEMENTED],
        [true],
        "yes can be the answer"
    );
}
