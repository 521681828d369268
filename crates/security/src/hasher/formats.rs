//! The formats of Django's hashes: parsing within limits, verification, and its cost.
//!
//! Hashes come from another system, so limits of time and memory protect the server from absurd parameters.

use std::str::FromStr as _;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD},
};
use bcrypt::HashParts;
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::prehash;

/// The range of costs that bcrypt supports.
pub(super) const COSTS: std::ops::RangeInclusive<u32> = 4..=31;

/// Maximum number of PBKDF2 iterations of a stored hash, about 2 seconds. Django's default is 1,000,000.
const MAX_ITERATIONS: u32 = 10_000_000;

/// Approximate number of PBKDF2 iterations that take as long as one round of bcrypt. A bcrypt hash has two to the
/// power of its cost rounds.
const ITERATIONS_PER_ROUND: u64 = 400;

/// Maximum memory of a stored Argon2 or scrypt hash in KiB. Django's defaults are 100 MiB and 16 MiB.
const MAX_KIB: u64 = 256 * 1024;

/// Maximum parallelism of a stored scrypt hash. Django's default is 5.
const MAX_PARALLELISM: u32 = 1024;

/// Minimum length of a stored Argon2 or scrypt hash in bytes. Other passwords could have the same shorter hash.
const MIN_LENGTH: usize = 16;

/// Approximate number of KiB that Argon2 fills in the time of one round of bcrypt.
const ARGON2_KIB_PER_ROUND: u64 = 72;

/// Approximate number of KiB that scrypt fills in the time of one round of bcrypt.
const SCRYPT_KIB_PER_ROUND: u64 = 21;

/// A hash that can be verified.
pub(super) enum Kept<'a> {
    Bcrypt(Bcrypt<'a>),
    Pbkdf2(Pbkdf2<'a>),
    Argon2(Box<Argon2Hash>),
    Scrypt(Scrypt<'a>),
}

impl<'a> Kept<'a> {
    /// Parses one of Django's formats. Returns `None` for other formats, malformed hashes, unusable ones (`!…`), and
    /// costs above the limits.
    pub(super) fn parse(text: &'a str, max_cost: u32) -> Option<Self> {
        let (algorithm, hash) = text.split_once('$')?;
        let kept = match algorithm {
            "bcrypt_sha256" => Bcrypt::parse(hash, true, max_cost).map(Self::Bcrypt),
            "bcrypt" => Bcrypt::parse(hash, false, max_cost).map(Self::Bcrypt),
            "pbkdf2_sha256" => Pbkdf2::parse(hash, Digest::Sha256).map(Self::Pbkdf2),
            "pbkdf2_sha1" => Pbkdf2::parse(hash, Digest::Sha1).map(Self::Pbkdf2),
            "argon2" => Argon2Hash::parse(hash).map(Box::new).map(Self::Argon2),
            "scrypt" => Scrypt::parse(hash).map(Self::Scrypt),
            _ => None,
        };
        kept.filter(|kept| kept.rounds() <= 1 << max_cost)
    }

    pub(super) fn is_of(&self, password: &str) -> bool {
        match self {
            Self::Bcrypt(kept) => kept.is_of(password),
            Self::Pbkdf2(kept) => kept.is_of(password),
            Self::Argon2(kept) => kept.is_of(password),
            Self::Scrypt(kept) => kept.is_of(password),
        }
    }

    /// Returns whether the hash has the format and cost of new hashes.
    pub(super) fn is_new(&self, new_cost: u32) -> bool {
        matches!(self, Self::Bcrypt(kept) if kept.prehashed && kept.cost == new_cost)
    }

    /// Returns the work of verifying the hash, in rounds of bcrypt.
    pub(super) fn rounds(&self) -> u64 {
        match self {
            Self::Bcrypt(kept) => 1 << kept.cost,
            Self::Pbkdf2(kept) => u64::from(kept.iterations) / ITERATIONS_PER_ROUND,
            Self::Argon2(kept) => kept.filled_kib / ARGON2_KIB_PER_ROUND,
            Self::Scrypt(kept) => kept.filled_kib / SCRYPT_KIB_PER_ROUND,
        }
    }
}

pub(super) struct Bcrypt<'a> {
    /// The hash in bcrypt's own notation, `$2b$12$…`.
    hash: &'a str,
    cost: u32,
    /// Whether the SHA-256 of the password is hashed instead of the password.
    prehashed: bool,
}

impl<'a> Bcrypt<'a> {
    fn parse(hash: &'a str, prehashed: bool, max_cost: u32) -> Option<Self> {
        let cost = HashParts::from_str(hash).ok()?.get_cost();
        (*COSTS.start()..=max_cost).contains(&cost).then_some(Self {
            hash,
            cost,
            prehashed,
        })
    }

    fn is_of(&self, password: &str) -> bool {
        let matches = if self.prehashed {
            bcrypt::verify(prehash(password), self.hash)
        } else {
            bcrypt::verify(password, self.hash)
        };
        matches.unwrap_or(false)
    }
}

/// The hash function inside PBKDF2.
#[derive(Clone, Copy)]
enum Digest {
    Sha1,
    Sha256,
}

pub(super) struct Pbkdf2<'a> {
    digest: Digest,
    iterations: u32,
    salt: &'a str,
    hash: Vec<u8>,
}

