//! Repeatable random numbers.

use std::{
    env,
    hash::{BuildHasher as _, RandomState},
};

/// Name of the variable with the seed of a run to repeat.
const VARIABLE: &str = "MYCARS_TEST_SEED";

/// Returns the seed of this run: that of `MYCARS_TEST_SEED`, or else a new one.
#[must_use]
pub fn seed() -> u64 {
    match env::var(VARIABLE) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|error| panic!("{VARIABLE}={text}: {error}")),
        Err(_) => RandomState::new().hash_one(VARIABLE),
    }
}

/// Returns the command that repeats a run, for the message of a failed test.
#[must_use]
pub fn how_to_repeat(seed: u64) -> String {
    format!("repeat this with {VARIABLE}={seed}")
}

/// A generator of pseudo-random numbers (`SplitMix64`): the same seed gives the same numbers.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Returns the generator of one of several users of a seed: each has different numbers.
    #[must_use]
    pub fn new(seed: u64, user: usize) -> Self {
        let mut random = Self(seed);
        for _ in 0..=user {
            random = Self(random.number());
        }
        random
    }

    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("it is a number");
        usize::try_from(self.number() % end).expect("it is smaller")
    }

    /// Returns `true` with this chance, in percent.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// Returns one of these values.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
