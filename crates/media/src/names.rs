//! The names of pictures, which both stores use: `cars/<name>`, and `trash/<day>/<name>` beside it.

use chrono::NaiveDate;
use mycars_domain::values::ImagePath;

/// The name of the folder of pictures below the root.
pub(crate) const FOLDER: &str = "cars";
/// The name of the trash below the root.
pub(crate) const TRASH: &str = "trash";
/// The name of the file in the root with the id of the installation that the pictures belong to.
pub(crate) const OWNER: &str = ".mycars-database";
/// Maximum number of bytes that are read from that file.
pub(crate) const MAX_OWNER_BYTES: u64 = 1024;
/// The start of the name of the file in the root that a check writes and deletes.
pub(crate) const CHECK: &str = ".mycars-check";
/// The format of the name of a day in the trash.
const DAY: &str = "%Y-%m-%d";
/// Maximum length of a file name in bytes on common file systems.
const MAX_NAME_LENGTH: usize = 255;

/// Returns the path of the picture with this name.
pub(crate) fn path(name: &str) -> ImagePath {
    ImagePath::from_storage(format!("{FOLDER}/{name}"))
}

/// Returns the name of a picture's file, or `None` if no picture can have this path.
pub(crate) fn name(path: &ImagePath) -> Option<&str> {
    let name = path.as_str().strip_prefix(FOLDER)?.strip_prefix('/')?;
    Some(name).filter(|name| is_picture_name(name))
}

/// Returns whether a name stays in the folder, is not hidden, and has no special characters for a shell or a URL.
pub(crate) fn is_picture_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=MAX_NAME_LENGTH).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('.')
        && !name.contains("..")
}

/// Returns the name of a day in the trash.
pub(crate) fn day_name(day: NaiveDate) -> String {
    day.format(DAY).to_string()
}

/// Parses the name of a day in the trash. Refuses names that only parse to the same day.
pub(crate) fn parse_day(name: &str) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(name, DAY).ok()?;
    (day_name(day) == name).then_some(day)
}

/// Returns the owner in the content of its file.
pub(crate) fn owner(content: &[u8]) -> String {
    String::from_utf8_lossy(content).trim().to_owned()
}
