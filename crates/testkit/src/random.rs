//! Chance that can be repeated.

use std::{
    env,
    hash::{BuildHasher as _, RandomState},
};

/// Names the seed of a run that is to be repeated.
const VARIABLE: &str = "MYCARS_TEST_SEED";

/// The seed of this run: a new one each time, unless `MYCARS_TEST_SEED` says which.
#[must_use]
pub fn seed() -> u64 {
    match env::var(VARIABLE) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|error| panic!("{VARIABLE}={text}: {error}")),
        Err(_) => RandomState::new().hash_one(VARIABLE),
    }
}

/// How to repeat a run, for the message of a test that fails.
#[must_use]
pub fn how_to_repeat(seed: u64) -> String {
    format!("repeat this with {VARIABLE}={seed}")
}

/// Numbers that look random and are the same ones for the same seed (`SplitMix64`).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers of one of several users of a seed: each has its own.
    #[must_use]
    pub fn new(seed: u64, user: usize) -> Self {
        let mut random = Self(seed);
        for _ in 0..=user {
            random = Self(random.number());
        }
        random
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("it is a number");
        usize::try_from(self.number() % end).expect("it is smaller")
    }

    /// Whether something happens that happens so often out of a hundred times.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
