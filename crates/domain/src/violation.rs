//! What can be wrong with a value, as data: an adapter says it in the words of its readers.

use std::collections::BTreeMap;

/// A field of a car, of a user, of a login or of a command about them, in the order in which errors are listed. What
/// it is called on the wire or in a form is for the adapter to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Field {
    /// The name that a user logs in with.
    Username,
    /// A user's e-mail address.
    Email,
    /// A user's first name.
    FirstName,
    /// A user's last name.
    LastName,
    /// A user's role.
    Role,
    /// Whether a user may log in.
    IsActive,
    /// Whether a user has every right.
    IsSuperuser,
    /// A user's phone number.
    Phone,
    /// A user's postal address.
    Address,
    /// A password, at registration and at login.
    Password,
    /// The same password once more.
    PasswordConfirmation,
    /// The password that a change replaces.
    OldPassword,
    /// The password that a change sets.
    NewPassword,
    /// A refresh token.
    Refresh,
    /// A token of any type.
    Token,
    /// Why a refresh token is dead.
    Revocation,
    /// How many refresh tokens of a user are alive.
    RefreshTokens,
    /// How many browsers a user is logged in with.
    Sessions,
    /// Who built the car.
    Brand,
    /// Which car of its brand it is.
    Model,
    /// The year in which the car was built.
    Year,
    /// The car's colour.
    Color,
    /// The car's licence plate.
    License,
    /// The car's vehicle identification number.
    Vin,
    /// How far the car has been driven.
    Mileage,
    /// The user whose car it is.
    Owner,
    /// The car's picture.
    Image,
    /// Anything else about the car.
    Notes,
}

impl Field {
    /// Every field, in this order.
    pub const ALL: [Self; 28] = [
        Self::Username,
        Self::Email,
        Self::FirstName,
        Self::LastName,
        Self::Role,
        Self::IsActive,
        Self::IsSuperuser,
        Self::Phone,
        Self::Address,
        Self::Password,
        Self::PasswordConfirmation,
        Self::OldPassword,
        Self::NewPassword,
        Self::Refresh,
        Self::Token,
        Self::Revocation,
        Self::RefreshTokens,
        Self::Sessions,
        Self::Brand,
        Self::Model,
        Self::Year,
        Self::Color,
        Self::License,
        Self::Vin,
        Self::Mileage,
        Self::Owner,
        Self::Image,
        Self::Notes,
    ];
}

/// One way in which a value breaks a rule: everything that is needed to say so in a sentence, and no sentence.
///
/// ```
/// use mycars_domain::{Violation, values::Color};
///
/// /// As an adapter words what it can be asked about.
/// fn sentence(violation: &Violation) -> String {
///     match violation {
///         Violation::TooLong { max } => format!("At most {max} characters, please."),
///         other => format!("{other:?}"),
///     }
/// }
///
/// let violations = Color::parse(&"x".repeat(51)).unwrap_err();
/// assert_eq!(sentence(&violations[0]), "At most 50 characters, please.");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Violation {
    /// Nothing was given where something must be.
    Required,
    /// Null was given where a value must be.
    Null,
    /// An empty text, or nothing but white space, where text must be.
    Blank,
    /// Something that is not text, and no number that could be read as text.
    NotAString,
    /// Something that is not a whole number.
    NotAnInteger,
    /// A number whose separators may mean decimals or thousands, such as `125.000`.
    AmbiguousNumber,
    /// Something that is neither true nor false.
    NotABoolean,
    /// A number written with more characters than anybody would read.
    NumberTooLong,
    /// None of the choices that there are; holds what was given.
    NotAChoice(String),
    /// More characters than allowed.
    TooLong {
        /// How many characters there may be at most.
        max: usize,
    },
    /// A number below the least that is allowed.
    TooSmall {
        /// The least that is allowed.
        min: i64,
    },
    /// A number above the greatest that is allowed.
    TooLarge {
        /// The greatest that is allowed.
        max: i64,
    },
    /// The character U+0000, which a database can't keep.
    NullCharacter,
    /// Half of a surrogate pair, which is no character; holds its code point.
    SurrogateCharacter(u16),
    /// Text that is not valid in its character encoding; holds the name of the encoding.
    Undecodable(String),
    /// A username with other characters than letters, digits and `@.+-_`.
    InvalidUsername,
    /// Not an e-mail address.
    InvalidEmail,
    /// Not a vehicle identification number (ISO 3779).
    InvalidVin,
    /// Somebody else, or another car, has this value already, and it must be unique.
    Taken,
    /// The two passwords given differ.
    PasswordsDiffer,
    /// The password given as the present one is not the present one.
    WrongPassword,
    /// Fewer characters than a password needs.
    PasswordTooShort {
        /// How many characters a password has at least.
        min: usize,
    },
    /// A password that many people use.
    PasswordTooCommon,
    /// A password of digits alone.
    PasswordEntirelyNumeric,
    /// A password much like something that is known about its owner; says which field it is like.
    PasswordTooSimilar(Field),
    /// The admin role, given by somebody who is no admin.
    AdminRoleNotGrantable,
    /// A token that is not valid, or is somebody else's.
    ForeignToken,
    /// No file where one must be.
    NoFile,
    /// Something else than a file where one must be.
    NotAFile,
    /// A file without content.
    EmptyFile,
    /// A file that is too large.
    FileTooLarge {
        /// How many bytes there may be at most.
        max_bytes: u64,
    },
    /// A file that is not an image, or a corrupted one.
    NotAnImage,
    /// An image or video in a format that is not supported.
    UnsupportedFormat(UnsupportedFormat),
    /// A picture with too many pixels.
    TooManyPixels {
        /// How many megapixels there may be at most.
        max_megapixels: u32,
    },
}

