//! Rules about the outbox.

use std::{sync::Barrier, thread};

use mycars_application::ports::{MailKind, QueuedMail, Store, StoreError};
use mycars_domain::{UserId, values::Email};

use super::keep_owner;
use crate::samples::moment;

fn enqueue(store: &dyn Store, kind: MailKind, user: Option<UserId>, at: i64) {
    let to = user.map(|user| (user, email()));
    store
        .write(|unit| unit.outbox().insert(kind, to, moment(at)))
        .expect("a mail can be queued");
}

fn email() -> Email {
    Email::from_storage("Ann@example.com".into())
}

fn next_due(store: &dyn Store, now: i64) -> Option<QueuedMail> {
    store
        .read(|unit| unit.outbox().next_due(moment(now)))
        .expect("the outbox can be read")
}

fn postpone(store: &dyn Store, mail: &QueuedMail, until: i64) -> bool {
    store
        .write(|unit| unit.outbox().postpone(mail, moment(until)))
        .expect("a mail can be postponed")
}

/// Mails are returned unchanged, the one that is due first. A deleted one does not return.
pub fn mails_are_due_in_order_of_time(store: &dyn Store) {
    let owner = keep_owner(store);
    assert_eq!(next_due(store, 100), None);
    enqueue(store, MailKind::PasswordReset, None, 20);
    enqueue(store, MailKind::PasswordChanged, Some(owner.id), 10);
    assert_eq!(next_due(store, 9), None);
    let first = next_due(store, 20).expect("two are due");
    let expected = QueuedMail {
        id: first.id,
        kind: MailKind::PasswordChanged,
        user: Some(owner.id),
        recipient: Some(email()),
        created_at: moment(10),
        tries: 0,
    };
    assert_eq!(first, expected);
    let delete = |id| store.write(|unit| unit.outbox().delete(id));
    delete(first.id).expect("a mail can be deleted");
    delete(first.id).expect("it can be repeated");
    let second = next_due(store, 20).expect("one is left");
    assert_eq!((second.kind, second.user), (MailKind::PasswordReset, None));
    assert!(!postpone(store, &first, 30), "it was deleted");
}

/// A postponed mail is due later, and only the caller with the current number of attempts postpones it.
pub fn mail_is_postponed_once_for_each_attempt(store: &dyn Store) {
    enqueue(store, MailKind::PasswordReset, None, 10);
    let mail = next_due(store, 10).expect("it is due");
    assert!(postpone(store, &mail, 50));
    assert!(!postpone(store, &mail, 60), "another attempt was counted");
    assert_eq!(next_due(store, 49), None);
    let again = next_due(store, 50).expect("it is due again");
    assert_eq!(again, QueuedMail { tries: 1, ..mail });
    assert!(postpone(store, &again, 90));
}

/// Of several servers that claim a mail, exactly one gets it.
pub fn concurrent_claims_of_a_mail_succeed_once(store: &dyn Store) {
    const SERVERS: usize = 4;
    enqueue(store, MailKind::PasswordReset, None, 10);
    let mail = next_due(store, 10).expect("it is due");
    let start = Barrier::new(SERVERS);
    let claim = || {
        start.wait();
        postpone(store, &mail, 50)
    };
    let claims = thread::scope(|scope| {
        let servers: Vec<_> = (0..SERVERS).map(|_| scope.spawn(claim)).collect();
        let claims = servers.into_iter().map(|server| server.join().expect("no panic"));
        claims.filter(|is_claimed| *is_claimed).count()
    });
    assert_eq!(claims, 1);
}

/// The mails of a deleted user are deleted with them, and a missing user has none.
pub fn mails_of_deleted_user_are_deleted(store: &dyn Store) {
    let owner = keep_owner(store);
    enqueue(store, MailKind::PasswordChanged, Some(owner.id), 10);
    enqueue(store, MailKind::PasswordReset, None, 20);
    store
        .write(|unit| unit.users().delete(owner.id))
        .expect("the user can be deleted");
    let left = next_due(store, 100).expect("the other mail stays");
    assert_eq!(left.user, None);
    let missing = store.write(|unit| {
        unit.outbox()
            .insert(MailKind::PasswordChanged, Some((owner.id, email())), moment(10))
    });
    assert!(matches!(missing, Err(StoreError::OwnerGone)), "{missing:?}");
}

/// A mail is stored together with the change that it is about, or neither is.
pub fn mail_is_rolled_back_with_its_change(store: &dyn Store) {
    let failed = store.write(|unit| {
        unit.outbox().insert(MailKind::PasswordReset, None, moment(10))?;
        Err::<(), _>(StoreError::Other("a fault of the program".into()))
    });
    assert!(failed.is_err());
    assert_eq!(next_due(store, 100), None);
}
