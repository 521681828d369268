//! The form of text for comparisons: without case, compatibility variants and invisible characters.

use caseless::Caseless as _;
use unicode_normalization::{UnicodeNormalization as _, char::canonical_combining_class};

use crate::characters::is_default_ignorable;

/// Returns the form in which text is searched and compared for uniqueness.
///
/// It is Unicode's `NFKC_Casefold` (full case folding, compatibility normalisation, default-ignorable code points
/// removed), except that the dotted and the dotless i are one letter: `ı`, `I`, `i` and `İ` all become `i`. Accents
/// stay different.
///
/// Folding twice gives the same result as folding once. The fold of the beginning of a text is the beginning of the
/// text's fold, unless the text is cut inside a character as users see it, such as an accented letter.
///
/// ```
/// use mycars_domain::fold;
///
/// assert_eq!(fold("DIYARBAKIR"), fold("Diyarbakır"));
/// assert_eq!(fold("STRASSE"), fold("Straße"));
/// assert_eq!(fold("Cafe\u{301}"), fold("CAFÉ"));
/// assert_eq!(fold("Ｂ－ＡＢ\u{ad} １２"), "b-ab 12");
/// assert!(fold("ΟΔΟΣΤΡΩΤΗΡΑΣ").starts_with(&fold("ΟΔΟΣ")));
/// assert_ne!(fold("B-ÖA 123"), fold("B-OA 123"));
/// ```
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Decomposing first exposes letters that have a case, and keeps folding from reordering marks.
    let folded = text.nfkd().default_case_fold();
    let visible = folded.filter(|c| !is_default_ignorable(*c)).nfkd();
    one_i(visible).nfc().collect()
}

/// Replaces the dotless i by i and removes the dot above that `İ` leaves behind. Expects decomposed text.
fn one_i(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let one_letter = text.map(|c| if c == 'ı' { 'i' } else { c });
    one_letter
        .scan(false, |is_on_i, c| {
            if canonical_combining_class(c) == 0 {
                *is_on_i = c == 'i';
            }
            Some((!*is_on_i || c != '\u{307}').then_some(c))
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts in pairs that users consider the same.
    const SAME: &[&[&str]] = &[
        &["Ann", "aNN", "ＡＮＮ", "An\u{ad}n", "A\u{200b}nn", "𝐀nn"],
        &["ÖL", "öl", "O\u{308}l", "o\u{308}L"],
        &["ИВАН", "Иван"],
        &["Straße", "STRASSE", "STRAẞE", "strasse", "Straſſe"],
        &[
            "Diyarbakır",
            "DIYARBAKIR",
            "DİYARBAKIR",
            "diyarbakir",
            "Dı\u{307}yarbakir",
        ],
        &[
            "İstanbul",
            "ISTANBUL",
            "istanbul",
            "ıstanbul",
            "i\u{307}stanbul",
            "I\u{307}stanbul",
        ],
        &["ΝΙΚΟΣ", "Νικος", "νικοσ"],
        &["ᾼ", "ᾳ", "ΑΙ", "αι", "Α\u{345}"],
        &["ΐ", "ΐ", "Ι\u{308}\u{301}"],
        &["ﬁona", "FIONA", "fiona"],
        &["ﬅ", "ST", "ﬆ"],
        &["Ꭰ", "ꭰ"],
        &["Ა", "ა"],
        &["DŽ", "Dž", "dž", "dž", "DZ\u{30c}"],
        &["ŉ", "ʼN", "ʼn"],
        &["Å", "Å", "å", "A\u{30a}"],
        &["ﾀﾞ", "ダ", "タ\u{3099}"],
        &["각", "\u{1100}\u{1161}\u{11a8}"],
        &["①", "1"],
        &["مرحبا", "مر\u{200c}حبا"],
        &["Ⓚ", "K", "K", "k"],
        &["ẛ\u{323}", "ṩ", "ṡ\u{323}"],
        &["‒ x\u{2060}", "‒ X"],
        &["👩\u{200d}👧\u{fe0f}", "👩👧"],
    ];

    #[test]
    fn fold_of_equivalent_texts_is_equal() {
        for group in SAME {
            for text in *group {
                assert_eq!(fold(text), fold(group[0]), "{text:?} and {:?}", group[0]);
            }
        }
    }

    #[test]
    fn fold_of_other_accents_or_letters_differs() {
        for (one, other) in [
            ("Öl", "Ol"),
            ("é", "e"),
            ("ñ", "n"),
            ("й", "и"),
            ("ø", "o"),
            ("ß", "b"),
            ("j", "i"),
        ] {
            assert_ne!(fold(one), fold(other));
        }
    }

    #[test]
    fn fold_of_each_code_point_is_a_fixed_point() {
        for c in ('\0'..='\u{2ffff}').chain('\u{e0000}'..='\u{e0fff}') {
            let folded = fold(&c.to_string());
            assert_eq!(fold(&folded), folded, "U+{:04X}", u32::from(c));
        }
    }

    /// Generates text of letters that have a case or a composition, of marks and of invisible characters.
    fn tricky() -> impl Strategy<Value = String> {
        let character = prop_oneof![
            any::<char>(),
            "[a-zA-ZıİſßΣςΐᾼŉǰẛﬁﾞ한ᄀ각\u{301}\u{307}\u{308}\u{323}\u{327}\u{345}\u{3099}\u{ad}\u{200d}\u{34f}]"
                .prop_map(|text| text.chars().next().unwrap_or_default()),
        ];
        proptest::collection::vec(character, 0..12).prop_map(|all| all.into_iter().collect())
    }

    proptest! {
        #[test]
        fn fold_is_idempotent(text in tricky()) {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded);
        }

        #[test]
        fn fold_of_normal_forms_and_cases_is_equal(text in tricky()) {
            let folded = fold(&text);
            prop_assert_eq!(fold(&text.nfc().collect::<String>()), folded.clone());
            prop_assert_eq!(fold(&text.nfd().collect::<String>()), folded.clone());
            prop_assert_eq!(fold(&text.nfkc().collect::<String>()), folded.clone());
            let nfkd: String = text.nfkd().collect();
            prop_assert_eq!(fold(&caseless::default_case_fold_str(&nfkd)), folded);
        }

        #[test]
        fn folded_word_is_part_of_its_folded_text(before in tricky(), word in tricky(), after in tricky()) {
            let text = format!("{before}\n{word}\n{after}");
            prop_assert!(fold(&text).contains(&fold(&word)));
        }
    }
}
