//! Password hashes, JSON Web Tokens, the clock and random values: the adapters of the application's ports that need
//! cryptography or the operating system, and no database.
//!
//! - [`DjangoHasher`]: passwords in Django's formats, so that the users of a Django database keep their passwords.
//! - [`JwtCodec`]: tokens in the format of `djangorestframework-simplejwt`, so that issued tokens stay valid.
//! - [`HmacSigner`]: signatures of texts, such as URLs of private pictures.
//! - [`SystemClock`] and [`SystemRandom`]: time and random values of the operating system.
#![warn(missing_docs)]

mod clock;
mod hasher;
mod hs256;
mod jwt;
mod random;
mod signer;

pub use clock::SystemClock;
pub use hasher::{CostOutOfRange, DjangoHasher};
pub use jwt::{EmptyKey, JwtCodec};
pub use random::SystemRandom;
pub use signer::HmacSigner;

/// Returns `bytes` as lower-case hexadecimal digits, two for each byte.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0x0f])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}
