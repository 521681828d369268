//! What the use-cases need of the world: one trait for each need, which adapters implement.
//!
//! All ports are synchronous and usable as `dyn`: a use-case is a plain function that blocks, whoever calls it
//! gives it a thread, and its tests need no runtime. `None` says that something is not there; whether that is
//! an error is for the use-case to say.

mod audit_log;
mod cars;
mod clock;
mod images;
mod password_hasher;
mod random;
mod refresh_tokens;
mod sessions;
mod store;
mod tokens;
mod users;

pub use audit_log::AuditLog;
pub use cars::{CarCount, CarRepository};
pub use clock::Clock;
pub use images::{ImageError, ImageProcessor, ImageStore, ImageStoreError, ImageUsage, Upload};
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
    password_hasher::MockPasswordHasher,
    random::MockRandom,
    refresh_tokens::MockRefreshTokenRepository,
    sessions::MockSessionRepository,
    tokens::MockTokenCodec,
    users::MockUserRepository,
};
