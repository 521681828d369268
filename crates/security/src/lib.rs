//! Password hashes, JSON Web Tokens, the clock and randomness: the adapters of the application's ports that
//! need cryptography or the operating system, and no database.
//!
//! - [`DjangoHasher`]: passwords in Django's formats, so that a database can move here with its users.
//! - [`JwtCodec`]: tokens as `djangorestframework-simplejwt` writes them, so that tokens can move, too.
//! - [`SystemClock`] and [`SystemRandom`]: what the operating system says.
#![warn(missing_docs)]

mod clock;
mod hasher;
mod jwt;
mod random;

pub use clock::SystemClock;
pub use hasher::{CostOutOfRange, DjangoHasher};
pub use jwt::{EmptyKey, JwtCodec};
pub use random::SystemRandom;

/// `bytes` as lower-case hexadecimal digits, two for each byte.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}
