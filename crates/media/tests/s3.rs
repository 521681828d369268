//! The S3 store, on two servers that check different parts of the protocol.
#![expect(clippy::unwrap_used, reason = "a failed helper fails its test")]

use std::{
    collections::BTreeSet,
    error::Error as _,
    io::Cursor,
    net::TcpListener,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use memory_store::MemoryStore;
use mycars_application::{
    App, Caller, Input,
    cars::{self, CarInput, CarScope},
    images::{self, UploadedFile},
    mocks::{FixedClock, Mocks, samples},
    ports::{ImageStore, ImageStoreError, Random},
    users::UserInput,
};
use mycars_domain::{Car, Rank, values::ImagePath};
use mycars_media::{Delivery, S3ImageStore, S3Settings};
use mycars_testkit::{S3Program, S3Server, image_store_contract::ImageFixture, random};

fn settings(endpoint: &str) -> S3Settings {
    static TESTS: AtomicUsize = AtomicUsize::new(0);
    let test = TESTS.fetch_add(1, Ordering::Relaxed);
    S3Settings {
        endpoint: endpoint.into(),
        region: "us-east-1".into(),
        bucket: S3Server::BUCKET.into(),
        prefix: format!("te+st pictur\u{e9}s/{test}/"),
        path_style: true,
        access_key: S3Server::ACCESS_KEY.into(),
        secret_key: S3Server::SECRET_KEY.into(),
        delivery: Delivery::Redirect,
    }
}

fn moto() -> &'static S3Server {
    static SERVER: OnceLock<S3Server> = OnceLock::new();
    SERVER.get_or_init(|| S3Server::start(S3Program::Moto))
}

fn nanio() -> &'static S3Server {
    static SERVER: OnceLock<S3Server> = OnceLock::new();
    SERVER.get_or_init(|| S3Server::start(S3Program::Nanio))
}

fn store(settings: &S3Settings) -> S3ImageStore {
    S3ImageStore::new(settings).unwrap()
}

fn fixture(server: &S3Server) -> ImageFixture {
    ImageFixture {
        store: Arc::new(store(&settings(&server.endpoint()))),
        kept: Box::new(()),
    }
}

mod on_moto {
    use super::*;

    fn empty() -> ImageFixture {
        fixture(moto())
    }

    mycars_testkit::image_store_contract!(empty);
}

mod on_nanio {
    use super::*;

    fn empty() -> ImageFixture {
        fixture(nanio())
    }

    mycars_testkit::image_store_contract!(empty);
}

fn path(name: &str) -> ImagePath {
    ImagePath::from_storage(format!("cars/{name}"))
}

fn texts(error: &ImageStoreError) -> String {
    format!("{error}: {}", error.source().unwrap())
}

#[test]
fn more_than_a_page_of_pictures_is_listed() {
    let store = store(&settings(&moto().endpoint()));
    let names: Vec<String> = (0..1001).map(|number| format!("{number}.jpg")).collect();
    std::thread::scope(|scope| {
        for names in names.chunks(126) {
            let store = &store;
            scope.spawn(move || {
                for name in names {
                    store.put(&path(name), b"1").unwrap();
                }
            });
        }
    });
    assert_eq!(store.list().unwrap().len(), 1001);
    assert_eq!(store.usage().unwrap().bytes, 1001);
}

#[test]
fn deletions_are_finished_on_drop() {
    let settings = settings(&moto().endpoint());
    let first = store(&settings);
    let names: Vec<String> = (0..20).map(|number| format!("{number}.jpg")).collect();
    for name in &names {
        first.put(&path(name), b"1").unwrap();
    }
    for name in &names {
        first.delete(&path(name)).unwrap();
        assert!(first.open(&path(name)).unwrap().is_none());
        assert!(first.link(&path(name), samples::now()).is_none());
    }
    drop(first);
    assert_eq!(store(&settings).list().unwrap(), []);
}

