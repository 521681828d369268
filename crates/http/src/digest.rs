//! Hashes as text.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// Returns the first `length` bytes of the SHA-256 of `data`, as hexadecimal digits.
pub(crate) fn sha256_hex(data: &[u8], length: usize) -> String {
    HEXLOWER.encode(&Sha256::digest(data)[..length])
}
