//! Violations of rules, as data. An adapter converts each violation to a message for its users.

use std::collections::BTreeMap;

/// A field of a car, a user, a login or a command about them, in the order in which errors are listed. The adapter
/// chooses the name on the wire or in a form; it may be [`as_str`](Self::as_str).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Field {
    /// The name that a user logs in with.
    Username,
    /// A user's e-mail address.
    Email,
    /// The e-mail address that a user gets once it is verified.
    PendingEmail,
    /// Whether a user's e-mail address is verified.
    EmailVerified,
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
    /// The reason why a refresh token was revoked.
    Revocation,
    /// Number of a user's refresh tokens that are valid.
    RefreshTokens,
    /// Number of a user's browser sessions.
    Sessions,
    /// An API key of a user, by its name and prefix.
    ApiKey,
    /// The name of an API key.
    Name,
    /// The rights of an API key.
    Rights,
    /// The time at which an API key expires.
    ExpiresAt,
    /// Number of entries of the audit log.
    Entries,
    /// The car's manufacturer.
    Brand,
    /// The car's model.
    Model,
    /// The year in which the car was built.
    Year,
    /// The car's colour.
    Color,
    /// The car's licence plate.
    License,
    /// The car's vehicle identification number.
    Vin,
    /// The distance that the car has been driven, in kilometres.
    Mileage,
    /// The car's owner.
    Owner,
    /// The car's picture.
    Image,
    /// Notes about the car.
    Notes,
    /// An uploaded file of cars.
    File,
    /// No single field: a violation of the object as a whole.
    NonField,
}

impl Field {
    /// All fields, in the order of the declaration.
    pub const ALL: [Self; 37] = [
        Self::Username,
        Self::Email,
        Self::PendingEmail,
        Self::EmailVerified,
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
        Self::ApiKey,
        Self::Name,
        Self::Rights,
        Self::ExpiresAt,
        Self::Entries,
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
        Self::File,
        Self::NonField,
    ];

    /// Returns the name of the field as it is stored in the audit log, where it never changes: the variant's name in
    /// snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Username => "username",
            Self::Email => "email",
            Self::PendingEmail => "pending_email",
            Self::EmailVerified => "email_verified",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Role => "role",
            Self::IsActive => "is_active",
            Self::IsSuperuser => "is_superuser",
            Self::Phone => "phone",
            Self::Address => "address",
            Self::Password => "password",
            Self::PasswordConfirmation => "password_confirmation",
            Self::OldPassword => "old_password",
            Self::NewPassword => "new_password",
            Self::Refresh => "refresh",
            Self::Token => "token",
            Self::Revocation => "revocation",
            Self::RefreshTokens => "refresh_tokens",
            Self::Sessions => "sessions",
            Self::ApiKey => "api_key",
            Self::Name => "name",
            Self::Rights => "rights",
            Self::ExpiresAt => "expires_at",
            Self::Entries => "entries",
            Self::Brand => "brand",
            Self::Model => "model",
            Self::Year => "year",
            Self::Color => "color",
            Self::License => "license",
            Self::Vin => "vin",
            Self::Mileage => "mileage",
            Self::Owner => "owner",
            Self::Image => "image",
            Self::Notes => "notes",
            Self::File => "file",
            Self::NonField => "non_field",
        }
    }

    /// Returns the field with this name; `None` if there is none. Case and white space count.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }
}

