//! Letters as messages: the texts, and their form on the wire.

use askama::Template;
use lettre::{
    Message,
    message::{Mailbox, MultiPart},
};
use mycars_application::ports::{BoxError, Letter, LetterContent, MailError};

use crate::SettingsError;

/// The sender of all mails.
#[derive(Debug, Clone)]
pub struct Sender(Mailbox);

impl Sender {
    /// Parses a sender, such as `My Cars <mycars@example.org>`.
    ///
    /// # Errors
    /// [`SettingsError::Sender`].
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        text.parse().map(Self).map_err(SettingsError::Sender)
    }
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'a> {
    letter: &'a Letter,
    greeting: &'a str,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    letter: &'a Letter,
    greeting: &'a str,
    subject: &'a str,
}

fn subject(content: &LetterContent) -> &'static str {
    match content {
        LetterContent::PasswordReset { .. } => "Set a new password for My Cars",
        LetterContent::PasswordChanged => "Your password for My Cars was changed",
        LetterContent::EmailVerification { .. } => "Confirm your email address for My Cars",
        LetterContent::EmailChanged { .. } => "Your email address for My Cars was changed",
        LetterContent::EmailRestored => "The old email address was put back at My Cars",
    }
}

/// Returns the greeting, without the username if the recipient may be a stranger whose address the user entered.
fn greeting(letter: &Letter) -> String {
    match letter.content {
        LetterContent::EmailVerification { .. } => "Hello,".into(),
        _ => format!("Hello {},", letter.username),
    }
}

/// Returns a letter as a message. Sending a letter again gives the same `Message-ID`, so that mail programs can drop the
/// duplicate.
pub(crate) fn message(sender: &Sender, letter: &Letter) -> Result<Message, MailError> {
    let refused = |error: BoxError| MailError::Refused(error);
    let to = letter
        .to
        .as_str()
        .parse()
        .map_err(|error| refused(Box::new(error)))?;
    let subject = subject(&letter.content);
    let greeting = &greeting(letter);
    let text = Text { letter, greeting }
        .render()
        .map_err(|error| refused(error.into()))?;
    let html = Html {
        letter,
        greeting,
        subject,
    }
    .render()
    .map_err(|error| refused(error.into()))?;
    Message::builder()
        .from(sender.0.clone())
        .to(Mailbox::new(None, to))
        .subject(subject)
        .message_id(Some(format!("<{}@{}>", letter.id, sender.0.email.domain())))
        .multipart(MultiPart::alternative_plain_html(text, html))
        .map_err(|error| refused(error.into()))
}
