//! Sending the mails that use-cases have put into the outbox.
//!
//! A mail is sent at least once: it leaves the outbox after the mail server has accepted it, so a crash between the two
//! sends it again. The outbox has no text. Links with secrets are made when the mail is sent, and stored nowhere.

use chrono::{DateTime, TimeDelta, Utc};
use mycars_domain::{Action, Target, policy};

use crate::{
    App, Caller, Error, MailSettings, Secret, accounts,
    ports::{BoxError, Letter, LetterContent, MailError, MailKind, QueuedMail, StoreError, Unsignable},
};

/// Number of attempts after which a mail is given up.
const MAX_TRIES: u32 = 10;

/// Maximum time between two attempts.
const MAX_DELAY: TimeDelta = TimeDelta::hours(6);

/// The result of [`send_due`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SendReport {
    /// Number of mails that the mail server accepted.
    pub sent: u64,
    /// Whether an attempt failed. The remaining mails were not tried then.
    pub has_failed: bool,
}

/// Sends the mails that are due, one after the other, until one fails. Several servers may do so at once. A mail that
/// can't be sent is tried again after 1 minute, 2 minutes and so on up to 6 hours, and given up after ten attempts.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::Store`], and mails that were sent stay sent.
pub fn send_due(app: &App, caller: &Caller) -> Result<SendReport, Error> {
    policy::check(&caller.actor, Action::SendMail, Target::NOTHING)?;
    let mut report = SendReport::default();
    let Some(settings) = &app.mail else {
        return Ok(report);
    };
    while !report.has_failed
        && let Some(mail) = claim(app)?
    {
        let letter = letter(app, settings, &mail)?;
        let outcome = letter.map(|letter| settings.mailer.send(&letter)).transpose();
        report.sent += u64::from(matches!(outcome, Ok(Some(()))));
        if let Err(error) = &outcome {
            report.has_failed = true;
            log_failure(&mail, error);
        }
        if outcome.is_ok() || is_given_up(&mail, outcome.as_ref().err()) {
            app.store
                .write(|unit| Ok::<_, Error>(unit.outbox().delete(mail.id)?))?;
        }
    }
    Ok(report)
}

/// Returns a mail that is due, and counts the attempt, so that no other server sends the mail at the same time.
fn claim(app: &App) -> Result<Option<QueuedMail>, Error> {
    loop {
        let now = app.now();
        let Some(mail) = app.store.read(|unit| unit.outbox().next_due(now))? else {
            return Ok(None);
        };
        if app
            .store
            .write(|unit| unit.outbox().postpone(&mail, next_try(now, mail.tries)))?
        {
            return Ok(Some(mail));
        }
    }
}

/// Returns the time of the next attempt after `tries` earlier ones and the one of now.
fn next_try(now: DateTime<Utc>, tries: u32) -> DateTime<Utc> {
    now + TimeDelta::minutes(1 << tries.min(MAX_TRIES)).min(MAX_DELAY)
}

/// Returns the letter of a mail; `None` if there is nothing to send any more.
fn letter(app: &App, settings: &MailSettings, mail: &QueuedMail) -> Result<Option<Letter>, Error> {
    let (Some(id), Some(recipient)) = (mail.user, &mail.recipient) else {
        return Ok(None);
    };
    let user = app.store.read(|unit| unit.users().find(id))?;
    let Some(user) = user.filter(|user| user.is_active) else {
        return Ok(None);
    };
    let content = match mail.kind {
        MailKind::PasswordReset => {
            let token = accounts::reset_token(app, &user, recipient, mail.created_at);
            let link = link(&settings.reset_url, token)?;
            link.map(|link| LetterContent::PasswordReset { link })
        }
        MailKind::PasswordChanged => Some(LetterContent::PasswordChanged),
        MailKind::EmailVerification => {
            let token = accounts::verification_token(app, &user, recipient, mail.created_at);
            let link = link(&settings.verification_url, token)?;
            link.map(|link| LetterContent::EmailVerification { link })
        }
        MailKind::EmailChanged => Some(LetterContent::EmailChanged {
            undo: link(&settings.undo_url, accounts::undo_token(app, &user, recipient))?,
        }),
        MailKind::EmailRestored => Some(LetterContent::EmailRestored),
    };
    Ok(content.map(|content| Letter {
        id: format!("{}.{}", mail.created_at.timestamp_micros(), mail.id),
        to: recipient.clone(),
        username: user.username,
        content,
    }))
}

