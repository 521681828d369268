//! `mycars changepassword USERNAME`: set the password of a user, as Django's command does.

use mycars_application::{App, Caller, accounts};
use mycars_domain::{Field, User, password, values::Password};

use super::passwords;
use crate::{
    console::Console,
    error::{CommandError, describe},
};

/// Maximum number of refused passwords before the command aborts.
const MAX_TRIES: u32 = 3;

pub(super) fn run(app: &App, username: &str, console: &mut dyn Console) -> Result<(), CommandError> {
    let user = match accounts::find_for_password(app, &Caller::system(), username) {
        Err(accounts::Error::NotFound) => {
            return Err(CommandError::Refused(format!("user '{username}' does not exist")));
        }
        found => found?,
    };
    console.print(&format!("Changing password for user '{username}'"));
    let password = ask(&user, console)?;
    accounts::set_password(app, &Caller::system(), user.id, &password)?;
    console.print(&format!("Password changed successfully for user '{username}'"));
    Ok(())
}

fn ask(user: &User, console: &mut dyn Console) -> Result<Password, CommandError> {
    for _ in 0..MAX_TRIES {
        let passwords::Asked::Password(password) = passwords::ask(console)? else {
            continue;
        };
        let violations = password::check_chosen(&password, &password::Owner::from(user));
        if violations.is_empty() {
            return Ok(password);
        }
        console.print_error(&describe(Field::Password, &violations));
    }
    let username = &user.username;
    Err(CommandError::Refused(format!(
        "Aborting password change for user '{username}' after {MAX_TRIES} attempts"
    )))
}

#[cfg(test)]
mod tests {
    use mycars_application::mocks::{Mocks, samples};
    use mycars_domain::values::PasswordHash;

    use super::*;
    use crate::console::Script;

    fn mocks() -> Mocks {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .users
            .expect_find_by_username()
            .returning(|name| Ok((name == "ann").then(samples::user)));
        mocks
    }

    #[test]
    fn changepassword_of_unknown_user_is_refused() {
        let (app, _) = mocks().into_app();
        let refused = run(&app, "bob", &mut Script::default()).unwrap_err();
        assert_eq!(refused.to_string(), "user 'bob' does not exist");
    }

    #[test]
    fn password_typed_twice_is_set() {
        let mut mocks = mocks();
        mocks
            .hasher
            .expect_hash()
            .withf(|password| password.reveal() == "Meadow-x-55")
            .once()
            .returning(|_| Ok(PasswordHash::from_storage("new".into())));
        mocks
            .unit
            .users
            .expect_find_for_update()
            .returning(|_| Ok(Some(samples::user())));
        mocks.unit.users.expect_update().once().returning(|_| Ok(()));
        mocks
            .unit
            .sessions
            .expect_delete_all_of()
            .once()
            .returning(|_, _| Ok(1));
        mocks.unit.api_keys.expect_list_of().returning(|_| Ok(vec![]));
        mocks
            .unit
            .refresh_tokens
            .expect_revoke_all_of()
            .once()
            .returning(|_, _, _, _| Ok(1));
        let (app, store) = mocks.into_app();
        let mut script = Script::of(&["Meadow-x-55", "other", "Meadow-x-55", "Meadow-x-55"]);
        run(&app, "ann", &mut script).unwrap();
        assert_eq!(store.commits(), 1);
        assert!(
            script
                .output
                .contains(&"Error: Your passwords didn't match.".into())
        );
        assert_eq!(
            script.output.last().unwrap(),
            "Password changed successfully for user 'ann'"
        );
    }

    #[test]
    fn three_refused_passwords_abort_the_command() {
        let (app, store) = mocks().into_app();
        let mut script = Script::of(&[
            "ann@example.com",
            "ann@example.com",
            "a",
            "b",
            "12345678",
            "12345678",
        ]);
        let refused = run(&app, "ann", &mut script).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "Aborting password change for user 'ann' after 3 attempts"
        );
        assert!(
            script
                .output
                .contains(&"The password is too similar to the email address.".into())
        );
        assert_eq!(store.commits(), 0);
    }
}
