//! Converts rows of the Django system to users and cars, and checks them by the rules of the API.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use mycars_domain::{
    Car, EmailState, Field, Role, User, UserId, Violation, Violations, strip,
    values::{
        Address, Brand, Color, Email, FirstName, LastName, LicensePlate, Mileage, Model, Notes, Phone,
        Username, Vin, Year,
    },
};

use crate::{
    App, Input, UpdateMode,
    cars::{CarInput, fields::CarFields},
    input::Checker,
    ports::{DjangoCar, DjangoTable, DjangoUser},
    users::{UserInput, fields::UserFields},
};

/// The operator's choices about rows that the rules of the API refuse. By default, such rows are problems.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// Keeps values that today's rules refuse, as far as the database can store them.
    pub keep_invalid: bool,
    /// Keeps users whose password can't be verified. They can't log in before they get a new password.
    pub keep_unverifiable_passwords: bool,
    /// The role of staff members that are neither superusers nor admins.
    pub staff_role: Option<Role>,
    /// The domain of the e-mail addresses that replace missing ones, and those that a user with a lower id has.
    pub email_domain: Option<String>,
}

/// The problems of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The table.
    pub table: DjangoTable,
    /// The id of the row.
    pub id: i64,
    /// The fields, and the reasons why they are refused.
    pub reasons: Vec<(Field, Reason)>,
}

/// The reason why a row can't be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The API would refuse the value.
    Violation(Violation),
    /// Another row, with this id, has the value, which must be unique.
    TakenBy(i64),
    /// The password is hashed by an algorithm that is not supported, or at an excessive cost; holds its name.
    UnverifiablePassword(&'static str),
    /// The user is a staff member, and the role of staff members is not chosen.
    StaffRoleNotChosen,
    /// There is no user with this id.
    NoSuchUser(i64),
    /// The car has a picture, and the folder of the pictures is not named.
    NoMediaFolder,
    /// The file of the picture does not exist, or its path leads out of the folder.
    NoSuchPicture(String),
    /// The file of the picture can't be read; holds the error.
    UnreadablePicture(String),
}

impl Reason {
    /// Returns each violation with its field.
    pub(super) fn all(violations: &Violations) -> Vec<(Field, Self)> {
        let all = violations.iter().flat_map(|(field, violations)| {
            let reasons = violations.iter().cloned().map(Self::Violation);
            reasons.map(move |reason| (field, reason))
        });
        all.collect()
    }
}

/// Converts rows, and remembers their unique values. A row may be converted twice, with the same result.
pub(super) struct Converter<'a> {
    choices: &'a Choices,
    app: &'a App,
    now: DateTime<Utc>,
    ids: HashSet<UserId>,
    usernames: HashMap<String, i64>,
    emails: HashMap<String, i64>,
    licenses: HashMap<String, i64>,
}

type Outcome<T> = Result<T, Vec<(Field, Reason)>>;

impl<'a> Converter<'a> {
    pub(super) fn new(app: &'a App, choices: &'a Choices) -> Self {
        Self {
            choices,
            app,
            now: app.now(),
            ids: HashSet::new(),
            usernames: HashMap::new(),
            emails: HashMap::new(),
            licenses: HashMap::new(),
        }
    }

    /// Returns whether a user was converted.
    pub(super) fn knows(&self, user: UserId) -> bool {
        self.ids.contains(&user)
    }