/// Formats of images and videos that are recognised in order to name them when they are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum UnsupportedFormat {
    /// HEIC and HEIF: the photos of iPhones, as they are stored on them.
    Heic,
    /// AVIF.
    Avif,
    /// JPEG XL.
    JpegXl,
    /// JPEG 2000.
    Jpeg2000,
    /// TIFF, and the raw photos of cameras that are based on it.
    Tiff,
    /// Windows bitmaps.
    Bmp,
    /// Windows icons and cursors.
    Icon,
    /// The documents of Photoshop.
    Photoshop,
    /// PDF.
    Pdf,
    /// Videos of any format.
    Video,
}

/// Everything that is wrong with the fields of one command, in the order of [`Field`]; those of one field are in the
/// order in which they were added.
///
/// ```
/// use mycars_domain::{Field, Violation, Violations};
///
/// let mut violations = Violations::new();
/// violations.add(Field::Year, Violation::TooSmall { min: 1886 });
/// violations.add(Field::Brand, Violation::Required);
///
/// let fields: Vec<Field> = violations.iter().map(|(field, _)| field).collect();
/// assert_eq!(fields, [Field::Brand, Field::Year]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(BTreeMap<Field, Vec<Violation>>);

impl Violations {
    /// No violations yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One violation of one field.
    #[must_use]
    pub fn one(field: Field, violation: Violation) -> Self {
        Self::several(field, vec![violation])
    }

    /// Several violations of one field, as `parse` answers them; none if the list is empty.
    #[must_use]
    pub fn several(field: Field, several: Vec<Violation>) -> Self {
        let mut violations = Self::new();
        violations.extend(field, several);
        violations
    }

    /// Adds what is wrong with `field`, after what is known already.
    pub fn add(&mut self, field: Field, violation: Violation) {
        self.0.entry(field).or_default().push(violation);
    }

    /// Adds several violations of `field`; an empty list changes nothing.
    pub fn extend(&mut self, field: Field, violations: Vec<Violation>) {
        if !violations.is_empty() {
            self.0.entry(field).or_default().extend(violations);
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with `field`: an empty slice if nothing is.
    #[must_use]
    pub fn of(&self, field: Field) -> &[Violation] {
        self.0.get(&field).map_or(&[], Vec::as_slice)
    }

    /// Each field that something is wrong with, and what: never an empty slice.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &[Violation])> {
        self.0
            .iter()
            .map(|(field, violations)| (*field, violations.as_slice()))
    }
}
