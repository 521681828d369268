//! A server in this process.

use std::{
    collections::HashMap,
    fs::File,
    io::{Seek as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    ops::Deref,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use actix_web::{dev::ServerHandle, rt::System};
use chrono::{DateTime, TimeDelta, Utc};
use memory_store::MemoryStore;
use mycars_application::{
    App, Caller,
    accounts::{self, NewSuperuser},
    mocks::{MockImageStore, MockTokenCodec, Mocks, samples},
    ports::{Claims, Clock, ImageError, ImageUsage, Undecodable, Verification},
};
use mycars_domain::values::{Email, FirstName, ImagePath, LastName, Password, PasswordHash, Username};
use mycars_http::{
    AllowedOrigins, JobMetrics, ListSettings, Listener, Networks, PoolSizes, Settings, TrustedProxies, serve,
};
use mycars_testkit::http::{Client, PATIENCE, TINY_JPEG, accounts::SUPERUSER_PASSWORD};

/// A server on a port of its own, stopped when this is dropped. It is used through its client.
pub(crate) struct Site {
    client: Client,
    handle: ServerHandle,
}

impl Deref for Site {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // The call sends the command; no test needs its result.
        drop(self.handle.stop(false));
    }
}

/// Starts a server on an empty store, with a superuser of the name `root`.
pub(crate) fn start() -> Site {
    start_with(|_| {})
}

/// The same with other settings.
pub(crate) fn start_with(change: impl FnOnce(&mut Settings)) -> Site {
    let mut settings = settings();
    change(&mut settings);
    let app = app();
    create_superuser(&app, "root");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (started, is_started) = mpsc::channel();
    thread::spawn(move || {
        System::new().block_on(async move {
            let server = serve(app, &settings, Listener::Tcp(listener)).unwrap();
            started.send(server.handle()).unwrap();
            server.await.unwrap();
        });
    });
    Site {
        client: Client::new(&address.to_string()),
        handle: is_started.recv().unwrap(),
    }
}

fn settings() -> Settings {
    Settings {
        lists: ListSettings::default(),
        workers: 1,
        pools: PoolSizes {
            connections: 2,
            shares_commits: false,
            password_threads: 1,
            password_queue: 64,
            image_threads: 1,
        },
        allowed_hosts: vec!["127.0.0.1".into()],
        allowed_origins: AllowedOrigins::Listed(Vec::new()),
        tls: None,
        traces: None,
        trusted_proxies: TrustedProxies::default(),
        hsts_seconds: 0,
        max_connections: 100,
        max_connections_per_address: 0,
        stall: Duration::from_secs(30),
        max_body_memory: 64 * 1024 * 1024,
        image_origin: None,
        metrics_for: Networks::default(),
        throttle: None,
        shared_rates: None,
        jobs: JobMetrics::default(),
        shutdown_seconds: 1,
    }
}

fn create_superuser(app: &App, username: &str) {
    let superuser = NewSuperuser {
        username: Username::parse(username).unwrap(),
        email: Email::parse(&format!("{username}@example.com")).unwrap(),
        first_name: FirstName::default(),
        last_name: LastName::default(),
        password: Some(Password::parse(SUPERUSER_PASSWORD).unwrap()),
    };
    accounts::create_superuser(app, &Caller::system(), superuser).unwrap();
}

/// The use-cases on a store in memory. The other ports do the least that they promise.
fn app() -> App {
    let mut mocks = Mocks::new();
    let numbers = AtomicU64::new(0);
    mocks.random.expect_hex().returning(move |bytes| {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        format!("{number:0width$x}", width = 2 * bytes)
    });
    mocks
        .hasher
        .expect_hash()
        .returning(|password| Ok(hash(password.reveal())));
    mocks.hasher.expect_verify().returning(|password, kept| {
        if *kept == hash(password) {
            Verification::Right
        } else {
            Verification::Wrong
        }
    });
    mocks.hasher.expect_verify_dummy().return_const(());
    mocks.image_processor.expect_process().returning(|upload| {
        let mut bytes = Vec::new();
        upload.rewind().unwrap();
        upload.read_to_end(&mut bytes).unwrap();
        if bytes == TINY_JPEG {
            Ok(bytes)
        } else {
            Err(ImageError::NotAnImage)
        }
    });
    keep_images(&mut mocks.images);
    keep_claims(&mut mocks.tokens);
    let (app, _) = mocks.into_app();
    App {
        store: Arc::new(MemoryStore::new(PATIENCE)),
        clock: Arc::new(TickingClock::default()),
        max_image_bytes: 5 * 1024 * 1024,
        ..app
    }
}

fn hash(password: &str) -> PasswordHash {
    PasswordHash::from_storage(format!("bcrypt of {password}"))
}

/// Keeps pictures in memory.
fn keep_images(images: &mut MockImageStore) {
    let kept: Arc<Mutex<HashMap<ImagePath, Vec<u8>>>> = Arc::default();
    let all = Arc::clone(&kept);
    images.expect_put().returning(move |path, jpeg| {
        all.lock().unwrap().insert(path.clone(), jpeg.to_vec());
        Ok(())
    });
    let all = Arc::clone(&kept);
    images.expect_delete().returning(move |path| {
        all.lock().unwrap().remove(path);
        Ok(())
    });
    let all = Arc::clone(&kept);
    images
        .expect_open()
        .returning(move |path| Ok(all.lock().unwrap().get(path).map(|jpeg| file(jpeg))));
    images.expect_link().returning(|_, _| None);
    images.expect_usage().returning(move || {
        let all = kept.lock().unwrap();
        Ok(ImageUsage {
            count: all.len() as u64,
            bytes: all.values().map(|jpeg| jpeg.len() as u64).sum(),
            free_bytes: None,
        })
    });
}

fn file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    file
}

/// Makes tokens of numbers, each of which stands for the claims that were kept under it.
fn keep_claims(tokens: &mut MockTokenCodec) {
    let kept: Arc<Mutex<Vec<Claims>>> = Arc::default();
    let all = Arc::clone(&kept);
    tokens.expect_encode().returning(move |claims| {
        let mut all = all.lock().unwrap();
        all.push(claims.clone());
        Ok(format!("token-{}", all.len() - 1))
    });
    tokens.expect_decode().returning(move |token| {
        let number: usize = token
            .strip_prefix("token-")
            .and_then(|number| number.parse().ok())
            .ok_or(Undecodable)?;
        kept.lock().unwrap().get(number).cloned().ok_or(Undecodable)
    });
}

/// A clock that goes on by a millisecond whenever it is read.
#[derive(Default)]
struct TickingClock(AtomicI64);

impl Clock for TickingClock {
    fn now(&self) -> DateTime<Utc> {
        samples::now() + TimeDelta::milliseconds(self.0.fetch_add(1, Ordering::Relaxed))
    }
}
