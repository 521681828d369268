//! How many queries a use-case makes: a fixed number, however many rows there are; and that PostgreSQL and SQLite
//! find an owner's cars by their index.
//!
//! Diesel tells about each query on the thread that makes it, which is the test's own: tests that run beside this
//! one don't count.

use std::cell::RefCell;

use chrono::TimeDelta;
use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::{Instrumentation, InstrumentationEvent, SimpleConnection as _, set_default_instrumentation},
    sql_query, sql_types,
};
use mycars_application::{
    App, Caller, accounts, cars,
    lists::{CarOrder, CarQuery, Direction, Garage, Page, Search, UserOrder, UserQuery},
    mocks::{self, Mocks},
    ports::{Claims, Store},
    users,
};
use mycars_domain::{CarId, Rank, User, UserId};
use mycars_testkit::{TestDatabase, samples};

const FEW: usize = 10;
const MANY: usize = 1000;

const PAGE: Option<Page> = Some(Page { limit: 5, offset: 3 });

thread_local! {
    /// The queries that this thread has made.
    static QUERIES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// What a connection that is opened from now on does with what it tells.
#[expect(clippy::unnecessary_wraps, reason = "Diesel wants it so")]
fn noting() -> Option<Box<dyn Instrumentation>> {
    Some(Box::new(|event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            QUERIES.with_borrow_mut(|queries| queries.push(query.to_string()));
        }
    }))
}

/// The queries that are made while this is done.
fn queries_of<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    QUERIES.take();
    let outcome = work();
    (outcome, QUERIES.take())
}

/// A database with so many users, and so many cars of the first of them.
struct World {
    database: TestDatabase,
    app: App,
    ann: User,
    car: CarId,
}

impl World {
    fn with(rows: usize, database: TestDatabase) -> Self {
        set_default_instrumentation(noting).unwrap();
        let store = database.store();
        let (ann, car) = fill(&*store, rows);
        let app = App {
            store,
            ..Mocks {
                tokens: tokens_of(ann.id),
                ..Mocks::new()
            }
            .into_app()
            .0
        };
        Self {
            database,
            app,
            ann,
            car,
        }
    }

    fn caller(&self) -> Caller {
        mocks::samples::caller(&self.ann)
    }
}

fn admin() -> Caller {
    mocks::samples::somebody_else(Rank::Superuser)
}

fn fill(store: &dyn Store, rows: usize) -> (User, CarId) {
    store
        .write(|unit| {
            let ann = unit.users().insert(&samples::new_user("ann"))?;
            for number in 1..rows {
                unit.users()
                    .insert(&samples::new_user(&format!("user{number}")))?;
            }
            let mut last = CarId(0);
            for number in 0..rows {
                last = unit
                    .cars()
                    .insert(&samples::new_car(ann.id, &format!("B-AB {number}")))?
                    .id;
            }
            Ok::<_, mycars_application::ports::StoreError>((ann, last))
        })
        .unwrap()
}

/// Any token is an access token of this user.
fn tokens_of(user: UserId) -> mocks::MockTokenCodec {
    let mut tokens = mocks::MockTokenCodec::new();
    tokens.expect_decode().returning(move |_| {
        Ok(Claims {
            token_type: Some("access".into()),
            expires_at: Some((mocks::samples::now() + TimeDelta::minutes(1)).timestamp()),
            id: Some("jti".into()),
            user_id: Some(user.to_string()),
            ..Claims::default()
        })
    });
    tokens
}

fn car_query(page: Option<Page>) -> CarQuery {
    CarQuery {
        search: Search::parse("octavia b-ab"),
        brand: Some("Škoda".into()),
        year_min: Some(2000),
        mileage_max: Some(100_000),
        ordering: vec![
            (CarOrder::Mileage, Direction::Descending),
            (CarOrder::License, Direction::Ascending),
        ],
        page,
        ..CarQuery::default()
    }
}

fn user_query(page: Option<Page>) -> UserQuery {
    UserQuery {
        search: Search::parse("example.com"),
        is_active: Some(true),
        ordering: vec![(UserOrder::LastLogin, Direction::Descending)],
        page,
        ..UserQuery::default()
    }
}

