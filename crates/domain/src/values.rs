//! One type for each field. A value of such a type is valid.
//!
//! Each type has `parse` and `from_storage`. `parse` checks text or a number from outside. `from_storage` takes a
//! stored value that was checked before, without checking it again: if a rule becomes stricter later, old rows must
//! stay readable. The rules are those of the wire contract, section 3. Lengths are counted in characters (Unicode
//! scalar values), not in bytes, after surrounding white space is stripped.
//!
//! ```
//! use mycars_domain::{Violation, values::{Brand, Color}};
//!
//! assert_eq!(Brand::parse(" VW ")?.as_str(), "VW");
//! assert_eq!(Brand::parse(" "), Err(vec![Violation::Blank]));
//!
//! // All violations are reported at once.
//! let wrong = Color::parse(&"\0".repeat(51));
//! assert_eq!(wrong, Err(vec![Violation::TooLong { max: 50 }, Violation::NullCharacter]));
//!
//! // A value that was stored before a rule became stricter stays readable.
//! assert_eq!(Brand::from_storage(" ".into()).as_str(), " ");
//! # Ok::<(), Vec<Violation>>(())
//! ```

mod email;
mod license_plate;
mod numbers;
mod password;
mod text;
mod username;
mod vin;

pub use email::Email;
pub use license_plate::LicensePlate;
pub use numbers::{Mileage, Year};
pub use password::{Password, PasswordHash};
pub use text::{Address, Brand, Color, FirstName, ImagePath, LastName, Model, Notes, Phone};
pub use username::Username;
pub use vin::Vin;
