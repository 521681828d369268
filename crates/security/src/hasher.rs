//! Password hashes in Django's formats.
//!
//! New hashes are Django's `bcrypt_sha256`: bcrypt over the SHA-256 of the password, because bcrypt alone ignores
//! everything after 72 bytes. Hashes of the other algorithms that Django still offers (PBKDF2, plain bcrypt, Argon2 and
//! scrypt) are verified as well and reported as outdated, so that the next login replaces them. Of all other formats,
//! only the name of the algorithm is reported.

mod formats;

use std::hint::black_box;

use mycars_application::ports::{HashError, PasswordHasher, Verification};
use mycars_domain::values::{Password, PasswordHash};
use sha2::{Digest as _, Sha256};

use self::formats::{COSTS, Kept};
use crate::hex;

/// Maximum bcrypt cost of a stored hash, about 4 seconds, so that a foreign hash cannot occupy a thread for days, and
/// limit of the work of hashes of other algorithms. A higher configured cost raises this limit.
const MAX_KEPT_COST: u32 = 16;

/// The names of Django's algorithms. Any other text before the first `$` may be part of a hash and is not reported.
const ALGORITHMS: [&str; 11] = [
    "argon2",
    "bcrypt",
    "bcrypt_sha256",
    "crypt",
    "md5",
    "pbkdf2_sha1",
    "pbkdf2_sha256",
    "scrypt",
    "sha1",
    "unsalted_md5",
    "unsalted_sha1",
];

/// Hashes passwords in Django's format.
#[derive(Debug, Clone)]
pub struct DjangoHasher {
    cost: u32,
}

/// The cost is outside bcrypt's range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bcrypt cost {0} is not from {min} to {max}", min = COSTS.start(), max = COSTS.end())]
pub struct CostOutOfRange(pub u32);

impl DjangoHasher {
    /// Returns a hasher whose new hashes have this bcrypt cost. Each step doubles the time.
    ///
    /// # Errors
    /// [`CostOutOfRange`] unless the cost is from 4 to 31.
    pub fn new(cost: u32) -> Result<Self, CostOutOfRange> {
        if COSTS.contains(&cost) {
            Ok(Self { cost })
        } else {
            Err(CostOutOfRange(cost))
        }
    }

    /// Parses a stored hash, within the limits of its cost.
    fn parse<'a>(&self, hash: &'a str) -> Option<Kept<'a>> {
        Kept::parse(hash, self.cost.max(MAX_KEPT_COST))
    }

    fn compare(&self, password: &str, kept: &Kept<'_>) -> Verification {
        if !kept.is_of(password) {
            Verification::Wrong
        } else if kept.is_new(self.cost) {
            Verification::Right
        } else {
            Verification::RightButOutdated
        }
    }

    /// Returns the costs of bcrypt hashes whose work, added to `rounds` rounds, equals that of a new hash.
    fn lacking(&self, rounds: u64) -> impl Iterator<Item = u32> {
        let lacking = (1_u64 << self.cost).saturating_sub(rounds);
        // A bcrypt hash takes two to the power of its cost rounds, so each bit of the remaining rounds is one hash.
        // The lowest bits are below bcrypt's minimum cost, and too short to be measured.
        COSTS.filter(move |cost| lacking >> cost & 1 == 1)
    }
}

