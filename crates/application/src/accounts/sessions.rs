//! Sessions of browsers: a random key in a cookie, and its hash in the store.

mod authenticate;
mod clear;
mod log_in;
mod log_out;

pub(crate) use authenticate::TOUCH_AFTER;
pub use authenticate::authenticate;
pub use clear::clear_expired;
pub use log_in::{LoggedIn, log_in};
pub use log_out::log_out;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// Returns the stored hash of a session's key. A fast hash suffices, because the key is random and long.
pub(crate) fn hash(key: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_sha_256_in_hexadecimal() {
        assert_eq!(
            hash("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
