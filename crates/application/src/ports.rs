//! What the use-cases need of the world: one trait for each need, which adapters implement.
//!
//! All ports are synchronous and usable as `dyn`: a use-case is a plain function that blocks, whoever calls it
//! gives it a thread, and its tests need no runtime. `None` says that something is not there; whether that is
//! an error is for the use-case to say.
//!
//! # What an implementor keeps
//!
//! - It decides nothing about rights and rules: the use-cases have asked [`policy`](mycars_domain::policy) and checked
//!   the fields. It does exactly what a method says, to what it is given.
//! - Points in time are in UTC and come back to the microsecond. Texts come back as they were given, and blank and
//!   absent are two things.
//! - What is the same, in a unique field or in a search, is what [`fold`](mycars_domain::fold) makes the same, not what
//!   a database takes for it: [`Username::key`](mycars_domain::values::Username::key),
//!   [`Email::key`](mycars_domain::values::Email::key) and
//!   [`LicensePlate::key`](mycars_domain::values::LicensePlate::key) are what is kept unique. Texts are ordered by code
//!   points.
//! - A list of ids may be of any length, and name what is not there, which is passed over.
//! - What a query asks for, in which order, is what its `select` in [`lists`](crate::lists) says.
//! - A method that is provided follows from others, and is right for every adapter. One that can do better overrides it,
//!   and answers the same.
//! - A cause ([`BoxError`]) is for the log. It holds no password, hash or token.
//! - It does not panic; what can't be done is an error.
//!
//! "MUST" marks what a use-case relies on beyond that. In the project, the crate `mycars-testkit` has all that a
//! [`Store`] must do as tests; it is not published.
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
mod images;
mod installation;
mod password_hasher;
mod random;
mod refresh_tokens;
mod sessions;
mod store;
mod tokens;
mod users;

pub use audit_log::AuditLog;
pub use cars::{CarCount, CarRepository, CarVersion};
pub use clock::Clock;
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