impl PasswordHasher for DjangoHasher {
    fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        let hash =
            bcrypt::hash(prehash(password.reveal()), self.cost).map_err(|error| HashError(error.into()))?;
        Ok(PasswordHash::from_storage(format!("bcrypt_sha256${hash}")))
    }

    fn verify(&self, password: &str, hash: &PasswordHash) -> Verification {
        let kept = self.parse(hash.reveal());
        let verification = kept.as_ref().map_or_else(
            || unverifiable(hash.reveal()),
            |kept| self.compare(password, kept),
        );
        if matches!(verification, Verification::Wrong | Verification::Unsupported(_)) {
            // The time of a failed login must show neither that a hash is cheaper than new ones, nor that a user has
            // no usable password.
            let rounds = kept.as_ref().map_or(0, Kept::rounds);
            self.lacking(rounds).for_each(|cost| work(password, cost));
        }
        verification
    }

    fn verify_dummy(&self, password: &str) {
        work(password, self.cost);
    }

    fn unsupported(&self, hash: &PasswordHash) -> Option<&'static str> {
        if self.parse(hash.reveal()).is_some() {
            return None;
        }
        match unverifiable(hash.reveal()) {
            Verification::Unsupported(algorithm) => Some(algorithm),
            _ => None,
        }
    }
}

/// Returns the outcome for a hash that cannot be verified. By Django's convention, an account with an empty hash or
/// one that begins with `!` has no password.
fn unverifiable(hash: &str) -> Verification {
    if hash.is_empty() || hash.starts_with('!') {
        return Verification::Wrong;
    }
    let is_bare_md5 = hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = match hash.split_once('$') {
        Some((name, _)) => name,
        None if is_bare_md5 => "unsalted_md5",
        None => "",
    };
    let known = ALGORITHMS.into_iter().find(|known| *known == name);
    Verification::Unsupported(known.unwrap_or("unknown"))
}

/// Returns the input that Django gives to bcrypt: the SHA-256 of a password in hexadecimal, because bcrypt would stop
/// at a NUL byte in the raw hash.
fn prehash(password: &str) -> String {
    hex(&Sha256::digest(password))
}

