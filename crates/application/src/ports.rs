//! The ports: the use-cases' requirements on adapters, one trait for each.
//!
//! All ports are synchronous and usable as `dyn`: a use-case is a plain function that blocks its thread, and its
//! tests need no runtime. `None` means that an object does not exist; the use-case decides whether that is an error.
//!
//! # What an implementation guarantees
//!
//! - It makes no decisions about permissions and rules: the use-cases have asked [`policy`](mycars_domain::policy)
//!   and checked the fields. It does exactly what the method's documentation states.
//! - Times are in UTC and are returned to the microsecond. Texts are returned as they were stored; blank and absent
//!   are different values.
//! - In unique fields and in searches, texts are equal if [`fold`](mycars_domain::fold) makes them equal, whatever the
//!   database compares: [`Username::key`](mycars_domain::values::Username::key),
//!   [`Email::key`](mycars_domain::values::Email::key) and
//!   [`LicensePlate::key`](mycars_domain::values::LicensePlate::key) are unique. Texts are ordered by code points.
//! - A list of ids may have any length. Ids that do not exist are skipped.
//! - The rows of a query and their order are defined by its `select` in [`lists`](crate::lists) (feature `reference`).
//! - No method has a default implementation: counting and finding all rows in memory would be correct, but too slow
//!   for a database.
//! - A cause ([`BoxError`]) is for the log. It contains no password, hash or token.
//! - It does not panic; failures are errors.
//!
//! "MUST" marks further requirements of the use-cases. In the project, the crate `mycars-testkit` tests all
//! requirements on a [`Store`]; it is not published.
//!
//! ```
//! use chrono::{DateTime, SubsecRound as _, Utc};
//! use mycars_application::ports::{Clock, Random};
//!
//! /// The system's clock.
//! struct SystemClock;
//!
//! impl Clock for SystemClock {
//!     fn now(&self) -> DateTime<Utc> {
//!         DateTime::from(std::time::SystemTime::now()).trunc_subsecs(6)
//!     }
//! }
//!
//! /// For tests that need predictable ids: each byte is the number of the call.
//! #[derive(Default)]
//! struct Counting(std::sync::atomic::AtomicU8);
//!
//! impl Random for Counting {
//!     fn hex(&self, bytes: usize) -> String {
//!         let call = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
//!         format!("{call:02x}").repeat(bytes)
//!     }
//! }
//!
//! assert_eq!(SystemClock.now().timestamp_subsec_nanos() % 1_000, 0);
//! let random = Counting::default();
//! assert_eq!((random.hex(2), random.hex(2)), ("0000".into(), "0101".into()));
//! ```

mod api_keys;
mod archive;
mod audit_log;
mod cars;
mod clock;
mod devices;
mod disk_space;
mod django_source;
mod images;
mod installation;
mod leases;
mod mailer;
mod outbox;
mod packages;
mod password_hasher;
mod random;
mod rates;
mod refresh_tokens;
mod rows;
mod sessions;
mod signer;
mod statements;
mod store;
mod tokens;
mod users;

pub use api_keys::{ApiKey, ApiKeyRepository};
pub use archive::{
    ArchiveContents, ArchiveReader, ArchiveWriter, BackupStore, EachImage, EachRows, StoredBackup,
    TableContents,
};
pub use audit_log::{AuditLog, PrunedEntries};
pub use cars::{CarCount, CarRepository, CarVersion};
pub use clock::Clock;
pub use devices::Device;
pub use disk_space::DiskSpace;
pub use django_source::{
    DjangoCar, DjangoCounts, DjangoNextIds, DjangoSource, DjangoTable, DjangoToken, DjangoUser,
};
pub use images::{
    ImageError, ImageLink, ImageProcessor, ImageStore, ImageStoreError, ImageUsage, StoredImage,
    TrashedImage, Upload,
};
pub use installation::{Installation, InstallationRepository};
pub use leases::{Lease, LeaseRepository};
pub use mailer::{Letter, LetterContent, MailError, Mailer};
pub use outbox::{MailKind, Outbox, QueuedMail};
pub use packages::{Package, Packager};
pub use password_hasher::{HashError, PasswordHasher, Verification};
pub use random::Random;
pub use rates::{RateLimit, RateRepository, SharedRates, StoredRates};
pub use refresh_tokens::{Family, ListedToken, RefreshToken, RefreshTokenRepository, Revocation};
pub use rows::{Row, RowRepository, Table};
pub use sessions::{ListedSession, Session, SessionRepository};
pub use signer::Signer;
pub use statements::{StatementUsage, TRACE_TARGET, record_statement, take_statements};
pub use store::{BoxError, Mode, Rollback, Store, StoreError, UnitOfWork};
pub use tokens::{Claims, TokenCodec, Undecodable, Unsignable};
pub use users::UserRepository;

#[cfg(feature = "mocks")]
pub use {
    api_keys::MockApiKeyRepository,
    audit_log::MockAuditLog,
    cars::MockCarRepository,
    images::{MockImageProcessor, MockImageStore},
    installation::MockInstallationRepository,
    leases::MockLeaseRepository,
    mailer::MockMailer,
    outbox::MockOutbox,
    password_hasher::MockPasswordHasher,
    random::MockRandom,
    rates::MockRateRepository,
    refresh_tokens::MockRefreshTokenRepository,
    rows::MockRowRepository,
    sessions::MockSessionRepository,
    tokens::MockTokenCodec,
    users::MockUserRepository,
};
