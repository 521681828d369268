//! End an API key.

use mycars_domain::{Action, Rank, Target, UserId, policy};

use crate::{
    App, Caller, Error, audit,
    ports::{ApiKey, StoreError, UnitOfWork},
};

/// Deletes the API key `id` of a user: it is refused from the next request on.
///
/// # Errors
/// [`Error::NotFound`] if the user has no such key; [`Error::Denied`] for callers that may not end it;
/// [`Error::Store`].
pub fn end(app: &App, caller: &Caller, owner: UserId, id: i64) -> Result<(), Error> {
    let check = |rank| policy::check(&caller.actor, Action::EndKey, Target::user(owner, rank));
    check(Rank::Client)?;
    app.store.write(|unit| {
        let user = caller
            .recheck_with::<Error>(unit, owner)?
            .ok_or(Error::NotFound)?;
        check(user.rank())?;
        let key = unit.api_keys().find(id)?;
        let key = key.filter(|key| key.owner == owner).ok_or(Error::NotFound)?;
        unit.api_keys().delete(id)?;
        Ok(audit::key_changed(app, unit, caller, &user, &key, false)?)
    })
}

/// Deletes all API keys of a locked user, and returns them.
pub(crate) fn end_all_of(unit: &mut dyn UnitOfWork, owner: UserId) -> Result<Vec<ApiKey>, StoreError> {
    let keys = unit.api_keys().list_of(owner)?;
    for key in &keys {
        unit.api_keys().delete(key.id)?;
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Denied, Field, User, audit::Value};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
    };

    /// Returns mocks with the key 3 of a user with this id.
    fn mocks(owner: i64, user: User) -> Mocks {
        let mut mocks = Mocks::new().with_user_locked(user);
        let find = mocks.unit.api_keys.expect_find();
        find.returning(move |id| {
            Ok((id == 3).then(|| ApiKey {
                owner: UserId(owner),
                ..samples::api_key()
            }))
        });
        mocks
    }

    #[test]
    fn end_deletes_the_key_and_is_logged() {
        for caller in [samples::ann(), samples::admin()] {
            let mut mocks = mocks(1, samples::user());
            let delete = mocks.unit.api_keys.expect_delete().once();
            delete.withf(|id| *id == 3).returning(|_| Ok(()));
            let (app, store) = mocks.into_app();
            end(&app, &caller, UserId(1), 3).unwrap();
            let change = (Field::ApiKey, "sync (mck_ab, read)".into(), Value::Nothing);
            assert_eq!(store.entries(), [expected::ann_changed(&caller, [change])]);
        }
    }

    #[test]
    fn unknown_key_and_that_of_another_user_are_not_found() {
        for (owner, id) in [(1, 4), (2, 3)] {
            let (app, store) = mocks(owner, samples::user()).into_app();
            let refused = end(&app, &samples::ann(), UserId(1), id);
            assert!(matches!(refused, Err(Error::NotFound)));
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn end_of_a_superusers_key_by_an_admin_is_denied() {
        let (app, _) = mocks(1, samples::superuser()).into_app();
        let refused = end(&app, &samples::admin(), UserId(1), 3);
        assert!(matches!(refused, Err(Error::Denied(Denied::SuperusersOnly))));
    }
}
