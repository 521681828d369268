//! The ports: what the use-cases need from adapters, one trait for each need.
//!
//! All ports are synchronous and usable as `dyn`: a use-case is a plain function that blocks, its caller gives it a
//! thread, and its tests need no runtime. `None` means that something does not exist; whether that is an error is for
//! the use-case to decide.
//!
//! # What an implementation guarantees
//!
//! - It decides nothing about rights and rules: the use-cases have asked [`policy`](mycars_domain::policy) and checked
//!   the fields. It does exactly what a method says, to what it is given.
//! - Times are in UTC and come back to the microsecond. Texts come back as they were given; blank and absent are two
//!   different values.
//! - In unique fields and in searches, texts are equal if [`fold`](mycars_domain::fold) makes them equal, whatever the
//!   database compares: [`Username::key`](mycars_domain::values::Username::key),
//!   [`Email::key`](mycars_domain::values::Email::key) and
//!   [`LicensePlate::key`](mycars_domain::values::LicensePlate::key) are unique. Texts are ordered by code points.
//! - A list of ids may have any length. Ids that do not exist are skipped.
//! - The rows of a query and their order are defined by its `select` in [`lists`](crate::lists) (feature `reference`).
//! - No method has a default: counting and finding all rows in memory is right, but too slow for a database.
//! - A cause ([`BoxError`]) is for the log. It holds no password, hash or token.
//! - It does not panic; failures are errors.
//!
//! "MUST" marks what a use-case relies on beyond that. In the project, the crate `mycars-testkit` tests all that a
//! [`Store`] must do; it is not published.
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
//! /// For tests that want ids to come in order: each byte is the number of the call.
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

mod audit_log;
mod cars;
mod clock;
mod disk_space;
mod images;
mod installation;
mod password_hasher;
mod random;
mod refresh_tokens;
mod sessions;
mod store;
mod tokens;
mod users;

pub use audit_log::{AuditLog, PrunedEntries};
pub use cars::{CarCount, CarRepository, CarVersion};
pub use clock::Clock;
pub use disk_space::DiskSpace;
pub use images::{
    ImageError, ImageProcessor, ImageStore, ImageStoreError, ImageUsage, StoredImage, TrashedImage, Upload,
};
pub use installation::{Installation, InstallationRepository};
pub use password_hasher::{HashError, PasswordHasher, Verification};
pub use random::Random;
pub use refresh_tokens::{ListedToken, RefreshToken, RefreshTokenRepository, Revocation};
pub use sessions::{Session, SessionRepository};
pub use store::{BoxError, Mode, Rollback, Store, StoreError, UnitOfWork};
pub use tokens::{Claims, TokenCodec, Undecodable, Unsignable};
pub use users::UserRepository;

#[cfg(feature = "mocks")]
pub use {
    audit_log::MockAuditLog,
    cars::MockCarRepository,
    images::{MockImageProcessor, MockImageStore},
    installation::MockInstallationRepository,
    password_hasher::MockPasswordHasher,
    random::MockRandom,
    refresh_tokens::MockRefreshTokenRepository,
    sessions::MockSessionRepository,
    tokens::MockTokenCodec,
    users::MockUserRepository,
};