#[test]
fn wrong_key_is_refused_without_secrets_in_the_error() {
    let settings = S3Settings {
        secret_key: "another-secret".into(),
        ..settings(&nanio().endpoint())
    };
    let error = store(&settings).check().unwrap_err();
    assert!(matches!(error, ImageStoreError::Other(_)), "{error:?}");
    let text = texts(&error);
    assert!(
        text.contains("403") && text.contains("SignatureDoesNotMatch"),
        "{text}"
    );
    for secret in ["another-secret", S3Server::ACCESS_KEY, "X-Amz-"] {
        assert!(
            !text.contains(secret) && !format!("{error:?}").contains(secret),
            "{text}"
        );
    }
}

#[test]
fn missing_bucket_is_an_error() {
    let settings = S3Settings {
        bucket: "nothing".into(),
        ..settings(&moto().endpoint())
    };
    let store = store(&settings);
    assert!(store.open(&path("a.jpg")).is_err());
    assert!(store.list().is_err());
    assert!(store.owner().is_err());
}

fn status(url: &str) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    agent.get(url).call().unwrap().status().as_u16()
}

#[test]
fn link_is_readable_until_it_expires() {
    let store = store(&settings(&nanio().endpoint()));
    store.put(&path("a.jpg"), b"one").unwrap();
    let now = now();
    let link = store.link(&path("a.jpg"), now).unwrap();
    assert!(link.expires_at > now + TimeDelta::hours(1));
    assert!(link.expires_at <= now + TimeDelta::hours(2));
    assert_eq!(status(&link.url), 200);
    let expired = store.link(&path("a.jpg"), now - TimeDelta::hours(3)).unwrap();
    assert_eq!(status(&expired.url), 403);
    assert_eq!(status(link.url.split('?').next().unwrap()), 403);
    assert_eq!(status(&link.url.replace("a.jpg", "b.jpg")), 403);
}

#[test]
fn link_is_the_same_for_an_hour() {
    let store = store(&settings("https://s3.example"));
    let link = |time: &str| {
        let now: DateTime<Utc> = time.parse().unwrap();
        store.link(&path("a.jpg"), now).unwrap()
    };
    let first = link("2026-11-27T10:00:00Z");
    assert_eq!(link("2026-11-27T10:59:59.9Z"), first);
    assert_eq!(first.expires_at.to_rfc3339(), "2026-11-27T12:00:00+00:00");
    assert_ne!(link("2026-11-27T11:00:00Z"), first);
    assert!(store.link(&path("../a.jpg"), samples::now()).is_none());
}

#[test]
fn proxied_store_has_no_links() {
    let settings = S3Settings {
        delivery: Delivery::Proxy,
        ..settings("https://s3.example")
    };
    assert_eq!(store(&settings).link(&path("a.jpg"), samples::now()), None);
}

#[test]
fn store_that_refuses_connections_is_unavailable() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = store(&settings(&format!("http://{port}")));
    let error = store.open(&path("a.jpg")).unwrap_err();
    assert!(matches!(error, ImageStoreError::Unavailable(_)), "{error:?}");
    assert!(texts(&error).contains(&port.to_string()), "{}", texts(&error));
}

#[test]
fn silent_store_is_asked_twice_and_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let store = store(&settings(&format!("http://{}", listener.local_addr().unwrap())));
    for _ in 0..20 {
        let error = store.open(&path("a.jpg")).unwrap_err();
        assert!(matches!(error, ImageStoreError::Unavailable(_)), "{error:?}");
    }
    listener.set_nonblocking(true).unwrap();
    assert!((0..2).all(|_| listener.accept().is_ok()));
    assert!(
        listener.accept().is_err(),
        "only two requests wait for their time limits"
    );
}

#[test]
fn invalid_endpoints_are_refused() {
    for endpoint in ["", "s3.example", "ftp://s3.example", "http://"] {
        assert!(S3ImageStore::new(&settings(endpoint)).is_err(), "{endpoint}");
    }
    let in_host_name = S3Settings {
        path_style: false,
        ..settings("http://127.0.0.1:9000")
    };
    assert!(S3ImageStore::new(&in_host_name).is_err());
}

