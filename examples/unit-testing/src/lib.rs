//! A use-case of one's own on the ports of My Cars, and its unit tests.
//!
//! Nothing of My Cars but its two inner crates is needed: `mycars-domain` has the rules, `mycars-application` the
//! ports and, with its feature `mocks`, a mock of each. So the tests know no database, no HTTP and no runtime, and
//! take milliseconds.
//!
//! - [`odometer`]: the use-case, with its tests in the same file.
//! - `tests/use_cases.rs`: tests of the use-cases that are there already, one for each kind of rule. Begin there.
#![warn(missing_docs)]

pub mod odometer;
