//! A mock of each port, for unit tests without a database (feature `mocks`).
//!
//! [`Mocks`] holds one of each, with nothing expected: an unexpected call fails the test. Set up the rows that exist
//! (`with_…`) and the calls that must happen (`expect_…`), then turn the mocks into an [`App`]:
//!
//! ```
//! use mycars_application::{cars::{self, CarScope}, mocks::{Mocks, samples}};
//! use mycars_domain::CarId;
//!
//! let (app, store) = Mocks::new().without_car().into_app();
//!
//! let refused = cars::read(&app, &samples::ann(), CarScope::Caller, CarId(7));
//! assert!(matches!(refused, Err(cars::Error::NotFound)));
//! assert_eq!(store.commits(), 0);
//! ```
//!
//! Entries of the audit log need no expectation: the store records those of committed transactions.
//!
//! ```
//! use mycars_application::{cars::{self, CarScope}, mocks::{Mocks, samples}};
//! use mycars_domain::{CarId, audit::Action};
//!
//! let mocks = Mocks::new().with_car(samples::car()).expect_car_delete(CarId(10));
//! let (app, store) = mocks.into_app();
//!
//! cars::delete(&app, &samples::ann(), CarScope::Caller, CarId(10), None)?;
//! assert_eq!(store.entries()[0].action, Action::Deleted);
//! # Ok::<(), cars::Error>(())
//! ```
//!
//! Failures and the order of calls are set up with [mockall] itself, on the fields of [`Mocks`] and [`MockUnit`].
//!
//! [mockall]: https://docs.rs/mockall

mod builders;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use chrono::{DateTime, Utc};
use mycars_domain::{
    Car, NewCar, Rank, UserId,
    audit::{Entry, NewEntry},
};

pub use crate::ports::{
    MockApiKeyRepository, MockAuditLog, MockCarRepository, MockImageProcessor, MockImageStore,
    MockInstallationRepository, MockLeaseRepository, MockMailer, MockOutbox, MockPasswordHasher, MockRandom,
    MockRateRepository, MockRefreshTokenRepository, MockRowRepository, MockSessionRepository, MockTokenCodec,
    MockUserRepository,
};
use crate::{
    App, MailSettings, SessionSettings, TokenSettings,
    lists::{HistoryCount, HistoryQuery},
    ports::{
        ApiKeyRepository, AuditLog, BoxError, CarRepository, Clock, DiskSpace, InstallationRepository,
        LeaseRepository, Mode, Outbox, Package, Packager, PrunedEntries, RateRepository,
        RefreshTokenRepository, Rollback, RowRepository, SessionRepository, Store, StoreError, UnitOfWork,
        UserRepository,
    },
    quotas::Quotas,
};

/// One mock of each port, with nothing expected.
#[derive(Default)]
pub struct Mocks {
    /// The repositories inside the store.
    pub unit: MockUnit,
    /// Hashes passwords.
    pub hasher: MockPasswordHasher,
    /// Signs and reads tokens.
    pub tokens: MockTokenCodec,
    /// Source of unguessable texts.
    pub random: MockRandom,
    /// Decodes uploads and encodes pictures.
    pub image_processor: MockImageProcessor,
    /// The store of pictures.
    pub images: MockImageStore,
    /// Sends mail, unless it is [off](Self::mail).
    pub mailer: MockMailer,
    /// Whether mail is turned on, and needed.
    pub mail: MailMode,
    /// Lifetimes of tokens.
    pub token_settings: TokenSettings,
    /// Whether the disks have too little free space.
    pub disk_is_full: bool,
    /// Whether the store fails: then all its methods return [`StoreError::Unavailable`].
    pub fail_store: bool,
}

impl Mocks {
    /// One mock of each port, with nothing expected. Only the callers of [`samples::other_user`] exist: use-cases of
    /// admins lock their caller.
    #[must_use]
    pub fn new() -> Self {
        let bobs = [Rank::Client, Rank::Admin, Rank::Superuser].map(samples::bob);
        bobs.into_iter().fold(Self::default(), Self::with_user_locked)
    }

    /// Returns one mock of each port, and a store that [fails](Self::fail_store).
    #[must_use]
    pub fn failing_store() -> Self {
        Self {
            fail_store: true,
            ..Self::default()
        }
    }

