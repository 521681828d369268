//! The program and the address of a login.

use std::net::IpAddr;

/// The program that logged in, and its address, for the list of a user's logins. Both are personal data.
///
/// ```
/// use mycars_application::ports::Device;
///
/// let device = Device::new([192, 0, 2, 1].into(), Some("Firefox/140.0\r\n"));
/// assert_eq!(device.program.as_deref(), Some("Firefox/140.0"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The program, as it names itself.
    pub program: Option<String>,
}

impl Device {
    /// Maximum length of the name of a program in characters.
    pub const MAX_PROGRAM: usize = 200;

    /// Returns a device with the name of its program as a bounded text without control characters.
    #[must_use]
    pub fn new(address: IpAddr, program: Option<&str>) -> Self {
        let program: String = program
            .unwrap_or_default()
            .chars()
            .filter(|c| !c.is_control())
            .take(Self::MAX_PROGRAM)
            .collect();
        Self {
            address: Some(address),
            program: Some(program.trim().to_owned()).filter(|program| !program.is_empty()),
        }
    }
}
