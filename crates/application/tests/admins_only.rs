//! Use-cases about all users, which only admins may call, and those that only the program itself may call.

use chrono::TimeDelta;
use mycars_application::{
    App, Caller, Error,
    accounts::{self, logins},
    cars::{self, CarScope},
    history, images,
    lists::{CarQuery, HistoryQuery, TokenQuery, UserQuery},
    mocks::{Mocks, samples},
    ports::{CarCount, ImageUsage},
    status, users,
};
use mycars_domain::{CarId, Denied, Rank, UserId};

/// A use-case, and the error with which it denies a caller.
type Case = (&'static str, fn(&App, &Caller) -> Option<Denied>);

const CASES: [Case; 23] = [
    ("history::list", |app, who| {
        denied(history::list(app, who, &HistoryQuery::default()))
    }),
    ("history::counts", |app, who| {
        denied(history::counts(app, who, &HistoryQuery::default()))
    }),
    ("history::ids", |app, who| {
        denied(history::ids(app, who, &HistoryQuery::default()))
    }),
    ("history::read_all", |app, who| {
        denied(history::read_all(app, who, &[1]))
    }),
    ("history::of_car, of a user's", |app, who| {
        of_cars(history::of_car(
            app,
            who,
            CarScope::Owner(UserId(1)),
            CarId(10),
            None,
        ))
    }),
    ("history::of_car, of everybody's", |app, who| {
        of_cars(history::of_car(app, who, CarScope::All, CarId(10), None))
    }),
    ("status::read", |app, who| denied(status::read(app, who))),
    ("cars::list, everybody's", |app, who| {
        of_cars(cars::list(app, who, CarScope::All, &CarQuery::default()))
    }),
    ("cars::ids", |app, who| {
        of_cars(cars::ids(app, who, &CarQuery::default()))
    }),
    ("cars::read_all", |app, who| {
        of_cars(cars::read_all(app, who, CarScope::All, &[CarId(10)]))
    }),
    ("cars::brands", |app, who| {
        of_cars(cars::brands(app, who, &CarQuery::default(), 5))
    }),
    ("users::list", |app, who| {
        denied(users::list(app, who, &UserQuery::default()))
    }),
    ("users::ids", |app, who| {
        denied(users::ids(app, who, &UserQuery::default()))
    }),
    ("users::read_all", |app, who| {
        denied(users::read_all(app, who, &[UserId(1)]))
    }),
    ("users::counts", |app, who| {
        denied(users::counts(app, who, &UserQuery::default()))
    }),
    ("users::belongings", |app, who| {
        denied(users::belongings(app, who, &[UserId(1)]))
    }),
    ("users::car_digests", |app, who| {
        denied(users::car_digests(app, who, &[UserId(1)]))
    }),
    ("users::find", |app, who| denied(users::find(app, who, "ann"))),
    ("logins::list", |app, who| {
        denied(logins::list(app, who, &TokenQuery::at(samples::now())))
    }),
    ("logins::numbers", |app, who| {
        denied(logins::numbers(app, who, &TokenQuery::at(samples::now())))
    }),
    ("logins::read_all", |app, who| {
        denied(logins::read_all(app, who, &[1]))
    }),
    ("logins::end_all", |app, who| {
        denied(logins::end_all(app, who, UserId(1)))
    }),
    ("logins::revoke", |app, who| denied(logins::revoke(app, who, 1))),
];

/// The use-cases of the start, of recurring jobs and of the command line.
const SYSTEM_CASES: [Case; 9] = [
    ("flush_expired_tokens", |app, who| {
        denied(accounts::flush_expired_tokens(app, who))
    }),
    ("clear_expired", |app, who| {
        denied(accounts::sessions::clear_expired(app, who))
    }),
    ("prune", |app, who| {
        denied(history::prune(app, who, TimeDelta::days(365)))
    }),
    ("measure", |app, who| of_images(images::measure(app, who))),
    ("claim", |app, who| of_images(images::claim(app, who))),
    ("adopt", |app, who| of_images(images::adopt(app, who))),
    ("plan_sweep", |app, who| of_images(images::plan_sweep(app, who))),
    ("sweep", |app, who| of_sweep(images::sweep(app, who, true))),
    ("empty_trash", |app, who| of_sweep(images::empty_trash(app, who))),
];

fn denied<T>(outcome: Result<T, Error>) -> Option<Denied> {
    outcome.err().and_then(|error| match error {
        Error::Denied(denied) => Some(denied),
        _ => None,
    })
}

fn of_cars<T>(outcome: Result<T, cars::Error>) -> Option<Denied> {
    outcome.err().and_then(|error| match error {
        cars::Error::Denied(denied) => Some(denied),
        _ => None,
    })
}

fn of_images<T>(outcome: Result<T, images::Error>) -> Option<Denied> {
    match outcome {
        Err(images::Error::Car(error)) => of_cars::<T>(Err(error)),
        _ => None,
    }
}

fn of_sweep<T>(outcome: Result<T, images::SweepError>) -> Option<Denied> {
    match outcome {
        Err(images::SweepError::Failed(error)) => of_images::<T>(Err(error)),
        _ => None,
    }
}

/// An app without rows.
fn empty() -> App {
    let mut mocks = Mocks::new();
    let log = &mut mocks.unit.audit_log;
    log.expect_list().returning(|_| Ok(vec![]));
    log.expect_counts().returning(|_| Ok(vec![]));
    log.expect_ids().returning(|_| Ok(vec![]));
    log.expect_find_all().returning(|_| Ok(vec![]));
    let cars = &mut mocks.unit.cars;
    cars.expect_find().returning(|_| Ok(None));
    cars.expect_list().returning(|_, _| Ok(vec![]));
    cars.expect_ids().returning(|_, _| Ok(vec![]));
    cars.expect_find_all().returning(|_| Ok(vec![]));
    cars.expect_brands().returning(|_, _| Ok(vec![]));
    cars.expect_count_of().returning(|_| Ok(CarCount::default()));
    cars.expect_versions_of().returning(|_| Ok(vec![]));
    cars.expect_count_all().returning(|| Ok(CarCount::default()));
    let users = &mut mocks.unit.users;
    users.expect_list().returning(|_| Ok(vec![]));
    users.expect_ids().returning(|_| Ok(vec![]));
    users.expect_find_all().returning(|_| Ok(vec![]));
    users.expect_counts().returning(|_| Ok(vec![]));
    users.expect_find_in_any_case().returning(|_| Ok(None));
    users.expect_find_by_email().returning(|_| Ok(None));
    users.expect_find_for_update().returning(|_| Ok(None));
    mocks.unit.sessions.expect_count_of().returning(|_| Ok(0));
    let tokens = &mut mocks.unit.refresh_tokens;
    tokens.expect_list().returning(|_| Ok(vec![]));
    tokens.expect_numbers().returning(|_| Ok(vec![]));
    tokens.expect_find_all().returning(|_| Ok(vec![]));
    mocks.images.expect_usage().returning(|| {
        Ok(ImageUsage {
            count: 0,
            bytes: 0,
            free_bytes: None,
        })
    });
    mocks.into_app().0
}

#[test]
fn clients_and_anonymous_callers_are_denied_without_a_look_up() {
    for (name, ask) in CASES {
        for (caller, denied) in [
            (samples::anonymous(), Denied::NotAuthenticated),
            (samples::ann(), Denied::Forbidden),
        ] {
            let mut mocks = Mocks::new();
            // The history of a car reads the car first. Any other look-up panics.
            if name.starts_with("history::of_car") {
                mocks = mocks.with_car_read(samples::car());
            }
            let (app, _) = mocks.into_app();
            assert_eq!(ask(&app, &caller), Some(denied), "{name}");
        }
    }
}

#[test]
fn admins_and_superusers_are_answered() {
    for (name, ask) in CASES {
        for rank in [Rank::Admin, Rank::Superuser] {
            assert_eq!(ask(&empty(), &samples::other_user(rank)), None, "{name}");
        }
    }
}

#[test]
fn superusers_are_denied_the_use_cases_of_the_program() {
    for (name, ask) in SYSTEM_CASES {
        let (app, _) = Mocks::new().into_app();
        let denied = ask(&app, &samples::other_user(Rank::Superuser));
        assert_eq!(denied, Some(Denied::Forbidden), "{name}");
    }
}