impl<'a> Pbkdf2<'a> {
    /// Parses `iterations$salt$hash`.
    fn parse(text: &'a str, digest: Digest) -> Option<Self> {
        let [iterations, salt, hash] = parts(text)?;
        let iterations = iterations.parse().ok()?;
        let hash = BASE64_STANDARD.decode(hash).ok()?;
        let length = match digest {
            Digest::Sha1 => 20,
            Digest::Sha256 => 32,
        };
        let is_sensible =
            (1..=MAX_ITERATIONS).contains(&iterations) && !salt.is_empty() && hash.len() == length;
        is_sensible.then_some(Self {
            digest,
            iterations,
            salt,
            hash,
        })
    }

    fn is_of(&self, password: &str) -> bool {
        let mut hash = vec![0; self.hash.len()];
        let (password, salt) = (password.as_bytes(), self.salt.as_bytes());
        match self.digest {
            Digest::Sha1 => pbkdf2_hmac::<Sha1>(password, salt, self.iterations, &mut hash),
            Digest::Sha256 => pbkdf2_hmac::<Sha256>(password, salt, self.iterations, &mut hash),
        }
        hash.ct_eq(&self.hash).into()
    }
}

pub(super) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
    filled_kib: u64,
}

impl Argon2Hash {
    /// Parses `argon2id$v=19$m=memory,t=passes,p=lanes$salt$hash`. The version is missing in old hashes.
    fn parse(text: &str) -> Option<Self> {
        let (algorithm, rest) = text.split_once('$')?;
        let (version, rest) = match rest.strip_prefix("v=") {
            Some(rest) => rest.split_once('$')?,
            None => ("16", rest),
        };
        let [costs, salt, hash] = parts(rest)?;
        let (memory, rest) = costs.strip_prefix("m=")?.split_once(",t=")?;
        let (passes, lanes) = rest.split_once(",p=")?;
        let (memory, passes, lanes): (u32, u32, u32) =
            (memory.parse().ok()?, passes.parse().ok()?, lanes.parse().ok()?);
        let hash = BASE64_STANDARD_NO_PAD.decode(hash).ok()?;
        let salt = BASE64_STANDARD_NO_PAD.decode(salt).ok()?;
        let filled_kib = u64::from(memory) * u64::from(passes);
        let is_sensible =
            u64::from(memory) <= MAX_KIB && hash.len() >= MIN_LENGTH && salt.len() >= argon2::MIN_SALT_LEN;
        is_sensible.then_some(Self {
            algorithm: Algorithm::new(algorithm).ok()?,
            version: version.parse::<u32>().ok()?.try_into().ok()?,
            params: Params::new(memory, passes, lanes, Some(hash.len())).ok()?,
            salt,
            hash,
            filled_kib,
        })
    }

    fn is_of(&self, password: &str) -> bool {
        let mut hash = vec![0; self.hash.len()];
        Argon2::new(self.algorithm, self.version, self.params.clone())
            .hash_password_into(password.as_bytes(), &self.salt, &mut hash)
            .is_ok_and(|()| hash.ct_eq(&self.hash).into())
    }
}

pub(super) struct Scrypt<'a> {
    params: scrypt::Params,
    salt: &'a str,
    hash: Vec<u8>,
    filled_kib: u64,
}

impl<'a> Scrypt<'a> {
    /// Parses `cost$salt$block size$parallelism$hash`.
    fn parse(text: &'a str) -> Option<Self> {
        let [cost, salt, rest] = parts(text)?;
        let [block_size, parallelism, hash] = parts(rest)?;
        let (cost, block_size, parallelism): (u64, u32, u32) = (
            cost.parse().ok()?,
            block_size.parse().ok()?,
            parallelism.parse().ok()?,
        );
        let log_cost = u8::try_from(cost.checked_ilog2()?).ok()?;
        // A block has 128 bytes for each unit of its size.
        let kib = cost.checked_mul(block_size.into())? / 8;
        let filled_kib = kib.checked_mul(parallelism.into())?;
        let hash = BASE64_STANDARD.decode(hash).ok()?;
        // The library's own checks may overflow.
        let is_sensible = cost.is_power_of_two()
            && kib <= MAX_KIB
            && parallelism <= MAX_PARALLELISM
            && hash.len() >= MIN_LENGTH;
        if !is_sensible {
            return None;
        }
        Some(Self {
            params: scrypt::Params::new(log_cost, block_size, parallelism).ok()?,
            salt,
            hash,
            filled_kib,
        })
    }

    fn is_of(&self, password: &str) -> bool {
        let mut hash = vec![0; self.hash.len()];
        scrypt::scrypt(password.as_bytes(), self.salt.as_bytes(), &self.params, &mut hash)
            .is_ok_and(|()| hash.ct_eq(&self.hash).into())
    }
}

/// Splits a text at its first two `$`.
fn parts(text: &str) -> Option<[&str; 3]> {
    let (first, rest) = text.split_once('$')?;
    let (second, third) = rest.split_once('$')?;
    Some([first, second, third])
}