/// Returns the link with a token, if there is one.
fn link(url: &str, token: Result<Option<Secret>, Unsignable>) -> Result<Option<String>, Error> {
    let token = token.map_err(|error| StoreError::Other(BoxError::from(error)))?;
    Ok(token.map(|token| format!("{url}{}", token.reveal())))
}

fn is_given_up(mail: &QueuedMail, error: Option<&MailError>) -> bool {
    mail.tries + 1 >= MAX_TRIES || matches!(error, Some(MailError::Refused(_)))
}

fn log_failure(mail: &QueuedMail, error: &MailError) {
    let (id, kind, tries) = (mail.id, mail.kind.as_str(), mail.tries + 1);
    let (MailError::Refused(cause) | MailError::Unavailable(cause)) = error;
    if is_given_up(mail, Some(error)) {
        tracing::error!(mail = id, kind, tries, %cause, "mail {id} ({kind}) could not be sent and is given up: {error}");
    } else {
        tracing::warn!(mail = id, kind, tries, %cause, "mail {id} ({kind}) could not be sent and is tried again: {error}");
    }
}

#[cfg(test)]
mod tests {
    use mycars_domain::{User, UserId, values::Email};

    use super::*;
    use crate::mocks::{Mocks, samples};

    fn mail(tries: u32) -> QueuedMail {
        QueuedMail {
            id: 7,
            kind: MailKind::PasswordChanged,
            user: Some(UserId(1)),
            recipient: Some(samples::user().email),
            created_at: samples::now(),
            tries,
        }
    }

    /// Lets one mail be due.
    fn with_due(mut mocks: Mocks, mail: QueuedMail) -> Mocks {
        let mut due = [Some(mail), None].into_iter();
        mocks
            .unit
            .outbox
            .expect_next_due()
            .returning(move |_| Ok(due.next().flatten()));
        mocks
            .unit
            .outbox
            .expect_postpone()
            .once()
            .returning(|_, _| Ok(true));
        mocks
    }

    /// Mocks with one mail that is due, whose sending has this outcome.
    fn mocks(mail: QueuedMail, outcome: Result<(), MailError>) -> Mocks {
        let mocks = Mocks::new().with_mail().with_user_read(samples::user());
        let mut mocks = with_due(mocks, mail);
        mocks.mailer.expect_send().times(..2).return_once(|_| outcome);
        mocks
    }

    fn unavailable() -> MailError {
        MailError::Unavailable("no route".into())
    }

    fn send(mocks: Mocks) -> SendReport {
        let (app, _) = mocks.into_app();
        send_due(&app, &Caller::system()).unwrap()
    }

    #[test]
    fn sent_mail_leaves_the_outbox_after_it_was_accepted() {
        let mut order = mockall::Sequence::new();
        let mut mocks = Mocks::new().with_mail().with_user_read(samples::user());
        let mut due = [Some(mail(0)), None].into_iter();
        mocks
            .unit
            .outbox
            .expect_next_due()
            .returning(move |_| Ok(due.next().flatten()));
        let minute = samples::now() + TimeDelta::minutes(1);
        let outbox = &mut mocks.unit.outbox;
        outbox
            .expect_postpone()
            .once()
            .in_sequence(&mut order)
            .withf(move |mail, until| (mail.id, *until) == (7, minute))
            .returning(|_, _| Ok(true));
        mocks
            .mailer
            .expect_send()
            .once()
            .in_sequence(&mut order)
            .withf(|letter| {
                letter.to == samples::user().email && letter.content == LetterContent::PasswordChanged
            })
            .returning(|_| Ok(()));
        mocks
            .unit
            .outbox
            .expect_delete()
            .once()
            .in_sequence(&mut order)
            .withf(|id| *id == 7)
            .returning(|_| Ok(()));
        let report = SendReport {
            sent: 1,
            has_failed: false,
        };
        assert_eq!(send(mocks), report);
    }

