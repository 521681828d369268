//! The randomness of the operating system.

use mycars_application::ports::Random;

use crate::hex;

/// The randomness of the operating system.
///
/// A system without randomness can't make a token id or a key that nobody can guess, so there is no sensible
/// answer: [`hex`](Random::hex) panics then. Linux, macOS and the BSDs always have it once they have booted.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the `Random` port takes randomness from"
    )]
    fn hex(&self, bytes: usize) -> String {
        let mut buffer = vec![0; bytes];
        if let Err(error) = getrandom::fill(&mut buffer) {
            panic!("the operating system has no randomness: {error}");
        }
        hex(&buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_two_lower_case_digits_for_each_byte() {
        let text = SystemRandom.hex(1_000);
        assert_eq!(text.len(), 2_000);
        // Of 2000 random digits, each of the 16 is there but for a chance of 1 in 10^54.
        for digit in "0123456789abcdef".chars() {
            assert!(text.contains(digit), "{digit} is never there");
        }
        assert!(text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')));
        assert_eq!(SystemRandom.hex(0), "");
    }

    #[test]
    fn no_two_answers_are_the_same() {
        assert_ne!(SystemRandom.hex(16), SystemRandom.hex(16));
    }
}
