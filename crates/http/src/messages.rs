//! Names of fields and messages of violations, as in Django REST framework.

use mycars_domain::{Field, UnsupportedFormat, Violation};

/// Returns the name of a field in requests and responses.
#[must_use]
pub const fn name(field: Field) -> &'static str {
    match field {
        Field::PasswordConfirmation => "password2",
        Field::NonField => "non_field_errors",
        _ => field.as_str(),
    }
}

/// Returns the message of a violation of `field`.
#[must_use]
pub fn violation(field: Field, violation: &Violation) -> String {
    match violation {
        Violation::Required => "This field is required.".into(),
        Violation::Null => "This field may not be null.".into(),
        Violation::Blank => "This field may not be blank.".into(),
        Violation::NotAString => "Not a valid string.".into(),
        Violation::NotAnInteger => "A valid integer is required.".into(),
        Violation::AmbiguousNumber => {
            "Enter a whole number without decimal or thousands separators, such as 125000.".into()
        }
        Violation::NotABoolean => "Must be a valid boolean.".into(),
        Violation::NumberTooLong => "String value too large.".into(),
        Violation::NotAChoice(given) => format!("\"{given}\" is not a valid choice."),
        Violation::TooLong { max } => format!("Ensure this field has no more than {max} characters."),
        Violation::TooSmall { min } => format!("Ensure this value is greater than or equal to {min}."),
        Violation::TooLarge { max } => format!("Ensure this value is less than or equal to {max}."),
        Violation::NullCharacter => "Null characters are not allowed.".into(),
        Violation::SurrogateCharacter(code) => {
            format!("Surrogate characters are not allowed: U+{code:X}.")
        }
        Violation::Undecodable(encoding) => format!("The text could not be decoded as {encoding}."),
        Violation::InvalidUsername => {
            "Enter a valid username. This value may contain only letters, numbers, \
                                       and @/./+/-/_ characters."
                .into()
        }
        Violation::InvalidEmail => "Enter a valid email address.".into(),
        Violation::InvalidVin => {
            "Enter a valid VIN: 17 characters, the letters A to Z without I, O and Q, and digits.".into()
        }
        Violation::Taken => taken(field).into(),
        Violation::Confusable => "This username looks too much like another one.".into(),
        Violation::PasswordsDiffer => "Passwords do not match.".into(),
        Violation::WrongPassword => "Wrong password.".into(),
        Violation::LoginTooOld => {
            "Log in again: an own email address can only be changed shortly after a login, at /api/me/."
                .into()
        }
        Violation::PasswordTooShort { min } => {
            format!("This password is too short. It must contain at least {min} characters.")
        }
        Violation::PasswordTooCommon => "This password is too common.".into(),
        Violation::PasswordEntirelyNumeric => "This password is entirely numeric.".into(),
        Violation::PasswordTooSimilar(to) => {
            format!("The password is too similar to the {}.", verbose_name(*to))
        }
        Violation::AdminRoleNotGrantable => "Only an administrator can grant the admin role.".into(),
        Violation::ForeignToken => "Token is invalid or does not belong to you.".into(),
        Violation::InvalidLink => "This link is invalid or has expired. Request a new one.".into(),
        Violation::NoFile => "No file was submitted.".into(),
        Violation::NotAFile => {
            "The submitted data was not a file. Check the encoding type on the form.".into()
        }
        Violation::EmptyFile => "The submitted file is empty.".into(),
        Violation::FileTooLarge { max_bytes } => {
            format!("The image is too large: at most {}.", bytes(*max_bytes))
        }
        Violation::NotAnImage => "Upload a valid image. The file you uploaded was either not an image or a \
                                  corrupted image."
            .into(),
        Violation::UnsupportedFormat(format) => format!(
            "{} are not supported: upload a JPEG, PNG, WebP or GIF.",
            plural(*format)
        ),
        Violation::TooManyPixels { max_megapixels } => {
            format!("The image has too many pixels: at most {max_megapixels} megapixels.")
        }
        Violation::TakenInFile { row } => format!("Row {row} has the same {}.", name(field)),
        Violation::TooManyRows { max } => {
            format!("The file has more than {max} rows. Import it in several parts.")
        }
        Violation::NotADateTime => {
            "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm:ssZ.".into()
        }
        Violation::NotInTheFuture => "Ensure this time is in the future.".into(),
        Violation::TooManyKeys { max } => format!("You may have at most {max} API keys. Delete some."),
        Violation::TooManyCars { max } => format!(
            "This user may have at most {max} cars. Delete some, or ask an administrator for a higher limit."
        ),
        Violation::TooManyPictureBytes { max_bytes } => format!(
            "The images of this user may take at most {} in total. Delete some, or ask an administrator for a higher \
             limit.",
            bytes(*max_bytes)
        ),
    }
}

/// Returns the plural of a file format.
fn plural(format: UnsupportedFormat) -> &'static str {
    match format {
        UnsupportedFormat::Heic => "HEIC images",
        UnsupportedFormat::Avif => "AVIF images",
        UnsupportedFormat::JpegXl => "JPEG XL images",
        UnsupportedFormat::Jpeg2000 => "JPEG 2000 images",
        UnsupportedFormat::Tiff => "TIFF images",
        UnsupportedFormat::Bmp => "BMP images",
        UnsupportedFormat::Icon => "Icons",
        UnsupportedFormat::Photoshop => "Photoshop documents",
        UnsupportedFormat::Pdf => "PDF documents",
        UnsupportedFormat::Video => "Videos",
    }
}

/// Formats a number of bytes in the largest unit that divides it.
fn bytes(count: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = KIB * KIB;
    const GIB: u64 = KIB * MIB;
    match count {
        _ if count > 0 && count.is_multiple_of(GIB) => format!("{} GiB", count / GIB),
        _ if count.is_multiple_of(MIB) => format!("{} MiB", count / MIB),
        _ if count.is_multiple_of(KIB) => format!("{} KiB", count / KIB),
        _ => format!("{count} bytes"),
    }
}

fn taken(field: Field) -> &'static str {
    match field {
        Field::Username => "A user with that username already exists.",
        Field::Email => "This email is already registered.",
        Field::License => "car with this license already exists.",
        _ => "This field must be unique.",
    }
}

/// Returns Django's `verbose_name` of a field that a password may be similar to.
fn verbose_name(field: Field) -> &'static str {
    match field {
        Field::Email => "email address",
        Field::FirstName => "first name",
        Field::LastName => "last name",
        other => name(other),
    }
}