    /// Returns the content of a mail to a user at an address; `None` if there is nothing to send.
    fn content(kind: MailKind, user: &User, recipient: &str) -> Option<LetterContent> {
        let mut mocks = Mocks::new().with_mail().with_user_read(user.clone());
        mocks
            .tokens
            .expect_encode()
            .returning(|claims| Ok(claims.token_type.clone().unwrap()));
        let (app, _) = mocks.into_app();
        let mail = QueuedMail {
            kind,
            recipient: Some(Email::from_storage(recipient.into())),
            ..mail(0)
        };
        let letter = letter(&app, app.mail.as_ref().unwrap(), &mail).unwrap();
        letter.map(|letter| letter.content)
    }

    #[test]
    fn mails_about_an_email_have_its_links() {
        let mut user = samples::user();
        user.change_email(Email::from_storage("new@example.com".into()), samples::now());
        let verification = || {
            Some(LetterContent::EmailVerification {
                link: format!("{}email_verification", samples::VERIFICATION_URL),
            })
        };
        let (old, new) = ("ann@example.com", "new@example.com");
        assert_eq!(content(MailKind::EmailVerification, &user, new), verification());
        assert_eq!(content(MailKind::EmailVerification, &user, old), None);
        let changed = |undo| Some(LetterContent::EmailChanged { undo });
        let undo = format!("{}email_undo", samples::UNDO_URL);
        assert_eq!(content(MailKind::EmailChanged, &user, old), changed(Some(undo)));
        assert_eq!(
            content(MailKind::EmailChanged, &user, "other@example.com"),
            changed(None)
        );
        assert_eq!(
            content(MailKind::EmailRestored, &user, new),
            Some(LetterContent::EmailRestored)
        );
    }

    #[test]
    fn unavailable_server_keeps_the_mail_and_ends_the_run() {
        let report = send(mocks(mail(0), Err(unavailable())));
        assert_eq!(
            report,
            SendReport {
                sent: 0,
                has_failed: true
            }
        );
    }

    #[test]
    fn refused_or_tenth_failure_gives_the_mail_up() {
        for (tries, error) in [(0, MailError::Refused("unknown".into())), (9, unavailable())] {
            let mut mocks = mocks(mail(tries), Err(error));
            mocks.unit.outbox.expect_delete().once().returning(|_| Ok(()));
            assert!(send(mocks).has_failed);
        }
    }

    #[test]
    fn mail_without_an_active_user_is_dropped_unsent() {
        let inactive = Mocks::new().with_mail().with_user_read(samples::inactive_user());
        for (mocks, user) in [(Mocks::new().with_mail(), None), (inactive, Some(UserId(1)))] {
            let mut mocks = with_due(mocks, QueuedMail { user, ..mail(0) });
            mocks.unit.outbox.expect_delete().once().returning(|_| Ok(()));
            assert_eq!(send(mocks), SendReport::default());
        }
    }

    #[test]
    fn mail_that_another_server_claims_is_not_sent() {
        let mut mocks = Mocks::new().with_mail();
        let mut due = [Some(mail(0)), None].into_iter();
        mocks
            .unit
            .outbox
            .expect_next_due()
            .returning(move |_| Ok(due.next().flatten()));
        mocks
            .unit
            .outbox
            .expect_postpone()
            .once()
            .returning(|_, _| Ok(false));
        assert_eq!(send(mocks), SendReport::default());
    }

    #[test]
    fn delays_double_from_one_minute_to_six_hours() {
        let now = samples::now();
        let minutes: Vec<i64> = (0..=10)
            .map(|tries| (next_try(now, tries) - now).num_minutes())
            .collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]);
    }
}
