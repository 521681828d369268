//! Hashes as text.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Returns the first `length` bytes of the SHA-256 of `data`, as hexadecimal digits.
pub(crate) fn sha256_hex(data: &[u8], length: usize) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(data).iter().take(length) {
        // Writing to a string never fails.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
