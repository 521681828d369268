//! Rules about refresh tokens.

use chrono::TimeDelta;
use mycars_application::ports::{RefreshToken, Revocation, Store, StoreError};
use mycars_domain::UserId;

use super::{keep_owner, keep_user};
use crate::samples::{moment, new_user, refresh_token};

/// Every field of a token comes back, whether it is somebody's or not, dead or not.
pub fn a_token_is_kept_as_it_was_given(store: &dyn Store) {
    let user = keep_owner(store).id;
    for revoked in [
        None,
        Some(Revocation::LoggedOut),
        Some(Revocation::Rotated),
        Some(Revocation::PasswordChanged),
    ] {
        for user in [None, Some(user)] {
            let id = format!("{revoked:?} {user:?}");
            let token = RefreshToken {
                id: id.clone(),
                user,
                issued_at: moment(123_456),
                expires_at: moment(999_999),
                revoked,
            };
            record(store, &token);
            assert_eq!(find(store, &id), Some(token));
        }
    }
    assert_eq!(find(store, "unknown"), None);
}

/// Recording a token that is known changes nothing about it, and is no error.
pub fn a_token_is_recorded_once(store: &dyn Store) {
    let user = keep_owner(store).id;
    let token = RefreshToken {
        revoked: Some(Revocation::LoggedOut),
        ..refresh_token("a", user)
    };
    record(store, &token);
    record(
        store,
        &RefreshToken {
            revoked: None,
            user: None,
            expires_at: moment(0),
            ..token.clone()
        },
    );
    assert_eq!(find(store, "a"), Some(token));
}

/// A token can't be given to a user who is not there.
pub fn a_token_of_nobody_that_is_there_is_refused(store: &dyn Store) {
    let nobody = UserId(keep_owner(store).id.0 + 1);
    let outcome = store.write(|unit| unit.refresh_tokens().record(&refresh_token("a", nobody)));
    assert!(matches!(outcome, Err(StoreError::OwnerGone)), "{outcome:?}");
}

/// Revoking says why a token is dead, and touches no other.
pub fn a_token_can_be_revoked(store: &dyn Store) {
    let user = keep_owner(store).id;
    let other = refresh_token("b", user);
    record(store, &refresh_token("a", user));
    record(store, &other);
    store
        .write(|unit| unit.refresh_tokens().revoke("a", Revocation::Rotated, moment(1)))
        .expect("the token can be revoked");
    let revoked = RefreshToken {
        revoked: Some(Revocation::Rotated),
        ..refresh_token("a", user)
    };
    assert_eq!(find(store, "a"), Some(revoked));
    assert_eq!(find(store, "b"), Some(other));
}

/// Revoking all touches only what is alive and is that user's.
pub fn all_live_tokens_of_a_user_can_be_revoked(store: &dyn Store) {
    let user = keep_owner(store).id;
    let other = keep_user(store, &new_user("other")).id;
    record(store, &refresh_token("live 1", user));
    record(store, &refresh_token("live 2", user));
    record(
        store,
        &RefreshToken {
            revoked: Some(Revocation::LoggedOut),
            ..refresh_token("dead", user)
        },
    );
    record(store, &refresh_token("other", other));
    record(
        store,
        &RefreshToken {
            user: None,
            ..refresh_token("nobody", user)
        },
    );
    store
        .write(|unit| {
            unit.refresh_tokens()
                .revoke_all_of(user, Revocation::PasswordChanged, moment(1))
        })
        .expect("the tokens can be revoked");
    for (id, why) in [
        ("live 1", Some(Revocation::PasswordChanged)),
        ("live 2", Some(Revocation::PasswordChanged)),
        ("dead", Some(Revocation::LoggedOut)),
        ("other", None),
        ("nobody", None),
    ] {
        assert_eq!(find(store, id).expect("the token is there").revoked, why, "{id}");
    }
}

/// A token that expires now has expired.
pub fn expired_tokens_are_deleted_and_counted(store: &dyn Store) {
    let user = keep_owner(store).id;
    let now = moment(0) + TimeDelta::days(7);
    for (id, microseconds) in [
        ("long ago", -604_800_000_000),
        ("before", -1),
        ("now", 0),
        ("later", 1),
    ] {
        let expires_at = now + TimeDelta::microseconds(microseconds);
        record(
            store,
            &RefreshToken {
                expires_at,
                ..refresh_token(id, user)
            },
        );
    }
    let delete = || {
        store
            .write(|unit| unit.refresh_tokens().delete_expired(now))
            .expect("the store answers")
    };
    assert_eq!(delete(), 3);
    assert_eq!(delete(), 0);
    for (id, is_kept) in [
        ("long ago", false),
        ("before", false),
        ("now", false),
        ("later", true),
    ] {
        assert_eq!(find(store, id).is_some(), is_kept, "{id}");
    }
}

fn record(store: &dyn Store, token: &RefreshToken) {
    store
        .write(|unit| unit.refresh_tokens().record(token))
        .expect("the token can be recorded");
}

fn find(store: &dyn Store, id: &str) -> Option<RefreshToken> {
    let (found, locked) = store
        .write(|unit| {
            let tokens = unit.refresh_tokens();
            Ok::<_, StoreError>((tokens.find(id)?, tokens.find_for_update(id)?))
        })
        .expect("the store answers");
    assert_eq!(found, locked);
    found
}
