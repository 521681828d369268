//! Randomness.

/// Makes what nobody can guess.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Random: Send + Sync {
    /// So many random bytes, as lower-case hexadecimal digits: two for each byte.
    fn hex(&self, bytes: usize) -> String;
}