/// Does the work of one bcrypt hash and discards the result.
fn work(password: &str, cost: u32) {
    let _ = black_box(bcrypt::hash_with_salt(prehash(password), cost, [0; 16]));
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    // Made by Django 5.2 of "correct horse" and of 128 times "ü" (256 bytes).
    const BCRYPT_SHA256: &str = "bcrypt_sha256$$2b$04$S0xZ43veV/VCbQ5XO0kz8ufGX9ShsSIFy9AQuREalyDA7FqqbgE26";
    const BCRYPT_SHA256_LONG: &str =
        "bcrypt_sha256$$2b$04$FO6J5pNR89iBZxk7s3oDS.yK9RmI.Sgw7eFRPZzIy7lIs/xg8o0Tq";
    const BCRYPT_SHA256_COST_5: &str =
        "bcrypt_sha256$$2b$05$4mue3N7I3cTuSXmp3vsoMuW.bQ6dOUS/qrnxNvCpYEScw3P//SC8C";
    const BCRYPT: &str = "bcrypt$$2b$04$TO3.E7N.i54X2TJWe2u05.wj8e8JLofnc8EZd6M5N3CIsJl2DMScC";
    const PBKDF2: &str =
        "pbkdf2_sha256$1000$saltysaltysaltysaltyAB$LxAP6ODAb3eXjXnEDktlV/Vo4/XfVbNBm8IYerazf3A=";
    const PBKDF2_LONG: &str = "pbkdf2_sha256$1$s$MFC4WFAyw985JtFE0g+3Y+Kx1Gz3auEJ597Q+MZktZE=";
    const PBKDF2_SHA1: &str = "pbkdf2_sha1$1000$saltysaltysaltysaltyAB$uswHTSxon/tDSSxHHUsDbrmSqAQ=";
    const ARGON2ID: &str = "argon2$argon2id$v=19$m=1024,t=2,p=2$c2FsdHlzYWx0eXNhbHR5$TDpX82yaJfd0mm7zmmksen8Ay+SRiEcrBWMiWlKUZY8";
    const ARGON2I: &str =
        "argon2$argon2i$v=19$m=1024,t=2,p=2$c2FsdHlzYWx0eXNhbHR5$QBEwVP+OSNrOlMAgc4iECI+V6bcJXgShoGAzT1FORGY";
    const ARGON2_V16: &str =
        "argon2$argon2i$v=16$m=1024,t=2,p=2$c2FsdHlzYWx0eXNhbHR5$vLpro/WZvDEfjaW9DA1Kiwc0YyNjluB1aG1Rtzv3wuI";
    const ARGON2_LONG: &str = "argon2$argon2id$v=19$m=1024,t=2,p=2$c2FsdHlzYWx0eXNhbHR5$DE4d0X1nCC82ID3bPtks3iGvSM5csOsXdDr4RRJT+o8";
    const SCRYPT: &str = "scrypt$1024$saltysaltysalty$8$2$yXBM82zTi1akwFVyiGbNu38smuEMOAFJA7ROrtH44UYbVVtAWiWyDqEojvqPpcVhLFdZhfyu90Ed1LITvuJ4Qw==";
    const SCRYPT_LONG: &str = "scrypt$1024$s$8$2$SX5K0deQAhp/PElyWHdXZLrai9rNjAwNetwQAhBSI2bzlJGbA4e7+UXhhqziXrii8TiU1XOfEg3rirmgYEQs3A==";
    /// Made with Django's default parameters.
    const ARGON2_DEFAULT: &str = "argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdHlzYWx0eXNhbHR5$MH1dQcqk+DCm4RTqyC1fnLU4XFFv0Cjl6hyRsTkh/9Y";
    const SCRYPT_DEFAULT: &str = "scrypt$16384$saltysaltysalty$8$5$YaL46V8ysTm5V6eSSCg10KNSS4syxrOBTBlJbT0EOJMS3sR0ADhcqbcXIa7xdzywd+opp5Dl/Gdd545lNEwGPw==";

    fn hasher() -> DjangoHasher {
        DjangoHasher::new(4).unwrap()
    }

    fn verify(password: &str, hash: &str) -> Verification {
        hasher().verify(password, &PasswordHash::from_storage(hash.to_owned()))
    }

    fn long_password() -> String {
        "ü".repeat(128)
    }

    #[test]
    fn new_hash_has_djangos_format_and_verifies() {
        let hash = hasher().hash(&Password::parse("correct horse").unwrap()).unwrap();
        assert!(
            hash.reveal().starts_with("bcrypt_sha256$$2b$04$"),
            "{}",
            hash.reveal()
        );
        assert_eq!(hash.reveal().len(), 74);
        assert_eq!(hasher().verify("correct horse", &hash), Verification::Right);
        assert_eq!(hasher().verify("Correct horse", &hash), Verification::Wrong);
    }

    #[test]
    fn hashes_of_one_password_differ() {
        let password = Password::parse("correct horse").unwrap();
        assert_ne!(
            hasher().hash(&password).unwrap(),
            hasher().hash(&password).unwrap()
        );
    }

    #[test]
    fn hashes_made_by_django_verify() {
        for (hash, right) in [
            (BCRYPT_SHA256, Verification::Right),
            (BCRYPT_SHA256_COST_5, Verification::RightButOutdated),
            (BCRYPT, Verification::RightButOutdated),
            (PBKDF2, Verification::RightButOutdated),
            (PBKDF2_SHA1, Verification::RightButOutdated),
            (ARGON2ID, Verification::RightButOutdated),
            (ARGON2I, Verification::RightButOutdated),
            (ARGON2_V16, Verification::RightButOutdated),
            (SCRYPT, Verification::RightButOutdated),
        ] {
            assert_eq!(verify("correct horse", hash), right, "{hash}");
            for wrong in ["correct hors", "correct horse ", "", "Correct horse"] {
                assert_eq!(verify(wrong, hash), Verification::Wrong, "{hash} {wrong:?}");
            }
        }
    }

    #[test]
    fn long_password_is_hashed_completely() {
        for (hash, right) in [
            (BCRYPT_SHA256_LONG, Verification::Right),
            (PBKDF2_LONG, Verification::RightButOutdated),
            (ARGON2_LONG, Verification::RightButOutdated),
            (SCRYPT_LONG, Verification::RightButOutdated),
        ] {
            assert_eq!(verify(&long_password(), hash), right);
            let shorter = long_password().replacen('ü', "", 1);
            assert_eq!(verify(&shorter, hash), Verification::Wrong);
        }
    }

    #[test]
    fn hash_of_another_cost_is_outdated() {
        let hash = PasswordHash::from_storage(BCRYPT_SHA256.to_owned());
        let hasher = DjangoHasher::new(5).unwrap();
        assert_eq!(
            hasher.verify("correct horse", &hash),
            Verification::RightButOutdated
        );
        assert_eq!(hasher.verify("wrong", &hash), Verification::Wrong);
    }

    #[test]
    fn unsupported_hash_reports_its_algorithm() {
        for (hash, algorithm) in [
            ("$", "unknown"),
            ("$$$$$$", "unknown"),
            ("correct horse", "unknown"),
            ("md5$salt$86d3f3a95c324c9479bd8986968f4327", "md5"),
            ("argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$aGFzaA", "argon2"),
            (
                "argon2$argon2x$v=19$m=1024,t=2,p=2$c2FsdHlzYWx0$TDpX82yaJfd0mm7zmmksen8Ay+SRiEc",
                "argon2",
            ),
            (
                "argon2$argon2id$v=19$m=1024,t=2$c2FsdHlzYWx0$TDpX82yaJfd0mm7zmmksen8Ay+SRiEc",
                "argon2",
            ),
            (
                "argon2$argon2id$v=19$m=1024,t=2,p=0$c2FsdHlzYWx0$TDpX82yaJfd0mm7zmmksen8Ay+SRiEc",
                "argon2",
            ),
            ("scrypt$1000$salt$8$1$aGFzaGhhc2hoYXNoaGFzaA==", "scrypt"),
            ("scrypt$1024$salt$0$1$aGFzaGhhc2hoYXNoaGFzaA==", "scrypt"),
            ("bcrypt_sha256", "unknown"),
            ("bcrypt_sha256$", "bcrypt_sha256"),
            ("bcrypt_sha256$$2b$04$", "bcrypt_sha256"),
            (
                "bcrypt_sha256$$2b$04$S0xZ43veV/VCbQ5XO0kz8ufGX9ShsSIFy9AQuREalyDA7FqqbgE2",
                "bcrypt_sha256",
            ),
            (
                "bcrypt_sha256$$2b$04$S0xZ43veV/VCbQ5XO0kz8ufGX9ShsSIFy9AQuREalyDA7FqqbgE26x",
                "bcrypt_sha256",
            ),
            (
                "bcrypt_sha256$$2b$04$S0xZ43veV/VCbQ5XO0kz8ufGX9ShsSIFy9AQuREalyDA7Fqqb\u{fc}26",
                "bcrypt_sha256",
            ),
            (
                "bcrypt_sha256$$2b$03$S0xZ43veV/VCbQ5XO0kz8ufGX9ShsSIFy9AQuREalyDA7FqqbgE26",
                "bcrypt_sha256",
            ),
            (
                "bcrypt_sha256$$2b$xx$S0xZ43veV/VCbQ5XO0kz8ufGX9ShsSIFy9AQuREalyDA7FqqbgE26",
                "bcrypt_sha256",
            ),
            ("pbkdf2_sha256$1000$salt", "pbkdf2_sha256"),
            (
                "pbkdf2_sha256$1000$$LxAP6ODAb3eXjXnEDktlV/Vo4/XfVbNBm8IYerazf3A=",
                "pbkdf2_sha256",
            ),
            (
                "pbkdf2_sha256$0$salt$LxAP6ODAb3eXjXnEDktlV/Vo4/XfVbNBm8IYerazf3A=",
                "pbkdf2_sha256",
            ),
            (
                "pbkdf2_sha256$-1$salt$LxAP6ODAb3eXjXnEDktlV/Vo4/XfVbNBm8IYerazf3A=",
                "pbkdf2_sha256",
            ),
            (
                "pbkdf2_sha256$many$salt$LxAP6ODAb3eXjXnEDktlV/Vo4/XfVbNBm8IYerazf3A=",
                "pbkdf2_sha256",
            ),
            ("pbkdf2_sha256$1000$salt$", "pbkdf2_sha256"),
            ("pbkdf2_sha256$1000$salt$LxAP", "pbkdf2_sha256"),
            ("pbkdf2_sha256$1000$salt$no base64!", "pbkdf2_sha256"),
            ("scrypt$16384$salt$8$1$", "scrypt"),
            ("pbkdf2_sha1$1000$salt$aGFzaA==", "pbkdf2_sha1"),
            ("sha1$salt$86d3f3a95c324c9479bd8986968f4327", "sha1"),
            ("unsalted_sha1$$86d3", "unsalted_sha1"),
            ("5f4dcc3b5aa765d61d8327deb882cf99", "unsalted_md5"),
            ("md5$$5f4dcc3b5aa765d61d8327deb882cf99", "md5"),
            (
                "$2b$04$S0xZ43veV/VCbQ5XO0kz8ufGX9ShsSIFy9AQuREalyDA7FqqbgE26",
                "unknown",
            ),
            ("secret-part$rest", "unknown"),
            ("Argon2$x", "unknown"),
        ] {
            for password in ["correct horse", "", hash] {
                assert_eq!(
                    verify(password, hash),
                    Verification::Unsupported(algorithm),
                    "{hash}"
                );
            }
        }
    }

    #[test]
    fn unusable_password_is_not_reported() {
        for hash in ["", "!", "!Xa7dfqkeHZnb2hmEDtCPeMbTzlRgYSvYBHbDhFZK"] {
            for password in ["correct horse", "", hash] {
                assert_eq!(verify(password, hash), Verification::Wrong, "{hash}");
            }
        }
    }

    #[test]
    fn hash_of_excessive_cost_is_not_verified() {
        let start = Instant::now();
        for hash in [
            "bcrypt_sha256$$2b$31$S0xZ43veV/VCbQ5XO0kz8ufGX9ShsSIFy9AQuREalyDA7FqqbgE26",
            "bcrypt$$2b$17$S0xZ43veV/VCbQ5XO0kz8ufGX9ShsSIFy9AQuREalyDA7FqqbgE26",
            "pbkdf2_sha256$10000001$salt$LxAP6ODAb3eXjXnEDktlV/Vo4/XfVbNBm8IYerazf3A=",
            "pbkdf2_sha256$4294967295$salt$LxAP6ODAb3eXjXnEDktlV/Vo4/XfVbNBm8IYerazf3A=",
            "pbkdf2_sha256$99999999999999999999$salt$LxAP6ODAb3eXjXnEDktlV/Vo4/XfVbNBm8IYerazf3A=",
            &ARGON2ID.replace("m=1024", "m=4294967295"),
            &ARGON2ID.replace("m=1024", "m=524288"),
            &ARGON2ID.replace("t=2", "t=4294967295"),
            &ARGON2ID.replace("p=2", "p=16777215"),
            &SCRYPT.replace("$1024$", "$9223372036854775808$"),
            &SCRYPT.replace("$1024$", "$1048576$"),
            &SCRYPT.replace("$8$2$", "$8$1073741823$"),
            &SCRYPT.replace("$8$2$", "$1073741823$1$"),
        ] {
            let verification = verify("correct horse", hash);
            assert!(matches!(verification, Verification::Unsupported(_)), "{hash}");
        }
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    fn time(action: impl FnOnce()) -> Duration {
        let start = Instant::now();
        action();
        start.elapsed()
    }

    #[test]
    fn failed_login_takes_the_same_time_for_any_hash() {
        // Cost 8 takes 16 times as long as cost 4, so missing work shows in every attempt, while a busy machine
        // disturbs only some.
        let hasher = DjangoHasher::new(8).unwrap();
        let fail = |hash: &PasswordHash| {
            let verification = hasher.verify("wrong", hash);
            assert!(matches!(
                verification,
                Verification::Wrong | Verification::Unsupported(_)
            ));
        };
        let new = hasher.hash(&Password::parse("correct horse").unwrap()).unwrap();
        let takes_as_long = |action: &dyn Fn()| {
            (0..20).any(|_| {
                let usual = time(|| fail(&new));
                let this = time(action);
                this > usual / 4 && this < usual * 4
            })
        };
        for kept in [
            "!",
            "nonsense",
            "argon2$hash",
            BCRYPT_SHA256,
            BCRYPT,
            PBKDF2,
            PBKDF2_SHA1,
            ARGON2ID,
            SCRYPT,
        ] {
            let hash = PasswordHash::from_storage(kept.to_owned());
            assert!(takes_as_long(&|| fail(&hash)), "{kept}");
        }
        assert!(takes_as_long(&|| hasher.verify_dummy("wrong")));
    }

    #[test]
    fn unsupported_names_the_hashes_that_no_password_fits() {
        let unsupported = |hash: &str| hasher().unsupported(&PasswordHash::from_storage(hash.to_owned()));
        for hash in [
            "",
            "!",
            "!salt",
            BCRYPT,
            PBKDF2_SHA1,
            ARGON2_DEFAULT,
            SCRYPT_DEFAULT,
        ] {
            assert_eq!(unsupported(hash), None, "{hash}");
        }
        assert_eq!(
            unsupported("md5$salt$86d3f3a95c324c9479bd8986968f4327"),
            Some("md5")
        );
        assert_eq!(
            unsupported(&ARGON2ID.replace("m=1024", "m=524288")),
            Some("argon2")
        );
        assert_eq!(unsupported("plain"), Some("unknown"));
    }

    #[test]
    fn failed_login_costs_one_new_hash_for_any_hash() {
        let hasher = DjangoHasher::new(12).unwrap();
        let new = "bcrypt_sha256$$2b$12$S0xZ43veV/VCbQ5XO0kz8ufGX9ShsSIFy9AQuREalyDA7FqqbgE26";
        let stronger = new.replacen("$12$", "$13$", 1);
        let pbkdf2 = |iterations: u32| PBKDF2.replacen("1000", &iterations.to_string(), 1);
        let work_after = |kept: &str| {
            let rounds = Kept::parse(kept, 16).map_or(0, |kept| kept.rounds());
            let besides: u64 = hasher.lacking(rounds).map(|cost| 1 << cost).sum();
            (rounds + besides, besides)
        };
        for kept in [
            "!",
            new,
            BCRYPT,
            BCRYPT_SHA256_COST_5,
            PBKDF2,
            &pbkdf2(1),
            &pbkdf2(600_000),
            &pbkdf2(1_000_000),
            PBKDF2_SHA1,
            ARGON2ID,
            ARGON2_DEFAULT,
            SCRYPT,
            SCRYPT_DEFAULT,
        ] {
            let (work, _) = work_after(kept);
            // Work below the minimum cost of bcrypt is left out.
            assert!((4096 - 15..=4096).contains(&work), "{kept}: {work}");
        }
        for kept in [new, &stronger, &pbkdf2(10_000_000)] {
            assert_eq!(work_after(kept).1, 0, "{kept}");
        }
    }

    #[test]
    fn bcrypt_cost_out_of_range_is_refused() {
        for cost in [0, 3, 32, u32::MAX] {
            assert_eq!(DjangoHasher::new(cost).unwrap_err(), CostOutOfRange(cost));
        }
        for cost in [4, 12, 31] {
            assert!(DjangoHasher::new(cost).is_ok());
        }
        assert_eq!(
            CostOutOfRange(3).to_string(),
            "the bcrypt cost 3 is not from 4 to 31"
        );
    }
}
