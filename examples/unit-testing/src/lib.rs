//! A use-case outside My Cars, based on its ports, and its unit tests.
//!
//! It only needs the two inner crates of My Cars: `mycars-domain` has the rules; `mycars-application` has the ports
//! and, with its feature `mocks`, a mock of each. So the tests need no database, no HTTP and no runtime, and take
//! milliseconds.
//!
//! - [`odometer`]: the use-case, with its tests in the same file.
//! - `tests/use_cases.rs`: tests of existing use-cases, one for each kind of rule. Begin there.
#![warn(missing_docs)]

pub mod odometer;
