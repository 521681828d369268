//! `mycars eraseuser USERNAME`: delete a user, and remove their texts from the audit log.

use mycars_application::{App, Caller, accounts, users};
use mycars_domain::UserId;

use crate::{cli::EraseUser, console::Console, error::CommandError};

pub(super) fn run(app: &App, given: &EraseUser, console: &mut dyn Console) -> Result<(), CommandError> {
    let (id, name) = find(app, given)?;
    if !given.noinput {
        console.print(&format!(
            "This deletes {name} with all cars and pictures, and their names, addresses and values in the audit log."
        ));
        if console.ask("Type 'yes' to continue: ")? != "yes" {
            return Err(CommandError::Refused("nothing was erased".into()));
        }
    }
    match users::erase(app, &Caller::system(), id, None) {
        Ok(()) => {}
        Err(users::Error::NotFound) => {
            return Err(CommandError::Refused(format!(
                "{name} does not exist, and the audit log has no entries about or by them"
            )));
        }
        Err(error) => return Err(CommandError::Users(error)),
    }
    console.print(&format!(
        "Erased user {id}. Backups from before still hold their data."
    ));
    Ok(())
}

/// Returns the id of the user, and a name for messages. A user that was deleted before has only an id.
fn find(app: &App, given: &EraseUser) -> Result<(UserId, String), CommandError> {
    let username = match (given.id, &given.username) {
        (Some(id), _) => return Ok((UserId(id), format!("user {id}"))),
        (None, username) => username.as_deref().unwrap_or_default(),
    };
    match accounts::find_for_password(app, &Caller::system(), username) {
        Ok(user) => Ok((user.id, format!("user '{username}'"))),
        Err(accounts::Error::NotFound) => Err(CommandError::Refused(format!(
            "user '{username}' does not exist; name a deleted user by --id"
        ))),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use mycars_application::{
        mocks::{MockStore, Mocks, samples},
        ports::Revocation,
    };

    use super::*;
    use crate::console::Script;

    fn given(username: Option<&str>, id: Option<i64>) -> EraseUser {
        EraseUser {
            username: username.map(str::to_owned),
            id,
            noinput: false,
        }
    }

    fn erasable() -> Mocks {
        let mut mocks = Mocks::new()
            .with_user(samples::user())
            .with_cars(vec![])
            .expect_logins_ended(Revocation::Revoked, 0, 0)
            .expect_user_delete(UserId(1));
        mocks
            .unit
            .users
            .expect_find_by_username()
            .returning(|name| Ok((name == "ann").then(samples::user)));
        mocks.unit.audit_log.expect_forget_user().returning(|_| Ok(3));
        mocks
    }

    fn erase(mocks: Mocks, given: &EraseUser, answer: &'static str) -> (String, std::sync::Arc<MockStore>) {
        let (app, store) = mocks.into_app();
        let mut script = Script::of(&[answer]);
        let outcome = run(&app, given, &mut script);
        let last = script.output.pop().unwrap_or_default();
        (outcome.map_or_else(|error| error.to_string(), |()| last), store)
    }

    #[test]
    fn confirmed_erasure_deletes_the_user() {
        let (told, store) = erase(erasable(), &given(Some("ann"), None), "yes");
        assert_eq!(told, "Erased user 1. Backups from before still hold their data.");
        assert_eq!(store.commits(), 1);
    }

    #[test]
    fn erasure_that_is_not_confirmed_or_has_no_user_changes_nothing() {
        let mut mocks = Mocks::new().without_user();
        mocks.unit.users.expect_find_by_username().returning(|_| Ok(None));
        mocks.unit.audit_log.expect_forget_user().returning(|_| Ok(1));
        let (told, store) = erase(mocks, &given(None, Some(9)), "yes");
        assert_eq!(
            told,
            "user 9 does not exist, and the audit log has no entries about or by them"
        );
        assert_eq!(store.commits(), 0);

        let mut mocks = Mocks::new();
        mocks
            .unit
            .users
            .expect_find_by_username()
            .returning(|_| Ok(Some(samples::user())));
        let (told, store) = erase(mocks, &given(Some("ann"), None), "y");
        assert_eq!((told.as_str(), store.commits()), ("nothing was erased", 0));

        let mut mocks = Mocks::new();
        mocks.unit.users.expect_find_by_username().returning(|_| Ok(None));
        let (told, _) = erase(mocks, &given(Some("bob"), None), "yes");
        assert_eq!(told, "user 'bob' does not exist; name a deleted user by --id");
    }
}
