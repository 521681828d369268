//! End one login by its refresh token.

use mycars_domain::{Action, Target, audit::Object, policy};

use super::drop_pending_email;
use crate::{App, Caller, Error, audit, ports::Revocation};

/// Revokes the refresh token with this number, with all others of its login, and returns whether it was live before. A
/// token that is revoked already stays unchanged.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`] for callers without admin rights, and for admins if the owner is a superuser;
/// [`Error::Store`].
///
/// ```
/// use mycars_application::{
///     accounts::logins, mocks::{Mocks, samples}, ports::{ListedToken, RefreshToken},
/// };
/// use mycars_domain::{Rank, UserId};
///
/// let token = RefreshToken {
///     id: "jti".into(),
///     user: Some(UserId(1)),
///     ..samples::refresh_token(None)
/// };
/// let listed = ListedToken { number: 5, token: token.clone(), username: Some("ann".into()) };
/// let mut mocks = Mocks::new();
/// mocks.unit.users.expect_find_for_update().returning(|_| Ok(Some(samples::user())));
/// let tokens = &mut mocks.unit.refresh_tokens;
/// tokens.expect_find_all().returning(move |_| Ok(vec![listed.clone()]));
/// tokens.expect_find_for_update().returning(move |_| Ok(Some(token.clone())));
/// tokens.expect_revoke_family().returning(|_, _, _| Ok(1));
/// let (app, _) = mocks.into_app();
///
/// let was_alive = logins::revoke(&app, &samples::other_user(Rank::Admin), 5)?;
/// assert!(was_alive);
/// # Ok::<(), mycars_application::Error>(())
/// ```
pub fn revoke(app: &App, caller: &Caller, number: i64) -> Result<bool, Error> {
    policy::check(&caller.actor, Action::EndLogins, Target::NOTHING)?;
    app.store.write(|unit| {
        let listed = unit.refresh_tokens().find_all(&[number])?;
        let token = listed.into_iter().next().ok_or(Error::NotFound)?.token;
        // The user is locked before the token, as in all use-cases.
        let mut owner = match token.user {
            Some(owner) => caller.recheck_with::<Error>(unit, owner)?,
            None => caller.recheck::<Error>(unit).map(|()| None)?,
        };
        if let Some(owner) = &owner {
            let target = Target::user(owner.id, owner.rank());
            policy::check(&caller.actor, Action::EndLogins, target)?;
        }
        let token = unit
            .refresh_tokens()
            .find_for_update(&token.id)?
            .ok_or(Error::NotFound)?;
        if token.revoked.is_some() {
            return Ok(false);
        }
        if let Some(owner) = &mut owner {
            drop_pending_email(app, unit, caller, owner)?;
        }
        unit.refresh_tokens()
            .revoke_family(&token.family().id, Revocation::Revoked, app.now())?;
        let object = Object::refresh_token(&token.id, token.user);
        audit::token_revoked(app, unit, caller, object, None, Revocation::Revoked)?;
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Denied, User, audit::ObjectType, values::Email};

    use super::*;
    use crate::{
        mocks::{Mocks, samples},
        ports::ListedToken,
    };

    /// Returns mocks with a token of this owner, which is `revoked`.
    fn mocks(revoked: Option<Revocation>, owner: User) -> Mocks {
        let token = samples::refresh_token(revoked);
        let listed = ListedToken {
            number: 5,
            token: token.clone(),
            username: None,
        };
        let mut mocks = Mocks::new().with_user_locked(owner).with_token(token);
        let tokens = &mut mocks.unit.refresh_tokens;
        tokens.expect_find_all().return_once(|_| Ok(vec![listed]));
        mocks
    }

    #[test]
    fn revoke_of_a_live_token_is_logged() {
        let (app, store) = mocks(None, samples::user())
            .expect_family_revoked("jti", Revocation::Revoked, 1)
            .into_app();
        assert!(revoke(&app, &samples::admin(), 5).unwrap());
        let entries = store.entries();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].object.kind, ObjectType::RefreshToken);
        assert_eq!(entries[0].object.id, "jti");
    }

    #[test]
    fn revoke_of_a_live_token_drops_a_pending_email() {
        let mut ann = samples::user();
        ann.email_state.pending = Some(Email::from_storage("thief@example.com".into()));
        let (app, store) = mocks(None, ann)
            .expect_user_update(|user| user.email_state.pending.is_none())
            .expect_family_revoked("jti", Revocation::Revoked, 1)
            .into_app();
        assert!(revoke(&app, &samples::admin(), 5).unwrap());
        assert_eq!(store.entries().len(), 2);
    }

    #[test]
    fn revoke_of_a_revoked_token_changes_nothing() {
        let (app, store) = mocks(Some(Revocation::Rotated), samples::user()).into_app();
        assert!(!revoke(&app, &samples::admin(), 5).unwrap());
        assert_eq!(store.entries(), []);
    }

    #[test]
    fn revoke_of_a_superusers_token_by_an_admin_is_denied() {
        let (app, store) = mocks(None, samples::superuser()).into_app();
        let refused = revoke(&app, &samples::admin(), 5);
        assert!(matches!(refused, Err(Error::Denied(Denied::SuperusersOnly))));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }
}
