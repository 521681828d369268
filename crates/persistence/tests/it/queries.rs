//! Query tests: each use-case makes a fixed number of queries, for any number of rows. Both databases use their
//! indexes for an owner's cars and a car's history.
//!
//! Diesel reports each query on the thread that makes it. Each test has its own thread, so concurrent tests are not
//! counted.

use std::cell::RefCell;

use chrono::TimeDelta;
use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::{Instrumentation, InstrumentationEvent, SimpleConnection as _, set_default_instrumentation},
    sql_query, sql_types,
};
use mycars_application::{
    App, Caller,
    accounts::{self, logins},
    cars::{self, CarInput, CarScope},
    history,
    lists::{
        CHUNK, CarOrder, CarQuery, Direction, HistoryQuery, LimitOffset, Search, TokenQuery, TokenState,
        UserOrder, UserQuery,
    },
    mocks::{self, Mocks},
    ports::{Claims, Store, StoreError, UnitOfWork},
    users,
};
use mycars_domain::{
    Car, CarId, Rank, Role, User, UserId,
    audit::{Action, Author, NewEntry, Object, ObjectType},
    values::{ImagePath, LicensePlate},
};
use mycars_testkit::{TestDatabase, samples};

const FEW: usize = 10;
const MANY: usize = 1000;

const PAGE: Option<LimitOffset> = Some(LimitOffset { limit: 5, offset: 3 });

thread_local! {
    /// The queries of this thread.
    static QUERIES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Returns the instrumentation of new connections, which records their queries.
#[expect(clippy::unnecessary_wraps, reason = "Diesel requires the signature")]
fn noting() -> Option<Box<dyn Instrumentation>> {
    Some(Box::new(|event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            QUERIES.with_borrow_mut(|queries| queries.push(query.to_string()));
        }
    }))
}

/// Returns the queries of `work`, with its result.
fn queries_of<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    QUERIES.take();
    let outcome = work();
    (outcome, QUERIES.take())
}

/// A database with a number of users, as many cars and logins of the first user, and as many audit log entries about
/// the last of these cars.
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
    mocks::samples::other_user(Rank::Superuser)
}

fn fill(store: &dyn Store, rows: usize) -> (User, CarId) {
    store
        .write(|unit| {
            let ann = unit.users().insert(&samples::new_user("ann"))?;
            for number in 1..rows {
                unit.users()
                    .insert(&samples::new_user(&format!("user{number}")))?;
            }
            let mut last = unit.cars().insert(&samples::new_car(ann.id, "B-AB"))?;
            for number in 1..rows {
                last = unit
                    .cars()
                    .insert(&samples::new_car(ann.id, &format!("B-AB {number}")))?;
            }
            for number in 0..rows {
                let token = samples::refresh_token(&number.to_string(), ann.id);
                unit.refresh_tokens().record(&token)?;
            }
            unit.audit_log().append(&vec![entry(&ann, &last); rows])?;
            Ok::<_, StoreError>((ann, last.id))
        })
        .unwrap()
}

fn entry(author: &User, car: &Car) -> NewEntry {
    NewEntry {
        at: samples::moment(0),
        action: Action::Changed,
        object: Object::car(car),
        author: Author {
            id: Some(author.id),
            name: author.username.to_string(),
        },
        origin: mocks::samples::origin(),
        changes: vec![],
    }
}

/// Returns a codec that decodes any token to an access token of this user.
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

