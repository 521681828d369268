//! Rules for passwords (wire contract, section 4). The rules and their order are those of Django's four validators.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use crate::{Field, User, Violation, values::Password};

/// Minimum number of characters of a password.
pub const MIN_LENGTH: usize = 8;

/// Minimum share of common characters, from 0 to 1, at which a password is too similar to an attribute of its owner.
const MAX_SIMILARITY: f64 = 0.7;

/// Django's list of common passwords: Royce Williams's 20,000 most common ones, lower-case.
const COMMON: &str = include_str!("common-passwords.txt");

/// The attributes of a password's owner, to which the password must not be similar. Empty texts are skipped, so the
/// default has no attributes. Created [from](From) a [`User`], or field by field for a user that is not stored yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Owner<'a> {
    /// The username.
    pub username: &'a str,
    /// The first name.
    pub first_name: &'a str,
    /// The last name.
    pub last_name: &'a str,
    /// The e-mail address.
    pub email: &'a str,
}

impl<'a> From<&'a User> for Owner<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            username: user.username.as_str(),
            first_name: user.first_name.as_str(),
            last_name: user.last_name.as_str(),
            email: user.email.as_str(),
        }
    }
}

/// Returns the violations of a password that users choose for themselves, in Django's order; empty if it is
/// acceptable. They can be [`Violation::PasswordTooSimilar`], [`Violation::PasswordTooShort`],
/// [`Violation::PasswordTooCommon`] and [`Violation::PasswordEntirelyNumeric`].
///
/// ```
/// use mycars_domain::{Field, Violation, password, values::Password};
///
/// let owner = password::Owner { username: "john_doe", ..Default::default() };
/// let check = |text| password::check_chosen(&Password::parse(text).unwrap(), &owner);
/// assert_eq!(check("correct horse battery"), []);
/// assert_eq!(check("john.doe"), [Violation::PasswordTooSimilar(Field::Username)]);
/// assert_eq!(check("12345678"), [Violation::PasswordTooCommon, Violation::PasswordEntirelyNumeric]);
/// ```
#[must_use]
pub fn check_chosen(password: &Password, owner: &Owner<'_>) -> Vec<Violation> {
    let text = password.reveal();
    let mut violations = Vec::new();
    if let Some(field) = similar_to(text, owner) {
        violations.push(Violation::PasswordTooSimilar(field));
    }
    violations.extend(check_given(password));
    if is_common(text) {
        violations.push(Violation::PasswordTooCommon);
    }
    if text.chars().all(char::is_numeric) {
        violations.push(Violation::PasswordEntirelyNumeric);
    }
    violations
}

/// Returns the violations of a password that an admin sets for another user; empty if it is acceptable. Only the
/// length is checked ([`Violation::PasswordTooShort`]).
///
/// ```
/// use mycars_domain::{Violation, password, values::Password};
///
/// let check = |text| password::check_given(&Password::parse(text).unwrap());
/// assert_eq!(check("password123"), []);
/// assert_eq!(check("short"), [Violation::PasswordTooShort { min: password::MIN_LENGTH }]);
/// ```
#[must_use]
pub fn check_given(password: &Password) -> Vec<Violation> {
    if password.reveal().chars().count() < MIN_LENGTH {
        vec![Violation::PasswordTooShort { min: MIN_LENGTH }]
    } else {
        Vec::new()
    }
}

fn is_common(password: &str) -> bool {
    static COMMON_PASSWORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| COMMON.lines().collect());
    COMMON_PASSWORDS.contains(password.to_lowercase().as_str())
}

/// Returns the first of the owner's attributes that the password is too similar to.
fn similar_to(password: &str, owner: &Owner<'_>) -> Option<Field> {
    let password = password.to_lowercase();
    [
        (Field::Username, owner.username),
        (Field::FirstName, owner.first_name),
        (Field::LastName, owner.last_name),
        (Field::Email, owner.email),
    ]
    .into_iter()
    .find(|(_, value)| is_similar(&password, &value.to_lowercase()))
    .map(|(field, _)| field)
}

/// Returns whether the password is too similar to an attribute or to one of the words in it.
fn is_similar(password: &str, attribute: &str) -> bool {
    let no_word = |c: char| !c.is_alphanumeric() && c != '_';
    attribute.split(no_word).chain([attribute]).any(|part| {
        !part.is_empty() && !is_much_longer(password, part) && similarity(password, part) >= MAX_SIMILARITY
    })
}

