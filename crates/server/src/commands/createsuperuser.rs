//! `mycars createsuperuser`: make a user who has every right, as Django's command does.

use mycars_application::{
    App, Caller,
    accounts::{self, NewSuperuser},
};
use mycars_domain::{
    Field, password, strip,
    values::{Email, FirstName, LastName, Password, Username},
};

use super::passwords;
use crate::{
    cli::CreateSuperuser,
    console::Console,
    error::{CommandError, describe},
};

/// An environment variable by its name.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(super) fn run(
    app: &App,
    given: &CreateSuperuser,
    variable: Variable<'_>,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let superuser = if given.noinput {
        from_what_is_given(app, given, variable, console)?
    } else if console.is_interactive() {
        by_asking(app, given, console)?
    } else {
        console.print(
            "Superuser creation skipped due to not running in a TTY. Use --noinput with --username and --email, \
             and the password in MYCARS_SUPERUSER_PASSWORD.",
        );
        return Ok(());
    };
    accounts::create_superuser(app, &Caller::system(), superuser)?;
    console.print("Superuser created successfully.");
    Ok(())
}

/// Asks nothing: what is missing or wrong ends the command. The password is taken as it is, as Django takes it:
/// whoever sets variables for a server knows what they do.
fn from_what_is_given(
    app: &App,
    given: &CreateSuperuser,
    variable: Variable<'_>,
    console: &mut dyn Console,
) -> Result<NewSuperuser, CommandError> {
    let from_environment = |name: &str| {
        let of = |prefix: &str| variable(&format!("{prefix}_SUPERUSER_{name}"));
        of("MYCARS").or_else(|| of("DJANGO"))
    };
    let needed = |option: &str, value: &Option<String>, name: &str| {
        value
            .clone()
            .or_else(|| from_environment(name))
            .ok_or_else(|| CommandError::Refused(format!("You must use --{option} with --noinput.")))
    };
    let username = accounts::check_username(
        app,
        &Caller::system(),
        &needed("username", &given.username, "USERNAME")?,
    )?;
    let email = accounts::check_email(app, &Caller::system(), &needed("email", &given.email, "EMAIL")?)?;
    let (first_name, last_name) = names(
        given
            .first_name
            .clone()
            .or_else(|| from_environment("FIRST_NAME"))
            .as_deref(),
        given
            .last_name
            .clone()
            .or_else(|| from_environment("LAST_NAME"))
            .as_deref(),
    )?;
    let password = match from_environment("PASSWORD") {
        Some(text) => Some(
            Password::parse(&text)
                .map_err(|violations| CommandError::invalid(Field::Password, &violations))?,
        ),
        None => None,
    };
    if password.is_none() {
        console.complain(&format!(
            "No password is set: nobody can log in until `mycars changepassword {username}` sets one."
        ));
    }
    Ok(NewSuperuser {
        username,
        email,
        first_name,
        last_name,
        password,
    })
}

/// Asks for what is not given, and again for what is wrong.
fn by_asking(
    app: &App,
    given: &CreateSuperuser,
    console: &mut dyn Console,
) -> Result<NewSuperuser, CommandError> {
    let username: Username = ask_until_right(console, "Username: ", given.username.as_deref(), |text| {
        accounts::check_username(app, &Caller::system(), text)
    })?;
    let email: Email = ask_until_right(console, "Email address: ", given.email.as_deref(), |text| {
        accounts::check_email(app, &Caller::system(), text)
    })?;
    let (first_name, last_name) = names(given.first_name.as_deref(), given.last_name.as_deref())?;
    let owner = password::Owner {
        username: username.as_str(),
        first_name: first_name.as_str(),
        last_name: last_name.as_str(),
        email: email.as_str(),
    };
    let password = ask_password(console, &owner)?;
    Ok(NewSuperuser {
        username,
        email,
        first_name,
        last_name,
        password: Some(password),
    })
}

