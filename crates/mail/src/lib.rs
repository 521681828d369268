//! Mail: the port [`Mailer`](mycars_application::ports::Mailer) over SMTP ([`SmtpMailer`]), and as files for development
//! ([`FileMailer`]). The texts are in `templates/`, as plain text and as HTML.

mod files;
mod message;
mod smtp;

pub use files::FileMailer;
pub use message::Sender;
pub use smtp::SmtpMailer;

/// A value in the settings is not usable.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The sender is no e-mail address.
    #[error("the sender of mails is no e-mail address, such as `My Cars <mycars@example.org>`")]
    Sender(#[source] lettre::address::AddressError),
    /// The URL of the mail server is not usable. The error has no part of the URL, which may hold a password.
    #[error(
        "the URL of the mail server is not smtps://USER:PASSWORD@HOST, smtp://USER:PASSWORD@HOST:587?tls=required or \
         smtp://HOST:25"
    )]
    Url,
    /// A password would be sent without TLS.
    #[error("the URL of the mail server has a password, but no TLS: use smtps://, or add ?tls=required")]
    PlainText,
}