/// Returns whether the password is so much longer than `part` that containing it does not make it similar.
#[expect(clippy::cast_precision_loss, reason = "a password has at most 128 characters")]
fn is_much_longer(password: &str, part: &str) -> bool {
    let (password, part) = (password.chars().count(), part.chars().count());
    password >= 10 * part && (part as f64) < MAX_SIMILARITY / 2.0 * password as f64
}

/// Returns the share of characters that two texts have in common, in any order: Python's
/// `SequenceMatcher.quick_ratio`, which Django's validator uses.
#[expect(clippy::cast_precision_loss, reason = "both are the lengths of short texts")]
fn similarity(a: &str, b: &str) -> f64 {
    let mut left: HashMap<char, usize> = HashMap::new();
    for c in b.chars() {
        *left.entry(c).or_default() += 1;
    }
    let common = a
        .chars()
        .filter(|c| match left.get_mut(c) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        })
        .count();
    2.0 * common as f64 / (a.chars().count() + b.chars().count()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner {
        username: "john_doe",
        first_name: "Bartholomew",
        last_name: "Müller-Lüdenscheidt",
        email: "someone@holidays.example",
    };

    fn check(text: &str) -> Vec<Violation> {
        check_chosen(&Password::parse(text).unwrap(), &OWNER)
    }

    #[test]
    fn acceptable_password_has_no_violations() {
        for password in ["Harbour-x7-9", "correct horse battery", "ééééééé8x"] {
            assert_eq!(check(password), [], "{password}");
        }
    }

    #[test]
    fn password_of_seven_characters_is_too_short() {
        assert_eq!(check("Ab3-xyz"), [Violation::PasswordTooShort { min: 8 }]);
        assert_eq!(check("Ab3-xyzü"), []);
    }

    #[test]
    fn common_password_in_any_case_is_refused() {
        assert_eq!(check("password123"), [Violation::PasswordTooCommon]);
        assert_eq!(check("PassWord123"), [Violation::PasswordTooCommon]);
        assert_eq!(COMMON.lines().count(), 19_640);
    }

    #[test]
    fn numeric_password_in_any_script_is_refused() {
        assert_eq!(check("83647251904"), [Violation::PasswordEntirelyNumeric]);
        assert_eq!(check("٨٣٦٤٧٢٥١٩"), [Violation::PasswordEntirelyNumeric]);
    }

    #[test]
    fn all_violations_are_reported_in_djangos_order() {
        assert_eq!(
            check("12345678"),
            [Violation::PasswordTooCommon, Violation::PasswordEntirelyNumeric]
        );
        assert_eq!(
            check("123"),
            [
                Violation::PasswordTooShort { min: 8 },
                Violation::PasswordTooCommon,
                Violation::PasswordEntirelyNumeric
            ]
        );
        assert_eq!(
            check("johndoe"),
            [
                Violation::PasswordTooSimilar(Field::Username),
                Violation::PasswordTooShort { min: 8 }
            ]
        );
    }

    #[test]
    fn password_similar_to_its_owner_is_refused() {
        let similar = |field| vec![Violation::PasswordTooSimilar(field)];
        assert_eq!(check("john_doe1"), similar(Field::Username));
        assert_eq!(
            check("eod_nhoj"),
            similar(Field::Username),
            "order does not matter"
        );
        assert_eq!(check("bartholomew1"), similar(Field::FirstName));
        assert_eq!(
            check("lüdenscheidt"),
            similar(Field::LastName),
            "a word of it counts"
        );
        assert_eq!(check("holidays7"), similar(Field::Email), "a word of it counts");
        assert_eq!(check("someone@holidays.example"), similar(Field::Email));
    }

    #[test]
    fn short_attribute_in_a_long_password_is_accepted() {
        let owner = Owner {
            first_name: "Al",
            ..Owner::default()
        };
        let long = Password::parse("al-al-al-al-al-al-al-al").unwrap();
        assert_eq!(check_chosen(&long, &owner), []);
    }

    #[test]
    fn password_set_by_an_admin_needs_only_the_length() {
        let given = |text: &str| check_given(&Password::parse(text).unwrap());
        assert_eq!(given("password123"), []);
        assert_eq!(given("12345678"), []);
        assert_eq!(given("1234567"), [Violation::PasswordTooShort { min: 8 }]);
    }

    #[test]
    fn similarity_equals_pythons_quick_ratio() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(similarity("abcd", "bcde"), 0.75));
        assert!(close(similarity("aab", "abb"), 2.0 / 3.0));
        assert!(close(similarity("x", "y"), 0.0));
    }
}