/// One way in which a value breaks a rule: all data that a message needs, without the message itself.
///
/// ```
/// use mycars_domain::{Violation, values::Color};
///
/// /// Returns the message of an adapter.
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
    /// A required value is missing.
    Required,
    /// A value is null where null is not allowed.
    Null,
    /// A text is empty, or has only white space, where a text is required.
    Blank,
    /// A value is neither text nor a number that can be read as text.
    NotAString,
    /// A value is not a whole number.
    NotAnInteger,
    /// The separators of a number may mean decimals or thousands, such as `125.000`.
    AmbiguousNumber,
    /// A value is neither true nor false.
    NotABoolean,
    /// The text of a number is longer than any number that is accepted.
    NumberTooLong,
    /// A value is none of the allowed choices; holds the value.
    NotAChoice(String),
    /// A text has too many characters.
    TooLong {
        /// Maximum number of characters.
        max: usize,
    },
    /// A number is below the minimum.
    TooSmall {
        /// The minimum.
        min: i64,
    },
    /// A number is above the maximum.
    TooLarge {
        /// The maximum.
        max: i64,
    },
    /// A text contains the character U+0000, which PostgreSQL cannot store.
    NullCharacter,
    /// A text contains half of a surrogate pair, which is not a character; holds its code point.
    SurrogateCharacter(u16),
    /// A text is not valid in its character encoding; holds the name of the encoding.
    Undecodable(String),
    /// A username contains other characters than letters, digits and `@.+-_`.
    InvalidUsername,
    /// A text is not an e-mail address.
    InvalidEmail,
    /// A text is not a vehicle identification number (ISO 3779).
    InvalidVin,
    /// Another user or car already has this value, which must be unique.
    Taken,
    /// A username looks like that of an admin.
    Confusable,
    /// The two passwords differ.
    PasswordsDiffer,
    /// The current password in the request is wrong.
    WrongPassword,
    /// The own e-mail address was changed too long after the login.
    LoginTooOld,
    /// A password has too few characters.
    PasswordTooShort {
        /// Minimum number of characters of a password.
        min: usize,
    },
    /// A password is in the list of common passwords.
    PasswordTooCommon,
    /// A password consists of digits alone.
    PasswordEntirelyNumeric,
    /// A password is too similar to an attribute of its owner; holds the field of the attribute.
    PasswordTooSimilar(Field),
    /// The admin role was granted by a caller without admin rights.
    AdminRoleNotGrantable,
    /// A token that is not valid, or belongs to another user.
    ForeignToken,
    /// The token of a link in a mail that is unknown, used or expired.
    InvalidLink,
    /// No file was uploaded where one is required.
    NoFile,
    /// A value is not a file where a file is required.
    NotAFile,
    /// A file is empty.
    EmptyFile,
    /// A file is too large.
    FileTooLarge {
        /// Maximum size in bytes.
        max_bytes: u64,
    },
    /// A file is not an image, or the image is corrupted.
    NotAnImage,
    /// An image or video has a format that is not supported.
    UnsupportedFormat(UnsupportedFormat),
    /// A picture has too many pixels.
    TooManyPixels {
        /// Maximum number of megapixels.
        max_megapixels: u32,
    },
    /// A unique value is in an earlier row of the same file.
    TakenInFile {
        /// Number of the earlier row.
        row: u64,
    },
    /// A file has too many rows.
    TooManyRows {
        /// Maximum number of rows.
        max: usize,
    },
    /// A text is not a date and time.
    NotADateTime,
    /// A time is not in the future.
    NotInTheFuture,
    /// The user already has as many API keys as a user may have.
    TooManyKeys {
        /// Maximum number of API keys of a user.
        max: usize,
    },
    /// The owner already has as many cars as a user may have.
    TooManyCars {
        /// Maximum number of cars of a user.
        max: u64,
    },
    /// The pictures of the owner's cars would take more space than a user may use.
    TooManyPictureBytes {
        /// Maximum size of all pictures of a user in bytes.
        max_bytes: u64,
    },
}

/// Formats of images and videos that are not supported, but recognised, so that the error can name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum UnsupportedFormat {
    /// HEIC and HEIF, the formats in which iPhones store photos.
    Heic,
    /// AVIF.
    Avif,
    /// JPEG XL.
    JpegXl,
    /// JPEG 2000.
    Jpeg2000,
    /// TIFF, and the raw formats of cameras that are based on it.
    Tiff,
    /// Windows bitmaps.
    Bmp,
    /// Windows icons and cursors.
    Icon,
    /// Photoshop documents.
    Photoshop,
    /// PDF.
    Pdf,
    /// Videos of any format.
    Video,
}

/// All violations of one command, in the order of [`Field`]. The violations of one field are in the order in which
/// they were added.
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
    /// Returns an empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a collection with one violation of one field.
    #[must_use]
    pub fn one(field: Field, violation: Violation) -> Self {
        Self::several(field, vec![violation])
    }

    /// Returns a collection with several violations of one field, such as `parse` returns. It is empty if the list
    /// is.
    #[must_use]
    pub fn several(field: Field, several: Vec<Violation>) -> Self {
        let mut violations = Self::new();
        violations.extend(field, several);
        violations
    }

    /// Adds a violation of `field` after those that were added before.
    pub fn add(&mut self, field: Field, violation: Violation) {
        self.0.entry(field).or_default().push(violation);
    }

    /// Adds several violations of `field`; an empty list changes nothing.
    pub fn extend(&mut self, field: Field, violations: Vec<Violation>) {
        if !violations.is_empty() {
            self.0.entry(field).or_default().extend(violations);
        }
    }

    /// Returns whether there are no violations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the violations of `field`; an empty slice if there are none.
    #[must_use]
    pub fn of(&self, field: Field) -> &[Violation] {
        self.0.get(&field).map_or(&[], Vec::as_slice)
    }

    /// Iterates over the fields that have violations, with their violations: never an empty slice.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &[Violation])> {
        self.0
            .iter()
            .map(|(field, violations)| (*field, violations.as_slice()))
    }
}
