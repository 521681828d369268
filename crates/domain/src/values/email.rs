//! An e-mail address.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::text::{Rule, text_type};
use crate::{Violation, fold, strip};

text_type! {
    /// An e-mail address: at most 254 characters, by the rules of Django's validator. The domain is stored
    /// lower-case, the rest as written. Unique ignoring case.
    ///
    /// Two addresses are the same if their [`key`](Self::key)s are equal.
    Email
}

impl Email {
    /// Maximum number of characters.
    pub const MAX_LENGTH: usize = 254;

    /// Trims `text` and checks it.
    ///
    /// # Errors
    /// [`Violation::Blank`], [`Violation::TooLong`], [`Violation::NullCharacter`],
    /// [`Violation::InvalidEmail`].
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::Email};
    /// assert_eq!(Email::parse(" Ann.Lee@Example.COM ")?.as_str(), "Ann.Lee@example.com");
    /// assert_eq!(Email::parse("nonsense"), Err(vec![Violation::InvalidEmail]));
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Vec<Violation>> {
        let rule = Rule {
            max_length: Self::MAX_LENGTH,
            may_be_blank: false,
        };
        let mut violations = rule.check(text).err().unwrap_or_default();
        if violations == [Violation::Blank] {
            return Err(violations);
        }
        let parts = strip(text)
            .rsplit_once('@')
            .filter(|(local, domain)| is_local(local) && is_domain(domain));
        match parts {
            Some((local, domain)) if violations.is_empty() => {
                Ok(Self(format!("{local}@{}", domain.to_lowercase())))
            }
            Some(_) => Err(violations),
            None => {
                violations.push(Violation::InvalidEmail);
                Err(violations)
            }
        }
    }

    /// Returns the key that a store keeps unique. It is equal for two addresses if [`fold`] maps them to the same
    /// text.
    #[must_use]
    pub fn key(&self) -> String {
        fold(self.as_str())
    }
}

/// Returns whether the part before the `@` is valid: words with dots between them, or a quoted string (RFC 5322,
/// 3.4.1, ASCII only).
fn is_local(local: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-!#$%&'*+/=?^_`{}|~".contains(&byte))
    };
    local.split('.').all(is_atom) || is_quoted(local)
}

/// Returns whether a text is a quoted string, `"…"`, in which a backslash escapes the next character.
fn is_quoted(local: &str) -> bool {
    let Some(inside) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return false;
    };
    let mut bytes = inside.bytes();
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'\\' => bytes
                .next()
                .is_some_and(|next| matches!(next, 1..=9 | 11 | 12 | 14..=127)),
            b'"' => false,
            other => matches!(other, 1..=8 | 11 | 12 | 14..=31 | 33 | 35..=127),
        };
        if !allowed {
            return false;
        }
    }
    true
}

/// Returns whether the part after the `@` is valid: a host name with at least two labels, `localhost`, or an IP
/// address in brackets.
fn is_domain(domain: &str) -> bool {
    if domain == "localhost" {
        return true;
    }
    if let Some(literal) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return literal.parse::<Ipv4Addr>().is_ok() || literal.parse::<Ipv6Addr>().is_ok();
    }
    match domain.rsplit_once('.') {
        Some((host, top)) => host.split('.').all(is_label) && is_top_level(top),
        None => false,
    }
}

/// Returns whether a text is a label of a host name: 1 to 63 letters, digits and hyphens, no hyphen at either end
/// (RFC 1034, 3.1).
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.chars().count())
        && label
            .chars()
            .all(|c| is_letter(c) || c.is_ascii_digit() || c == '-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Returns whether a text is a top-level label. It has no digits unless it is punycode, so that an IP address is not
/// a host name.
fn is_top_level(label: &str) -> bool {
    let is_punycode = label
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("xn--"))
        && label.is_ascii()
        && label.len() > 4;
    is_label(label)
        && (is_punycode || (label.chars().count() >= 2 && !label.contains(|c: char| c.is_ascii_digit())))
}

/// Returns whether a character is an ASCII letter, or one that Django accepts outside ASCII.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || ('\u{a1}'..='\u{ffff}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_that_django_accepts_is_accepted() {
        for address in [
            "email@here.com",
            "weirder-email@here.and.there.com",
            "!def!xyz%abc@example.com",
            "email@[127.0.0.1]",
            "email@[2001:dB8::1]",
            "email@[::ffff:127.0.0.1]",
            "example@valid-----hyphens.com",
            "example@valid-with-hyphens.com",
            "test@domain.with.idn.tld.उदाहरण.परीक्षा",
            "email@localhost",
            "\"test@test\"@example.com",
            "\"\\\t\"@here.com",
            "a@b.xn--p1ai",
        ] {
            assert!(Email::parse(address).is_ok(), "{address}");
        }
    }

    #[test]
    fn email_that_django_refuses_is_refused() {
        for address in [
            "abc",
            "abc@",
            "abc@bar",
            "a @x.cz",
            "abc@.com",
            "something@@somewhere.com",
            "email@127.0.0.1",
            "email@[127.0.0.256]",
            "email@[2001:db8::12345]",
            "example@invalid-.com",
            "example@-invalid.com",
            "example@invalid.com-",
            "example@inv-.alid-.com",
            "example@inv-.-alid.com",
            "test@example.com\n\n<script src=\"x.js\">",
            "\"\\\n\"@here.com",
            "trailingdot@shouldfail.com.",
            "a@b.com\n@c.d",
            ".leading@example.com",
            "double..dot@example.com",
            "jörg@example.com",
            "@example.com",
            "a@b.c",
            "a@b.c0m",
        ] {
            assert_eq!(
                Email::parse(address),
                Err(vec![Violation::InvalidEmail]),
                "{address}"
            );
        }
    }

    #[test]
    fn email_of_more_than_254_characters_is_refused() {
        let of_length = |length: usize| format!("{}@example.com", "a".repeat(length - 12));
        assert!(Email::parse(&of_length(254)).is_ok());
        assert_eq!(
            Email::parse(&of_length(255)),
            Err(vec![Violation::TooLong { max: 254 }])
        );
    }

    #[test]
    fn blank_email_has_only_the_violation_blank() {
        assert_eq!(Email::parse(" "), Err(vec![Violation::Blank]));
    }

    #[test]
    fn email_domain_alone_is_lower_cased() {
        assert_eq!(
            Email::parse("Ann@ExAmple.COM").unwrap().as_str(),
            "Ann@example.com"
        );
        assert_eq!(
            Email::parse("Ann@x.de").unwrap().key(),
            Email::parse("aNN@X.DE").unwrap().key()
        );
    }
}