    pub(super) fn user(&mut self, mut row: DjangoUser) -> Outcome<User> {
        self.ids.insert(row.id);
        self.replace_email(&mut row);
        let mut reasons = Vec::new();
        let raw = raw_user(&row);
        let mut user = raw.clone();
        match self.user_fields(&row, &raw) {
            Ok(fields) => fields.set_in(&mut user),
            Err(violations) => reasons = Reason::all(&violations),
        }
        if row.is_superuser {
            user.role = Role::Admin;
        } else if row.is_staff && user.role != Role::Admin {
            match self.choices.staff_role {
                Some(role) => user.role = role,
                None => reasons.push((Field::Role, Reason::StaffRoleNotChosen)),
            }
        }
        if let Some(algorithm) = self.app.hasher.unsupported(&row.password)
            && !self.choices.keep_unverifiable_passwords
        {
            reasons.push((Field::Password, Reason::UnverifiablePassword(algorithm)));
        }
        let id = row.id.0;
        if let Some(other) = claim(&mut self.usernames, user.username.key(), id) {
            reasons.push((Field::Username, Reason::TakenBy(other)));
        }
        // A blank address is a violation already.
        if !user.email.as_str().is_empty()
            && let Some(other) = claim(&mut self.emails, user.email.key(), id)
        {
            reasons.push((Field::Email, Reason::TakenBy(other)));
        }
        outcome(user, reasons)
    }

    /// Replaces an e-mail address that is missing or that an earlier user has, if the operator chose a domain.
    fn replace_email(&self, row: &mut DjangoUser) {
        let Some(domain) = &self.choices.email_domain else {
            return;
        };
        let is_free = row.input.email.given().is_some_and(|email| {
            let key = Email::from_storage(strip(email).to_owned()).key();
            !key.is_empty() && self.emails.get(&key).is_none_or(|holder| *holder == row.id.0)
        });
        if !is_free {
            row.input.email = Input::Given(format!("user-{}@{domain}", row.id));
        }
    }

    fn user_fields(&self, row: &DjangoUser, raw: &User) -> Result<UserFields, Violations> {
        let fields = checked(|checker| UserFields::parse(checker, &row.input, None));
        let Err(violations) = fields else {
            return fields;
        };
        // `createsuperuser` asks for no names, neither Django's nor that of My Cars.
        let is_nameless = |(field, violations): (Field, &[Violation])| {
            matches!(field, Field::FirstName | Field::LastName) && violations == [Violation::Blank]
        };
        let may_keep = self.choices.keep_invalid || row.is_superuser && violations.iter().all(is_nameless);
        if !may_keep || !is_storable(&violations, &[raw.username.key(), raw.email.key()]) {
            return Err(violations);
        }
        checked(|checker| UserFields::parse(checker, &row.input, Some(raw)))
    }

    pub(super) fn car(&mut self, row: &DjangoCar) -> Outcome<Car> {
        let mut reasons = Vec::new();
        let raw = self.raw_car(row);
        let mut car = raw.clone();
        match self.car_fields(&row.input, &raw) {
            Ok(fields) => fields.set_in(&mut car),
            Err(violations) => reasons = Reason::all(&violations),
        }
        let key = car.license.key();
        if !key.is_empty()
            && let Some(other) = claim(&mut self.licenses, key, row.id.0)
        {
            reasons.push((Field::License, Reason::TakenBy(other)));
        }
        match row.input.owner {
            Input::Given(owner) if self.knows(owner) => car.owner = owner,
            Input::Given(owner) => reasons.push((Field::Owner, Reason::NoSuchUser(owner.0))),
            _ => reasons.push((Field::Owner, Reason::Violation(Violation::Null))),
        }
        outcome(car, reasons)
    }

    fn car_fields(&self, input: &CarInput, raw: &Car) -> Result<CarFields, Violations> {
        let year = self.app.current_year();
        let fields = checked(|checker| CarFields::parse(checker, input, year, None));
        match fields {
            Err(violations)
                if self.choices.keep_invalid && is_storable(&violations, &[raw.license.key()]) =>
            {
                checked(|checker| CarFields::parse(checker, input, year, Some(raw)))
            }
            _ => fields,
        }
    }

