//! Text without its case.

/// Text without its case: what is to be the same whatever its case, and what is searched, is compared in this
/// form.
///
/// It is the text in lower case, letter by letter as Unicode has it, with the Greek final sigma as any other:
/// whether a sigma is final depends on what follows it, so that otherwise the beginning of a word would not be
/// found in the word. It is not Unicode's case folding: `ß` is not `ss`, and what differs in accents or in its
/// normal form stays different.
///
/// ```
/// use mycars_domain::fold;
///
/// assert_eq!(fold("B-ÖA 123"), fold("b-öa 123"));
/// assert!(fold("ΟΔΟΣΤΡΩΤΗΡΑΣ").starts_with(&fold("ΟΔΟΣ")));
/// assert_ne!(fold("Straße"), fold("STRASSE"));
/// ```
#[must_use]
pub fn fold(text: &str) -> String {
    text.to_lowercase().replace('ς', "σ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_makes_no_difference_in_any_script() {
        for (one, other) in [("Ann", "aNN"), ("ÖL", "öl"), ("ИВАН", "Иван"), ("ẞ", "ß")] {
            assert_eq!(fold(one), fold(other));
        }
    }

    #[test]
    fn all_three_sigmas_are_one_wherever_they_stand() {
        for name in ["ΝΙΚΟΣ", "Νικος", "νικοσ"] {
            assert_eq!(fold(name), "νικοσ");
        }
        assert_eq!(fold("Σας"), "σασ");
    }

    #[test]
    fn folding_twice_is_folding_once() {
        for text in ["ΝΙΚΟΣ ΣΑΣ", "İstanbul", "Straße", "DŽ"] {
            assert_eq!(fold(&fold(text)), fold(text));
        }
    }
}