    /// Returns an [`App`] with these mocks, at [`samples::NOW`], and its store, which counts. A missing expected call
    /// fails the test when the app and the store are dropped.
    #[must_use]
    pub fn into_app(self) -> (App, Arc<MockStore>) {
        let store = Arc::new(MockStore {
            unit: Mutex::new(self.unit),
            is_away: self.fail_store,
            reads: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
            rollbacks: AtomicUsize::new(0),
            entries: Mutex::default(),
        });
        let app = App {
            store: Arc::clone(&store) as Arc<dyn Store>,
            hasher: Arc::new(self.hasher),
            tokens: Arc::new(self.tokens),
            clock: Arc::new(FixedClock(samples::now())),
            random: Arc::new(self.random),
            image_processor: Arc::new(self.image_processor),
            images: Arc::new(self.images),
            image_signer: None,
            disk_space: Arc::new(MockDisk {
                is_full: self.disk_is_full,
            }),
            packager: Arc::new(PlainPackager),
            quotas: Quotas::default(),
            max_image_bytes: samples::MAX_IMAGE_BYTES,
            token_settings: self.token_settings,
            session_settings: SessionSettings::default(),
            backups: None,
            mail: (self.mail != MailMode::Off).then(|| MailSettings {
                mailer: Arc::new(self.mailer),
                reset_url: samples::RESET_URL.to_owned(),
                verification_url: samples::VERIFICATION_URL.to_owned(),
                undo_url: samples::UNDO_URL.to_owned(),
                requires_verified_email: self.mail == MailMode::Required,
            }),
        };
        (app, store)
    }
}

/// Whether mail is turned on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailMode {
    /// Mail is turned off.
    #[default]
    Off,
    /// Mail is sent.
    On,
    /// Mail is sent, and users must verify their e-mail addresses.
    Required,
}

/// The mocked repositories.
#[derive(Default)]
pub struct MockUnit {
    /// The users.
    pub users: MockUserRepository,
    /// The cars.
    pub cars: MockCarRepository,
    /// The refresh tokens.
    pub refresh_tokens: MockRefreshTokenRepository,
    /// The sessions of browsers.
    pub sessions: MockSessionRepository,
    /// The API keys.
    pub api_keys: MockApiKeyRepository,
    /// The audit log. Reads are mocked, written entries are recorded: see [`MockStore::entries`].
    pub audit_log: MockAuditLog,
    /// The identity of the database.
    pub installation: MockInstallationRepository,
    /// The leases of recurring jobs.
    pub leases: MockLeaseRepository,
    /// The counts of requests that all servers share.
    pub rates: MockRateRepository,
    /// The mails that have to be sent.
    pub outbox: MockOutbox,
    /// The rows of all tables.
    pub rows: MockRowRepository,
    appended: Vec<NewEntry>,
}

impl UnitOfWork for MockUnit {
    fn users(&mut self) -> &mut dyn UserRepository {
        &mut self.users
    }

    fn cars(&mut self) -> &mut dyn CarRepository {
        &mut self.cars
    }

    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokenRepository {
        &mut self.refresh_tokens
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        &mut self.sessions
    }

    fn api_keys(&mut self) -> &mut dyn ApiKeyRepository {
        &mut self.api_keys
    }

    fn audit_log(&mut self) -> &mut dyn AuditLog {
        self
    }

    fn installation(&mut self) -> &mut dyn InstallationRepository {
        &mut self.installation
    }

    fn leases(&mut self) -> &mut dyn LeaseRepository {
        &mut self.leases
    }

    fn rates(&mut self) -> &mut dyn RateRepository {
        &mut self.rates
    }

    fn outbox(&mut self) -> &mut dyn Outbox {
        &mut self.outbox
    }

    fn rows(&mut self) -> &mut dyn RowRepository {
        &mut self.rows
    }
}

impl AuditLog for MockUnit {
    fn append(&mut self, entries: &[NewEntry]) -> Result<(), StoreError> {
        self.appended.extend_from_slice(entries);
        Ok(())
    }

    fn append_with_car(&mut self, entry: &NewEntry, car: &NewCar) -> Result<Car, StoreError> {
        let car = self.cars.insert(car)?;
        let mut entry = entry.clone();
        entry.object.id = car.id.to_string();
        self.appended.push(entry);
        Ok(car)
    }

    fn list(&mut self, query: &HistoryQuery) -> Result<Vec<Entry>, StoreError> {
        self.audit_log.list(query)
    }

    fn count(&mut self, query: &HistoryQuery) -> Result<u64, StoreError> {
        self.audit_log.count(query)
    }

    fn ids(&mut self, query: &HistoryQuery) -> Result<Vec<i64>, StoreError> {
        self.audit_log.ids(query)
    }

    fn find_all(&mut self, ids: &[i64]) -> Result<Vec<Entry>, StoreError> {
        self.audit_log.find_all(ids)
    }

    fn list_of_user(&mut self, user: UserId, after: i64, at_most: u32) -> Result<Vec<Entry>, StoreError> {
        self.audit_log.list_of_user(user, after, at_most)
    }

    fn counts(&mut self, query: &HistoryQuery) -> Result<Vec<HistoryCount>, StoreError> {
        self.audit_log.counts(query)
    }