fn car_query(page: Option<LimitOffset>) -> CarQuery {
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

fn user_query(page: Option<LimitOffset>) -> UserQuery {
    UserQuery {
        search: Search::parse("example.com"),
        is_active: Some(true),
        ordering: vec![(UserOrder::LastLogin, Direction::Descending)],
        page,
        ..UserQuery::default()
    }
}

fn history_query(page: Option<LimitOffset>) -> HistoryQuery {
    HistoryQuery {
        search: Search::parse("octavia ann"),
        action: Some(Action::Changed),
        object_type: Some(ObjectType::Car),
        since: Some(samples::moment(0)),
        page,
        ..HistoryQuery::default()
    }
}

fn token_query(page: Option<LimitOffset>) -> TokenQuery {
    TokenQuery {
        search: Search::parse("ann"),
        state: Some(TokenState::Live),
        page,
        ..TokenQuery::at(samples::moment(0))
    }
}

/// A use-case: its name, its number of queries, and a function that runs it and returns the number of rows.
type Case = (&'static str, usize, fn(&World) -> usize);

const CASES: [Case; 24] = [
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
    ("cars, a page of those", 3, |world| {
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
    ("everybody's cars, searched for with their owners", 1, |world| {
        let query = CarQuery {
            search: Search::parse("ann octavia"),
            ..CarQuery::default()
        };
        list_all_cars(world, &query)
    }),
    ("everybody's cars, a page of those searched for", 3, |world| {
        list_all_cars(world, &car_query(PAGE))
    }),
    ("the ids of everybody's cars", 1, |world| {
        cars::ids(&world.app, &admin(), &car_query(PAGE)).unwrap().len()
    }),
    ("brands", 1, |world| {
        cars::brands(&world.app, &admin(), &car_query(PAGE), 5)
            .unwrap()
            .len()
    }),
    ("users of each role", 1, |world| {
        users::counts(&world.app, &admin(), &user_query(PAGE))
            .unwrap()
            .len()
    }),
    ("the history, whole", 1, |world| {
        list_history(world, &HistoryQuery::default())
    }),
    ("the history, filtered and searched", 1, |world| {
        list_history(world, &history_query(None))
    }),
    ("the history, a page of that", 2, |world| {
        list_history(world, &history_query(PAGE))
    }),
    ("entries of each action", 1, |world| {
        history::counts(&world.app, &admin(), &history_query(PAGE))
            .unwrap()
            .len()
    }),
    ("a car's history", 2, |world| history_of_car(world, None)),
    ("a car's history, a page", 3, |world| history_of_car(world, PAGE)),
    ("logins with the names of whose they are", 2, |world| {
        list_logins(world, &token_query(None))
    }),
    ("logins, a page", 3, |world| {
        list_logins(world, &token_query(PAGE))
    }),
    ("a page of cars in chunks", 3, |world| {
        let of_ann = CarScope::Owner(world.ann.id);
        let listed = cars::list_chunked(&world.app, &admin(), of_ann, &car_query(PAGE)).unwrap();
        listed.first.len()
    }),
    ("a car", 1, |world| {
        let car = cars::read(&world.app, &world.caller(), CarScope::Caller, world.car).unwrap();
        assert_eq!(car.id, world.car);
        1
    }),
    ("who asks, with a car", 1, |world| {
        let token = accounts::verify_access(&world.app, "token").unwrap();
        let (user, car) = accounts::authenticate_with_car(&world.app, &token, world.car).unwrap();
        assert_eq!((user, car.unwrap().id), (world.ann.clone(), world.car));
        1
    }),
    ("who asks", 1, |world| {
        assert_eq!(accounts::authenticate(&world.app, "token").unwrap(), world.ann);
        1
    }),
];

fn list_cars(world: &World, query: &CarQuery) -> usize {
    let listed = cars::list(&world.app, &world.caller(), CarScope::Caller, query).unwrap();
    assert_eq!(listed.total.is_some(), query.page.is_some());
    listed.items.len()
}

fn list_users(world: &World, query: &UserQuery) -> usize {
    users::list(&world.app, &admin(), query).unwrap().items.len()
}

fn list_all_cars(world: &World, query: &CarQuery) -> usize {
    let listed = cars::list(&world.app, &admin(), CarScope::All, query).unwrap();
    assert_eq!(listed.total.is_some(), query.page.is_some());
    listed.items.len()
}

fn list_history(world: &World, query: &HistoryQuery) -> usize {
    let listed = history::list(&world.app, &admin(), query).unwrap();
    assert_eq!(listed.total.is_some(), query.page.is_some());
    listed.items.len()
}

fn history_of_car(world: &World, page: Option<LimitOffset>) -> usize {
    let listed = history::of_car(&world.app, &world.caller(), CarScope::Caller, world.car, page).unwrap();
    assert_eq!(listed.total.is_some(), page.is_some());
    listed.items.len()
}

fn list_logins(world: &World, query: &TokenQuery) -> usize {
    let listed = logins::list(&world.app, &admin(), query).unwrap();
    assert_eq!(listed.total.is_some(), query.page.is_some());
    listed.items.len()
}

fn use_cases_make_a_fixed_number_of_queries(database: fn() -> TestDatabase) {
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
    let many = &worlds[1].1;
    let whole = TokenQuery::at(samples::moment(0));
    for found in [
        list_cars(many, &CarQuery::default()),
        list_history(many, &HistoryQuery::default()),
        history_of_car(many, None),
        list_logins(many, &whole),
    ] {
        assert_eq!(found, MANY);
    }
    let whole = CarQuery::default();
    let chunked = cars::list_chunked(&many.app, &many.caller(), CarScope::Caller, &whole).unwrap();
    let all = cars::list(&many.app, &many.caller(), CarScope::Caller, &whole).unwrap();
    let first = chunked.first.iter().map(|car| car.id);
    let ids: Vec<CarId> = first.chain(chunked.rest).collect();
    assert_eq!(chunked.first.len(), CHUNK as usize);
    assert!(ids.into_iter().eq(all.items.iter().map(|car| car.id)));
}

#[test]
fn on_sqlite_use_cases_make_a_fixed_number_of_queries() {
    use_cases_make_a_fixed_number_of_queries(TestDatabase::sqlite);
}

#[test]
fn on_postgres_use_cases_make_a_fixed_number_of_queries() {
    use_cases_make_a_fixed_number_of_queries(TestDatabase::postgres);
}

/// The statements of `POST /api/cars/`.
fn addition_takes(statements: usize, database: TestDatabase, quota: Option<u64>) {
    let mut world = World::with(FEW, database);
    world.app.quotas.cars = quota;
    let camry = CarInput {
        brand: "Toyota".into(),
        model: "Camry".into(),
        year: 2023.into(),
        license: "AB 123".into(),
        ..CarInput::default()
    };
    let (car, queries) = queries_of(|| {
        let user = accounts::authenticate(&world.app, "token").unwrap();
        let ann = mocks::samples::caller(&user);
        cars::create(&world.app, &ann, CarScope::Caller, &camry).unwrap()
    });
    assert_eq!(queries.len(), statements, "{queries:#?}");
    let of_car = history::of_car(&world.app, &world.caller(), CarScope::Caller, car.id, None).unwrap();
    assert_eq!(of_car.items.len(), 1);
    assert_eq!(of_car.items[0].entry.object, Object::car(&car));
}

#[test]
fn on_sqlite_addition_of_a_car_takes_five_statements() {
    addition_takes(5, TestDatabase::sqlite(), None);
}

#[test]
fn on_postgres_addition_of_a_car_takes_four_statements() {
    addition_takes(4, TestDatabase::postgres(), None);
}

#[test]
fn on_postgres_addition_within_a_quota_takes_five() {
    addition_takes(5, TestDatabase::postgres(), Some(1000));
}

/// A method of a port, a part of its one query, and a call.
type SingleQuery = (
    &'static str,
    &'static str,
    fn(&mut dyn UnitOfWork, &World) -> Result<(), StoreError>,
);

const SINGLE_QUERIES: [SingleQuery; 29] = [
    ("cars.count", "select count(*)", |unit, _| {
        unit.cars().count(None, &car_query(PAGE)).map(drop)
    }),
    ("cars.ids", "select cars.id from", |unit, _| {
        unit.cars().ids(None, &car_query(PAGE)).map(drop)
    }),
    ("cars.brands", "group by", |unit, _| {
        unit.cars().brands(&car_query(PAGE), 5).map(drop)
    }),
    ("cars.find_all", "where (cars.id", |unit, world| {
        unit.cars().find_all(&[world.car]).map(drop)
    }),
    ("cars.count_of", "select count(*)", |unit, world| {
        unit.cars().count_of(&[world.ann.id]).map(drop)
    }),
    ("cars.versions_of", "select cars.owner_id", |unit, world| {
        unit.cars().versions_of(&[world.ann.id]).map(drop)
    }),
    ("cars.count_among", "select count(*)", |unit, world| {
        unit.cars().count_among(&[world.car]).map(drop)
    }),
    ("cars.count_all", "select count(*)", |unit, _| {
        unit.cars().count_all().map(drop)
    }),
    ("cars.license_is_taken", "where (cars.license_key =", |unit, _| {
        let license = LicensePlate::from_storage("B-AB".into());
        unit.cars().license_is_taken(&license, None).map(drop)
    }),
    ("cars.count_and_license_is_taken", "union all", |unit, world| {
        let license = LicensePlate::from_storage("B-AB".into());
        unit.cars()
            .count_and_license_is_taken(world.ann.id, &license)
            .map(drop)
    }),
    ("cars.image_bytes_of", "sum(image_bytes)", |unit, world| {
        unit.cars().image_bytes_of(world.ann.id, None).map(drop)
    }),
    ("cars.unmeasured_images", "image_bytes is null", |unit, _| {
        unit.cars().unmeasured_images(CarId(1), 5).map(drop)
    }),
    ("cars.has_image", "where (cars.image =", |unit, _| {
        let path = ImagePath::from_storage("cars/1.jpg".into());
        unit.cars().has_image(&path).map(drop)
    }),
    ("users.superusers_for_update", "is_superuser", |unit, _| {
        unit.users().superusers_for_update().map(drop)
    }),
    (
        "users.find_by_username",
        "where (((users.username_key =",
        |unit, _| unit.users().find_by_username("ann").map(drop),
    ),
    (
        "users.find_in_any_case",
        "where ((users.username_key =",
        |unit, world| unit.users().find_in_any_case(&world.ann.username).map(drop),
    ),
    (
        "users.username_is_taken",
        "select users.id from",
        |unit, world| {
            unit.users()
                .username_is_taken(&world.ann.username, None)
                .map(drop)
        },
    ),
    ("users.email_is_taken", "select users.id from", |unit, world| {
        unit.users()
            .email_is_taken(&world.ann.email, None, mocks::samples::now())
            .map(drop)
    }),
    ("users.count", "select count(*)", |unit, _| {
        unit.users().count(&user_query(PAGE)).map(drop)
    }),
    ("users.ids", "select users.id from", |unit, _| {
        unit.users().ids(&user_query(PAGE)).map(drop)
    }),
    ("users.counts", "group by", |unit, _| {
        unit.users().counts(&user_query(PAGE)).map(drop)
    }),
    ("users.find_all", "where (users.id", |unit, world| {
        unit.users().find_all(&[world.ann.id]).map(drop)
    }),
    ("refresh_tokens.count", "select count(*)", |unit, _| {
        unit.refresh_tokens().count(&token_query(PAGE)).map(drop)
    }),
    (
        "refresh_tokens.numbers",
        "select refresh_tokens.id from",
        |unit, _| unit.refresh_tokens().numbers(&token_query(PAGE)).map(drop),
    ),
    (
        "refresh_tokens.find_all",
        "where (refresh_tokens.id",
        |unit, _| unit.refresh_tokens().find_all(&[0]).map(drop),
    ),
    ("audit_log.count", "select count(*)", |unit, _| {
        unit.audit_log().count(&history_query(PAGE)).map(drop)
    }),
    ("audit_log.ids", "select audit_log.id from", |unit, _| {
        unit.audit_log().ids(&history_query(PAGE)).map(drop)
    }),
    ("audit_log.counts", "group by", |unit, _| {
        unit.audit_log().counts(&history_query(PAGE)).map(drop)
    }),
    ("audit_log.find_all", "where (audit_log.id", |unit, _| {
        unit.audit_log().find_all(&[1]).map(drop)
    }),
];

fn each_is_answered_by_one_query(database: TestDatabase) {
    let world = World::with(FEW, database);
    let mut faults = Vec::new();
    for (name, expected, call) in SINGLE_QUERIES {
        let (outcome, queries) = queries_of(|| world.app.store.read(|unit| call(unit, &world)));
        outcome.unwrap();
        let said = queries.join(";").to_lowercase().replace(['`', '"'], "");
        if queries.len() != 1 || !said.contains(expected) {
            faults.push(format!("{name}: {queries:#?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn on_sqlite_each_is_answered_by_one_query() {
    each_is_answered_by_one_query(TestDatabase::sqlite());
}

#[test]
fn on_postgres_each_is_answered_by_one_query() {
    each_is_answered_by_one_query(TestDatabase::postgres());
}

/// Inserts cars of many owners, so that a scan of all of them is more expensive than the index, and updates the
/// statistics.
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

/// Inserts entries about many other cars, so that a scan of all of them is more expensive than the index.
const PAST: &str = "
    INSERT INTO audit_log (at, action, object_type, object_id, object_name, owner_id, actor_id, actor_name, channel,
        changes, search_key)
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)
    SELECT at, 'changed', 'car', CAST(1000 + n % 500 AS TEXT), 'car', owner_id, actor_id, 'ann', 'api', '[]', 'car'
    FROM numbers, (SELECT * FROM audit_log LIMIT 1) AS first;
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

/// Returns the SQL of the last query of `ask`.
fn sql_of(ask: impl FnOnce() -> usize) -> String {
    let (_, queries) = queries_of(ask);
    let last = queries.last().unwrap();
    last.split(" -- binds:").next().unwrap().to_owned()
}

/// Returns the plan of a query with these arguments in parentheses. PostgreSQL needs their values.
type Plan = fn(&World, sql: &str, arguments: &str) -> String;

fn plan_on_postgres(world: &World, sql: &str, arguments: &str) -> String {
    let mut conn = PgConnection::establish(&world.database.url()).unwrap();
    conn.batch_execute(&format!("PREPARE list AS {sql}")).unwrap();
    let steps: Vec<PostgresStep> = sql_query(format!("EXPLAIN EXECUTE list{arguments}"))
        .load(&mut conn)
        .unwrap();
    steps
        .into_iter()
        .map(|step| step.text)
        .collect::<Vec<_>>()
        .join("\n")
}

fn plan_on_sqlite(world: &World, sql: &str, _: &str) -> String {
    let path = world.database.url().replace("sqlite://", "");
    let mut conn = SqliteConnection::establish(&path).unwrap();
    let steps: Vec<SqliteStep> = sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
        .load(&mut conn)
        .unwrap();
    steps
        .into_iter()
        .map(|step| step.detail)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Asserts that the whole list uses this index, and that its page needs no sorting.
fn is_found_by(index: &str, whole: &str, page: &str) {
    for plan in [whole, page] {
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{plan}");
    }
    assert!(!page.contains("Sort") && !page.contains("TEMP B-TREE"), "{page}");
}

fn list_of_an_owner_uses_its_index(database: TestDatabase, plan: Plan) {
    let world = World::with(FEW, database);
    world.database.execute(CROWD);
    let planned = |page, arguments| {
        let query = CarQuery {
            page,
            ..CarQuery::default()
        };
        plan(&world, &sql_of(|| list_cars(&world, &query)), arguments)
    };
    is_found_by(
        "cars_of_owner",
        &planned(None, "(100)"),
        &planned(PAGE, "(100, 5, 3)"),
    );
}

fn taken_email_is_found_by_its_indexes(database: TestDatabase, plan: Plan) {
    let world = World::with(FEW, database);
    let (users, _) = CROWD.split_once("INSERT INTO cars").unwrap();
    let users = users.replace("n < 200", "n < 5000");
    world.database.execute(&format!("{users}ANALYZE;"));
    let now = mocks::samples::now();
    let is_taken = || {
        let taken = (world.app.store).read(|unit| unit.users().email_is_taken(&world.ann.email, None, now));
        usize::from(taken.unwrap())
    };
    let plan = plan(&world, &sql_of(is_taken), "('1@x', '1@x', '1@x', now())");
    assert!(
        plan.contains("users_previous_email") && !plan.contains("Seq Scan") && !plan.contains("SCAN"),
        "{plan}"
    );
}

#[test]
fn on_sqlite_taken_email_uses_its_indexes() {
    taken_email_is_found_by_its_indexes(TestDatabase::sqlite(), plan_on_sqlite);
}

#[test]
fn on_postgres_taken_email_uses_its_indexes() {
    taken_email_is_found_by_its_indexes(TestDatabase::postgres(), plan_on_postgres);
}

fn history_of_a_car_uses_its_index(database: TestDatabase, plan: Plan) {
    let world = World::with(FEW, database);
    world.database.execute(PAST);
    let planned = |page, arguments| plan(&world, &sql_of(|| history_of_car(&world, page)), arguments);
    let (whole, page) = (
        planned(None, "('car', '1007', 1)"),
        planned(PAGE, "('car', '1007', 1, 5, 3)"),
    );
    is_found_by("audit_log_of_object", &whole, &page);
}

fn count_of_clients_reads_only_admins_with_a_condition(database: TestDatabase, plan: Plan) {
    let world = World::with(FEW, database);
    world.database.execute(CROWD);
    let clients = UserQuery {
        role: Some(Role::Client),
        page: PAGE,
        ..UserQuery::default()
    };
    let store = &*world.app.store;
    let count = || {
        let count = store.read(|unit| unit.users().count(&clients)).unwrap();
        usize::try_from(count).unwrap()
    };
    // Diesel limits each scalar subquery to one row.
    let plan = plan(&world, &sql_of(count), "(1, 1)");
    assert!(
        plan.contains("users_admins") && !plan.contains("Filter"),
        "{plan}"
    );
}

#[test]
fn on_sqlite_count_of_clients_uses_the_index_of_admins() {
    count_of_clients_reads_only_admins_with_a_condition(TestDatabase::sqlite(), plan_on_sqlite);
}

#[test]
fn on_postgres_count_of_clients_uses_the_index_of_admins() {
    count_of_clients_reads_only_admins_with_a_condition(TestDatabase::postgres(), plan_on_postgres);
}

#[test]
fn on_sqlite_list_of_an_owner_uses_its_index() {
    list_of_an_owner_uses_its_index(TestDatabase::sqlite(), plan_on_sqlite);
}

#[test]
fn on_postgres_list_of_an_owner_uses_its_index() {
    list_of_an_owner_uses_its_index(TestDatabase::postgres(), plan_on_postgres);
}

#[test]
fn on_sqlite_history_of_a_car_uses_its_index() {
    history_of_a_car_uses_its_index(TestDatabase::sqlite(), plan_on_sqlite);
}

#[test]
fn on_postgres_history_of_a_car_uses_its_index() {
    history_of_a_car_uses_its_index(TestDatabase::postgres(), plan_on_postgres);
}
