//! Mail over SMTP.

use std::time::Duration;

use lettre::{SmtpTransport, Transport as _, transport::smtp::Error};
use mycars_application::ports::{Letter, MailError, Mailer};

use crate::{
    SettingsError,
    message::{Sender, message},
};

/// Maximum time of each step of a delivery.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Sends mail to a mail server.
#[derive(Debug, Clone)]
pub struct SmtpMailer {
    transport: SmtpTransport,
    sender: Sender,
}

impl SmtpMailer {
    /// Returns a mailer for the mail server at a URL: `smtps://USER:PASSWORD@HOST` with TLS from the start,
    /// `smtp://USER:PASSWORD@HOST:587?tls=required` with STARTTLS, or `smtp://HOST:25` without TLS. Connects to nothing.
    ///
    /// # Errors
    /// [`SettingsError::Url`]; [`SettingsError::PlainText`] if a password would be sent to another machine without TLS.
    pub fn new(url: &str, sender: Sender) -> Result<Self, SettingsError> {
        if sends_password_in_the_clear(url) {
            return Err(SettingsError::PlainText);
        }
        let transport = SmtpTransport::from_url(url).map_err(|_| SettingsError::Url)?;
        Ok(Self {
            transport: transport.timeout(Some(TIMEOUT)).build(),
            sender,
        })
    }
}

impl Mailer for SmtpMailer {
    fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let message = message(&self.sender, letter)?;
        match self.transport.send(&message) {
            Ok(_) => Ok(()),
            Err(error) if is_about_recipient(&error) => Err(MailError::Refused(error.into())),
            Err(error) => Err(MailError::Unavailable(error.into())),
        }
    }
}

/// Returns whether a reply of the mail server means that the recipient does not exist or takes no mail (RFC 5321, 4.2.3).
/// Other permanent errors, such as those of a wrong password (535), concern the server and may end.
fn is_about_recipient(error: &Error) -> bool {
    let code = error.status().map(u16::from);
    matches!(code, Some(551..=553 | 556))
}

/// Returns whether the URL has a user, but TLS is not required, and the server is not on this machine.
fn sends_password_in_the_clear(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("smtp://") else {
        return false;
    };
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let Some((_, host)) = authority.rsplit_once('@') else {
        return false;
    };
    let is_local = ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| {
        host.strip_prefix(local)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    });
    !is_local && !query.split('&').any(|option| option == "tls=required")
}