    fn delete_oldest(
        &mut self,
        before: DateTime<Utc>,
        at_most: u32,
    ) -> Result<Option<PrunedEntries>, StoreError> {
        self.audit_log.delete_oldest(before, at_most)
    }

    fn forget_user(&mut self, user: UserId) -> Result<u64, StoreError> {
        self.audit_log.forget_user(user)
    }

    fn forget_addresses(&mut self, before: DateTime<Utc>, at_most: u32) -> Result<u64, StoreError> {
        self.audit_log.forget_addresses(before, at_most)
    }
}

/// A store without rows: it calls the work with the mocked repositories and counts transactions.
pub struct MockStore {
    unit: Mutex<MockUnit>,
    is_away: bool,
    reads: AtomicUsize,
    commits: AtomicUsize,
    rollbacks: AtomicUsize,
    entries: Mutex<Vec<NewEntry>>,
}

impl MockStore {
    /// Returns the number of reads outside a transaction.
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    /// Returns the number of committed transactions.
    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::Relaxed)
    }

    /// Returns the entries that committed transactions wrote to the audit log.
    pub fn entries(&self) -> Vec<NewEntry> {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the number of transactions that were rolled back.
    pub fn rollbacks(&self) -> usize {
        self.rollbacks.load(Ordering::Relaxed)
    }
}

