//! What the feature `serde` lets out and in.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{fmt::Debug, net::Ipv4Addr};

use chrono::{DateTime, Utc};
use mycars_domain::{
    Action, Actor, Car, CarId, Denied, Field, NewCar, NewUser, Rank, Role, User, UserId, Violation,
    Violations,
    audit::{self, Author, Change, Channel, Entry, NewEntry, Object, ObjectType, Origin, Value},
    values::{
        Address, Brand, Color, Email, FirstName, ImagePath, LastName, LicensePlate, Mileage, Model, Notes,
        Password, PasswordHash, Phone, Username, Vin, Year,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, from_value, json, to_value};

/// The answer to a question that nothing else answers.
trait Otherwise {
    const ANSWER: bool = false;
}

/// Makes a question of a trait: whether `T` implements it. The answer of the type itself is found before that of
/// [`Otherwise`], but is there only where the bound holds.
macro_rules! question {
    ($name:ident: $bound:path) => {
        struct $name<T>(T);

        impl<T> Otherwise for $name<T> {}

        impl<T: $bound> $name<T> {
            const ANSWER: bool = true;
        }
    };
}

question! { GoesOut: Serialize }
question! { ComesIn: DeserializeOwned }

#[track_caller]
fn comes_back_from<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, expected: Json) {
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
        first_name: FirstName::from_storage("Ann".into()),
        last_name: LastName::default(),
        role: Role::Admin,
        phone: None,
        address: Some(Address::from_storage("Elm Street 1".into())),
        is_active: true,
        is_superuser: false,
        password: PasswordHash::from_storage("the hash".into()),
        logins_ended_at: None,
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
fn a_checked_text_is_text_and_comes_back() {
    comes_back_from(&Address::parse("Elm Street 1").unwrap(), json!("Elm Street 1"));
    comes_back_from(&Brand::parse("VW").unwrap(), json!("VW"));
    comes_back_from(&Color::parse("").unwrap(), json!(""));
    comes_back_from(&Email::parse("a@example.com").unwrap(), json!("a@example.com"));
    comes_back_from(&FirstName::parse("Ann").unwrap(), json!("Ann"));
    comes_back_from(&LastName::parse("Lee").unwrap(), json!("Lee"));
    comes_back_from(&LicensePlate::parse("B-ÖA 1").unwrap(), json!("B-ÖA 1"));
    comes_back_from(&Model::parse("Golf").unwrap(), json!("Golf"));
    comes_back_from(&Notes::parse("a\nb").unwrap(), json!("a\nb"));
    comes_back_from(&Phone::parse("555").unwrap(), json!("555"));
    comes_back_from(&Username::parse("ann").unwrap(), json!("ann"));
    comes_back_from(
        &Vin::parse("1HGBH41JXMN109186").unwrap(),
        json!("1HGBH41JXMN109186"),
    );
}

#[test]
fn numbers_are_numbers() {
    comes_back_from(&Mileage::parse(15_000).unwrap(), json!(15_000));
    comes_back_from(&UserId(7), json!(7));
    comes_back_from(&CarId(-7), json!(-7));
    assert_eq!(to_value(Year::parse(2020, 2026).unwrap()).unwrap(), json!(2020));
}

#[test]
fn what_parse_refuses_is_refused_and_the_error_tells_the_violations() {
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
fn what_comes_in_is_normalised_as_parse_does_it() {
    let email: Email = from_value(json!(" Ann@EXAMPLE.com ")).unwrap();
    assert_eq!(email.as_str(), "Ann@example.com");
    let username: Username = from_value(json!("ｊöhn")).unwrap();
    assert_eq!(username.as_str(), "jöhn");
}

#[test]
fn choices_have_the_names_that_they_are_kept_by() {
    for role in Role::ALL {
        comes_back_from(&role, json!(role.as_str()));
    }
    for action in audit::Action::ALL {
        comes_back_from(&action, json!(action.as_str()));
    }
    for channel in Channel::ALL {
        comes_back_from(&channel, json!(channel.as_str()));
    }
    for kind in ObjectType::ALL {
        comes_back_from(&kind, json!(kind.as_str()));
    }
}

#[test]
fn what_has_no_name_of_its_own_has_that_of_rust() {
    for field in Field::ALL {
        comes_back_from(&field, json!(format!("{field:?}")));
    }
    for action in Action::ALL {
        comes_back_from(&action, json!(format!("{action:?}")));
    }
    comes_back_from(&Denied::NotToOneself, json!("NotToOneself"));
    comes_back_from(&Violation::TooLong { max: 50 }, json!({"TooLong": {"max": 50}}));
    assert_eq!(
        to_value(user().actor()).unwrap(),
        json!({"User": {"id": 1, "rank": "Admin"}})
    );
}

#[test]
fn violations_are_a_map_by_field() {
    let mut violations = Violations::one(Field::Year, Violation::TooSmall { min: 1886 });
    violations.add(Field::Brand, Violation::Required);
    comes_back_from(
        &violations,
        json!({"Brand": ["Required"], "Year": [{"TooSmall": {"min": 1886}}]}),
    );
    comes_back_from(&Violations::new(), json!({}));
}

#[test]
fn a_field_with_nothing_wrong_is_no_violation() {
    let violations: Violations = from_value(json!({"Brand": []})).unwrap();
    assert!(violations.is_empty());
}

#[test]
fn a_car_has_the_names_of_rust() {
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
fn a_user_goes_out_without_the_hash() {
    assert_eq!(
        to_value(user()).unwrap(),
        json!({
            "id": 1,
            "username": "ann",
            "email": "ann@example.com",
            "first_name": "Ann",
            "last_name": "",
            "role": "admin",
            "phone": null,
            "address": "Elm Street 1",
            "is_active": true,
            "is_superuser": false,
            "logins_ended_at": null,
            "date_joined": "1970-01-01T00:00:00Z",
            "last_login": "2023-11-14T22:13:20.000001Z",
            "created_at": "1970-01-01T00:00:00Z",
            "updated_at": "2023-11-14T22:13:20.000001Z",
        })
    );
}

#[test]
fn an_entry_of_the_audit_log_comes_back_and_holds_no_password() {
    let anna = User {
        username: Username::from_storage("anna".into()),
        password: PasswordHash::from_storage("another hash".into()),
        ..user()
    };
    let mut changes = audit::user_changes(Some(&user()), Some(&anna));
    changes.push(Change {
        field: Field::Sessions,
        before: Value::Number(2),
        after: Value::Nothing,
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
    comes_back_from(
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
                    {"field": "Sessions", "before": {"Number": 2}, "after": "Nothing"},
                ],
            },
        }),
    );
}

#[test]
fn a_password_comes_in_by_its_rule_and_is_in_no_error() {
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
fn no_secret_goes_out() {
    let secrets = [
        GoesOut::<Password>::ANSWER,
        GoesOut::<PasswordHash>::ANSWER,
        GoesOut::<NewUser>::ANSWER,
    ];
    assert_eq!(secrets, [false; 3]);
    assert_eq!([GoesOut::<User>::ANSWER], [true], "yes can be the answer");
}

#[test]
fn what_cant_be_checked_does_not_come_in() {
    // How late a year may be depends on when it is asked; a path is the application's to make.
    let values = [ComesIn::<Year>::ANSWER, ComesIn::<ImagePath>::ANSWER];
    assert_eq!(values, [false; 2]);
    // What holds one of these neither, nor a user, who would come back without a password.
    let entities = [
        ComesIn::<Car>::ANSWER,
        ComesIn::<NewCar>::ANSWER,
        ComesIn::<User>::ANSWER,
        ComesIn::<NewUser>::ANSWER,
        ComesIn::<PasswordHash>::ANSWER,
    ];
    assert_eq!(entities, [false; 5]);
    // Who asks is found out and never believed.
    let askers = [ComesIn::<Actor>::ANSWER, ComesIn::<Rank>::ANSWER];
    assert_eq!(askers, [false; 2]);
    assert_eq!([ComesIn::<Entry>::ANSWER], [true], "yes can be the answer");
}