    /// Returns a car with the values of a row as they are. Values that the columns of My Cars can't hold are replaced,
    /// so that they differ from those in the row and are not kept.
    fn raw_car(&self, row: &DjangoCar) -> Car {
        let CarInput {
            brand,
            model,
            year,
            color,
            license,
            vin,
            mileage,
            notes,
            ..
        } = &row.input;
        let mileage = number(mileage).filter(|mileage| *mileage >= Mileage::MIN);
        let created_at = row.created_at.unwrap_or(self.now);
        Car {
            id: row.id,
            owner: UserId(0),
            brand: Brand::from_storage(text(brand)),
            model: Model::from_storage(text(model)),
            year: Year::from_storage(number(year).unwrap_or_default()),
            color: color.given().cloned().map(Color::from_storage),
            license: LicensePlate::from_storage(text(license)),
            vin: vin.given().cloned().map(Vin::from_storage),
            mileage: mileage.map(Mileage::from_storage).unwrap_or_default(),
            image: None,
            notes: notes.given().cloned().map(Notes::from_storage),
            created_at,
            updated_at: row.updated_at.unwrap_or(created_at),
        }
    }
}

/// Returns a user with the values of a row as they are.
fn raw_user(row: &DjangoUser) -> User {
    let UserInput {
        username,
        email,
        first_name,
        last_name,
        is_active,
        phone,
        address,
        ..
    } = &row.input;
    let created_at = row.created_at.unwrap_or(row.date_joined);
    User {
        id: row.id,
        username: Username::from_storage(text(username)),
        email: Email::from_storage(text(email)),
        email_state: EmailState::default(),
        first_name: FirstName::from_storage(text(first_name)),
        last_name: LastName::from_storage(text(last_name)),
        role: Role::default(),
        phone: phone.given().cloned().map(Phone::from_storage),
        address: address.given().cloned().map(Address::from_storage),
        is_active: is_active.given().copied().unwrap_or(true),
        is_superuser: row.is_superuser,
        password: row.password.clone(),
        logins_ended_at: None,
        access_ended_at: None,
        date_joined: row.date_joined,
        last_login: row.last_login,
        created_at,
        updated_at: row.updated_at.unwrap_or(created_at),
    }
}

fn text(input: &Input<String>) -> String {
    input
        .given()
        .map(|text| strip(text).to_owned())
        .unwrap_or_default()
}

fn number(input: &Input<i64>) -> Option<i32> {
    i32::try_from(*input.given()?).ok()
}

/// Checks all fields of a row.
fn checked<T>(parse: impl FnOnce(&mut Checker) -> T) -> Result<T, Violations> {
    let mut checker = Checker::new(UpdateMode::Full);
    let fields = parse(&mut checker);
    checker.finish().map(|()| fields)
}

/// Returns whether both databases can store the values of a row with these unique keys: blank ones would collide.
fn is_storable(violations: &Violations, keys: &[String]) -> bool {
    let mut all = violations.iter().flat_map(|(_, violations)| violations);
    !all.any(|violation| *violation == Violation::NullCharacter) && keys.iter().all(|key| !key.is_empty())
}

/// Assigns a unique value to a row. Returns the id of another row that has it.
fn claim(values: &mut HashMap<String, i64>, key: String, id: i64) -> Option<i64> {
    let holder = *values.entry(key).or_insert(id);
    (holder != id).then_some(holder)
}

fn outcome<T>(value: T, mut reasons: Vec<(Field, Reason)>) -> Outcome<T> {
    if reasons.is_empty() {
        return Ok(value);
    }
    reasons.sort_by_key(|(field, _)| *field);
    Err(reasons)
}

/// Returns the problem of a user.
pub(super) fn problem_of_user(id: i64, reasons: Vec<(Field, Reason)>) -> Problem {
    Problem {
        table: DjangoTable::Users,
        id,
        reasons,
    }
}

/// Returns the problem of a car.
pub(super) fn problem_of_car(id: i64, reasons: Vec<(Field, Reason)>) -> Problem {
    Problem {
        table: DjangoTable::Cars,
        id,
        reasons,
    }
}