impl Store for MockStore {
    fn run(
        &self,
        mode: Mode,
        work: &mut dyn FnMut(&mut dyn UnitOfWork) -> Result<(), Rollback>,
    ) -> Result<(), StoreError> {
        self.ping()?;
        let mut unit = self.unit.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = work(&mut *unit);
        let appended = std::mem::take(&mut unit.appended);
        if matches!(mode, Mode::Write | Mode::WriteNow) && outcome.is_ok() {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            entries.extend(appended);
        }
        let counter = match (mode, outcome) {
            (Mode::Read | Mode::Snapshot, _) => &self.reads,
            (Mode::Write | Mode::WriteNow, Ok(())) => &self.commits,
            (Mode::Write | Mode::WriteNow, Err(Rollback)) => &self.rollbacks,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn ping(&self) -> Result<(), StoreError> {
        if self.is_away {
            Err(StoreError::Unavailable("the mocked store is away".into()))
        } else {
            Ok(())
        }
    }
}

/// Disks with enough free space, or too little.
struct MockDisk {
    is_full: bool,
}

impl DiskSpace for MockDisk {
    fn check(&self) -> Result<(), StoreError> {
        if self.is_full {
            Err(StoreError::NotWritable("the mocked disk is full".into()))
        } else {
            Ok(())
        }
    }
}

/// Packs files one after the other: the name of each in a line, and its content. An empty line is the end.
struct PlainPackager;

impl Packager for PlainPackager {
    fn begin(&self, _at: DateTime<Utc>) -> Box<dyn Package> {
        Box::new(PlainPackage(Vec::new()))
    }
}

struct PlainPackage(Vec<u8>);

impl Package for PlainPackage {
    fn begin_file(&mut self, name: &str, _compressible: bool) -> Result<(), BoxError> {
        self.write(format!("\n{name}\n").as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BoxError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), BoxError> {
        self.write(b"\n\n")
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// A clock with a fixed time.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// Users, a car, tokens, callers and a time for tests.
pub mod samples {
    use std::net::Ipv4Addr;

    use chrono::{DateTime, Utc};
    use mycars_domain::{
        Car, CarId, EmailState, KeyRights, Rank, Role, User, UserId,
        audit::{Channel, Origin},
        values::{
            Brand, Email, FirstName, ImagePath, LastName, LicensePlate, Mileage, Model, PasswordHash,
            Username, Year,
        },
    };

    use crate::{
        Caller,
        ports::{ApiKey, Claims, RefreshToken, Revocation},
    };

    /// The time of mocked tests in seconds since 1970: 23 November 2026, 12:00 UTC.
    pub const NOW: i64 = 1_795_435_200;

    /// The URL in links that set a new password, without the token.
    pub const RESET_URL: &str = "https://cars.example.org/reset/?token=";

    /// The URL in links that verify an e-mail address, without the token.
    pub const VERIFICATION_URL: &str = "https://cars.example.org/verify/?token=";

    /// The URL in links that put an old e-mail address back, without the token.
    pub const UNDO_URL: &str = "https://cars.example.org/undo/?token=";

    /// Maximum size of a picture in mocked tests, in bytes.
    pub const MAX_IMAGE_BYTES: u64 = 100;

    /// Returns the time of mocked tests.
    #[must_use]
    pub fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(NOW, 0).unwrap_or_default()
    }

    /// Ann Lee, a client with the id 1, whose password hash is `hash`.
    #[must_use]
    pub fn user() -> User {
        User {
            id: UserId(1),
            username: Username::from_storage("ann".into()),
            email: Email::from_storage("ann@example.com".into()),
            email_state: EmailState::default(),
            first_name: FirstName::from_storage("Ann".into()),
            last_name: LastName::from_storage("Lee".into()),
            role: Role::Client,
            phone: None,
            address: None,
            is_active: true,
            is_superuser: false,
            password: PasswordHash::from_storage("hash".into()),
            logins_ended_at: None,
            access_ended_at: None,
            date_joined: DateTime::UNIX_EPOCH,
            last_login: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    /// Ann's car, with the id 10.
    #[must_use]
    pub fn car() -> Car {
        Car {
            id: CarId(10),
            owner: UserId(1),
            brand: Brand::from_storage("Toyota".into()),
            model: Model::from_storage("Camry".into()),
            year: Year::from_storage(2023),
            color: None,
            license: LicensePlate::from_storage("AB 123".into()),
            vin: None,
            mileage: Mileage::from_storage(0),
            image: None,
            notes: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    /// Returns Ann as an inactive user.
    #[must_use]
    pub fn inactive_user() -> User {
        User {
            is_active: false,
            ..user()
        }
    }

    /// Ann as an admin.
    #[must_use]
    pub fn admin_user() -> User {
        User {
            role: Role::Admin,
            ..user()
        }
    }

    /// Ann as a superuser.
    #[must_use]
    pub fn superuser() -> User {
        User {
            is_superuser: true,
            ..admin_user()
        }
    }

    /// Ann's car with a picture at this path.
    #[must_use]
    pub fn car_with_image(path: &str) -> Car {
        Car {
            image: Some(ImagePath::from_storage(path.into())),
            ..car()
        }
    }

    /// The claims of a token of this type that was issued to Ann now, with the id `jti`; it expires after a minute.
    #[must_use]
    pub fn claims(token_type: &str) -> Claims {
        Claims {
            token_type: Some(token_type.into()),
            expires_at: Some(NOW + 60),
            issued_at: Some(NOW),
            issued_at_micros: None,
            not_before: None,
            id: Some("jti".into()),
            user_id: Some("1".into()),
            login: None,
        }
    }

    /// Ann's refresh token with the id `jti`, and why it was revoked.
    #[must_use]
    pub fn refresh_token(revoked: Option<Revocation>) -> RefreshToken {
        RefreshToken {
            id: "jti".into(),
            user: Some(UserId(1)),
            issued_at: now(),
            expires_at: now(),
            revoked,
            revoked_at: revoked.map(|_| now()),
            last_used_at: None,
            family: None,
        }
    }

    /// Ann's API key with the id 3, which may read and does not expire.
    #[must_use]
    pub fn api_key() -> ApiKey {
        ApiKey {
            id: 3,
            owner: UserId(1),
            name: "sync".into(),
            prefix: "mck_ab".into(),
            key_hash: "hash".into(),
            rights: KeyRights::Read,
            created_at: now(),
            expires_at: None,
            last_used_at: None,
        }
    }

    /// Returns the origin of requests in mocked tests.
    #[must_use]
    pub fn origin() -> Origin {
        Origin {
            channel: Channel::Api,
            request_id: Some("request".into()),
            address: Some(Ipv4Addr::LOCALHOST.into()),
        }
    }

    /// Returns a user as the caller.
    #[must_use]
    pub fn caller(user: &User) -> Caller {
        Caller::user(user, origin())
    }

    /// Returns Ann as the caller.
    #[must_use]
    pub fn ann() -> Caller {
        caller(&user())
    }

    /// Returns the anonymous caller.
    #[must_use]
    pub fn anonymous() -> Caller {
        Caller::anonymous(origin())
    }

    /// Returns Bob as the caller, an admin.
    #[must_use]
    pub fn admin() -> Caller {
        other_user(Rank::Admin)
    }

    /// Returns Bob as the caller, who is not Ann, with this rank.
    #[must_use]
    pub fn other_user(rank: Rank) -> Caller {
        caller(&bob(rank))
    }

    /// Returns Bob with this rank. His id depends on it, so that the mocks of [`Mocks`](super::Mocks) find him with the
    /// rank that he calls with.
    #[must_use]
    pub fn bob(rank: Rank) -> User {
        let (id, role) = match rank {
            Rank::Client => (2, Role::Client),
            Rank::Admin => (3, Role::Admin),
            Rank::Superuser => (4, Role::Admin),
        };
        User {
            id: UserId(id),
            username: Username::from_storage("bob".into()),
            email: Email::from_storage("bob@example.com".into()),
            role,
            is_superuser: rank == Rank::Superuser,
            ..user()
        }
    }
}
