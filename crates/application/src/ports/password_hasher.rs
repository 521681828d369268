//! Hashing passwords.

use mycars_domain::values::{Password, PasswordHash};

use super::BoxError;

/// The result of verifying a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// The password is wrong.
    Wrong,
    /// The hash cannot be verified with any password: its format is not supported, or it is malformed. Names the
    /// algorithm, as Django does, and contains no part of the hash.
    Unsupported(&'static str),
    /// The password is right.
    Right,
    /// The password is right, but should be hashed again: the hash is weaker than new ones, or of an older kind.
    RightButOutdated,
}

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct HashError(#[source] pub BoxError);

/// Hashes passwords, deliberately slowly. Callers must not hold a transaction meanwhile.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait PasswordHasher: Send + Sync {
    /// Hashes a password with a new salt.
    ///
    /// # Errors
    /// [`HashError`] if there is no random salt.
    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError>;

    /// Verifies a password as it was sent, which may be longer than allowed, against `hash`. A hash that cannot be
    /// verified MUST be [`Verification::Unsupported`], and that of [`PasswordHash::unusable`] [`Verification::Wrong`].
    /// Either MUST take about the same time as a wrong password, for any hash.
    fn verify(&self, password: &str, hash: &PasswordHash) -> Verification;

    /// Takes as long as [`verify`](Self::verify) with a new hash and discards the result: for logins of unknown users,
    /// so that the time does not reveal which users exist.
    fn verify_dummy(&self, password: &str);

    /// Returns the algorithm of a hash that no password can be verified against, as in
    /// [`Verification::Unsupported`], without doing its work. `None` for hashes that can be verified, and for that of
    /// an unusable password.
    fn unsupported(&self, hash: &PasswordHash) -> Option<&'static str>;
}