fn ask_until_right<T>(
    console: &mut dyn Console,
    question: &str,
    given: Option<&str>,
    check: impl Fn(&str) -> Result<T, accounts::Error>,
) -> Result<T, CommandError> {
    let mut answer = match given {
        Some(given) => given.to_owned(),
        None => console.ask(question)?,
    };
    loop {
        match check(&answer) {
            Err(accounts::Error::Invalid(violations)) => {
                for (field, violations) in violations.iter() {
                    console.complain(&format!("Error: {}", describe(field, violations)));
                }
            }
            checked => return Ok(checked?),
        }
        answer = console.ask(question)?;
    }
}

/// Both names, which a superuser need not have.
fn names(first: Option<&str>, last: Option<&str>) -> Result<(FirstName, LastName), CommandError> {
    let first = match first.filter(|text| !strip(text).is_empty()) {
        Some(text) => FirstName::parse(text)
            .map_err(|violations| CommandError::invalid(Field::FirstName, &violations))?,
        None => FirstName::default(),
    };
    let last = match last.filter(|text| !strip(text).is_empty()) {
        Some(text) => {
            LastName::parse(text).map_err(|violations| CommandError::invalid(Field::LastName, &violations))?
        }
        None => LastName::default(),
    };
    Ok((first, last))
}

fn ask_password(console: &mut dyn Console, owner: &password::Owner<'_>) -> Result<Password, CommandError> {
    loop {
        let passwords::Asked::Password(password) = passwords::ask(console)? else {
            continue;
        };
        let violations = password::check_chosen(&password, owner);
        if violations.is_empty() {
            return Ok(password);
        }
        for violation in &violations {
            console.complain(&describe(Field::Password, std::slice::from_ref(violation)));
        }
        let answer = console.ask("Bypass password validation and create user anyway? [y/N]: ")?;
        if answer.eq_ignore_ascii_case("y") {
            return Ok(password);
        }
    }
}

#[cfg(test)]
mod tests {
    use mycars_application::mocks::{Mocks, samples};
    use mycars_domain::{NewUser, values::PasswordHash};

    use super::*;
    use crate::console::Script;

    fn nothing_set(_: &str) -> Option<String> {
        None
    }

    /// Mocks in which the username `taken` is taken, and which keep a user that `is_right`.
    fn mocks(is_right: impl Fn(&NewUser) -> bool + Send + 'static) -> Mocks {
        let mut mocks = nobody_is_kept();
        mocks
            .hasher
            .expect_hash()
            .returning(|password| Ok(PasswordHash::from_storage(password.reveal().into())));
        mocks.unit.users.checkpoint();
        mocks
            .unit
            .users
            .expect_username_is_taken()
            .returning(|username, _| Ok(username.as_str() == "taken"));
        mocks
            .unit
            .users
            .expect_email_is_taken()
            .returning(|_, _| Ok(false));
        mocks
            .unit
            .users
            .expect_insert()
            .withf(is_right)
            .once()
            .returning(|_| Ok(samples::user()));
        mocks
    }

    fn nobody_is_kept() -> Mocks {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .users
            .expect_username_is_taken()
            .returning(|username, _| Ok(username.as_str() == "taken"));
        mocks
            .unit
            .users
            .expect_email_is_taken()
            .returning(|_, _| Ok(false));
        mocks
    }

    #[test]
    fn what_is_invalid_or_taken_is_asked_again() {
        let mocks = mocks(|user| {
            user.username.as_str() == "root" && user.is_superuser && user.password.reveal() == "Meadow-x-55"
        });
        let (app, store) = mocks.into_app();
        let mut script = Script::of(&[
            "two words",
            "taken",
            "",
            "root",
            "nonsense",
            "root@example.com",
            "Meadow-x-55",
            "different",
            " ",
            " ",
            "Meadow-x-55",
            "Meadow-x-55",
        ]);
        run(&app, &CreateSuperuser::default(), &nothing_set, &mut script).unwrap();
        assert_eq!(store.commits(), 1);
        assert_eq!(
            script.heard,
            [
                "Username: ",
                "Error: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ \
                 characters.",
                "Username: ",
                "Error: A user with that username already exists.",
                "Username: ",
                "Error: This field may not be blank.",
                "Username: ",
                "Email address: ",
                "Error: Enter a valid email address.",
                "Email address: ",
                "Password: (hidden)",
                "Password (again): (hidden)",
                "Error: Your passwords didn't match.",
                "Password: (hidden)",
                "Password (again): (hidden)",
                "Error: Blank passwords aren't allowed.",
                "Password: (hidden)",
                "Password (again): (hidden)",
                "Superuser created successfully.",
            ]
        );
    }

