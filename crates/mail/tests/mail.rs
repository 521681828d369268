//! Letters over SMTP to a real sink, and as files.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends with a panic where something is not as it should be"
)]

use std::fs;

use mycars_application::{
    mocks::samples,
    ports::{Letter, LetterContent, MailError, Mailer as _},
};
use mycars_mail::{FileMailer, Sender, SmtpMailer};
use mycars_testkit::{ReceivedMail, SmtpSink};

const LINK: &str = "https://cars.example.org/api-auth/password/confirm/?token=abc&x=<b>";

fn letter(content: LetterContent) -> Letter {
    let ann = samples::user();
    Letter {
        id: "1795744292928946.7".into(),
        to: ann.email,
        username: ann.username,
        content,
    }
}

fn reset() -> Letter {
    letter(LetterContent::PasswordReset { link: LINK.into() })
}

fn sender() -> Sender {
    Sender::parse("My Cars <mycars@cars.example.org>").unwrap()
}

#[test]
fn letter_arrives_with_text_and_html() {
    let sink = SmtpSink::start();
    let mailer = SmtpMailer::new(&sink.url(), sender()).unwrap();
    mailer.send(&reset()).unwrap();
    mailer.send(&letter(LetterContent::PasswordChanged)).unwrap();
    let mails = sink.mails();
    let [first, second] = &mails[..] else {
        panic!("two mails were sent");
    };
    assert_eq!(first.to, ["ann@example.com"]);
    assert_eq!(first.links(), [LINK]);
    for part in [
        "<mycars@cars.example.org>",
        "Subject: Set a new password for My Cars",
        "Message-ID: <1795744292928946.7@cars.example.org>",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        "Hello ann,",
    ] {
        assert!(first.text().contains(part), "{part} is not in {}", first.text());
    }
    assert!(
        second
            .text()
            .contains("Subject: Your password for My Cars was changed")
    );
}

#[test]
fn letters_about_an_email_have_their_links() {
    let sink = SmtpSink::start();
    let mailer = SmtpMailer::new(&sink.url(), sender()).unwrap();
    let link = || LINK.to_owned();
    let letters = [
        (LetterContent::EmailVerification { link: link() }, vec![LINK]),
        (LetterContent::EmailChanged { undo: Some(link()) }, vec![LINK]),
        (LetterContent::EmailChanged { undo: None }, vec![]),
        (LetterContent::EmailRestored, vec![]),
    ];
    for (content, _) in &letters {
        mailer.send(&letter(content.clone())).unwrap();
    }
    let mails = sink.mails();
    let expected: Vec<_> = letters.into_iter().map(|(_, links)| links).collect();
    assert_eq!(
        mails.iter().map(ReceivedMail::links).collect::<Vec<_>>(),
        expected
    );
    let verification = mails[0].text();
    assert!(
        verification.contains("Hello,") && !verification.contains("Hello ann"),
        "it may reach a stranger: {verification}"
    );
    let told = mails[1].text();
    assert!(
        told.contains("Subject: Your email address for My Cars was changed"),
        "{told}"
    );
}

#[test]
fn only_a_refused_recipient_is_permanent() {
    let sink = SmtpSink::start();
    let mailer = SmtpMailer::new(&sink.url(), sender()).unwrap();
    sink.refuse(553);
    assert!(matches!(mailer.send(&reset()), Err(MailError::Refused(_))));
    // Not now; relaying is denied; a wrong password.
    for code in [451, 550, 554, 530, 535] {
        sink.refuse(code);
        assert!(
            matches!(mailer.send(&reset()), Err(MailError::Unavailable(_))),
            "{code}"
        );
    }
    drop(sink);
    assert!(matches!(mailer.send(&reset()), Err(MailError::Unavailable(_))));
}

#[test]
fn file_has_the_whole_mail() {
    let folder = tempfile::tempdir().unwrap();
    let mails = folder.path().join("mail");
    let mailer = FileMailer::new(mails.clone(), sender());
    mailer.send(&reset()).unwrap();
    let mail = fs::read_to_string(mails.join("1795744292928946.7.eml")).unwrap();
    assert!(mail.contains("To: ann@example.com"), "{mail}");
}

#[test]
fn wrong_settings_are_refused_without_the_password() {
    for url in [
        "http://ann:s3cret@example.org",
        "smtp://ann:s3cret@host?tls=maybe",
        "s3cret",
    ] {
        let error = SmtpMailer::new(url, sender()).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
    for url in [
        "smtp://ann:s3cret@localhost:25",
        "smtps://ann:s3cret@mail.example.org",
        "smtp://mail.example.org",
    ] {
        assert!(SmtpMailer::new(url, sender()).is_ok(), "{url}");
    }
    assert!(Sender::parse("My Cars").is_err());
}
