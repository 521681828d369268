//! Randomness.

/// Source of unguessable texts.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Random: Send + Sync {
    /// Returns this number of random bytes in lower-case hexadecimal digits, two for each byte. MUST come from a source
    /// that is fit for secrets: keys of sessions and paths of pictures are made from it.
    fn hex(&self, bytes: usize) -> String;
}
