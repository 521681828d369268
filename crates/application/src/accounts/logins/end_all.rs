//! End all logins of a user.

use mycars_domain::{Action, Target, UserId, policy};

use super::{drop_pending_email, update_and_end};
use crate::{App, Caller, Error, accounts::keys, audit, ports::Revocation};

/// Ends all logins of a user: revokes all refresh tokens, those of other systems with the same key included, and
/// deletes all sessions and API keys. Access tokens stay valid until they expire.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`] for callers without admin rights, and for admins if the user is a superuser;
/// [`Error::Store`].
pub fn end_all(app: &App, caller: &Caller, id: UserId) -> Result<(), Error> {
    policy::check(&caller.actor, Action::EndLogins, Target::NOTHING)?;
    app.store.write(|unit| {
        let mut user = caller.recheck_with::<Error>(unit, id)?.ok_or(Error::NotFound)?;
        policy::check(
            &caller.actor,
            Action::EndLogins,
            Target::user(user.id, user.rank()),
        )?;
        drop_pending_email(app, unit, caller, &mut user)?;
        let mut ended = update_and_end(app, unit, &mut user, Revocation::Revoked)?;
        ended.keys = keys::end_all_of(unit, user.id)?;
        Ok(audit::logins_ended(app, unit, caller, &user, ended)?)
    })
}

#[cfg(test)]
mod tests {
    use mycars_domain::{
        Denied, Field, Rank,
        audit::{self, Change, Value},
        values::Email,
    };

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
    };

    #[test]
    fn end_all_revokes_tokens_and_deletes_sessions_and_keys() {
        let (app, store) = Mocks::new()
            .with_user_locked(samples::user())
            .expect_user_update(|user| user.logins_ended_at == Some(samples::now()))
            .expect_keys_ended()
            .expect_logins_ended(Revocation::Revoked, 3, 2)
            .into_app();
        end_all(&app, &samples::admin(), UserId(1)).unwrap();
        let entries = store.entries();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].action, audit::Action::Revoked);
        let (field, before, after) = expected::key_ended();
        let key = Change { field, before, after };
        let changes = expected::ended_logins(3, 2).into_iter().chain([key]);
        assert_eq!(entries[0].changes, changes.collect::<Vec<_>>());
    }

    #[test]
    fn end_all_drops_a_pending_email() {
        let mut ann = samples::user();
        ann.email_state.pending = Some(Email::from_storage("thief@example.com".into()));
        let mut mocks = Mocks::new().with_user_locked(ann).with_api_keys(vec![]);
        let update = mocks.unit.users.expect_update().times(2);
        update
            .withf(|user| user.email_state.pending.is_none())
            .returning(|_| Ok(()));
        let (app, store) = mocks.expect_logins_ended(Revocation::Revoked, 1, 1).into_app();
        end_all(&app, &samples::admin(), UserId(1)).unwrap();
        let change = (Field::PendingEmail, "thief@example.com".into(), Value::Nothing);
        let entry = expected::ann_changed(&samples::admin(), [change]);
        assert_eq!((store.entries().len(), &store.entries()[0]), (2, &entry));
    }

    #[test]
    fn end_all_of_a_superuser_by_others_is_denied() {
        for (rank, denied) in [
            (Rank::Admin, Denied::SuperusersOnly),
            (Rank::Client, Denied::Forbidden),
        ] {
            let (app, store) = Mocks::new().with_user_locked(samples::superuser()).into_app();
            let refused = end_all(&app, &samples::other_user(rank), UserId(1));
            assert!(matches!(refused, Err(Error::Denied(why)) if why == denied));
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }
}
