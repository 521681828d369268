//! Randomness.

/// Makes what nobody can guess.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Random: Send + Sync {
    /// So many random bytes, as lower-case hexadecimal digits: two for each byte. MUST come from a source that is fit
    /// for secrets, because the keys of sessions and the paths of pictures are made of them.
    fn hex(&self, bytes: usize) -> String;
}