/// A use-case, how many queries it may make, and itself, which answers how many rows it found.
type Case = (&'static str, usize, fn(&World) -> usize);

const CASES: [Case; 10] = [
    ("cars, whole", 1, |world| list_cars(world, &CarQuery::default())),
    ("cars, a page", 2, |world| {
        list_cars(
            world,
            &CarQuery {
                page: PAGE,
                ..CarQuery::default()
            },
        )
    }),
    ("cars, filtered, searched and ordered", 1, |world| {
        list_cars(world, &car_query(None))
    }),
    ("cars, a page of those", 2, |world| {
        list_cars(world, &car_query(PAGE))
    }),
    ("users, whole", 1, |world| {
        list_users(world, &UserQuery::default())
    }),
    ("users, a page", 2, |world| {
        list_users(
            world,
            &UserQuery {
                page: PAGE,
                ..UserQuery::default()
            },
        )
    }),
    ("users, a page of those searched for", 2, |world| {
        list_users(world, &user_query(PAGE))
    }),
    ("a user with their cars", 2, |world| {
        users::read_with_cars(&world.app, &admin(), world.ann.id)
            .unwrap()
            .1
            .len()
    }),
    ("a car", 1, |world| {
        let car = cars::read(&world.app, &world.caller(), Garage::Own, world.car).unwrap();
        assert_eq!(car.id, world.car);
        1
    }),
    ("who asks", 1, |world| {
        assert_eq!(accounts::authenticate(&world.app, "token").unwrap(), world.ann);
        1
    }),
];

fn list_cars(world: &World, query: &CarQuery) -> usize {
    let listed = cars::list(&world.app, &world.caller(), Garage::Own, query).unwrap();
    assert_eq!(listed.total.is_some(), query.page.is_some());
    listed.items.len()
}

fn list_users(world: &World, query: &UserQuery) -> usize {
    users::list(&world.app, &admin(), query).unwrap().items.len()
}

fn each_makes_as_many_queries_as_it_says(database: fn() -> TestDatabase) {
    let mut faults = Vec::new();
    let worlds = [FEW, MANY].map(|rows| (rows, World::with(rows, database())));
    for (name, expected, work) in CASES {
        for (rows, world) in &worlds {
            let (found, queries) = queries_of(|| work(world));
            assert!(found > 0, "{name}: nothing was found");
            if queries.len() != expected {
                faults.push(format!(
                    "{name}, {rows} rows: {} queries, not {expected}: {queries:#?}",
                    queries.len()
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let whole = list_cars(&worlds[1].1, &CarQuery::default());
    assert_eq!(whole, MANY);
}

#[test]
fn on_sqlite_each_makes_as_many_queries_as_it_says() {
    each_makes_as_many_queries_as_it_says(TestDatabase::sqlite);
}

#[test]
fn on_postgres_each_makes_as_many_queries_as_it_says() {
    each_makes_as_many_queries_as_it_says(TestDatabase::postgres);
}

/// Cars of many owners, so many that a look at each of them would be felt, and what the database knows about
/// them.
const CROWD: &str = "
    INSERT INTO users (username, username_key, email, email_key, first_name, last_name, role, is_active,
        is_superuser, password, search_key, date_joined, created_at, updated_at)
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 200)
    SELECT 'u' || n, 'u' || n, n || '@x', n || '@x', '', '', 'client', true, false, '!', '', date_joined, created_at,
        updated_at
    FROM numbers, (SELECT * FROM users WHERE username = 'ann') AS ann;
    INSERT INTO cars (owner_id, brand, model, year, license, license_key, mileage, search_key, created_at, updated_at)
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 50)
    SELECT users.id, 'b', 'm', 2000, users.id || ' ' || n, users.id || ' ' || n, 0, '', users.created_at,
        users.updated_at
    FROM users, numbers;
    ANALYZE;";

#[derive(QueryableByName)]
struct PostgresStep {
    #[diesel(sql_type = sql_types::Text, column_name = "QUERY PLAN")]
    text: String,
}

#[derive(QueryableByName)]
struct SqliteStep {
    #[diesel(sql_type = sql_types::Text)]
    detail: String,
}

/// The SQL of an owner's list, as it is sent.
fn sql_of_list(world: &World, page: Option<Page>) -> String {
    let query = CarQuery {
        page,
        ..CarQuery::default()
    };
    let (_, queries) = queries_of(|| list_cars(world, &query));
    let last = queries.last().unwrap();
    last.split(" -- binds:").next().unwrap().to_owned()
}

fn plan_on_postgres(world: &World, page: Option<Page>) -> String {
    let mut conn = PgConnection::establish(&world.database.url()).unwrap();
    let sql = sql_of_list(world, page);
    let arguments = if page.is_some() { "100, 5, 3" } else { "100" };
    conn.batch_execute(&format!("PREPARE list AS {sql}")).unwrap();
    let steps: Vec<PostgresStep> = sql_query(format!("EXPLAIN EXECUTE list({arguments})"))
        .load(&mut conn)
        .unwrap();
    steps
        .into_iter()
        .map(|step| step.text)
        .collect::<Vec<_>>()
        .join("\n")
}

fn plan_on_sqlite(world: &World, page: Option<Page>) -> String {
    let path = world.database.url().replace("sqlite://", "");
    let mut conn = SqliteConnection::establish(&path).unwrap();
    let sql = sql_of_list(world, page);
    let steps: Vec<SqliteStep> = sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
        .load(&mut conn)
        .unwrap();
    steps
        .into_iter()
        .map(|step| step.detail)
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_found_by_its_index(database: TestDatabase, plan: fn(&World, Option<Page>) -> String) {
    let world = World::with(FEW, database);
    world.database.execute(CROWD);
    let (whole, page) = (plan(&world, None), plan(&world, PAGE));
    for plan in [&whole, &page] {
        assert!(
            plan.contains("cars_of_owner") && !plan.contains("Seq Scan"),
            "{plan}"
        );
    }
    assert!(!page.contains("Sort") && !page.contains("TEMP B-TREE"), "{page}");
}

#[test]
fn on_sqlite_an_owners_list_is_found_by_its_index_and_a_page_needs_no_sorting() {
    is_found_by_its_index(TestDatabase::sqlite(), plan_on_sqlite);
}

#[test]
fn on_postgres_an_owners_list_is_found_by_its_index_and_a_page_needs_no_sorting() {
    is_found_by_its_index(TestDatabase::postgres(), plan_on_postgres);
}
