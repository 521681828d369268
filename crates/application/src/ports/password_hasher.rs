//! Hashing passwords.

use mycars_domain::values::{Password, PasswordHash};

use super::BoxError;

/// What became of a password that was held against a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// It is not the password.
    Wrong,
    /// The hash cannot be verified, whatever the password is: its format is not supported, or it is malformed. Names
    /// the algorithm, as Django does, and never holds anything of the hash.
    Unsupported(&'static str),
    /// It is.
    Right,
    /// It is, but it should be hashed again: the hash is weaker than new ones are, or of an older kind.
    RightButOutdated,
}

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed")]
pub struct HashError(#[source] pub BoxError);

/// Hashes passwords, slowly on purpose. Callers must not hold a transaction meanwhile.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait PasswordHasher: Send + Sync {
    /// The hash of a password, with a new salt.
    ///
    /// # Errors
    /// [`HashError`] if there is no randomness for a salt.
    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError>;

    /// Holds `password`, as somebody typed it, against `hash`. It may be longer than passwords may be. A hash that
    /// cannot be verified MUST be [`Verification::Unsupported`], and that of [`PasswordHash::unusable`]
    /// [`Verification::Wrong`]. Either MUST take about the same time as a wrong password, whatever the hash is.
    fn verify(&self, password: &str, hash: &PasswordHash) -> Verification;

    /// Does what [`verify`](Self::verify) does with a new hash and forgets the answer: for a login as somebody
    /// who does not exist, so that the time it takes tells nobody who does.
    fn verify_nobody(&self, password: &str);
}
