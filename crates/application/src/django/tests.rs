//! Tests with a source in memory.

use std::{
    io::{self, Write as _},
    sync::{Arc, Mutex},
};

use chrono::{DateTime, TimeDelta};
use mycars_domain::{
    CarId, Denied, Field, Rank, Role, UserId, Violation, audit::Action, values::PasswordHash,
};

use super::*;
use crate::{
    App, Caller, Input,
    cars::CarInput,
    mocks::{MockStore, Mocks, samples},
    ports::{
        BoxError, DjangoCar, DjangoCounts, DjangoNextIds, DjangoSource, DjangoTable, DjangoToken, DjangoUser,
        Row, Table,
    },
    users::UserInput,
};

/// A source whose rows are in memory.
#[derive(Default, Clone)]
struct Source {
    users: Vec<DjangoUser>,
    cars: Vec<DjangoCar>,
    tokens: Vec<DjangoToken>,
}

fn after<T: Clone>(rows: &[T], id: impl Fn(&T) -> i64, after: i64, at_most: u32) -> Vec<T> {
    let later = rows.iter().filter(|row| id(row) > after);
    later.take(at_most as usize).cloned().collect()
}

impl DjangoSource for Source {
    fn name(&self, table: DjangoTable) -> String {
        format!("{table:?}")
    }

    fn counts(&mut self) -> Result<DjangoCounts, BoxError> {
        Ok(DjangoCounts {
            users: self.users.len() as u64,
            cars: self.cars.len() as u64,
            tokens: self.tokens.len() as u64,
        })
    }

    fn next_ids(&mut self) -> Result<DjangoNextIds, BoxError> {
        Ok(DjangoNextIds {
            user: 101,
            car: 202,
            token: 303,
        })
    }

    fn users(&mut self, last: i64, at_most: u32) -> Result<Vec<DjangoUser>, BoxError> {
        Ok(after(&self.users, |row| row.id.0, last, at_most))
    }

    fn cars(&mut self, last: i64, at_most: u32) -> Result<Vec<DjangoCar>, BoxError> {
        Ok(after(&self.cars, |row| row.id.0, last, at_most))
    }

    fn tokens(&mut self, last: i64, at_most: u32) -> Result<Vec<DjangoToken>, BoxError> {
        Ok(after(&self.tokens, |row| row.number, last, at_most))
    }
}

fn user(id: i64) -> DjangoUser {
    DjangoUser {
        id: UserId(id),
        input: UserInput {
            username: Input::Given(format!("user{id}")),
            email: Input::Given(format!("user{id}@example.com")),
            first_name: "Ann".into(),
            last_name: "Lee".into(),
            is_active: Input::Given(true),
            ..UserInput::default()
        },
        password: PasswordHash::from_storage("hash".into()),
        is_superuser: false,
        is_staff: false,
        date_joined: DateTime::UNIX_EPOCH,
        last_login: None,
        created_at: None,
        updated_at: None,
    }
}

fn car(id: i64, owner: i64) -> DjangoCar {
    DjangoCar {
        id: CarId(id),
        input: CarInput {
            brand: "VW".into(),
            model: "Golf".into(),
            year: 2020.into(),
            license: Input::Given(format!("B-AB {id}")),
            owner: Input::Given(UserId(owner)),
            ..CarInput::default()
        },
        image: None,
        created_at: None,
        updated_at: None,
    }
}

fn token(number: i64, expires_in: TimeDelta) -> DjangoToken {
    DjangoToken {
        number,
        jti: format!("jti{number}"),
        user: Some(UserId(1)),
        issued_at: None,
        expires_at: samples::now() + expires_in,
        blacklisted_at: None,
    }
}

type Written = Arc<Mutex<Vec<Row>>>;

/// Mocks of an empty store, and the rows that are inserted.
fn mocks() -> (Mocks, Written) {
    let mut mocks = Mocks::new();
    let written = Written::default();
    let log = Arc::clone(&written);
    let rows = &mut mocks.unit.rows;
    rows.expect_count().returning(|_| Ok(0));
    rows.expect_set_next_id().returning(|_, _| Ok(()));
    rows.expect_insert().returning(move |rows| {
        log.lock().unwrap().extend_from_slice(rows);
        Ok(())
    });
    mocks
        .hasher
        .expect_unsupported()
        .returning(|hash| (hash.reveal() == "md5$").then_some("md5"));
    (mocks, written)
}