/// Returns the time by the clock of the file system.
fn now() -> DateTime<Utc> {
    let file = tempfile::tempfile().unwrap();
    file.metadata().unwrap().modified().unwrap().into()
}

/// Numbers in place of random texts.
#[derive(Default)]
struct Numbers(AtomicUsize);

impl Random for Numbers {
    fn hex(&self, bytes: usize) -> String {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        format!("{number:0digits$x}", digits = 2 * bytes)
    }
}

/// The use-cases with an S3 store and a store in memory. Uploads become pictures of some bytes.
fn app(images: Arc<S3ImageStore>) -> App {
    let mut mocks = Mocks::new();
    mocks
        .image_processor
        .expect_process()
        .returning(|_| Ok(b"a picture".to_vec()));
    let hash = || mycars_domain::values::PasswordHash::from_storage("a hash".into());
    mocks.hasher.expect_hash().returning(move |_| Ok(hash()));
    let (app, _) = mocks.into_app();
    App {
        store: Arc::new(MemoryStore::new(Duration::from_mins(1))),
        images,
        clock: Arc::new(FixedClock(now())),
        random: Arc::new(Numbers::default()),
        ..app
    }
}

fn picture_of(car: &Car) -> Option<String> {
    car.image.as_ref().map(ToString::to_string)
}

/// Uploads, replaced and removed pictures, deleted cars, and uploads that were interrupted before their row.
#[test]
fn random_operations_leave_no_orphan_after_a_sweep() {
    let seed = random::seed();
    let mut random = random::Random::new(seed, 0);
    let settings = settings(&moto().endpoint());
    let images = Arc::new(store(&settings));
    let app = app(Arc::clone(&images));
    let user = UserInput {
        username: "ann".into(),
        email: "ann@example.com".into(),
        first_name: "Ann".into(),
        last_name: "Lee".into(),
        password: "Harbour-x7-9".into(),
        ..UserInput::default()
    };
    let user = mycars_application::accounts::register(&app, &samples::anonymous(), &user).unwrap();
    let caller = Caller::user(&user, samples::other_user(Rank::Client).origin);
    let mut ids = Vec::new();
    for number in 0..1000 {
        let content = &mut Cursor::new(b"an upload");
        match random.below(10) {
            0 | 1 => {
                let car = CarInput {
                    brand: "VW".into(),
                    model: "Golf".into(),
                    year: 2023.into(),
                    license: format!("B-{number}").as_str().into(),
                    ..CarInput::default()
                };
                ids.push(cars::create(&app, &caller, CarScope::Caller, &car).unwrap().id);
            }
            2 => {
                let interrupted = format!("car_1_{}.jpg", app.random.hex(16));
                images.put(&path(&interrupted), b"interrupted").unwrap();
            }
            operation => {
                let Some(at) = (!ids.is_empty()).then(|| random.below(ids.len())) else {
                    continue;
                };
                match operation {
                    3 => {
                        let id = ids.swap_remove(at);
                        cars::delete(&app, &caller, CarScope::Caller, id, None).unwrap();
                    }
                    4 => {
                        images::remove(&app, &caller, CarScope::Caller, ids[at], None).unwrap();
                    }
                    _ => {
                        let file = Input::Given(UploadedFile { content, size: 9 });
                        images::upload(&app, &caller, CarScope::Caller, ids[at], file).unwrap();
                    }
                }
            }
        }
    }
    let later = App {
        clock: Arc::new(FixedClock(now() + TimeDelta::hours(2))),
        ..app.clone()
    };
    let swept = images::sweep(&later, &Caller::system(), true);
    assert!(swept.is_ok(), "{swept:?}: {}", random::how_to_repeat(seed));
    let named: BTreeSet<String> = ids
        .iter()
        .filter_map(|id| picture_of(&cars::read(&app, &caller, CarScope::Caller, *id).unwrap()))
        .collect();
    drop((app, later, images));
    let left: BTreeSet<String> = store(&settings)
        .list()
        .unwrap()
        .into_iter()
        .map(|image| image.path.to_string())
        .collect();
    assert_eq!(left, named, "{}", random::how_to_repeat(seed));
}
