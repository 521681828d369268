//! Random values of the operating system.

use mycars_application::ports::Random;

use crate::hex;

/// The random number generator of the operating system.
///
/// Without random values, token ids and keys would be predictable, so [`hex`](Random::hex) panics if the system has
/// none. Linux, macOS and the BSDs always provide them after booting.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "the adapter of the `Random` port reads random values"
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
    fn hex_has_two_lower_case_digits_for_each_byte() {
        let text = SystemRandom.hex(1_000);
        assert_eq!(text.len(), 2_000);
        // Of 2000 random digits, each of the 16 occurs, except with a probability of 1 in 10^54.
        for digit in "0123456789abcdef".chars() {
            assert!(text.contains(digit), "{digit} is never there");
        }
        assert!(text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')));
        assert_eq!(SystemRandom.hex(0), "");
    }

    #[test]
    fn hex_results_differ() {
        assert_ne!(SystemRandom.hex(16), SystemRandom.hex(16));
    }
}