    #[test]
    fn a_weak_password_is_set_only_if_one_insists() {
        let (app, _) = mocks(|user| user.password.reveal() == "admin").into_app();
        let given = CreateSuperuser {
            username: Some("root".into()),
            email: Some("root@example.com".into()),
            ..CreateSuperuser::default()
        };
        let mut script = Script::of(&["root", "root", "n", "admin", "admin", "Y"]);
        run(&app, &given, &nothing_set, &mut script).unwrap();
        assert!(
            script
                .heard
                .contains(&"The password is too similar to the username.".into())
        );
        assert!(
            script
                .heard
                .contains(&"Bypass password validation and create user anyway? [y/N]: ".into())
        );
    }

    #[test]
    fn nobody_at_the_terminal_makes_nobody() {
        let (app, store) = Mocks::new().into_app();
        let mut script = Script {
            is_absent: true,
            ..Script::default()
        };
        run(&app, &CreateSuperuser::default(), &nothing_set, &mut script).unwrap();
        assert!(script.heard[0].starts_with("Superuser creation skipped due to not running in a TTY."));
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn somebody_who_hangs_up_makes_nobody() {
        let (app, store) = nobody_is_kept().into_app();
        let cancelled = run(
            &app,
            &CreateSuperuser::default(),
            &nothing_set,
            &mut Script::of(&["root"]),
        );
        assert_eq!(cancelled.unwrap_err().to_string(), "Operation cancelled.");
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn without_questions_everything_is_taken_from_options_and_variables() {
        let mocks = mocks(|user| {
            user.username.as_str() == "root"
                && user.email.as_str() == "root@example.com"
                && user.first_name.as_str() == "Ruth"
                && user.last_name.as_str().is_empty()
                && user.password.reveal() == "admin"
        });
        let (app, _) = mocks.into_app();
        let given = CreateSuperuser {
            username: Some("root".into()),
            first_name: Some("Ruth".into()),
            noinput: true,
            ..CreateSuperuser::default()
        };
        let variable = |name: &str| match name {
            "DJANGO_SUPERUSER_PASSWORD" => Some("admin".into()),
            "MYCARS_SUPERUSER_EMAIL" => Some("root@example.com".into()),
            _ => None,
        };
        let mut script = Script::default();
        run(&app, &given, &variable, &mut script).unwrap();
        assert_eq!(script.heard, ["Superuser created successfully."]);
    }

    #[test]
    fn without_questions_what_is_missing_taken_or_wrong_ends_it() {
        let refused = |username: Option<&str>, email: Option<&str>| {
            let (app, _) = nobody_is_kept().into_app();
            let given = CreateSuperuser {
                username: username.map(Into::into),
                email: email.map(Into::into),
                noinput: true,
                ..CreateSuperuser::default()
            };
            run(&app, &given, &nothing_set, &mut Script::default())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused(None, None), "You must use --username with --noinput.");
        assert_eq!(
            refused(Some("root"), None),
            "You must use --email with --noinput."
        );
        assert_eq!(
            refused(Some("taken"), None),
            "username: A user with that username already exists."
        );
        assert_eq!(
            refused(Some("root"), Some("x")),
            "email: Enter a valid email address."
        );
    }

    #[test]
    fn without_questions_and_without_a_password_nobody_can_log_in_yet() {
        let (app, _) = mocks(|user| user.password == PasswordHash::unusable()).into_app();
        let given = CreateSuperuser {
            username: Some("root".into()),
            email: Some("root@example.com".into()),
            noinput: true,
            ..CreateSuperuser::default()
        };
        let mut script = Script::default();
        run(&app, &given, &nothing_set, &mut script).unwrap();
        assert!(
            script.heard[0].contains("changepassword root"),
            "{:?}",
            script.heard
        );
    }
}