fn run(
    (app, store): (App, Arc<MockStore>),
    source: &Source,
    (choices, pictures): (&Choices, Pictures<'_>),
    mode: Mode,
) -> (Result<Imported, Error>, Arc<MockStore>) {
    let mut source = source.clone();
    let done = import(
        &app,
        &Caller::system(),
        &mut source,
        (choices, pictures),
        mode,
        &mut |_| {},
    );
    (done, store)
}

/// Returns the problems of a source, by table, id and field.
fn problems(source: &Source, choices: &Choices) -> Vec<(DjangoTable, i64, Field, Reason)> {
    let (mocks, _) = mocks();
    match run(
        mocks.into_app(),
        source,
        (choices, Pictures::Undecided),
        Mode::Check,
    )
    .0
    {
        Ok(_) => Vec::new(),
        Err(Error::Problems(problems)) => problems
            .into_iter()
            .flat_map(|problem| {
                let Problem { table, id, reasons } = problem;
                reasons
                    .into_iter()
                    .map(move |(field, reason)| (table, id, field, reason))
            })
            .collect(),
        Err(error) => panic!("{error}"),
    }
}

fn first_problem(source: &Source, choices: &Choices) -> Option<(Field, Reason)> {
    let problem = problems(source, choices).into_iter().next();
    problem.map(|(_, _, field, reason)| (field, reason))
}

fn of_user(user: DjangoUser) -> Source {
    Source {
        users: vec![user],
        ..Source::default()
    }
}

fn of_car(car: DjangoCar) -> Source {
    Source {
        users: vec![user(1)],
        cars: vec![car],
        ..Source::default()
    }
}

#[test]
fn import_keeps_ids_and_writes_an_entry_for_each_row() {
    let (mocks, written) = mocks();
    let mut expired = token(7, TimeDelta::zero());
    expired.blacklisted_at = Some(samples::now());
    let blacklisted = DjangoToken {
        number: 9,
        ..expired.clone()
    };
    let source = Source {
        users: vec![user(1), user(40)],
        cars: vec![car(10, 40)],
        tokens: vec![
            expired,
            token(8, TimeDelta::days(1)),
            DjangoToken {
                expires_at: samples::now() + TimeDelta::days(1),
                ..blacklisted
            },
        ],
    };
    let choices = (&Choices::default(), Pictures::Undecided);
    let (done, store) = run(mocks.into_app(), &source, choices, Mode::Run);
    let expected = Imported {
        users: 2,
        cars: 1,
        pictures: 0,
        tokens: 2,
        blacklisted: 1,
    };
    assert_eq!(done.unwrap(), expected);
    assert_eq!(store.commits(), 1);
    let written = written.lock().unwrap();
    let ids: Vec<(Table, i64)> = written.iter().map(|row| (row.table(), row.id())).collect();
    let token = Table::RefreshTokens;
    assert_eq!(
        ids,
        [
            (Table::Users, 1),
            (Table::Users, 40),
            (Table::Cars, 10),
            (token, 8),
            (token, 9)
        ]
    );
    let entries = store.entries();
    assert_eq!(entries.len(), 3);
    assert!(entries.iter().all(|entry| entry.action == Action::Created));
}

#[test]
fn dry_run_inserts_and_rolls_back() {
    let (mocks, written) = mocks();
    let source = of_car(car(1, 1));
    let choices = (&Choices::default(), Pictures::Undecided);
    let (done, store) = run(mocks.into_app(), &source, choices, Mode::DryRun);
    assert_eq!(done.unwrap().cars, 1);
    assert_eq!((store.commits(), store.rollbacks()), (0, 1));
    assert_eq!(written.lock().unwrap().len(), 2);
}

#[test]
fn database_in_use_and_other_callers_are_refused() {
    let mut mocks = Mocks::new();
    mocks.unit.rows.expect_count().returning(|_| Ok(3));
    let choices = Choices::default();
    let (done, store) = run(
        mocks.into_app(),
        &Source::default(),
        (&choices, Pictures::Undecided),
        Mode::Run,
    );
    assert!(matches!(done, Err(Error::NotEmpty { users: 3, cars: 3 })));
    assert_eq!(store.commits(), 0);
    let (app, _) = Mocks::new().into_app();
    let superuser = samples::other_user(Rank::Superuser);
    let denied = import(
        &app,
        &superuser,
        &mut Source::default(),
        (&choices, Pictures::Undecided),
        Mode::Check,
        &mut |_| {},
    );
    assert!(matches!(denied, Err(Error::Denied(Denied::Forbidden))));
}

#[test]
fn unique_values_are_compared_ignoring_case() {
    let mut second = user(2);
    second.input.username = "USER1".into();
    second.input.email = "User1@Example.com".into();
    let mut twin = car(11, 2);
    twin.input.license = " b-ab 10".into();
    let source = Source {
        users: vec![user(1), second],
        cars: vec![car(10, 1), twin],
        ..Source::default()
    };
    assert_eq!(
        problems(&source, &Choices::default()),
        [
            (DjangoTable::Users, 2, Field::Username, Reason::TakenBy(1)),
            (DjangoTable::Users, 2, Field::Email, Reason::TakenBy(1)),
            (DjangoTable::Cars, 11, Field::License, Reason::TakenBy(10)),
        ]
    );
}

#[test]
fn missing_and_doubled_emails_are_replaced_by_choice() {
    let mut first = user(1);
    first.input.email = "".into();
    let mut third = user(3);
    third.input.email = "USER2@example.com".into();
    let source = Source {
        users: vec![first, user(2), third],
        ..Source::default()
    };
    let reasons: Vec<_> = problems(&source, &Choices::default());
    assert_eq!(reasons.len(), 2);
    assert_eq!(reasons[0].3, Reason::Violation(Violation::Blank));
    assert_eq!(reasons[1].3, Reason::TakenBy(2));
    let choices = Choices {
        email_domain: Some("moved.invalid".into()),
        ..Choices::default()
    };
    let (mocks, written) = mocks();
    run(
        mocks.into_app(),
        &source,
        (&choices, Pictures::Undecided),
        Mode::Run,
    )
    .0
    .unwrap();
    let emails: Vec<String> = written
        .lock()
        .unwrap()
        .iter()
        .filter_map(|row| match row {
            Row::User(user) => Some(user.email.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(
        emails,
        [
            "user-1@moved.invalid",
            "user2@example.com",
            "user-3@moved.invalid"
        ]
    );
}

#[test]
fn values_that_the_api_refuses_are_kept_by_choice() {
    let keep = Choices {
        keep_invalid: true,
        ..Choices::default()
    };
    let mut old = car(1, 1);
    old.input.year = 1492.into();
    old.input.vin = "short".into();
    let source = of_car(old);
    let too_small = Reason::Violation(Violation::TooSmall { min: 1886 });
    assert_eq!(
        first_problem(&source, &Choices::default()),
        Some((Field::Year, too_small))
    );
    assert_eq!(first_problem(&source, &keep), None);

    // Columns of My Cars can't hold these values.
    let with = |change: fn(&mut CarInput)| {
        let mut row = car(1, 1);
        change(&mut row.input);
        first_problem(&of_car(row), &keep).expect("it is a problem").0
    };
    assert_eq!(with(|car| car.year = Input::Given(1 << 40)), Field::Year);
    assert_eq!(
        with(|car| car.year = Input::Invalid(Violation::NotAnInteger)),
        Field::Year
    );
    assert_eq!(with(|car| car.mileage = Input::Given(-1)), Field::Mileage);
    assert_eq!(with(|car| car.brand = Input::Null), Field::Brand);
    assert_eq!(with(|car| car.notes = "a\0b".into()), Field::Notes);
    assert_eq!(with(|car| car.license = " ".into()), Field::License);
    assert_eq!(with(|car| car.owner = Input::Given(UserId(9))), Field::Owner);
}

#[test]
fn superuser_is_an_admin_and_needs_no_names() {
    let mut root = user(1);
    root.input.first_name = "".into();
    root.input.last_name = "".into();
    assert_eq!(
        first_problem(&of_user(root.clone()), &Choices::default()),
        Some((Field::FirstName, Reason::Violation(Violation::Blank)))
    );
    root.is_superuser = true;
    let (mocks, written) = mocks();
    let choices = (&Choices::default(), Pictures::Undecided);
    run(mocks.into_app(), &of_user(root), choices, Mode::Run)
        .0
        .unwrap();
    assert!(matches!(&written.lock().unwrap()[0], Row::User(user) if user.role == Role::Admin));
}

#[test]
fn role_of_staff_members_must_be_chosen() {
    let mut staff = user(1);
    staff.is_staff = true;
    let problem = Some((Field::Role, Reason::StaffRoleNotChosen));
    assert_eq!(
        first_problem(&of_user(staff.clone()), &Choices::default()),
        problem
    );
    let client = Choices {
        staff_role: Some(Role::Client),
        ..Choices::default()
    };
    assert_eq!(first_problem(&of_user(staff.clone()), &client), None);
    staff.input.role = "admin".into();
    assert_eq!(first_problem(&of_user(staff), &Choices::default()), None);
}

#[test]
fn unverifiable_password_is_a_problem_unless_kept() {
    let mut old = user(1);
    old.password = PasswordHash::from_storage("md5$".into());
    let source = of_user(old);
    assert_eq!(
        first_problem(&source, &Choices::default()),
        Some((Field::Password, Reason::UnverifiablePassword("md5")))
    );
    let keep = Choices {
        keep_unverifiable_passwords: true,
        ..Choices::default()
    };
    assert_eq!(first_problem(&source, &keep), None);
}

fn with_image() -> Source {
    let mut row = car(10, 1);
    row.image = Some("cars/a.png".into());
    of_car(row)
}

fn file(content: &[u8]) -> io::Result<Option<std::fs::File>> {
    let mut file = tempfile::tempfile()?;
    file.write_all(content)?;
    io::Seek::rewind(&mut file)?;
    Ok(Some(file))
}

#[test]
fn pictures_are_stored_by_their_content_before_their_rows() {
    let (mut mocks, written) = mocks();
    let path = "cars/car_10_ba7816bf8f01cfea414140de5dae2223.jpg";
    mocks.images.expect_open().returning(|_| Ok(None));
    mocks
        .image_processor
        .expect_process()
        .returning(|_| Ok(vec![7, 7]));
    let mocks = mocks.expect_image_put(path, &[7, 7]);
    let pictures = Pictures::From(&|name| {
        assert_eq!(name, "cars/a.png");
        file(b"abc")
    });
    let (done, _) = run(
        mocks.into_app(),
        &with_image(),
        (&Choices::default(), pictures),
        Mode::Run,
    );
    assert_eq!(done.unwrap().pictures, 1);
    let written = written.lock().unwrap();
    assert!(matches!(
        written.last(),
        Some(Row::Car { car, image_bytes: Some(2) }) if car.image.as_ref().is_some_and(|image| image.as_str() == path)
    ));
}

#[test]
fn picture_of_an_interrupted_import_is_not_decoded_again() {
    let (mut mocks, _) = mocks();
    mocks
        .images
        .expect_open()
        .returning(|_| Ok(file(b"stored").unwrap()));
    let pictures = Pictures::From(&|_| file(b"abc"));
    let (done, store) = run(
        mocks.into_app(),
        &with_image(),
        (&Choices::default(), pictures),
        Mode::Run,
    );
    assert_eq!(done.unwrap().pictures, 1);
    assert_eq!(store.commits(), 1);
}

#[test]
fn missing_and_undecodable_pictures_are_problems() {
    let problem = |pictures: Pictures<'_>| {
        let (mut mocks, _) = mocks();
        mocks.images.expect_open().returning(|_| Ok(None));
        let processor = &mut mocks.image_processor;
        processor
            .expect_process()
            .returning(|_| Err(crate::ports::ImageError::NotAnImage));
        match run(
            mocks.into_app(),
            &with_image(),
            (&Choices::default(), pictures),
            Mode::Run,
        )
        .0
        {
            Err(Error::Problems(problems)) => problems[0].reasons[0].1.clone(),
            other => panic!("it must be a problem: {other:?}"),
        }
    };
    assert_eq!(problem(Pictures::Undecided), Reason::NoMediaFolder);
    assert_eq!(
        problem(Pictures::From(&|_| Ok(None))),
        Reason::NoSuchPicture("cars/a.png".into())
    );
    assert_eq!(
        problem(Pictures::From(&|_| file(b"abc"))),
        Reason::Violation(Violation::NotAnImage)
    );
    assert_eq!(
        problem(Pictures::From(&|_| file(b""))),
        Reason::Violation(Violation::EmptyFile)
    );
}
